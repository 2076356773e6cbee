-- Purpose: the share of through traffic that took the ring road in a month, as each night told it.
-- Grain:   one row per service date that tells of the month, and class of vehicle.
-- Reads:   marts.ring_road_diversion
CREATE OR REPLACE MACRO diversion(in_month) AS TABLE
SELECT
    service_date, month_date, vehicle_class, diversion_share, diversion_share_low,
    diversion_share_high, numerator_count, denominator_count, read_rate_cordon, read_rate_ring,
    passage_day_count, is_complete_month, warning, mark, reason
FROM marts.ring_road_diversion
WHERE month_date = date_trunc('month', in_month::DATE)
ORDER BY service_date, vehicle_class;
COMMENT ON MACRO TABLE diversion IS
'Share of through traffic on the ring road in the month of a date, as each night told it.';
