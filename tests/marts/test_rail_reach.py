"""Reach by suburban rail in the toy city (see `reach/toy_city.py`)."""

from __future__ import annotations

import pytest

from pipelines.marts.rail_reach import compute_rail_reach
from tests.marts.reach.toy_city import a_night, timetable, toy_city
from tests.toy_feeds import FILES, toy_feed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("route_type", "is_rail"),
    [(2, True), (100, True), (109, True), (117, True), (118, False), (1, False), (400, False)],
)
def test_residents_within_1000_m_of_the_stations(route_type: int, is_rail: bool) -> None:
    routes = FILES["routes"].replace("Alpha - Gamma,1", f"Alpha - Gamma,{route_type}")
    city = toy_city() | timetable(toy_feed(routes=routes))
    row = compute_rail_reach(a_night(), **city).row(0, named=True)
    assert (row["distance_m"], row["residents_within_count"]) == (1000, 28.0 if is_rail else None)
    reason = "no suburban rail trips on 2026-11-18 in feeds 'feed1'"
    assert row["reason"] == (None if is_rail else reason)
