"""The router against a search that is written the long way, on random small networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.reach.routing.timetable import Departures
from tests.marts.reach.toy_networks import (
    Call,
    Network,
    Rule,
    Trip,
    cell_walks,
    in_a_row,
    router_of,
    searched,
)

pytestmark = pytest.mark.slow

STOPS, CELLS = 5, 3
START = 8 * 3600
# Full minutes, so that much happens at one moment; some times of a few seconds besides.
STOP = st.integers(0, STOPS - 1)
MOMENTS = st.integers(0, 14).map(lambda minute: START + 60 * minute)
SECONDS = st.sampled_from([0, 0, 60, 60, 120, 180, 7, 61])


@st.composite
def trips(draw: st.DrawFn) -> Trip:
    if draw(st.booleans()):
        stops, now = draw(st.lists(STOP, min_size=2, max_size=5)), draw(MOMENTS)
    else:
        # One hop onward, about when the hop before it arrives: journeys take several.
        first = draw(st.integers(0, STOPS - 2))
        stops, now = [first, first + 1], START + 60 * (2 * first + draw(st.integers(2, 5)))
    calls = []
    for stop in stops:
        arrival = now + draw(SECONDS)
        now = arrival + draw(st.sampled_from([0, 0, 0, 60]))
        can_board, can_alight = draw(st.tuples(*[st.sampled_from([True, True, True, False])] * 2))
        calls.append(Call(stop, arrival, now, can_board, can_alight))
    day = draw(st.sampled_from([0, 0, -1]))
    calls = [
        Call(c.stop, c.arrival - day * 86400, c.departure - day * 86400, c.can_board, c.can_alight)
        for c in calls
    ]
    repeats = None
    if draw(st.integers(0, 4)) == 0:
        first = calls[0].departure
        repeats = (first, first + draw(st.integers(1, 600)), draw(st.sampled_from([60, 120, 200])))
    return Trip(tuple(calls), route=draw(st.integers(0, 2)), day=day, repeats=repeats)


@st.composite
def rules(draw: st.DrawFn, trip_count: int) -> Rule:
    trip = st.none() | st.integers(0, trip_count - 1)
    route = st.none() | st.integers(0, 2)
    kind = draw(st.integers(0, 4))
    if kind == 4:
        ends = st.integers(0, trip_count - 1)
        return Rule(None, None, 4, from_trip=draw(ends), to_trip=draw(ends))
    seconds = draw(SECONDS) if kind == 2 else None
    from_trip, to_trip = draw(trip), draw(trip)
    return Rule(
        draw(STOP),
        draw(STOP),
        kind,
        seconds,
        from_trip,
        to_trip,
        draw(route) if from_trip is None else None,
        draw(route) if to_trip is None else None,
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    driven = draw(st.lists(trips(), min_size=4, max_size=12))
    cell = st.integers(0, CELLS - 1)
    # Few walks, so that people have to ride, and to change.
    walks = st.dictionaries(st.tuples(cell, STOP), SECONDS, max_size=3)
    foot = draw(st.dictionaries(st.tuples(STOP, STOP), SECONDS, max_size=6))
    return Network(
        stops=in_a_row(STOPS),
        trips=tuple(driven),
        foot={pair: seconds for pair, seconds in foot.items() if pair[0] != pair[1]},
        rules=tuple(draw(st.lists(rules(len(driven)), max_size=4))),
        access={(0, 0): 0} | draw(walks),
        egress={(1, STOPS - 1): 0} | draw(walks),
        direct=draw(st.dictionaries(st.tuples(cell, cell), st.integers(0, 1500), max_size=2)),
        cells=CELLS,
    )


def routed(network: Network, departures: Departures, max_rides: int | None) -> np.ndarray:
    """The router's seconds for all cells and departures, where walks leave some out infinite."""
    router = router_of(network, departures, max_rides=max_rides)
    found = np.full((CELLS, CELLS, departures.count), np.inf)
    access, egress, direct = cell_walks(network)
    beginnings = {pair[0] for pair in (*network.access, *network.direct)}
    if beginnings:
        times = router.profiles(access, egress, direct, origins=sorted(beginnings))
        found[sorted(beginnings), : times.shape[1]] = times
    return found


@pytest.mark.parametrize("max_rides", [None, 1, 2])
@settings(max_examples=30, deadline=None)
@given(network=networks())
def test_every_departure_is_what_a_search_finds(network: Network, max_rides: int | None) -> None:
    departures = Departures(START, START + 10 * 60)
    found = routed(network, departures, max_rides)
    np.testing.assert_array_equal(found, searched(network, departures, max_rides))
