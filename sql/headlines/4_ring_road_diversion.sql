-- Purpose: the share of heavy through traffic on the ring road in the latest month.
-- Grain:   one row per figure and scope of one service date: figure, scope, value, mark, reason.
-- Reads:   marts.ring_road_diversion; parameter 1: the service date.
SELECT
    'heavy through traffic on the ring road' AS figure,
    strftime(diversion.month_date, '%Y-%m') AS scope,
    printf('%.1f %% (%.1f to %.1f)', 100 * diversion.diversion_share,
        100 * diversion.diversion_share_low, 100 * diversion.diversion_share_high) AS value_text,
    diversion.mark,
    diversion.reason
FROM marts.ring_road_diversion AS diversion
WHERE diversion.service_date = CAST(? AS DATE) AND diversion.vehicle_class = 'heavy'
ORDER BY diversion.month_date DESC
LIMIT 1
