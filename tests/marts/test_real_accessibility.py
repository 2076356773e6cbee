"""Travel times by the metro alone in New York and Mexico City, against arithmetic on the feeds.

Two cells lie at stations of a line that no other one doubles there, so that all there is to do is
wait and ride: by New York's clock times, and by Mexico's headways.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.marts.opportunities_reached import compute_opportunities_reached
from pipelines.marts.reach_inputs import compute_reach_inputs
from pipelines.marts.travel_times import compute_travel_times
from pipelines.night import Night, Window
from tests.marts.reach.toy_accessibility import opportunities
from tests.marts.reach.toy_city import NETWORK_READ, no_streets, population
from tests.toy_feeds import feed_source, staged_feed

pytestmark = pytest.mark.slow

WINDOW = Window(7 * 3600, 9 * 3600)


class Feed:
    """A feed as text, its staged frames, and a night of it."""

    def __init__(self, path: Path, day: date, zone: str) -> None:
        self.archive = zipfile.ZipFile(path)
        staged = staged_feed(path.read_bytes(), feed_source("metro"))
        self.frames = {name: staged[name] for name in NETWORK_READ}
        self.night = Night("c", "C", day, "weekday", zone, WINDOW, "published")

    def rows(self, name: str) -> list[dict[str, str]]:
        with self.archive.open(f"{name}.txt") as file:
            return list(csv.DictReader(io.TextIOWrapper(file, "utf-8-sig")))

    def times(self, one: str, other: str) -> dict[str, Any]:
        """Travel times by metro from one stop to another, with a thousand people at each."""
        places = {stop["stop_id"]: stop for stop in self.rows("stops")}
        cells = [
            (name, float(stop["stop_lat"]), float(stop["stop_lon"]), None, 1000.0, None)
            for name, stop in (("one", places[one]), ("other", places[other]))
        ]
        read = self.frames | population(*cells) | no_streets()
        inputs = compute_reach_inputs(self.night, **read, **opportunities())
        metro = inputs.filter(mode_set="metro")
        times = compute_travel_times(self.night, reach_inputs=metro, **read)
        reached = compute_opportunities_reached(
            self.night,
            reach_inputs=metro,
            travel_times=times,
            population_cells=read["population_cells"],
            **opportunities(),
        )
        [found] = times.filter(origin_cell_id="one", destination_cell_id="other").to_dicts()
        return {**found, "reached": reached, "draw_count": metro.item(0, "draw_count")}


def test_line_1_of_new_york(shared_data: Path) -> None:
    path = shared_data / "gtfs" / "gtfskit_nyc_subway_gtfs.zip"
    feed = Feed(path, date(2024, 12, 18), "America/New_York")
    one, other = "101", "112"  # Van Cortlandt Park-242 St, 168 St
    found = feed.times(f"{one}S", f"{other}S")

    # Wednesdays only, and no exceptions on this one.
    dates = {row["service_id"] for row in feed.rows("calendar_dates") if row["date"] == "20241218"}
    running = {row["service_id"] for row in feed.rows("calendar") if row["wednesday"] == "1"}
    trips = {row["trip_id"]: row for row in feed.rows("trips") if row["route_id"] == "1"}
    calls: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in feed.rows("stop_times"):
        if row["trip_id"] in trips and trips[row["trip_id"]]["service_id"] in running - dates:
            calls[row["trip_id"]][row["stop_id"][:3]] = (
                seconds(row["departure_time"]),
                seconds(row["arrival_time"]),
            )
    rides = [
        (stops[one][0], stops[other][1])
        for stops in calls.values()
        if one in stops and other in stops and stops[one][0] < stops[other][1]
    ]
    waits = sorted(
        min(there for leaves, there in rides if leaves >= now) - now
        for now in range(WINDOW.start_seconds, WINDOW.end_seconds, 60)
    )
    assert len(rides) > 20
    assert found["draw_count"] == 1
    assert [found[f"p{p}_seconds"] for p in (25, 50, 75)] == [waits[29], waits[59], waits[89]]


def test_line_a_of_mexico_city(shared_data: Path) -> None:
    path = shared_data / "gtfs" / "transitland_cdmx.zip"
    found = Feed(path, date(2018, 6, 13), "America/Mexico_City").times("14215", "14207")
    # Every 195 s from 05:00 to 10:00, 21 minutes to ride (frequencies.txt, stop_times.txt).
    headway, ride = 195, 21 * 60
    assert found["draw_count"] == 10
    for percentile in (25, 50, 75):
        time, error = (found[f"p{percentile}_{what}seconds"] for what in ("", "error_"))
        assert 0 < error < headway / 10
        assert time == pytest.approx(ride + headway * percentile / 100, abs=2 * error + 15)
    half = found["reached"].filter(cell_id="one", threshold_minutes=30, percentile=75)
    assert half.select("reached_count").item() == 2000.0


def seconds(clock: str) -> int:
    hours, minutes, rest = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + rest
