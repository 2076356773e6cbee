-- Purpose: vehicles of each fuel on the service date, as count and share of the fleet.
-- Grain:   one row per service date, status scope, service scope and fuel.
-- Reads:   staging.vehicles (versions that govern the night), night (one row).
-- The definition is told in pipelines/marts/diesel_phase_out.py.
WITH
fuels (fuel_type, is_clean, is_zero_emission) AS (
    VALUES
        ('cng', TRUE, FALSE),
        ('diesel', FALSE, FALSE),
        ('electric', TRUE, TRUE),
        ('hybrid', FALSE, FALSE),
        ('hydrogen', TRUE, TRUE),
        ('lpg', TRUE, FALSE),
        ('petrol', FALSE, FALSE),
        ('trolleybus', TRUE, TRUE),
        ('unknown', NULL, NULL)
),
fleet AS (
    SELECT
        vehicles.fuel_type,
        vehicles.service_scope,
        coalesce(vehicles.status, 'in_service') AS status
    FROM staging.vehicles AS vehicles
    CROSS JOIN night
    WHERE coalesce(vehicles.in_service_date, vehicles.manufacture_date, night.service_date)
            <= night.service_date
        AND coalesce(vehicles.retirement_date > night.service_date, TRUE)
),
known AS (
    SELECT
        count(*) > 0 AS is_register_filled,
        count(status) > 0 AS is_status_known,
        count(service_scope) > 0 AS is_service_scope_known
    FROM staging.vehicles
),
scopes AS (
    SELECT
        status_scopes.status_scope,
        service_scopes.service_scope,
        CASE
            WHEN NOT known.is_register_filled
                THEN 'no fleet register was delivered'
            WHEN status_scopes.status_scope = 'in service' AND NOT known.is_status_known
                THEN 'the register does not say which vehicles stand in reserve'
        END AS reason
    FROM (VALUES ('in service'), ('with reserve')) AS status_scopes (status_scope)
    CROSS JOIN (VALUES ('city and suburban'), ('city'), ('suburban'))
        AS service_scopes (service_scope)
    CROSS JOIN known
    WHERE service_scopes.service_scope = 'city and suburban' OR known.is_service_scope_known
),
counted AS (
    SELECT
        scopes.status_scope,
        scopes.service_scope,
        scopes.reason AS scope_reason,
        fuels.fuel_type,
        fuels.is_clean,
        fuels.is_zero_emission,
        count(fleet.fuel_type) AS vehicle_count
    FROM scopes
    CROSS JOIN fuels
    LEFT JOIN fleet
        ON fleet.fuel_type = fuels.fuel_type
        AND (scopes.status_scope = 'with reserve' OR fleet.status = 'in_service')
        AND (
            scopes.service_scope = 'city and suburban'
            OR fleet.service_scope = scopes.service_scope
        )
    GROUP BY ALL
),
totalled AS (
    SELECT
        *,
        (sum(vehicle_count) OVER (PARTITION BY status_scope, service_scope))::BIGINT AS fleet_count
    FROM counted
)
SELECT
    night.service_date,
    night.day_type,
    'whole day' AS departure_window,
    'register count' AS method,
    night.mark,
    CASE
        WHEN totalled.scope_reason IS NOT NULL THEN totalled.scope_reason
        WHEN totalled.fleet_count = 0 THEN 'no vehicle of the register counts on this date'
    END AS reason,
    totalled.status_scope,
    totalled.service_scope,
    totalled.fuel_type,
    CASE WHEN totalled.scope_reason IS NULL THEN totalled.vehicle_count END AS vehicle_count,
    CASE WHEN totalled.scope_reason IS NULL THEN totalled.fleet_count END AS fleet_count,
    CASE
        WHEN totalled.scope_reason IS NULL AND totalled.fleet_count > 0
            THEN totalled.vehicle_count / totalled.fleet_count
    END AS vehicle_share,
    totalled.is_clean,
    totalled.is_zero_emission
FROM totalled
CROSS JOIN night
ORDER BY
    night.service_date, totalled.status_scope, totalled.service_scope, totalled.fuel_type
