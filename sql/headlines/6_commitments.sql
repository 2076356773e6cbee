-- Purpose: how many commitments stand how.
-- Grain:   one row per figure and scope of one service date: figure, scope, value, mark, reason.
-- Reads:   marts.commitments_status; parameter 1: the service date.
SELECT
    'commitments: ' || statuses.status AS figure,
    'all sources' AS scope,
    count(*)::VARCHAR AS value_text,
    'published' AS mark,
    NULL AS reason
FROM marts.commitments_status AS statuses
WHERE statuses.service_date = CAST(? AS DATE)
GROUP BY statuses.status
ORDER BY statuses.status
