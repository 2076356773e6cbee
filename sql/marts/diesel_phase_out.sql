-- Purpose: vehicles of each fuel on the service date: count, share of the fleet, age.
-- Grain:   one row per service date, status scope, service scope, operator, depot and fuel.
-- Reads:   marts.vehicle_history (as the night knew it), told.register_versions, night (one row).
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
        history.fuel_type,
        history.service_scope,
        coalesce(history.status, 'in_service') AS status,
        coalesce(history.operator_name, 'not told') AS operator_name,
        coalesce(history.depot_name, 'not told') AS depot_name,
        night.service_date - coalesce(history.manufacture_date, history.in_service_date)
            AS age_days,
        coalesce(history.manufacture_date, history.in_service_date) + INTERVAL 7 YEAR
            <= night.service_date AS is_past_life
    FROM marts.vehicle_history AS history
    CROSS JOIN night
    WHERE history.valid_from_date <= night.service_date
        AND coalesce(history.valid_to_date > night.service_date, TRUE)
),
registers AS (
    SELECT
        count(*) > 0 AS is_register_filled,
        coalesce(sum(versions.refused_count), 0)::BIGINT AS refused_count
    FROM told.register_versions AS versions
),
known AS (
    SELECT count(status) > 0 AS is_status_known, count(service_scope) > 0 AS is_service_scope_known
    FROM marts.vehicle_history
),
scopes AS (
    SELECT
        status_scopes.status_scope,
        service_scopes.service_scope,
        CASE
            WHEN NOT registers.is_register_filled
                THEN 'no fleet register was delivered'
            WHEN status_scopes.status_scope = 'in service' AND NOT known.is_status_known
                THEN 'the register does not say which vehicles stand in reserve'
        END AS reason
    FROM (VALUES ('in service'), ('with reserve')) AS status_scopes (status_scope)
    CROSS JOIN (VALUES ('city and suburban'), ('city'), ('suburban'))
        AS service_scopes (service_scope)
    CROSS JOIN known
    CROSS JOIN registers
    WHERE service_scopes.service_scope = 'city and suburban' OR known.is_service_scope_known
),
scoped AS (
    SELECT
        scopes.status_scope,
        scopes.service_scope,
        fleet.operator_name,
        fleet.depot_name,
        fleet.fuel_type,
        fleet.age_days,
        fleet.is_past_life
    FROM scopes
    INNER JOIN fleet
        ON (scopes.status_scope = 'with reserve' OR fleet.status = 'in_service')
        AND (
            scopes.service_scope = 'city and suburban'
            OR fleet.service_scope = scopes.service_scope
        )
    WHERE scopes.reason IS NULL
),
grouped AS (
    SELECT
        scoped.status_scope,
        scoped.service_scope,
        coalesce(scoped.operator_name, 'all') AS operator_name,
        coalesce(scoped.depot_name, 'all') AS depot_name,
        scoped.fuel_type,
        count(*) AS vehicle_count,
        count(scoped.age_days) AS known_age_count,
        sum(scoped.age_days)::BIGINT AS age_days,
        count(*) FILTER (scoped.is_past_life) AS past_life_count
    FROM scoped
    GROUP BY GROUPING SETS (
        (scoped.status_scope, scoped.service_scope, scoped.fuel_type),
        (scoped.status_scope, scoped.service_scope, scoped.fuel_type, scoped.operator_name),
        (
            scoped.status_scope, scoped.service_scope, scoped.fuel_type, scoped.operator_name,
            scoped.depot_name
        )
    )
),
wanted AS (
    SELECT scopes.status_scope, scopes.service_scope, 'all' AS operator_name, 'all' AS depot_name,
        fuels.fuel_type
    FROM scopes
    CROSS JOIN fuels
    UNION
    SELECT grouped.status_scope, grouped.service_scope, grouped.operator_name, grouped.depot_name,
        unnest([grouped.fuel_type, 'diesel']) AS fuel_type
    FROM grouped
),
counted AS (
    SELECT
        wanted.status_scope,
        wanted.service_scope,
        wanted.operator_name,
        wanted.depot_name,
        wanted.fuel_type,
        coalesce(grouped.vehicle_count, 0) AS vehicle_count,
        coalesce(grouped.known_age_count, 0) AS known_age_count,
        grouped.age_days,
        coalesce(grouped.past_life_count, 0) AS past_life_count,
        (sum(coalesce(grouped.vehicle_count, 0)) OVER fleet_of)::BIGINT AS fleet_count
    FROM wanted
    LEFT JOIN grouped
        USING (status_scope, service_scope, operator_name, depot_name, fuel_type)
    WINDOW fleet_of AS (
        PARTITION BY wanted.status_scope, wanted.service_scope, wanted.operator_name,
            wanted.depot_name
    )
),
judged AS (
    SELECT counted.*, scopes.reason AS scope_reason, scopes.reason IS NULL AS is_told
    FROM counted
    INNER JOIN scopes USING (status_scope, service_scope)
)
SELECT
    night.service_date,
    night.day_type,
    'whole day' AS departure_window,
    'register count' AS method,
    night.mark,
    CASE
        WHEN NOT judged.is_told THEN judged.scope_reason
        WHEN judged.fleet_count = 0 THEN 'no vehicle of the register counts on this date'
    END AS reason,
    judged.status_scope,
    judged.service_scope,
    judged.operator_name,
    judged.depot_name,
    judged.fuel_type,
    CASE WHEN judged.is_told THEN judged.vehicle_count END AS vehicle_count,
    CASE WHEN judged.is_told THEN judged.fleet_count END AS fleet_count,
    CASE
        WHEN judged.is_told AND judged.fleet_count > 0
            THEN judged.vehicle_count / judged.fleet_count
    END AS vehicle_share,
    fuels.is_clean,
    fuels.is_zero_emission,
    CASE WHEN judged.operator_name = 'all' AND registers.is_register_filled
        THEN registers.refused_count END AS refused_count,
    CASE WHEN judged.is_told THEN judged.known_age_count END AS known_age_count,
    CASE WHEN judged.known_age_count > 0
        THEN judged.age_days / judged.known_age_count / 365.25 END AS mean_age_years,
    CASE WHEN judged.is_told THEN judged.past_life_count END AS past_life_count,
    CASE WHEN judged.known_age_count > 0
        THEN judged.past_life_count / judged.known_age_count END AS past_life_share
FROM judged
INNER JOIN fuels USING (fuel_type)
CROSS JOIN registers
CROSS JOIN night
ORDER BY
    night.service_date, judged.status_scope, judged.service_scope, judged.operator_name,
    judged.depot_name, judged.fuel_type
