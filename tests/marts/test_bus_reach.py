"""Reach by bus in the toy city, its numbers derived by hand (see `reach/toy_city.py`)."""

from __future__ import annotations

import pytest

from pipelines.marts.bus_reach import compute_bus_reach
from tests.marts.reach.toy_city import a_night, timetable, toy_city
from tests.toy_feeds import FILES, SUNDAY, toy_feed


@pytest.mark.slow
@pytest.mark.parametrize("service_date", ["2026-11-18", SUNDAY])
def test_residents_within_500_m_of_the_bus_stops(service_date: str) -> None:
    reach = compute_bus_reach(a_night(service_date), **toy_city())
    # slope (200) is 434 m on foot from BA, hill 578 m; all four stops lie in the west.
    assert reach.select(
        "scope_id", "distance_m", "served_stop_count", "residents_within_count", "reach_share"
    ).rows() == [
        ("toyville", 500, 4, 200.0, 0.089767),
        ("east", 500, 0, 0.0, 0.0),
        ("west", 500, 4, 200.0, 0.909091),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("route_type", "is_bus"),
    [(3, True), (11, True), (700, True), (716, True), (800, True), (717, False), (200, False)],
)
def test_trolleybuses_and_extended_route_types_count(route_type: int, is_bus: bool) -> None:
    routes = FILES["routes"].replace("Alpha - Delta,3", f"Alpha - Delta,{route_type}")
    reach = compute_bus_reach(a_night(), **toy_city() | timetable(toy_feed(routes=routes)))
    row = reach.row(0, named=True)
    assert row["residents_within_count"] == (200.0 if is_bus else None)
    reason = "no bus trips on 2026-11-18 in feeds 'feed1'"
    assert row["reason"] == (None if is_bus else reason)


def test_without_any_service_on_the_date_no_mode_reaches_anybody() -> None:
    row = compute_bus_reach(a_night("2027-01-01"), **toy_city()).row(0, named=True)
    assert (row["served_stop_count"], row["residents_within_count"]) == (0, None)
    assert row["reason"] == "no bus trips on 2027-01-01 in feeds 'feed1'"
