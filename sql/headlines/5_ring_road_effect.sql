-- Purpose: what the first event, the opening, did to all screenlines together.
-- Grain:   one row per figure and scope of one service date: figure, scope, value, mark, reason.
-- Reads:   marts.ring_road_effect; parameter 1: the service date.
SELECT
    'effect on ' || effect.place_id AS figure,
    effect.vehicle_class || ' vehicles, ' || effect.event_id AS scope,
    printf('%+.1f %% (%+.1f to %+.1f)', 100 * (effect.ratio - 1),
        100 * (effect.ratio_low - 1), 100 * (effect.ratio_high - 1)) AS value_text,
    effect.mark,
    effect.reason
FROM marts.ring_road_effect AS effect
WHERE effect.service_date = CAST(? AS DATE)
    AND effect.place_id = 'all screenlines'
    AND effect.place_kind = 'role group'
    AND effect.vehicle_class IN ('heavy', 'all')
QUALIFY rank() OVER (ORDER BY effect.event_first_date) = 1
ORDER BY effect.vehicle_class DESC
