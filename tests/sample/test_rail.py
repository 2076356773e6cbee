"""The suburban railway has the stations and times that were announced."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.sample import list_objects

from .conftest import only_object, read_zip
from .gtfs_rules import read_by_gtfs_kit

Feed = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def rail_zip(service_date: date) -> bytes:
    return only_object("rail_gtfs", service_date)


@pytest.fixture(scope="module")
def rail(rail_zip: bytes) -> Feed:
    return read_zip(rail_zip)


def test_one_train_each_way_with_the_times_of_its_ends(rail: Feed) -> None:
    ends = rail["stop_times"].filter(pl.col("departure_time").is_not_null())
    assert ends.select("trip_id", "stop_id", "departure_time", "timepoint").rows() == [
        ("ALM-KON-0", "ALM1", "06:44:00", "1"),
        ("ALM-KON-0", "KAPSHAGAI", "08:35:00", "1"),
        ("ALM-KON-1", "KAPSHAGAI", "19:15:00", "1"),
        ("ALM-KON-1", "ALM1", "20:50:00", "1"),
    ]


def test_both_trains_call_at_seven_stations_in_turn(rail: Feed) -> None:
    there, back = rail["stop_times"].partition_by("trip_id")
    assert there["stop_id"].to_list() == back["stop_id"].to_list()[::-1]
    assert len(there) == len(rail["stops"]) == 7


def test_no_train_on_sundays(rail_zip: bytes, tmp_path: Path) -> None:
    feed = read_by_gtfs_kit(rail_zip, tmp_path)
    assert [len(feed.get_trips(day)) for day in ("20261120", "20261121", "20261122")] == [2, 2, 0]


def test_nothing_runs_before_the_first_day() -> None:
    calendar = read_zip(only_object("rail_gtfs", date(2023, 6, 1)))["calendar"]
    assert calendar["start_date"].to_list() == ["20221111"]
    assert list_objects("rail_gtfs", date(2022, 7, 31)) == []
