-- Purpose: the supply on a route, night by night: trips, headways, hours of service, kilometres.
-- Grain:   one row per service date and feed that has a route of this id or this number.
-- Reads:   marts.route_stats
CREATE OR REPLACE MACRO route_profile(route) AS TABLE
SELECT
    service_date, day_type, source_id, route_id, route_short_name, route_type,
    trip_count, departure_count, headway_mean_minutes, headway_effective_minutes,
    floor(start_seconds / 3600)::INTEGER || ':'
    || lpad((floor(start_seconds / 60)::INTEGER % 60)::VARCHAR, 2, '0') AS first_departure,
    floor(end_seconds / 3600)::INTEGER || ':'
    || lpad((floor(end_seconds / 60)::INTEGER % 60)::VARCHAR, 2, '0') AS last_arrival,
    peak_trip_count, service_distance_km, service_speed_kmh, mark
FROM marts.route_stats
WHERE route_id = route::VARCHAR OR route_short_name = route::VARCHAR
ORDER BY service_date, source_id, route_id;
COMMENT ON MACRO TABLE route_profile IS
'Supply on a route (its id, or its number as riders know it), night by night.';
