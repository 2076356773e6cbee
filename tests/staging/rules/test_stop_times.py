"""Stop times: a feed that breaks each rule, beside rows that do not."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import stop_times
from tests.staging.rules.toys import Case, case, check, findings, rules_broken, rules_in

CALLS = "trip_id,stop_sequence,arrival_time,departure_time,stop_id"
ORDER = "trip_id,stop_sequence"
WINDOW = "start_pickup_drop_off_window,end_pickup_drop_off_window"

CASES = [
    # B's first two rows are the wrong way round, C has a sequence twice; A is in order.
    case(
        "unsorted_stop_times",
        ("stop_times", 4, "trip_id", "B"),
        ("stop_times", 7, "trip_id", "C"),
        stop_times=f"{ORDER} / A,1 / A,5 / B,2 / B,1 / B,3 / C,1 / C,1",
    ),
    # A's rows are parted by B's, which lie together.
    case(
        "unsorted_stop_times",
        ("stop_times", 2, "trip_id", "A"),
        stop_times=f"{ORDER} / A,1 / B,1 / B,2 / A,2 / C,1",
    ),
    # Both are parted.
    case(
        "unsorted_stop_times",
        ("stop_times", 2, "trip_id", "A"),
        ("stop_times", 3, "trip_id", "B"),
        stop_times=f"{ORDER} / A,1 / B,1 / A,2 / B,2",
    ),
    # Rows without a trip or a sequence say nothing of order.
    case("unsorted_stop_times", stop_times=f"{ORDER} / ,2 / ,1 / A, / A, / A,1"),
    case("unsorted_stop_times", stop_times=ORDER),
    # First without departure, last without either; B's only call lacks both, once.
    case(
        "missing_trip_edge",
        ("stop_times", 2, "departure_time", None),
        ("stop_times", 4, "arrival_time", None),
        ("stop_times", 4, "departure_time", None),
        ("stop_times", 5, "arrival_time", None),
        ("stop_times", 5, "departure_time", None),
        stop_times=f"{CALLS} / A,1,7:00:00,, / A,2,,, / A,3,,, / B,1,,, / ,1,,,",
    ),
    # By sequence row 3 is in the middle; an edge with either end of a window needs no times.
    case(
        "missing_trip_edge",
        stop_times=f"{ORDER},arrival_time,departure_time,{WINDOW} / A,1,7:00:00,7:00:00,, / "
        "A,2,,,, / A,9,7:10:00,7:10:00,, / B,1,,,8:00:00, / B,2,,,,9:00:00",
    ),
    case(
        "stop_time_with_only_arrival_or_departure_time",
        ("stop_times", 3, "departure_time", None),
        ("stop_times", 4, "arrival_time", None),
        stop_times=f"{CALLS} / A,1,7:00:00,7:00:00, / A,2,7:01:00,, / A,3,,7:02:00, / A,4,,,",
    ),
    # Row 4 arrives before the departure two rows above; row 5 as it leaves; B starts anew.
    case(
        "stop_time_with_arrival_before_previous_departure_time",
        ("stop_times", 4, "arrival_time", "7:01:59"),
        stop_times=f"{CALLS} / A,1,7:00:00,7:02:00, / A,2,,, / A,3,7:01:59,7:03:00, / "
        "A,4,7:03:00,7:03:00, / B,1,6:00:00,6:00:00,",
    ),
    # The first call that can be compared is the one after a departure.
    case(
        "stop_time_with_arrival_before_previous_departure_time",
        stop_times=f"{CALLS} / A,1,7:05:00,, / A,2,7:01:00,7:01:00, / A,3,7:01:00,,",
    ),
    case(
        "stop_time_timepoint_without_times",
        ("stop_times", 3, "departure_time", None),
        ("stop_times", 4, "arrival_time", None),
        ("stop_times", 4, "departure_time", None),
        stop_times=f"{CALLS},timepoint / A,1,7:00:00,7:00:00,,1 / A,2,7:01:00,,,1 / A,3,,,,1 / "
        "A,4,,,,0 / A,5,,,,",
    ),
    case(
        "missing_timepoint_value",
        ("stop_times", 3, "timepoint", None),
        ("stop_times", 4, "timepoint", None),
        stop_times=f"{CALLS},timepoint / A,1,7:00:00,7:00:00,,0 / A,2,7:01:00,,, / "
        "A,3,,7:02:00,, / A,4,,,,",
    ),
    # Equal, then less; a row without stop is passed over, one without distance is not.
    case(
        "decreasing_or_equal_stop_time_distance",
        ("stop_times", 3, "shape_dist_traveled", "0.0"),
        ("stop_times", 5, "shape_dist_traveled", "1.5"),
        stop_times="trip_id,stop_sequence,stop_id,shape_dist_traveled / A,1,a,0 / A,2,b,0 / "
        "A,3,c,2 / A,4,d,1.5 / B,1,a,5 / B,2,,9 / B,3,c,6 / B,4,d, / B,5,e,1",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_shown_broken() -> None:
    assert rules_broken(CASES) == rules_in(stop_times)


def test_a_blank_line_within_a_trip_is_no_disorder() -> None:
    # The row numbers of A are 2 and 4, and no trip has row 3.
    toy = f"{ORDER} / A,1 / ,1 / A,2 / B,1 / B,2"
    assert findings("unsorted_stop_times", stop_times=toy) == []
