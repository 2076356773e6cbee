"""Trips: a feed that breaks each rule, beside rows that do not."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import trips
from tests.staging.rules.toys import Case, case, check, rules_broken, rules_in

# A has two stop times, B one, C none; D's are of no trip.
TRIPS = "trip_id,route_id / A,1 / B,1 / C,1 / ,1"
CALLS = "trip_id,stop_sequence / A,1 / A,2 / B,1 / D,1"

CASES = [
    case("unused_trip", ("trips", 4, "trip_id", "C"), trips=TRIPS, stop_times=CALLS),
    case(
        "unusable_trip",
        ("trips", 3, "trip_id", "B"),
        ("trips", 4, "trip_id", "C"),
        trips=TRIPS,
        stop_times=CALLS,
    ),
    # Blank, 0 and unknown values of a ferry's trips; a bus need not say.
    case(
        "missing_bike_allowance",
        ("trips", 2, "bikes_allowed", None),
        ("trips", 3, "bikes_allowed", "0"),
        ("trips", 4, "bikes_allowed", "3"),
        routes="route_id,route_type / F,4 / B,3",
        trips="trip_id,route_id,bikes_allowed / A,F, / B,F,0 / C,F,3 / D,F,1 / E,F,2 / G,B,",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_shown_broken() -> None:
    assert rules_broken(CASES) == rules_in(trips)
