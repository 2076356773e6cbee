"""Doors and pathways, rules for changes by place and class, and trips that nobody can use."""

from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl
import pytest

from pipelines.errors import ContractError
from pipelines.marts.reach.routing.changes import Links, link
from pipelines.marts.reach.routing.coverage import require_links, services
from pipelines.marts.reach.routing.feeds import Feeds
from pipelines.marts.reach.routing.stations import Doors, on_foot
from pipelines.marts.reach.routing.timetable import Departures, Timetable, read_timetable
from tests.marts.reach.toy_networks import (
    DAY,
    FEED,
    PATHWAYS,
    STOPS,
    ZONE,
    Call,
    Network,
    Rule,
    Trip,
    feeds_of,
    in_a_row,
    stop_rows,
)

EIGHT = 8 * 3600
HOUR = Departures(EIGHT, EIGHT + 3600)
PLACE = {"stop_lat": 43.2, "stop_lon": 76.9}


def a_station(*pathways: tuple[str, str, int, int, float | None, int | None]) -> Feeds:
    """Two plain stops s0 and s1, and a station with platforms p1 and p2 and an entrance e.

    Pathways are from, to, mode, whether both ways, length, seconds.
    """
    inside = [
        {"stop_id": "st", **PLACE, "location_type": 1},
        {"stop_id": "p1", "location_type": 0, "parent_station": "st"},
        {"stop_id": "p2", "location_type": 0, "parent_station": "st"},
        {"stop_id": "e", **PLACE, "location_type": 2, "parent_station": "st"},
        {"stop_id": "node", "location_type": 3, "parent_station": "st"},
        {"stop_id": "area", "location_type": 4, "parent_station": "p2"},
    ]
    schema = {"source_id": pl.String, "version_id": pl.String}
    rows = pl.DataFrame([{**FEED, **row} for row in inside], schema=schema | STOPS)
    names = ("from_stop_id", "to_stop_id", "pathway_mode", "is_bidirectional")
    ways = [
        {
            **FEED,
            "pathway_id": str(n),
            **dict(zip((*names, "length", "traversal_time"), way, strict=True)),
        }
        for n, way in enumerate(pathways)
    ]
    feeds = feeds_of(Network(in_a_row(2), ()))
    return dataclasses.replace(
        feeds,
        stops=pl.concat([stop_rows(in_a_row(2)), rows]),
        pathways=pl.DataFrame(ways, schema=schema | PATHWAYS),
    )


