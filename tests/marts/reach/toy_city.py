"""A city of two districts and five populated cells round the toy feed's stops.

One thousandth of a degree north is 111.2 m, and east (at 43.24 N) 81.0 m.

            west                  | 76.92          east
    43.2470   slope 100 200 300   |
    43.2460   hill   10  20  30   |
    43.2400   MA        MB      border 5 6 7             MC gamma 1 2 3
            76.9000   76.9123     |                     76.9369

    hill is 0.006 degrees = 667 m north of MA, a walk of 867 m (straight line x 1.3),
    slope is 0.007 degrees = 778 m north of MA, 1,012 m to walk, and 434 m from the bus stop BA,
    border is 0.0077 degrees = 624 m east of MB, on the border of both districts (east sorts first),
    gamma lives at MC, and far (1000 2000 3000) at 43.30, 77.00, outside both districts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import polars as pl
import shapely

from pipelines.night import Mark, Night, SourceVersion, Window
from pipelines.sources.districts.parse import parse_districts
from pipelines.staging.districts import stage_districts
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes
from tests.toy_feeds import WEDNESDAY, staged_tables, toy_feed

Frames = dict[str, Any]

TABLES_READ = ("service_dates", "trips", "stop_times", "routes", "stops")
RATES_READ = (*TABLES_READ, "frequencies", "feed_versions")
NETWORK_READ = (*RATES_READ, "transfers", "pathways")

CELLS = (
    ("hill", 43.2460, 76.9000, 10.0, 20.0, 30.0),
    ("slope", 43.2470, 76.9000, 100.0, 200.0, 300.0),
    ("border", 43.2400, 76.9200, 5.0, 6.0, 7.0),
    ("gamma", 43.2400, 76.9369, 1.0, 2.0, 3.0),
    ("far", 43.3000, 77.0000, 1000.0, 2000.0, 3000.0),
)
WEST = {
    "district_name": "West",
    "official_population": 250,
    "population_precision": "exact",
    "boundary": shapely.box(76.89, 43.20, 76.92, 43.28),
}
EAST = {
    "district_name": "East",
    "official_population": 10,
    "population_precision": "lower_bound",
    "boundary": shapely.box(76.92, 43.20, 76.95, 43.28),
}


def a_night(service_date: str = WEDNESDAY, mark: Mark = "modelled") -> Night:
    return Night(
        city_id="toyville",
        city_name="Toyville",
        service_date=date.fromisoformat(service_date),
        day_type="weekday",
        time_zone="Asia/Almaty",
        window=Window(7 * 3600, 9 * 3600),
        mark=mark,
    )


def timetable(*feeds: bytes, tables: tuple[str, ...] = TABLES_READ) -> Frames:
    """The staged tables that reach reads, of each feed under the names feed1, feed2, ..."""
    staged = [_staged(payload, number) for number, payload in enumerate(feeds, 1)]
    return {table: pl.concat(feed[table] for feed in staged) for table in tables}


@cache
def _staged(payload: bytes, number: int) -> Frames:
    source = SourceVersion(f"feed{number}", f"v{number}", "feed.zip", "zip")
    staged = staged_tables(payload, source)
    assert not any(result.refused for result in staged.values()), staged
    return {table: staged[table].rows for table in NETWORK_READ}


def no_feed(tables: tuple[str, ...] = TABLES_READ) -> Frames:
    return {table: rows.clear() for table, rows in timetable(toy_feed(), tables=tables).items()}


def no_streets() -> Frames:
    return {"street_nodes": StreetNodes.create_empty(), "street_links": StreetLinks.create_empty()}


def population(*cells: tuple[str, float, float, float | None, float, float | None]) -> Frames:
    columns = PopulationCells.columns()
    rows = [("grid", "v1", *cell) for cell in cells]
    schema = {name: column.dtype for name, column in columns.items()}
    grid = pl.DataFrame(rows, schema=schema, orient="row")
    return {"population_cells": PopulationCells.validate(grid)}


def districts(*rows: Mapping[str, Any]) -> Frames:
    source = SourceVersion("districts", "v1", "districts.geojson", "geojson")
    features = [
        {
            "properties": {name: value for name, value in row.items() if name != "boundary"},
            "geometry": json.loads(shapely.to_geojson(row["boundary"])),
        }
        for row in (rows or (WEST,))
    ]
    payload = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    staged = stage_districts(parse_districts(payload, source), source)
    assert not staged.refused, staged.quarantine
    return {"districts": staged.rows if rows else staged.rows.clear()}


def toy_city(tables: tuple[str, ...] = TABLES_READ) -> Frames:
    places = population(*CELLS) | districts(WEST, EAST) | no_streets()
    return timetable(toy_feed(), tables=tables) | places
