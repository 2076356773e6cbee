-- Purpose: residents near the metro, as a person asks for it first.
-- Grain:   one row per figure and scope of one service date: figure, scope, value, mark, reason.
-- Reads:   marts.metro_reach; parameter 1: the service date.
SELECT
    'residents near the metro' AS figure,
    reach.scope_name || ', within ' || reach.distance_m::INTEGER || ' m' AS scope,
    printf('%.1f %%', 100 * reach.reach_share) AS value_text,
    reach.mark,
    reach.reason
FROM marts.metro_reach AS reach
WHERE reach.scope_type = 'city' AND reach.service_date = CAST(? AS DATE)
ORDER BY reach.distance_m DESC
