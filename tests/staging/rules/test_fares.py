"""Fares: a feed that breaks each rule, beside rows that do not; thresholds exactly."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import fares
from tests.staging.rules.toys import Case, case, check, rules_broken, rules_in

LEGS = "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type"
FRAMES = "timeframe_group_id,service_id,start_time,end_time"

CASES = [
    # Fares of route 1 depend on zones, those of 2 do not; nothing calls at C.
    case(
        "stop_without_zone_id",
        ("stops", 3, "zone_id", "B"),
        stops="stop_id,zone_id,location_type / A,z, / B,,0 / C,, / D,, / S,,1",
        routes="route_id / 1 / 2",
        trips="trip_id,route_id / t,1 / u,2",
        stop_times="trip_id,stop_sequence,stop_id / t,1,A / t,2,B / t,3,S / u,1,D",
        fare_rules="fare_id,route_id,origin_id,contains_id / f,1,z, / g,2,, / h,,z,",
    ),
    case(
        "duplicate_fare_media",
        ("fare_media", 4, "fare_media_id", "c"),
        ("fare_media", 6, "fare_media_id", "e"),
        fare_media=(
            "fare_media_id,fare_media_name,fare_media_type / a,Onay,2 / b,Onay,4 / c,Onay,2"
            " / d,,0 / e,,0"
        ),
    ),
    # One default for several media is one category; p offers two defaults, q a default and another.
    case(
        "fare_product_with_multiple_default_rider_categories",
        ("fare_products", 3, "rider_category_id", "all"),
        fare_products=(
            "fare_product_id,rider_category_id,fare_media_id"
            " / p,adult, / p,all, / q,adult,x / q,adult,y / q,child, / q,,"
        ),
        rider_categories="rider_category_id,is_default_fare_category / adult,1 / all,1 / child,0",
    ),
    case(
        "fare_transfer_rule_duration_limit_type_without_duration_limit",
        ("fare_transfer_rules", 3, "duration_limit", None),
        fare_transfer_rules=f"{LEGS} / a,b,,3600,1 / a,b,,,0 / a,b,,,",
    ),
    case(
        "fare_transfer_rule_duration_limit_without_type",
        ("fare_transfer_rules", 3, "duration_limit", "3600"),
        fare_transfer_rules=f"{LEGS} / a,b,,3600,0 / a,b,,3600, / a,b,,,",
    ),
    case(
        "fare_transfer_rule_invalid_transfer_count",
        ("fare_transfer_rules", 2, "transfer_count", "0"),
        ("fare_transfer_rules", 3, "transfer_count", "-2"),
        fare_transfer_rules=f"{LEGS} / a,a,0,, / a,a,-2,, / a,a,-1,, / a,a,1,, / a,b,0,, / a,a,,,",
    ),
    case(
        "fare_transfer_rule_with_forbidden_transfer_count",
        ("fare_transfer_rules", 2, "transfer_count", "1"),
        ("fare_transfer_rules", 3, "transfer_count", "-1"),
        ("fare_transfer_rules", 4, "transfer_count", "1"),
        fare_transfer_rules=f"{LEGS} / a,b,1,, / a,,-1,, / ,,1,, / a,a,1,, / a,b,,,",
    ),
    case(
        "fare_transfer_rule_without_transfer_count",
        ("fare_transfer_rules", 2, "transfer_count", None),
        fare_transfer_rules=f"{LEGS} / a,a,,, / a,a,1,, / a,b,,, / ,,,,",
    ),
    case(
        "timeframe_only_start_or_end_time_specified",
        ("timeframes", 2, "end_time", None),
        ("timeframes", 3, "start_time", None),
        timeframes=f"{FRAMES} / g,s,07:00:00, / g,s,,09:00:00 / g,s,, / g,s,07:00:00,09:00:00",
    ),
    # Rows need not lie in order; touching is no overlap; blank times are the whole day.
    case(
        "timeframe_overlap",
        ("timeframes", 2, "start_time", "8:59:59"),
        ("timeframes", 8, "start_time", "7:00:00"),
        timeframes=(
            f"{FRAMES} / g,s,08:59:59,10:00:00 / g,s,07:00:00,09:00:00 / g,s,10:00:00,12:00:00"
            " / g,t,07:00:00,09:00:00 / h,s,07:00:00,09:00:00 / i,s,, / i,s,07:00:00,09:00:00"
        ),
    ),
    case(
        "timeframe_start_or_end_time_greater_than_twenty_four_hours",
        ("timeframes", 3, "end_time", "24:00:01"),
        ("timeframes", 4, "end_time", "26:00:00"),
        ("timeframes", 4, "start_time", "25:00:00"),
        timeframes=f"{FRAMES} / g,s,,24:00:00 / g,s,,24:00:01 / g,s,25:00:00,26:00:00",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(fares)