def named(feeds: Feeds, rows: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Rows with stop ids in place of the numbers of places."""
    ids = feeds.stops.sort("source_id", "version_id", "stop_id")["stop_id"]
    return rows.with_columns(pl.lit(ids).gather(name).alias(name) for name in columns).rows()


WALKWAY, STAIRS = 1, 2


def test_a_stop_is_its_own_door() -> None:
    feeds = a_station()
    doors = Doors.of(feeds).doors
    seconds = doors.select("place", "enter_seconds", "leave_seconds")
    # Platforms without coordinates lie at their station; the area's platform has none either.
    assert named(feeds, seconds, "place") == [
        ("p1", 0, 0),
        ("p2", 0, 0),
        ("s0", 0, 0),
        ("s1", 0, 0),
    ]


def test_platforms_are_reached_by_pathways() -> None:
    """e - node takes 30 s, node - p1 is 80 m, a minute; stairs lead to p2's area and back."""
    feeds = a_station(
        ("e", "node", WALKWAY, 1, None, 30),
        ("node", "p1", WALKWAY, 1, 80.0, None),
        ("area", "node", STAIRS, 0, None, 20),
        ("node", "area", STAIRS, 0, None, 25),
    )
    doors = Doors.of(feeds)
    inside = doors.doors.select("place", "enter_seconds", "leave_seconds")
    assert named(feeds, inside, "place") == [
        ("area", 55, 50),
        ("p1", 90, 90),
        ("p2", 55, 50),
        ("s0", 0, 0),
        ("s1", 0, 0),
    ]
    ways = [row for row in named(feeds, doors.ways, "from_place", "to_place") if row[0] != row[1]]
    assert sorted(ways) == [
        ("area", "p1", 80),
        ("area", "p2", 0),
        ("p1", "area", 85),
        ("p1", "p2", 85),
        ("p2", "area", 0),
        ("p2", "p1", 80),
    ]
    # Without steps nobody gets to p2; nobody knows of p1.
    level = Doors.of(feeds, step_free="upper").doors
    assert {row[0] for row in named(feeds, level.select("place"), "place")} == {"p1", "s0", "s1"}


def test_walks_go_through_doors() -> None:
    feeds = a_station(
        ("e", "p1", WALKWAY, 1, None, 30),
        ("e", "p2", WALKWAY, 0, None, 45),
    )
    doors = Doors.of(feeds)
    order = [row[0] for row in named(feeds, doors.doors.select("place"), "place")]
    assert order == ["area", "p1", "p2", "s0", "s1"]
    by_door = pl.DataFrame({"from_index": [0] * 5, "to_index": range(5), "seconds": [100] * 5})
    by_door = by_door.cast({"from_index": pl.UInt32, "to_index": pl.UInt32, "seconds": pl.Int32})
    access = named(feeds, doors.access(by_door), "place")
    assert [row[1:] for row in access] == [
        *(("area", 145), ("p1", 130), ("p2", 145), ("s0", 100), ("s1", 100))
    ]
    out = by_door.rename({"from_index": "to_index", "to_index": "from_index"})
    # From p2 no pathway leads out.
    egress = named(feeds, doors.egress(out), "place")
    assert [row[1:] for row in egress] == [("p1", 130), ("s0", 100), ("s1", 100)]
    between = pl.DataFrame({"from_index": [1], "to_index": [3], "seconds": [60]}).cast(
        by_door.schema
    )
    foot = named(feeds, doors.foot(between), "from_place", "to_place")
    assert [row for row in foot if row[0] == "p1" and row[1] != "p1"] == [
        ("p1", "area", 75),
        ("p1", "p2", 75),
        ("p1", "s0", 90),
    ]


def test_walks_take_full_seconds() -> None:
    walks = pl.DataFrame({"from_index": [0, 0], "to_index": [1, 2], "distance_m": [80.0, 80.1]})
    assert on_foot(walks)["seconds"].to_list() == [60, 61]


def links_of(*rules: Rule, stations: bool = False) -> tuple[Timetable, Links]:
    """Rules between stops 0 and 1, 300 m apart, which people walk in 250 s; routes 0 and 1."""
    trips = tuple(
        Trip((Call(0, EIGHT, EIGHT), Call(1, EIGHT + 60, EIGHT + 60)), route=n % 2)
        for n in range(4)
    )
    network = Network(in_a_row(3), trips, foot={(0, 1): 250}, rules=rules)
    feeds = feeds_of(network)
    if stations:
        parent = {**FEED, "stop_id": "s9", **PLACE, "location_type": 1}
        station = pl.DataFrame([parent], schema=feeds.stops.schema)
        platforms = feeds.stops.with_columns(parent_station=pl.lit("s9"))
        feeds = dataclasses.replace(feeds, stops=pl.concat([platforms, station]))
    timetable = read_timetable(feeds, DAY, ZONE, HOUR)
    walks = pl.DataFrame({"from_index": [0], "to_index": [1], "seconds": [250]})
    walks = walks.cast({"from_index": pl.UInt32, "to_index": pl.UInt32, "seconds": pl.Int32})
    return timetable, link(timetable, Doors.of(feeds).foot(walks), feeds.transfers)


def seconds_of(links: Links, one: int, other: int) -> list[int]:
    pair = links.links.filter(from_point=one, to_point=other)
    return pair["seconds"].to_list()


@pytest.mark.slow
def test_rules_overlay_walks() -> None:
    assert seconds_of(links_of()[1], 0, 1) == [250]
    assert seconds_of(links_of(Rule(0, 1, 0))[1], 0, 1) == [250]
    assert seconds_of(links_of(Rule(0, 1, 2, seconds=90))[1], 0, 1) == [90]
    assert seconds_of(links_of(Rule(0, 1, 3))[1], 0, 1) == []
    assert seconds_of(links_of(Rule(0, 0, 2, seconds=40))[1], 0, 0) == [40]
    # Nobody walks from 1 to 0 by the streets; where a rule says one can, it is 300 m x 1.3.
    assert seconds_of(links_of()[1], 1, 0) == []
    assert seconds_of(links_of(Rule(1, 0, 1))[1], 1, 0) == [293]
    assert seconds_of(links_of(Rule(0, 1, 5, from_trip=0, to_trip=1))[1], 0, 1) == [250]


def test_a_station_stands_for_its_platforms_and_a_stop_goes_before_it() -> None:
    whole = Rule(9, 9, 2, seconds=500)
    own = Rule(0, 1, 2, seconds=90)
    timetable, links = links_of(whole, own, stations=True)
    assert seconds_of(links, 0, 1) == [90]
    assert seconds_of(links, 1, 0) == [500]
    assert seconds_of(links, 0, 0) == [500]
    assert timetable.places.height == 4


def test_named_trips_and_routes_are_classes() -> None:
    rules = (
        Rule(0, 1, 2, seconds=10, from_route=0),
        Rule(0, 1, 2, seconds=20, from_route=0, to_route=1),
        Rule(0, 1, 2, seconds=30, from_trip=2),
        Rule(0, 1, 3, from_trip=2, to_trip=3),
    )
    timetable, links = links_of(*rules)
    alight = links.alight.filter(place=0).select("trip", "route").rows()
    board = links.board.filter(place=1).select("trip", "route").rows()
    assert alight == [(None, None), (None, 0), (2, None)]
    assert board == [(None, None), (None, 1), (3, None)]
    points = [
        (
            links.alight.filter(place=0)["point"].to_list()[one],
            links.board.filter(place=1)["point"].to_list()[other],
        )
        for one in range(3)
        for other in range(3)
    ]
    assert [seconds_of(links, *pair) for pair in points] == [
        # From any run to any other; from route 0, more to route 1 (trip 3 is of it); from trip 2.
        *([250], [250], [250]),
        *([10], [20], [20]),
        *([30], [30], []),
    ]
    changes = links.changes(timetable.connections(), timetable.trips)
    assert changes.alight.tolist() == [1, 1, 1, 1]  # at stop 1, where no rule begins


def a_feed(trips: tuple[Trip, ...]) -> Feeds:
    return feeds_of(Network(in_a_row(4), trips))


def hop(one: int, other: int, day: int = 0) -> Trip:
    return Trip((Call(one, EIGHT, EIGHT), Call(other, EIGHT + 60, EIGHT + 60)), day=day)


def test_the_reason_why_a_feed_does_not_ride() -> None:
    def reason(feeds: Feeds, window: Departures = HOUR) -> tuple[int, str | None]:
        timetable = read_timetable(feeds, DAY, ZONE, window)
        row = services(feeds, timetable).row(0, named=True)
        return row["trip_count"], row["reason"]

    assert reason(a_feed((hop(0, 1), hop(1, 2)))) == (2, None)
    assert reason(a_feed((hop(0, 1, day=4),))) == (
        0,
        "feed 'toy' has no service on 2026-11-18 (its dates are 2026-11-22 to 2026-11-22)",
    )
    assert reason(a_feed((hop(0, 1),)), Departures(0, 60)) == (
        0,
        "feed 'toy' has no such trips in the window on 2026-11-18",
    )
    assert reason(a_feed(())) == (0, "feed 'toy' has no dates of service")


def checked(feeds: Feeds, linked: list[int], *, doors: pl.DataFrame | None = None) -> None:
    """Ask for links where cells walk to these places; the cells' extent is that of the stops."""
    walks = pl.DataFrame(
        {"cell": [0] * len(linked), "place": linked, "seconds": [60] * len(linked)}
    )
    walks = walks.cast({"cell": pl.UInt32, "place": pl.UInt32, "seconds": pl.Int32})
    own = Doors.of(feeds)
    no_walks = pl.DataFrame(
        schema={"from_index": pl.UInt32, "to_index": pl.UInt32, "seconds": pl.Int32}
    )
    cells = pl.DataFrame(in_a_row(4), schema=["latitude", "longitude"], orient="row")
    cells = pl.concat([cells, cells.with_columns(pl.col("longitude") + 0.01)])
    require_links(
        read_timetable(feeds, DAY, ZONE, HOUR),
        own.doors if doors is None else doors,
        access=walks,
        egress=walks,
        foot=own.foot(no_walks),
        cells=cells,
    )


@pytest.mark.slow
def test_trips_that_nobody_can_use_are_an_error() -> None:
    feeds = a_feed((hop(0, 1), hop(2, 3)))
    checked(feeds, [0, 1, 2, 3])
    checked(feeds, [0, 3])  # nobody lives where they go, or come from
    with pytest.raises(ContractError, match=r"1 trips ride .* no result can use: 't001' of 'toy'"):
        checked(feeds, [0, 1])
    with pytest.raises(ContractError, match=r"2 trips .* no walk to any cell or other stop"):
        checked(feeds, [])
    with pytest.raises(ContractError, match="pathways that lead to no entrance"):
        checked(feeds, [0, 1], doors=Doors.of(feeds).doors.filter(pl.col("place") < 2))


def test_trips_that_leave_the_cells_are_no_error() -> None:
    far = stop_rows((*in_a_row(3), (44.0, 76.9)))
    feeds = dataclasses.replace(a_feed((hop(0, 1), hop(2, 3))), stops=far)
    checked(feeds, [0, 1])


def test_a_trip_that_leads_to_another_is_used() -> None:
    """Its stops are far from all cells, but one may change to another stop."""
    feeds = a_feed((hop(1, 3),))
    walks = pl.DataFrame({"from_index": [3], "to_index": [2], "seconds": [60]})
    walks = walks.cast({"from_index": pl.UInt32, "to_index": pl.UInt32, "seconds": pl.Int32})
    cells = pl.DataFrame(in_a_row(4), schema=["latitude", "longitude"], orient="row")
    near = pl.DataFrame({"cell": [0], "place": [0], "seconds": [60]})
    near = near.cast({"cell": pl.UInt32, "place": pl.UInt32, "seconds": pl.Int32})
    doors = Doors.of(feeds)
    timetable = read_timetable(feeds, DAY, ZONE, HOUR)
    about: dict[str, Any] = {"access": near, "egress": near, "cells": cells}
    require_links(timetable, doors.doors, foot=doors.foot(walks), **about)
    with pytest.raises(ContractError):
        require_links(timetable, doors.doors, foot=doors.foot(walks.clear()), **about)
