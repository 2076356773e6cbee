"""Classes and PTAL of places in Mexico City and New York against plain Python over the feeds.

Mexico City's trips run by frequency alone and have no direction_id; New York has the subway alone,
its platforms in stations. Each place is given a thousand residents who are no real ones.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.marts.cell_access import compute_cell_access
from tests.marts.reach.toy_city import (
    RATES_READ,
    a_night,
    districts,
    no_streets,
    population,
    timetable,
)
from tests.toy_streets import metres

pytestmark = pytest.mark.slow

Place = tuple[float, float]
Call = tuple[str, str, str, float]  # stop, route, direction, departures in the window
MODES = {"1": "metro", "2": "suburban rail", "0": "tram", "3": "bus", "11": "bus"}
MODES |= {"700": "bus", "800": "bus", "900": "tram"}
PEAK, DAYTIME = (29_700, 33_300), (21_600, 72_000)

CITIES = {
    "mexico_city": (
        "transitland_cdmx.zip",
        "2018-06-13",
        {
            "Zocalo": (19.4326, -99.1332),
            "Roma Norte": (19.4180, -99.1620),
            "Coyoacan": (19.3500, -99.1620),
            "Ajusco": (19.2090, -99.2590),
        },
    ),
    "new_york": (
        "gtfskit_nyc_subway_gtfs.zip",
        "2024-12-18",
        {
            "Times Square": (40.7560, -73.9870),
            "Columbia University": (40.8075, -73.9626),
            "Van Cortlandt Park": (40.8900, -73.8960),
            "Central Park": (40.7812, -73.9665),
        },
    ),
}


# What the definitions make of the numbers, which are compared one by one.
EXPECTED = {
    "mexico_city": {
        "Zocalo": ("high", "3"),
        "Roma Norte": ("high", "3"),
        "Coyoacan": ("high", "1b"),
        "Ajusco": ("none", "0"),
    },
    "new_york": {
        "Times Square": ("high", "3"),
        "Columbia University": ("high", "2"),
        "Van Cortlandt Park": ("high", "1b"),
        "Central Park": ("none", "0"),
    },
}


class PlainFeed:
    """A feed as its files say, read by the standard library."""

    def __init__(self, path: Path, day: date) -> None:
        with zipfile.ZipFile(path) as archive:
            self.files = {
                name.removesuffix(".txt"): list(
                    csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig")))
                )
                for name in archive.namelist()
                if name.endswith(".txt") and name != "shapes.txt"
            }
        active = self._services(day)
        self.stops = {row["stop_id"]: row for row in self.files["stops"]}
        modes = {row["route_id"]: MODES.get(row["route_type"]) for row in self.files["routes"]}
        self.modes = {route: mode for route, mode in modes.items() if mode}
        self.trips = {
            row["trip_id"]: row
            for row in self.files["trips"]
            if row["service_id"] in active and row["route_id"] in self.modes
        }
        calls = defaultdict(list)
        for row in self.files["stop_times"]:
            if row["trip_id"] in self.trips:
                calls[row["trip_id"]].append(row)
        order = {trip: sorted(rows, key=_sequence) for trip, rows in calls.items()}
        self.calls = order

    def _services(self, day: date) -> set[str]:
        weekday, text = day.strftime("%A").lower(), day.strftime("%Y%m%d")
        active = {
            row["service_id"]
            for row in self.files.get("calendar", [])
            if row[weekday] == "1" and row["start_date"] <= text <= row["end_date"]
        }
        for row in self.files.get("calendar_dates", []):
            if row["date"] == text:
                change = active.add if row["exception_type"] == "1" else active.discard
                change(row["service_id"])
        return active

    def departures(self, window: tuple[int, int]) -> Iterator[Call]:
        spans = defaultdict(list)
        for row in self.files.get("frequencies", []):
            span = (_seconds(row["start_time"]), _seconds(row["end_time"]))
            spans[row["trip_id"]].append((*span, int(row["headway_secs"])))
        for trip, calls in self.calls.items():
            first = _seconds(calls[0]["departure_time"])
            for call, following in pairwise(calls):
                at = _seconds(call["departure_time"])
                if trip in spans:
                    count = sum(
                        max(
                            0, min(end + at - first, window[1]) - max(start + at - first, window[0])
                        )
                        / headway
                        for start, end, headway in spans[trip]
                    )
                else:
                    count = float(window[0] <= at < window[1])
                way = self.trips[trip].get("direction_id") or following["stop_id"]
                if count and call.get("pickup_type") != "1":
                    yield call["stop_id"], self.trips[trip]["route_id"], way, count

    def where(self, stop: str) -> Place:
        return float(self.stops[stop]["stop_lat"]), float(self.stops[stop]["stop_lon"])

    def place_names(self) -> dict[str, str]:
        """Stops that are called at, each with one stop of its place that stands for all."""
        called = sorted({call["stop_id"] for calls in self.calls.values() for call in calls})
        groups = {stop: {stop} for stop in called}
        by_latitude = sorted(called, key=self.where)
        for position, one in enumerate(by_latitude):
            for other in by_latitude[position + 1 :]:
                if self.where(other)[0] - self.where(one)[0] > 0.0005:
                    break
                if metres(self.where(one), self.where(other)) <= 50:
                    _unite(groups, one, other)
        stations: dict[str, str] = {}
        for stop in called:
            if station := self.stops[stop].get("parent_station"):
                _unite(groups, stations.setdefault(station, stop), stop)
        return {stop: min(group) for stop, group in groups.items()}


def _sequence(call: dict[str, str]) -> int:
    return int(call["stop_sequence"])


def _unite(groups: dict[str, set[str]], one: str, other: str) -> None:
    both = groups[one] | groups[other]
    for stop in both:
        groups[stop] = both


def _seconds(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def walk_m(feed: PlainFeed, home: Place, stop: str) -> float:
    return 1.3 * metres(home, feed.where(stop))


def plain_index(feed: PlainFeed, names: dict[str, str], home: Place) -> float:
    """TfL's index, route by route."""
    at_places: dict[tuple[str, str, str], float] = defaultdict(float)
    walks: dict[tuple[str, str], float] = {}
    for stop, route, way, count in feed.departures(PEAK):
        place, metre = names[stop], walk_m(feed, home, stop)
        at_places[route, place, way] += count
        if metre <= (640 if feed.modes[route] == "bus" else 960):
            walks[route, place] = min(metre, walks.get((route, place), math.inf))
    values = defaultdict(list)
    for route in {route for route, _ in walks}:
        metre, place = min((m, place) for (other, place), m in walks.items() if other == route)
        best = max(n for (r, p, _), n in at_places.items() if (r, p) == (route, place))
        late = 2.0 if feed.modes[route] == "bus" else 0.75
        values[feed.modes[route]].append(30 / (metre / 80 + 30 / best + late))
    return sum(max(one) + 0.5 * (sum(one) - max(one)) for one in values.values())


