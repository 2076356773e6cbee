-- Purpose: diesel vehicles at the end of each month and on the service date, and their flows.
-- Grain:   one row per service date, as-of date and status scope.
-- Reads:   marts.vehicle_history (as the night knew it), told.register_versions, night (one row).
-- The definition is told in pipelines/marts/diesel_burn_down.py.
WITH
seen AS (
    SELECT min(least(
        history.known_from_date,
        CASE WHEN history.opened_by <> 'entry' THEN history.valid_from_date END,
        CASE WHEN history.closed_by <> 'change' THEN history.valid_to_date END
    )) AS from_date
    FROM marts.vehicle_history AS history
),
days AS (
    SELECT last_day(months.first_day)::DATE AS as_of_date
    FROM night
    CROSS JOIN seen
    CROSS JOIN LATERAL unnest(generate_series(
        date_trunc('month', coalesce(seen.from_date, night.service_date)),
        date_trunc('month', night.service_date) - INTERVAL 1 MONTH,
        INTERVAL 1 MONTH
    )) AS months (first_day)
    UNION
    SELECT night.service_date AS as_of_date FROM night
),
numbered AS (
    SELECT days.as_of_date, row_number() OVER (ORDER BY days.as_of_date) AS day_number
    FROM days
),
known AS (
    SELECT
        (SELECT count(*) > 0 FROM told.register_versions) AS is_register_filled,
        count(history.status) > 0 AS is_status_known
    FROM marts.vehicle_history AS history
),
scopes AS (
    SELECT
        status_scopes.status_scope,
        CASE
            WHEN NOT known.is_register_filled
                THEN 'no fleet register was delivered'
            WHEN status_scopes.status_scope = 'in service' AND NOT known.is_status_known
                THEN 'the register does not say which vehicles stand in reserve'
        END AS reason
    FROM (VALUES ('in service'), ('with reserve')) AS status_scopes (status_scope)
    CROSS JOIN known
),
members AS (
    SELECT
        scopes.status_scope,
        numbered.day_number,
        history.source_id,
        history.vehicle_id,
        history.fuel_type
    FROM scopes
    CROSS JOIN numbered
    INNER JOIN marts.vehicle_history AS history
        ON history.valid_from_date <= numbered.as_of_date
        AND coalesce(history.valid_to_date > numbered.as_of_date, TRUE)
        AND (
            scopes.status_scope = 'with reserve'
            OR coalesce(history.status, 'in_service') = 'in_service'
        )
    WHERE scopes.reason IS NULL
),
counted AS (
    SELECT
        members.status_scope,
        members.day_number,
        count(*) AS fleet_count,
        count(*) FILTER (members.fuel_type = 'diesel') AS diesel_count,
        count(*) FILTER (members.fuel_type IN ('cng', 'lpg', 'electric', 'trolleybus', 'hydrogen'))
            AS clean_count,
        count(*) FILTER (members.fuel_type IN ('electric', 'trolleybus', 'hydrogen'))
            AS zero_emission_count
    FROM members
    GROUP BY members.status_scope, members.day_number
),
diesels AS (
    SELECT
        members.status_scope,
        members.day_number,
        lag(members.day_number) OVER life AS number_before,
        lead(members.day_number) OVER life AS number_after
    FROM members
    WHERE members.fuel_type = 'diesel'
    WINDOW life AS (
        PARTITION BY members.status_scope, members.source_id, members.vehicle_id
        ORDER BY members.day_number
    )
),
flows AS (
    SELECT
        both_ways.status_scope,
        both_ways.day_number,
        sum(both_ways.entered_count)::BIGINT AS entered_count,
        sum(both_ways.left_count)::BIGINT AS left_count
    FROM (
        SELECT diesels.status_scope, diesels.day_number, 1 AS entered_count, 0 AS left_count
        FROM diesels
        WHERE diesels.number_before IS DISTINCT FROM diesels.day_number - 1
        UNION ALL
        SELECT diesels.status_scope, diesels.day_number + 1 AS day_number, 0 AS entered_count,
            1 AS left_count
        FROM diesels
        WHERE diesels.number_after IS DISTINCT FROM diesels.day_number + 1
    ) AS both_ways
    GROUP BY both_ways.status_scope, both_ways.day_number
),
told_days AS (
    SELECT
        numbered.as_of_date,
        scopes.status_scope,
        scopes.reason,
        numbered.day_number,
        coalesce(counted.fleet_count, 0) AS fleet_count,
        coalesce(counted.diesel_count, 0) AS diesel_count,
        coalesce(counted.clean_count, 0) AS clean_count,
        coalesce(counted.zero_emission_count, 0) AS zero_emission_count,
        coalesce(flows.entered_count, 0) AS entered_count,
        coalesce(flows.left_count, 0) AS left_count
    FROM scopes
    CROSS JOIN numbered
    LEFT JOIN counted USING (status_scope, day_number)
    LEFT JOIN flows USING (status_scope, day_number)
    CROSS JOIN night
    WHERE scopes.reason IS NULL OR numbered.as_of_date = night.service_date
)
SELECT
    night.service_date,
    night.day_type,
    'whole day' AS departure_window,
    'register history' AS method,
    night.mark,
    CASE
        WHEN told_days.reason IS NOT NULL THEN told_days.reason
        WHEN told_days.fleet_count = 0 THEN 'no vehicle of the register counts on this date'
    END AS reason,
    told_days.as_of_date,
    told_days.status_scope,
    CASE WHEN told_days.reason IS NULL THEN told_days.diesel_count END AS diesel_count,
    CASE WHEN told_days.reason IS NULL THEN told_days.fleet_count END AS fleet_count,
    CASE WHEN told_days.reason IS NULL AND told_days.fleet_count > 0
        THEN told_days.diesel_count / told_days.fleet_count END AS diesel_share,
    CASE WHEN told_days.reason IS NULL AND told_days.fleet_count > 0
        THEN told_days.clean_count / told_days.fleet_count END AS clean_share,
    CASE WHEN told_days.reason IS NULL AND told_days.fleet_count > 0
        THEN told_days.zero_emission_count / told_days.fleet_count END AS zero_emission_share,
    CASE WHEN told_days.reason IS NULL AND told_days.day_number > 1
        THEN told_days.entered_count END AS entered_count,
    CASE WHEN told_days.reason IS NULL AND told_days.day_number > 1
        THEN told_days.left_count END AS left_count
FROM told_days
CROSS JOIN night
ORDER BY night.service_date, told_days.as_of_date, told_days.status_scope
