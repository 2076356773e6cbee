-- Purpose: public transport at a place: walks, departures, class of access and PTAL of its grid cell.
-- Grain:   one row per service date: the cell whose centre is nearest, none beyond 1,000 m.
-- Reads:   marts.cell_access
CREATE OR REPLACE MACRO reach_at(lat, lon) AS TABLE
WITH cells AS (
    SELECT
        *,
        2 * 6371008.8 * asin(sqrt(
            sin(radians(latitude - lat) / 2) ^ 2
            + cos(radians(lat)) * cos(radians(latitude)) * sin(radians(longitude - lon) / 2) ^ 2
        )) AS centre_distance_m
    FROM marts.cell_access
    WHERE latitude BETWEEN lat - 0.01 AND lat + 0.01
)
SELECT
    service_date, source_id, cell_id, district_id, centre_distance_m, population_p50,
    metro_walk_m, bus_walk_m, rail_walk_m,
    bus_tram_departures_per_hour, metro_rail_departures_per_hour,
    access_class, ptal_index, ptal_band, mark, reason
FROM cells
WHERE centre_distance_m <= 1000
QUALIFY row_number() OVER (PARTITION BY service_date ORDER BY centre_distance_m, cell_id) = 1
ORDER BY service_date;
COMMENT ON MACRO TABLE reach_at IS
'Public transport at a place (WGS 84): its grid cell on each service date, within 1,000 m.';
