-- Purpose: the figures of one night that a person asks for first, as text.
-- Grain:   one row per headline figure and scope of one service date.
-- Reads:   marts.metro_reach, marts.bus_reach, marts.diesel_phase_out,
--          marts.ring_road_diversion, marts.ring_road_effect, marts.commitments_status;
--          parameter 1: the service date.
WITH
night AS (SELECT CAST(? AS DATE) AS service_date),
reach AS (
    SELECT 1 AS place, 'residents near the metro' AS figure, metro.*
    FROM marts.metro_reach AS metro
    UNION ALL
    SELECT 2 AS place, 'residents near a bus' AS figure, bus.*
    FROM marts.bus_reach AS bus
),
latest_diversion AS (
    SELECT diversion.*
    FROM marts.ring_road_diversion AS diversion
    WHERE diversion.service_date = (SELECT night.service_date FROM night)
        AND diversion.vehicle_class = 'heavy'
    ORDER BY diversion.month_date DESC
    LIMIT 1
),
-- Of the events the first one, which is the opening: what it did to all screenlines together.
opening_effect AS (
    SELECT effect.*
    FROM marts.ring_road_effect AS effect
    WHERE effect.service_date = (SELECT night.service_date FROM night)
        AND effect.place_id = 'all screenlines'
        AND effect.place_kind = 'role group'
        AND effect.vehicle_class IN ('heavy', 'all')
    QUALIFY rank() OVER (ORDER BY effect.event_first_date) = 1
),
headlines AS (
    SELECT
        reach.place,
        reach.figure,
        reach.scope_name || ', within ' || reach.distance_m::INTEGER || ' m' AS scope,
        printf('%.1f %%', 100 * reach.reach_share) AS value_text,
        reach.mark,
        reach.reason
    FROM reach
    WHERE reach.scope_type = 'city' AND reach.service_date = (SELECT night.service_date FROM night)
    UNION ALL
    SELECT
        3 AS place,
        'diesel vehicles' AS figure,
        diesel.status_scope || ', ' || diesel.service_scope AS scope,
        printf('%d of %d (%.1f %%)', diesel.vehicle_count, diesel.fleet_count,
            100 * diesel.vehicle_share) AS value_text,
        diesel.mark,
        diesel.reason
    FROM marts.diesel_phase_out AS diesel
    WHERE diesel.fuel_type = 'diesel'
        AND diesel.service_scope = 'city and suburban'
        AND diesel.operator_name = 'all'
        AND diesel.service_date = (SELECT night.service_date FROM night)
    UNION ALL
    SELECT
        4 AS place,
        'heavy through traffic on the ring road' AS figure,
        strftime(latest_diversion.month_date, '%Y-%m') AS scope,
        printf('%.1f %% (%.1f to %.1f)', 100 * latest_diversion.diversion_share,
            100 * latest_diversion.diversion_share_low,
            100 * latest_diversion.diversion_share_high) AS value_text,
        latest_diversion.mark,
        latest_diversion.reason
    FROM latest_diversion
    UNION ALL
    SELECT
        5 AS place,
        'effect on ' || opening_effect.place_id AS figure,
        opening_effect.vehicle_class || ' vehicles, ' || opening_effect.event_id AS scope,
        printf('%+.1f %% (%+.1f to %+.1f)', 100 * (opening_effect.ratio - 1),
            100 * (opening_effect.ratio_low - 1),
            100 * (opening_effect.ratio_high - 1)) AS value_text,
        opening_effect.mark,
        opening_effect.reason
    FROM opening_effect
    UNION ALL
    SELECT
        6 AS place,
        'commitments: ' || statuses.status AS figure,
        'all sources' AS scope,
        count(*)::VARCHAR AS value_text,
        'published' AS mark,
        NULL AS reason
    FROM marts.commitments_status AS statuses
    WHERE statuses.service_date = (SELECT night.service_date FROM night)
    GROUP BY statuses.status
)
SELECT headlines.figure, headlines.scope, headlines.value_text, headlines.mark, headlines.reason
FROM headlines
ORDER BY headlines.place, headlines.figure, headlines.scope DESC
