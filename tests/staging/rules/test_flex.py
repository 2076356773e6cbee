"""Service on request: a feed that breaks each rule, beside rows that do not."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import flex
from tests.staging.rules.toys import Case, case, check, rules_broken, rules_in

# Rows 2, 3 and 4 are right: in real time, on the same day, days ahead.
RULES = (
    "booking_rule_id,booking_type,prior_notice_duration_min,prior_notice_duration_max,"
    "prior_notice_last_day,prior_notice_last_time,prior_notice_start_day,"
    "prior_notice_start_time,prior_notice_service_id"
    " / live,0,,,,,,, / today,1,30,60,,,,, / ahead,2,,,1,17:00:00,7,08:00:00,s"
)
# Row 2 is an ordinary call; row 3 one within a window, got on and off by phone.
CALLS = (
    "trip_id,stop_sequence,stop_id,location_group_id,location_id,arrival_time,departure_time,"
    "start_pickup_drop_off_window,end_pickup_drop_off_window,pickup_type,drop_off_type,"
    "shape_dist_traveled,pickup_booking_rule_id,drop_off_booking_rule_id"
    " / a,1,A,,,07:00:00,07:00:00,,,0,,1.5,, / a,2,,,zone,,,08:00:00,09:00:00,2,2,,today,today"
)


def booking(code: str, *broken: tuple[int, str, str | None], rows: str) -> Case:
    found = [("booking_rules", *one) for one in broken]
    return case(code, *found, booking_rules=f"{RULES} / {rows}")


def calls(code: str, *broken: tuple[int, str, str | None], rows: str, **files: str) -> Case:
    found = [("stop_times", *one) for one in broken]
    return case(code, *found, stop_times=f"{CALLS} / {rows}", **files)


CASES = [
    booking(
        "forbidden_prior_day_booking_field_value",
        (5, "prior_notice_duration_min", "30"),
        (6, "prior_notice_duration_max", "60"),
        rows="x,2,30,,1,17:00:00,,, / y,2,,60,1,17:00:00,,,",
    ),
    booking(
        "forbidden_real_time_booking_field_value",
        (5, "prior_notice_duration_max", "60"),
        (5, "prior_notice_duration_min", "30"),
        (5, "prior_notice_last_day", "1"),
        (5, "prior_notice_last_time", "17:00:00"),
        (5, "prior_notice_service_id", "s"),
        (5, "prior_notice_start_day", "7"),
        (5, "prior_notice_start_time", "8:00:00"),
        rows="x,0,30,60,1,17:00:00,7,08:00:00,s",
    ),
    booking(
        "forbidden_same_day_booking_field_value",
        (5, "prior_notice_last_day", "1"),
        (5, "prior_notice_last_time", "17:00:00"),
        (5, "prior_notice_service_id", "s"),
        rows="x,1,30,60,1,17:00:00,7,08:00:00,s",
    ),
    booking(
        "forbidden_prior_notice_start_day",
        (5, "prior_notice_start_day", "7"),
        rows="x,1,30,60,,,7,08:00:00, / y,1,30,,,,7,08:00:00,",
    ),
    booking(
        "forbidden_prior_notice_start_time",
        (5, "prior_notice_start_time", "8:00:00"),
        rows="x,2,,,1,17:00:00,,08:00:00,",
    ),
    booking(
        "missing_prior_notice_start_time",
        (5, "prior_notice_start_time", None),
        rows="x,2,,,1,17:00:00,7,,",
    ),
    booking(
        "missing_prior_notice_duration_min",
        (5, "prior_notice_duration_min", None),
        rows="x,1,,60,,,,,",
    ),
    booking(
        "missing_prior_notice_last_day",
        (5, "prior_notice_last_day", None),
        rows="x,2,,,,17:00:00,,,",
    ),
    booking(
        "missing_prior_notice_last_time",
        (5, "prior_notice_last_time", None),
        rows="x,2,,,1,,,,",
    ),
    booking(
        "invalid_prior_notice_duration_min",
        (6, "prior_notice_duration_min", "61"),
        rows="x,1,60,60,,,,, / y,1,61,60,,,,,",
    ),
    booking(
        "prior_notice_last_day_after_start_day",
        (6, "prior_notice_last_day", "8"),
        rows="x,2,,,7,17:00:00,7,08:00:00, / y,2,,,8,17:00:00,7,08:00:00,",
    ),
    calls(
        "missing_pickup_drop_off_booking_rule_id",
        (4, "pickup_booking_rule_id", None),
        (5, "drop_off_booking_rule_id", None),
        rows=(
            "a,3,,,z,,,08:00:00,09:00:00,2,1,,, / a,4,,,z,,,08:00:00,09:00:00,1,2,,,"
            " / a,5,A,,,07:00:00,07:00:00,,,2,2,,, / a,6,,,z,,,08:00:00,09:00:00,1,1,,,"
        ),
        booking_rules=RULES,
    ),
    calls(
        "forbidden_arrival_or_departure_time",
        (4, "arrival_time", "8:00:00"),
        (5, "departure_time", "8:30:00"),
        rows="a,3,,,z,08:00:00,,08:00:00,,2,2,,, / a,4,,,z,,08:30:00,,09:00:00,2,2,,,",
    ),
    calls(
        "missing_pickup_or_drop_off_window",
        (4, "end_pickup_drop_off_window", None),
        (5, "start_pickup_drop_off_window", None),
        rows="a,3,,,z,,,08:00:00,,2,2,,, / a,4,,,z,,,,09:00:00,2,2,,,",
    ),
    calls(
        "invalid_pickup_drop_off_window",
        (4, "end_pickup_drop_off_window", "8:00:00"),
        (5, "end_pickup_drop_off_window", "7:59:59"),
        rows=(
            "a,3,,,z,,,08:00:00,08:00:00,2,2,,, / a,4,,,z,,,08:00:00,07:59:59,2,2,,,"
            " / a,5,,,z,,,08:00:00,08:00:01,2,2,,,"
        ),
    ),
    calls(
        "forbidden_pickup_type",
        (4, "pickup_type", "0"),
        (5, "pickup_type", None),
        (6, "pickup_type", "3"),
        rows=(
            "a,3,,,z,,,08:00:00,09:00:00,0,2,,, / a,4,,,z,,,08:00:00,09:00:00,,2,,,"
            " / a,5,,,z,,,08:00:00,09:00:00,3,2,,, / a,6,,,z,,,08:00:00,09:00:00,1,2,,,"
        ),
    ),
    calls(
        "forbidden_drop_off_type",
        (4, "drop_off_type", "0"),
        (5, "drop_off_type", None),
        rows=(
            "a,3,,,z,,,08:00:00,09:00:00,2,0,,, / a,4,,,z,,,08:00:00,09:00:00,2,,,,"
            " / a,5,,,z,,,08:00:00,09:00:00,2,3,,,"
        ),
    ),
    calls(
        "forbidden_shape_dist_traveled",
        (4, "shape_dist_traveled", "2.5"),
        (5, "shape_dist_traveled", "3.0"),
        rows="a,3,,,z,,,08:00:00,09:00:00,2,2,2.5,, / a,4,,g,,,,08:00:00,09:00:00,2,2,3,,",
    ),
    calls(
        "forbidden_geography_id",
        (4, "stop_id", "A and z"),
        (5, "stop_id", "g and z"),
        rows="a,3,A,,z,,,,,2,2,,, / a,4,,g,z,,,,,2,2,,, / a,5,,g,,,,,,2,2,,,",
    ),
    # b needs a second call; c could not be boarded by phone; d is at a stop at a time.
    calls(
        "missing_stop_times_record",
        (4, "trip_id", "b"),
        rows=(
            "b,1,,,z,,,08:00:00,09:00:00,2,2,,, / c,1,,,z,,,08:00:00,09:00:00,1,2,,,"
            " / d,1,A,,,07:00:00,07:00:00,,,2,2,,,"
        ),
    ),
    # Routes 1 and 2 have a call with a window; 3 has none.
    calls(
        "forbidden_continuous_pickup_drop_off",
        rows="u,1,A,,,07:00:00,07:00:00,,,,,,,",
        trips="trip_id,route_id / a,1 / u,3",
        routes="route_id,continuous_pickup,continuous_drop_off / 1,,1 / 2,0,0 / 3,0,0",
    ),
    case(
        "forbidden_continuous_pickup_drop_off",
        ("routes", 2, "continuous_pickup", "0"),
        ("routes", 3, "continuous_drop_off", "2"),
        stop_times=f"{CALLS} / b,1,,,z,,,08:00:00,09:00:00,2,2,,,",
        trips="trip_id,route_id / a,1 / b,2",
        routes="route_id,continuous_pickup,continuous_drop_off / 1,0, / 2,1,2",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(flex)
