-- Purpose: the fleet on a day, as a night knew it.
-- Grain:   one row per vehicle in service or in reserve on the day.
-- Reads:   marts.vehicle_history
CREATE OR REPLACE MACRO fleet_asof(on_date, known_at) AS TABLE
SELECT
    source_id, vehicle_id, operator_name, depot_name, fuel_type, emission_standard, status,
    service_scope, model_name, manufacture_date, in_service_date, valid_from_date, known_from_date
FROM marts.vehicle_history
WHERE
    valid_from_date <= on_date::DATE
    AND coalesce(valid_to_date > on_date::DATE, TRUE)
    AND known_from_date <= known_at::DATE
    AND coalesce(known_to_date > known_at::DATE, TRUE)
ORDER BY source_id, vehicle_id;
COMMENT ON MACRO TABLE fleet_asof IS
'The fleet on a day (first date) as the night of the second date knew it.';