def plain_departures(feed: PlainFeed, names: dict[str, str], home: Place) -> tuple[float, float]:
    """Departures an hour of the best place: of buses and trams, and of metro and rail."""
    counts: dict[tuple[bool, str], float] = defaultdict(float)
    reached = {(False, ""), (True, "")}
    for stop, route, _, count in feed.departures(DAYTIME):
        is_fast = feed.modes[route] in ("metro", "suburban rail")
        counts[is_fast, names[stop]] += count / 14
        if walk_m(feed, home, stop) <= (800 if is_fast else 400):
            reached.add((is_fast, names[stop]))
    slow, fast = (
        max(counts.get(place, 0.0) for place in reached if place[0] == kind)
        for kind in (False, True)
    )
    return slow, fast


@pytest.mark.parametrize("city", CITIES)
def test_places_in_real_cities(shared_data: Path, city: str) -> None:
    name, day, homes = CITIES[city]
    path = shared_data / "gtfs" / name
    grid = population(*((home, *place, 900.0, 1000.0, 1100.0) for home, place in homes.items()))
    frames = timetable(path.read_bytes(), tables=RATES_READ) | grid | districts() | no_streets()
    cells = compute_cell_access(a_night(day), **frames)
    found = {row["cell_id"]: row for row in cells.iter_rows(named=True)}

    feed = PlainFeed(path, date.fromisoformat(day))
    names = feed.place_names()
    for home, place in homes.items():
        row = found[home]
        assert row["ptal_index"] == pytest.approx(plain_index(feed, names, place), abs=2e-3), home
        slow, fast = plain_departures(feed, names, place)
        assert row["bus_tram_departures_per_hour"] == pytest.approx(slow, abs=2e-3), home
        assert row["metro_rail_departures_per_hour"] == pytest.approx(fast, abs=2e-3), home
    classes = {home: (row["access_class"], row["ptal_band"]) for home, row in found.items()}
    assert classes == EXPECTED[city]
