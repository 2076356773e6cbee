"""Streets and places that do not fit each other are said so, or refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from pipelines.errors import ContractError
from pipelines.marts.metro_reach import METRO, compute_metro_reach
from pipelines.marts.reach.linking import linked_stops
from pipelines.marts.reach.service import Timetable
from pipelines.marts.reach.walking import Walkways
from tests.marts.reach.toy_city import a_night, timetable, toy_city
from tests.toy_feeds import FILES, WEDNESDAY, toy_feed
from tests.toy_streets import Place, network

# Streets north from Alpha, along the line to Gamma, and around: 43.22 to 43.25, 76.88 to 76.95.
CORNERS: list[Place] = [(43.25, 76.90), (43.24, 76.90), (43.24, 76.9369)]
AROUND: list[Place] = [(43.22, 76.88), (43.22, 76.95), (43.25, 76.95), (43.25, 76.88)]
NODES = [*CORNERS, *AROUND]
LINKS: list[Any] = [(0, 1), (1, 2), (3, 4), (4, 5), (3, 6)]


def streets(nodes: list[Place] = NODES, links: list[Any] = LINKS) -> dict[str, Any]:
    return dict(zip(("street_nodes", "street_links"), network(nodes, links), strict=True))


@pytest.mark.slow
def test_walks_go_along_the_streets() -> None:
    city = compute_metro_reach(a_night(), **toy_city() | streets()).row(0, named=True)
    # Along their street hill (20) is 667 m from Alpha, and slope (200) 778 m.
    assert (city["residents_within_count"], city["method"]) == (228.0, "OpenStreetMap streets")


@pytest.mark.slow
def test_residents_and_stops_without_a_street_are_counted_apart() -> None:
    beta_in_a_field = FILES["stops"].replace("43.2400,76.9123", "43.2300,76.9123")
    frames = toy_city() | timetable(toy_feed(stops=beta_in_a_field)) | streets()
    city, east, west = compute_metro_reach(a_night(), **frames).iter_rows(named=True)
    assert (city["served_stop_count"], city["unlinked_stop_count"]) == (3, 1)
    assert (west["unlinked_stop_count"], east["unlinked_stop_count"]) == (1, 0)
    assert (city["residents_unlinked_count"], east["residents_unlinked_count"]) == (2000.0, 0.0)


def stops_at(*places: str) -> Timetable:
    """The toy's timetable with the metro's stops elsewhere."""
    stops = FILES["stops"]
    for old, new in zip(
        ("43.2400,76.9000", "43.2400,76.9123", "43.2400,76.9369"), places, strict=True
    ):
        stops = stops.replace(old, new)
    return Timetable(**timetable(toy_feed(stops=stops)))


def linked(stops: Timetable) -> list[bool]:
    walkways = Walkways.of(*streets().values())
    found = linked_stops(stops, METRO, date.fromisoformat(WEDNESDAY), walkways)
    return found.get_column("is_unlinked").to_list()


@pytest.mark.slow
def test_trips_that_no_street_links_to_anybody_are_an_error() -> None:
    fields = stops_at("43.2300,76.9000", "43.2300,76.9123", "43.2300,76.9369")
    expected = r"No street links the stops of 2 metro trips on 2026-11-18: 'M1-0700', 'M1-0710'"
    with pytest.raises(ContractError, match=expected):
        linked(fields)


@pytest.mark.slow
def test_where_the_streets_end_nothing_is_wrong() -> None:
    assert linked(stops_at("43.5000,76.9000", "43.5000,76.9123", "43.5000,76.9369")) == [False] * 3
    assert linked(stops_at("43.2400,76.9000", "43.2300,76.9123", "43.5000,76.9369")) == [
        *(False, True, False),
    ]


def test_streets_of_another_place_are_refused() -> None:
    elsewhere: list[Place] = [(51.1, 71.4), (51.2, 71.4), (51.2, 71.5)]
    frames = toy_city() | streets(elsewhere, [(0, 1), (1, 2)])
    with pytest.raises(ContractError, match="None of the 5 population cells lies near a street"):
        compute_metro_reach(a_night(), **frames)
