"""Suburban rail: the sample's line to Konaev as announced, and toy lines by hand."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.marts.suburban_rail import SuburbanRail, compute_suburban_rail
from pipelines.sample.rail import make_rail_feed
from tests.marts.reach.toy_city import (
    CELLS,
    RATES_READ,
    TABLES_READ,
    a_night,
    no_streets,
    population,
    timetable,
)
from tests.toy_feeds import FILES, SUNDAY, WEDNESDAY, toy_feed

READS = (*TABLES_READ, "frequencies")
PEOPLE = population(
    ("by Almaty-1", 43.344, 76.950, 90.0, 100.0, 120.0), ("far", 43.2, 76.9, 1, 2, 3)
)
AS_RAIL = {"routes": FILES["routes"].replace("Alpha - Gamma,1", "Alpha - Gamma,2")}
CALLS = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"


def rail(
    service_date: str = WEDNESDAY, feed: bytes | None = None, **frames: Any
) -> list[dict[str, Any]]:
    feed = feed or toy_feed(**AS_RAIL)
    tables = timetable(feed, tables=READS) | population(*CELLS) | no_streets() | frames
    return compute_suburban_rail(a_night(service_date), **tables).to_dicts()


@pytest.mark.slow
def test_the_line_to_konaev_as_announced() -> None:
    there, back = rail(feed=make_rail_feed(date(2026, 11, 18)), **PEOPLE)
    assert (there["train_count"], there["station_count"]) == (1, 7)
    assert (there["first_station_name"], there["last_station_name"]) == ("Алматы-1", "Капшагай")
    assert (there["start_seconds"], there["end_to_end_minutes"]) == (6 * 3600 + 44 * 60, 111.0)
    assert (back["first_station_name"], back["end_to_end_minutes"]) == ("Капшагай", 95.0)
    assert (there["direction_id"], back["direction_id"]) == (0, 1)
    people = [there[f"residents_within_{estimate}"] for estimate in ("count", "low", "high")]
    assert people == [100.0, 90.0, 120.0]
    assert there["reason"] is None


def test_no_train_on_a_sunday_is_told_and_no_row_is_missing() -> None:
    rows = rail(SUNDAY, feed=make_rail_feed(date(2026, 11, 18)), **PEOPLE)
    assert [row["train_count"] for row in rows] == [0, 0]
    assert {row["reason"] for row in rows} == {f"no trains on {SUNDAY}"}
    assert {row["residents_within_count"] for row in rows} == {None}


@pytest.mark.slow
def test_only_rail_has_rows() -> None:
    (row,) = rail()
    assert (row["route_id"], row["train_count"], row["station_count"]) == ("M1", 2, 3)
    assert (row["start_seconds"], row["end_seconds"]) == (25200, 25800)
    assert rail(feed=toy_feed()) == []


@pytest.mark.slow
def test_trains_count_as_often_as_they_leave() -> None:
    spans = "trip_id,start_time,end_time,headway_secs\nM1-0700,06:00:00,09:00:00,1200\n"
    (row,) = rail(feed=toy_feed(**AS_RAIL, frequencies=spans))
    assert row["train_count"] == 9 + 1


@pytest.mark.slow
def test_without_directions_the_order_of_stations_tells() -> None:
    trips = "route_id,service_id,trip_id\nM1,weekday,long\nM1,weekday,short\nM1,weekday,back\n"
    calls = (
        "long,07:00:00,07:00:00,MA,1\nlong,07:05:00,07:05:00,MB,2\nlong,07:10:00,07:10:00,MC,3\n"
        "short,08:00:00,08:00:00,MB,1\nshort,08:04:00,08:04:00,MC,2\n"
        "back,09:00:00,09:00:00,MC,1\nback,09:06:00,09:06:00,MB,2\n"
    )
    feed = toy_feed(**AS_RAIL, trips=trips, stop_times=CALLS + calls, shapes=None)
    there, back = rail(feed=feed)
    assert (there["direction_id"], there["train_count"]) == (0, 2)
    # One train each from Alpha and from Beta: the farther counts, ten minutes.
    assert (there["first_station_name"], there["end_to_end_minutes"]) == ("Metro Alpha", 10.0)
    assert (back["direction_id"], back["first_station_name"]) == (1, "Metro Gamma")
    assert (back["train_count"], back["station_count"]) == (1, 2)


@pytest.mark.slow
def test_platforms_of_one_station_are_one() -> None:
    stops = (
        "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station\n"
        "S,Station,43.24,76.90,1,\nP1,Platform 1,43.24,76.90,0,S\nP2,Platform 2,43.24,76.90,0,S\n"
        "E,End,43.24,76.95,0,\n"
    )
    calls = (
        "M1-0700,07:00:00,07:00:00,P1,1\nM1-0700,07:10:00,07:10:00,E,2\n"
        "M1-0710,07:20:00,07:20:00,P2,1\nM1-0710,07:32:00,07:32:00,E,2\n"
    )
    trips = FILES["trips"].split("10,daily")[0]
    feed = toy_feed(**AS_RAIL, stops=stops, stop_times=CALLS + calls, trips=trips)
    (row,) = rail(feed=feed)
    assert (row["station_count"], row["first_station_name"]) == (2, "Station")
    assert row["end_to_end_minutes"] == 11.0


@pytest.mark.slow
def test_without_a_grid_trains_are_told_all_the_same() -> None:
    (row,) = rail(**population())
    assert (row["train_count"], row["residents_within_count"]) == (2, None)
    assert row["reason"] == "no population grid"


@pytest.mark.slow
def test_the_trains_of_porto_alegre(shared_data: Path) -> None:
    """A real line without direction_id, with short workings: 305 trains on a Tuesday."""
    path = shared_data / "access/r5r_poa/poa_trensurb.zip"
    rows = {
        (row["first_station_name"], row["last_station_name"]): row
        for row in rail("2019-05-14", feed=path.read_bytes())
    }
    with zipfile.ZipFile(path) as archive:
        trips, calls, stops = (
            list(csv.DictReader(io.StringIO(archive.read(f"{name}.txt").decode("utf-8-sig"))))
            for name in ("trips", "stop_times", "stops")
        )
    names = {stop["stop_id"]: stop["stop_name"] for stop in stops}
    order: dict[str, list[str]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: int(call["stop_sequence"])):
        order[call["trip_id"]].append(call["stop_id"])
    # FULLW runs from Monday to Friday. The way from Mercado (MR) to Novo Hamburgo (NH) is north.
    running = [trip["trip_id"] for trip in trips if trip["service_id"] == "FULLW"]
    line = max((order[trip] for trip in running if order[trip][0] == "MR"), key=len)
    main = [order[trip] for trip in running if set(order[trip]) <= set(line)]
    north = sum(line.index(stops[0]) < line.index(stops[-1]) for stops in main)
    there, back = rows[names["MR"], names["NH"]], rows[names["NH"], names["MR"]]
    assert (there["train_count"], back["train_count"]) == (north, len(main) - north)
    assert there["train_count"] + back["train_count"] == 305
    assert (there["station_count"], back["station_count"]) == (len(line), len(line))
    shuttle = [row for ends, row in rows.items() if names["MR"] not in ends]
    assert [row["train_count"] for row in shuttle] == [112, 112]


def test_the_contract_is_one_row_per_route_and_direction() -> None:
    key = ["service_date", "source_id", "route_id", "direction_id"]
    assert SuburbanRail.primary_key() == key
    assert set(READS) < set(RATES_READ)
    tables = timetable(toy_feed(**AS_RAIL), tables=READS) | population(*CELLS) | no_streets()
    made = compute_suburban_rail(a_night(), **tables)
    _, failure = SuburbanRail.filter(
        made.with_columns(residents_within_count=pl.lit(None, pl.Float64))
    )
    assert failure.counts() == {"reason_given": pytest.approx(1)}
