-- Purpose: diesel vehicles of the city's and suburban fleet.
-- Grain:   one row per figure and scope of one service date: figure, scope, value, mark, reason.
-- Reads:   marts.diesel_phase_out; parameter 1: the service date.
SELECT
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
    AND diesel.service_date = CAST(? AS DATE)
ORDER BY diesel.status_scope DESC
