"""Speeds: feeds whose distances are known, and the rules against their definition in plain Python.

Stops lie on one meridian, a kilometre being `KM` degrees of latitude: S0 at the equator, S10 ten
kilometres north of it, and so on; P has no place of its own, but that of its parent S10, Z none,
and X none on Earth.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.staging.gtfs.rules import speed
from pipelines.staging.gtfs.rules.rides import FASTEST_KMH, FASTEST_OTHER_KMH
from pipelines.staging.gtfs.rules.sphere import EARTH_RADIUS_M
from tests.staging.rules.toys import Case, case, check, findings, rules_broken, rules_in

NEXT = "fast_travel_between_consecutive_stops"
FAR = "fast_travel_between_far_stops"
KM = math.degrees(1000 / EARTH_RADIUS_M)


def stops_each(km: float) -> str:
    return " / ".join(
        [
            "stop_id,stop_lat,stop_lon,parent_station",
            *(f"S{number},{number * km * KM!r},0," for number in range(41)),
            "P,,,S10",
            "Z,,,",
            "X,999,0,",
        ]
    )


STOPS = stops_each(1)
CALLS = "trip_id,stop_sequence,stop_id,arrival_time,departure_time"


def ride(code: str, *found: tuple[int, float], calls: str, route_type: int | str = 3) -> Case:
    """A case of one trip; a call is its stop, arrival and, where it differs, departure (- for a
    blank one), as in ``S3 7:00:00 7:01:00``; `found` are rows and speeds."""
    lines = [CALLS]
    for number, (stop, *times) in enumerate(text.split() for text in calls.split(", ")):
        arrival, departure = (times * 2)[:2] if times else ("", "")
        lines.append(f"A,{number},{stop},{arrival},{departure}".replace("-", ""))
    return case(
        code,
        *(("stop_times", row, "arrival_time", f"{kmh} km/h") for row, kmh in found),
        stops=STOPS,
        routes=f"route_id,route_type / R,{route_type}",
        trips="trip_id,route_id / A,R",
        stop_times=" / ".join(lines),
    )


CASES = [
    # 3 km in 61 s are 177 km/h; in 73 s 148. Times that are not both whole minutes are exact.
    ride(NEXT, (3, 177.0), calls="S0 7:00:00, S3 7:01:01, S6 7:02:14"),
    # In one whole minute, perhaps two: 6 km are 180 km/h, 4 km 120.
    ride(NEXT, (3, 180.0), calls="S0 7:00:00, S6 7:01:00, S10 7:02:00"),
    # No time at all, or less than none, is a minute: 3 km are 180 km/h, 2 km 120.
    ride(NEXT, (3, 180.0), (4, 180.0), calls="S0 7:00:00, S3 7:00:00, S6 6:00:00, S8 6:00:00"),
    # From departure to arrival: the vehicle stands for a minute at S3.
    ride(NEXT, (4, 177.0), calls="S0 7:00:00, S3 7:02:00 7:03:00, S6 7:04:01"),
    # Stops without place or time are bridged; a parent's place is a place.
    ride(NEXT, (5, 295.1), calls="S0 7:00:00, Z 7:00:10, S3, S5 7:01:01"),
    ride(NEXT, (3, 590.2), calls="S0 7:00:00, P 7:01:01"),
    ride(NEXT, (4, 177.0), calls="S0 7:00:00, X 7:00:30, S3 7:01:01"),
    # S3 is reached in time, but when it is left is not told: S6 is a ride of 6 km from S0.
    ride(NEXT, (4, 181.5), calls="S0 7:00:00, S3 7:01:58 -, S6 7:01:59 -"),
    # 4 km in 61 s are 236 km/h: a train may, anything else may not, whatever its type.
    ride(NEXT, calls="S0 7:00:00, S4 7:01:01", route_type=2),
    ride(NEXT, (3, 236.1), calls="S0 7:00:00, S4 7:01:01", route_type=700),
    ride(NEXT, (3, 236.1), calls="S0 7:00:00, S4 7:01:01", route_type=""),
    # 11 km in 121 s are 327 km/h, told once though S12 is reached too soon as well.
    ride(FAR, (4, 327.3), calls="S0 7:00:00, S9 7:01:40, S11 7:02:01, S12 7:02:20"),
    # At most 10 km from S0, whatever the speed; then the way gets slow.
    ride(FAR, calls="S0 7:00:00, S9 7:01:01, S12 7:20:00"),
    # 12 km there and back along the stops, though the ends are one.
    ride(FAR, (4, 480.0), calls="S6 7:00:00, S0 7:01:00, S6 7:01:30"),
    # Too fast from S0 as well, with 160 km/h: the nearest far start is told.
    ride(FAR, (4, 188.6), calls="S0 7:00:00, S5 7:01:30, S16 7:05:00"),
    # Rounded: 11 km in 3 to 4 minutes are 165 km/h; in 3 min 20 s 198.
    ride(FAR, (3, 165.0), calls="S0 7:00:00, S11 7:03:00"),
    ride(FAR, calls="S0 7:00:00, S11 7:04:00"),
    ride(FAR, (3, 198.0), calls="S0 7:00:00, S11 7:03:20"),
    # The way sums up over stops without times: 6 km there, 6 back.
    ride(FAR, (4, 708.2), calls="S0 7:00:00, S6, S0 7:01:01"),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_shown_broken() -> None:
    assert rules_broken(CASES) == rules_in(speed)


@pytest.mark.parametrize(("kind", "limit"), [*FASTEST_KMH.items(), (9, FASTEST_OTHER_KMH)])
def test_each_kind_has_its_limit(kind: int, limit: float) -> None:
    """30 km in a second more than the limit allows, and in a second less."""
    allowed = round(30 / limit * 3600)
    for seconds, is_fast in ((allowed + 1, False), (allowed - 1, True)):
        tried = ride(NEXT, calls=f"S0 7:00:01, S30 {clock(25201 + seconds)}", route_type=kind)
        assert bool(findings(NEXT, **tried.files)) == is_fast


@pytest.mark.slow
def test_trips_and_stops_that_are_not_there_have_no_speed() -> None:
    calls = f"{CALLS} / A,1,S0,7:00:00,7:00:00 / A,2,S30,7:00:00,7:00:00"
    known = {"stops": STOPS, "routes": "route_id,route_type / R,3"}
    for trips in ("trip_id,route_id / B,R", "trip_id,route_id / A,X"):
        assert findings(NEXT, trips=trips, stop_times=calls, **known) == []
        assert findings(FAR, trips=trips, stop_times=calls, **known) == []
    known["trips"] = "trip_id,route_id / A,R"
    assert findings(NEXT, stop_times=calls.replace("S30", "X"), **known) == []
    assert len(findings(NEXT, stop_times=calls, **known)) == 1
    assert (
        findings(NEXT, stop_times=CALLS, **known) == findings(FAR, stop_times=CALLS, **known) == []
    )


def clock(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


# A little more than a kilometre, so that no speed is exactly a limit.
STEP_KM = 1.0007
# Steps to the stop (None: no place), arrival, departure in seconds (None: blank).
Call = tuple[int | None, int | None, int | None]


def kmh(steps: int, left: int, reached: int) -> float:
    km, seconds = steps * STEP_KM, reached - left
    if seconds <= 0:
        return km * 3600 / 60
    is_rounded = left % 60 == 0 and reached % 60 == 0
    return km * 3600 / (seconds + 60 * is_rounded)


def fast_to_next(calls: list[Call], limit: float) -> set[int]:
    """Calls reached too fast from the last one before that has a place and a departure."""
    found, start = set(), None
    for at, (km, arrival, departure) in enumerate(calls):
        if km is None:
            continue
        if start and arrival is not None and kmh(abs(km - start[0]), start[1], arrival) > limit:
            found.add(at)
        start = (km, departure) if departure is not None else start
    return found


def fast_to_far(calls: list[Call], limit: float) -> set[int]:
    """The first call that is reached too fast from any more than 10 km before it."""
    placed = [(at, km, *times) for at, (km, *times) in enumerate(calls) if km is not None]
    for last, (at, km, arrival, _) in enumerate(placed):
        way, here = 0, km
        for _, before, _, departure in reversed(placed[:last]):
            way, here = way + abs(here - before), before
            if arrival is None or departure is None or way * STEP_KM <= 10:
                continue
            if kmh(way, departure, arrival) > limit:
                return {at}
    return set()


SECONDS = st.one_of(st.none(), st.integers(0, 40).map(lambda n: 7 * 3600 + 20 * n))
TRIP = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 40)), SECONDS, SECONDS), max_size=8)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(trips=st.lists(TRIP, min_size=1, max_size=3), kind=st.sampled_from([2, 3, 4]))
def test_fast_rides_are_those_of_the_definition(trips: list[list[Call]], kind: int) -> None:
    lines, next_rows, far_rows = [CALLS], set(), set()
    for number, calls in enumerate(trips):
        first = len(lines) + 1
        next_rows |= {first + at for at in fast_to_next(calls, FASTEST_KMH[kind])}
        far_rows |= {first + at for at in fast_to_far(calls, FASTEST_KMH[kind])}
        lines += [
            f"T{number},{at},{'Z' if km is None else f'S{km}'},{clock(arrival)},{clock(departure)}"
            for at, (km, arrival, departure) in enumerate(calls)
        ]
    files = {
        "stops": stops_each(STEP_KM),
        "routes": f"route_id,route_type / R,{kind}",
        "trips": " / ".join(["trip_id,route_id", *(f"T{n},R" for n in range(len(trips)))]),
        "stop_times": " / ".join(lines),
    }
    assert {row for _, row, _, _ in findings(NEXT, **files)} == next_rows
    assert {row for _, row, _, _ in findings(FAR, **files)} == far_rows
