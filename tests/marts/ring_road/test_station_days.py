"""Station days: parts, repeats and archives made one day, and classes made one sum."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.ring_road.station_days import COLUMNS, main_class_days, station_days
from tests.marts.toy_counts import staged

DAY = date(2026, 11, 20)
LATER = date(2026, 11, 21)


def a_file(version_id: str, count: int | None, hours: int, **others: Any) -> pl.DataFrame:
    """What one file tells of station a's day."""
    row = {
        "station_id": "a",
        "service_date": DAY,
        "vehicle_count": count,
        "counted_hour_count": hours,
        "null_hour_count": 0,
        **others,
    }
    return staged(pl.DataFrame([row], schema_overrides={"vehicle_count": pl.Int64}), version_id)


def one_day(*files: pl.DataFrame) -> dict[str, Any]:
    days = station_days(pl.concat(files), DAY)
    assert days.columns == list(COLUMNS)
    assert days.height == 1
    return days.row(0, named=True)


def classes(**counts: int | None) -> pl.DataFrame:
    """A whole day's counts by class."""
    rows = [
        {
            "station_id": "a",
            "service_date": DAY,
            "vehicle_class": name,
            "vehicle_count": count,
            "counted_hour_count": 0 if count is None else 24,
        }
        for name, count in counts.items()
    ]
    return staged(pl.DataFrame(rows, schema_overrides={"vehicle_count": pl.Int64}))


def of_all(days: pl.DataFrame) -> list[int | None]:
    return days.filter(pl.col("vehicle_class") == "all").get_column("vehicle_count").to_list()


def test_two_halves_are_a_day() -> None:
    day = one_day(
        a_file("v1", 100, 10, mean_clock_hour=9.0, longest_equal_hour_count=2),
        a_file("v2", 300, 14, mean_clock_hour=15.0, longest_equal_hour_count=3),
    )
    assert (day["vehicle_count"], day["counted_hour_count"]) == (400, 24)
    assert day["longest_equal_hour_count"] == 3
    # Three of four vehicles in the afternoon, on the circle.
    assert day["mean_clock_hour"] == pytest.approx(13.8, abs=0.1)


def test_a_day_of_which_hours_are_missing_has_no_volume() -> None:
    day = one_day(a_file("v1", 100, 10), a_file("v2", 200, 13))
    assert (day["vehicle_count"], day["counted_hour_count"]) == (None, 23)


def test_of_files_that_overlap_the_fullest_stands() -> None:
    day = one_day(a_file("v1", 500, 24), a_file("v2", 100, 10))
    assert (day["vehicle_count"], day["counted_hour_count"]) == (500, 24)


def test_of_files_as_full_the_highest_version_stands() -> None:
    assert one_day(a_file("v2", 510, 24), a_file("v1", 500, 24))["vehicle_count"] == 510


def test_an_archive_that_repeats_a_part_is_not_summed_with_it() -> None:
    repeated = one_day(a_file("v1", 100, 10), a_file("v2", 100, 10))
    assert (repeated["vehicle_count"], repeated["counted_hour_count"]) == (None, 10)


def test_an_empty_file_beside_a_whole_one_takes_nothing() -> None:
    day = one_day(a_file("v1", 500, 24), a_file("v2", None, 0, null_hour_count=24))
    assert (day["vehicle_count"], day["counted_hour_count"], day["null_hour_count"]) == (500, 24, 0)


def test_days_after_the_last_one_are_left_out() -> None:
    days = staged(
        pl.DataFrame({"station_id": "a", "service_date": [DAY, LATER], "vehicle_count": [1, 2]})
    )
    assert station_days(days, DAY).get_column("service_date").to_list() == [DAY]


def test_all_is_the_sum_of_classes() -> None:
    days = station_days(classes(light=70, medium=20, heavy=10), DAY)
    assert days.height == 4
    assert of_all(days) == [100]


def test_all_stands_as_the_station_tells_it() -> None:
    assert of_all(station_days(classes(light=70, heavy=29, all=100), DAY)) == [100]


def test_there_is_no_sum_while_a_class_was_not_counted() -> None:
    assert of_all(station_days(classes(light=70, medium=None, heavy=10), DAY)) == [None]


def test_there_is_no_sum_while_a_class_of_the_month_has_no_row() -> None:
    later = classes(light=70, heavy=10).with_columns(service_date=pl.lit(LATER))
    days = station_days(pl.concat([classes(light=70, medium=20, heavy=10), later]), LATER)
    assert of_all(days.sort("service_date")) == [100, None]


def test_trucks_alone_are_not_all_vehicles() -> None:
    assert of_all(station_days(classes(medium=20, heavy=10), DAY)) == []


def test_nothing_gives_nothing() -> None:
    days = station_days(classes(light=1).clear(), DAY)
    assert (days.columns, days.height) == (list(COLUMNS), 0)


def test_the_main_class_is_all_or_the_busiest() -> None:
    told = station_days(classes(light=70, heavy=10), DAY)
    assert main_class_days(told).get_column("vehicle_class").to_list() == ["all"]
    trucks = station_days(classes(medium=20, heavy=30), DAY)
    assert main_class_days(trucks).get_column("vehicle_class").to_list() == ["heavy"]


@settings(max_examples=30, deadline=None)
@given(st.permutations([("v1", 100, 10), ("v2", 300, 14), ("v3", 120, 11), ("v4", 100, 10)]))
def test_the_order_of_files_does_not_matter(files: list[tuple[str, int, int]]) -> None:
    day = one_day(*(a_file(*told) for told in files))
    # Together more hours than the day has: the fullest part stands.
    assert (day["vehicle_count"], day["counted_hour_count"]) == (None, 14)
