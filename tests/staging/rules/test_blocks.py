"""Blocks: a feed that breaks each rule, and overlaps against their definition in plain Python."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.staging.gtfs.rules import blocks
from tests.staging.rules.toys import Case, case, check, findings, rules_broken, rules_in

CODE = "block_trips_with_overlapping_stop_times"
TRIPS = "trip_id,block_id,service_id"
CALLS = "trip_id,stop_sequence,arrival_time,departure_time"
# mon and week share Mondays, the first of which is 2026-03-02; sun has none in common.
CALENDAR = (
    "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date"
    " / week,1,1,1,1,1,0,0,20260226,20260331 / mon,1,0,0,0,0,0,0,20260101,20260331"
    " / sun,0,0,0,0,0,0,1,20260101,20260331"
)


def calls(**trips: str) -> str:
    """Two calls a trip: `A="7:00 8:00"`, or with dwell `A="7:00 7:01 8:00 8:01"`."""
    lines = [CALLS]
    for trip, text in trips.items():
        times = [f"{time}:00" for time in text.split()]
        first, last = (
            (times[:2], times[2:]) if len(times) == 4 else ([times[0]] * 2, [times[1]] * 2)
        )
        lines += [f"{trip},1,{','.join(first)}", f"{trip},2,{','.join(last)}"]
    return " / ".join(lines)


CASES = [
    # C begins while A and B run: the nearest before it is B. D is of no block, E of another day.
    case(
        CODE,
        ("trips", 3, "block_id", "b: A on 2026-02-26"),
        ("trips", 4, "block_id", "b: B on 2026-03-02"),
        calendar=CALENDAR,
        trips=f"{TRIPS} / A,b,week / B,b,week / C,b,mon / D,,week / E,b,sun",
        stop_times=calls(A="7:00 9:00", B="7:30 8:30", C="8:00 8:10", D="7:00 9:00", E="7:00 9:00"),
    ),
    # B touches A; C takes over B's last call, which dwells; D lacks a time at its edge.
    case(
        CODE,
        calendar=CALENDAR,
        trips=f"{TRIPS} / A,b,week / B,b,week / C,b,week / D,b,week",
        stop_times=calls(A="7:00 7:30", B="7:30 7:30 8:00 8:05", C="8:00 8:05 9:00 9:00")
        + " / D,1,,7:00:00 / D,2,9:00:00,9:00:00",
    ),
    # C takes over from B, but A still runs.
    case(
        CODE,
        ("trips", 3, "block_id", "b: A on 2026-02-26"),
        ("trips", 4, "block_id", "b: A on 2026-02-26"),
        calendar=CALENDAR,
        trips=f"{TRIPS} / A,b,week / B,b,week / C,b,week",
        stop_times=calls(A="7:00 10:00", B="7:30 7:30 8:00 8:05", C="8:00 8:05 9:00 9:00"),
    ),
    # Half a dwell in common is no handover.
    case(
        CODE,
        ("trips", 3, "block_id", "b: A on 2026-02-26"),
        calendar=CALENDAR,
        trips=f"{TRIPS} / A,b,week / B,b,week",
        stop_times=calls(A="7:00 7:00 8:00 8:05", B="8:00 8:06 9:00 9:00"),
    ),
    # Block b has a bus among trams, twice; routes that are not there count for nothing.
    case(
        "inconsistent_route_type_for_block_id",
        ("trips", 4, "block_id", "b"),
        routes="route_id,route_type / T,0 / B,3",
        trips="trip_id,block_id,route_id / A,b,T / B,c,B / C,b,B / D,b,B / E,c,X / F,,T",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_shown_broken() -> None:
    assert rules_broken(CASES) == rules_in(blocks)


class Trip(NamedTuple):
    row: int
    block: str
    service: str
    times: tuple[int, int, int, int]  # minutes: first arrival and departure, last ones


def overlapping_rows(trips: list[Trip], days: dict[str, set[int]]) -> set[int]:
    """The later trip of every overlapping pair, as the module's docstring defines it."""
    rows = set()
    in_order = sorted(trips, key=lambda trip: (trip.times[0], trip.times[3], trip.row))
    for one, other in combinations(in_order, 2):
        hands_over = one.times[2:] == other.times[:2]
        overlaps = one.times[3] > other.times[0] and not hands_over
        if overlaps and one.block == other.block and days[one.service] & days[other.service]:
            rows.add(other.row)
    return rows


MINUTES = st.tuples(*[st.integers(0, 6)] * 4)
SERVICES = "wxyz"


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    trips=st.lists(
        st.tuples(st.sampled_from("bc"), st.sampled_from(SERVICES), MINUTES), max_size=9
    ),
    days=st.fixed_dictionaries({s: st.sets(st.integers(1, 3), min_size=1) for s in SERVICES}),
)
def test_overlaps_are_those_of_the_definition(
    trips: list[tuple[str, str, tuple[int, int, int, int]]], days: dict[str, set[int]]
) -> None:
    numbered = [Trip(row, *fields) for row, fields in enumerate(trips, start=2)]
    clock = {trip.row: [f"0:0{minute}" for minute in trip.times] for trip in numbered}
    dates = [f"{s},2026030{day},1" for s in SERVICES for day in sorted(days[s])]
    found = findings(
        CODE,
        calendar_dates=" / ".join(["service_id,date,exception_type", *dates]),
        trips=" / ".join([TRIPS, *(f"t{t.row},{t.block},{t.service}" for t in numbered)]),
        stop_times=calls(**{f"t{row}": " ".join(times) for row, times in clock.items()}),
    )
    assert {row for _, row, _, _ in found} == overlapping_rows(numbered, days)


def test_days_in_portions_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = CASES[0]
    monkeypatch.setattr(blocks, "MOST_TRIP_DAYS", 1)
    check(tried)
