"""Count station days: hours by local day, files by the day, and what is refused in both tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.parse import parse_traffic_counts
from pipelines.staging.count_station_days import CountStationDays, stage_count_station_days
from pipelines.staging.sift import Staged
from pipelines.staging.traffic import (
    NO_HOUR,
    NOT_ADDING_UP,
    CountStationHours,
    stage_count_station_hours,
)

HOURLY = "station_id,hour_at,vehicle_class,vehicle_count"
DAILY = "station_id,count_date,vehicle_class,vehicle_count"
DAY = date(2026, 11, 20)


def staged(heading: str, *rows: str, time_zone: str = "UTC") -> tuple[Staged, Staged]:
    """The table of hours and that of days of one file."""
    source = SourceVersion("counts", "v1", "file.csv", "csv", time_zone=time_zone)
    raw = parse_traffic_counts("\n".join([heading, *rows]).encode(), source)
    hours, days = stage_count_station_hours(raw, source), stage_count_station_days(raw, source)
    CountStationHours.validate(hours.rows)
    CountStationDays.validate(days.rows)
    return hours, days


def hourly(*rows: str, time_zone: str = "UTC") -> Staged:
    return staged(HOURLY, *rows, time_zone=time_zone)[1]


def day_of(counts: list[int | None], first: str = "2026-11-20T00:00:00Z") -> list[str]:
    """Rows of station a, class all, of hours that follow each other."""
    start = datetime.fromisoformat(first)
    hours = [start + timedelta(hours=place) for place in range(len(counts))]
    told = ("" if count is None else count for count in counts)
    return [f"a,{hour.isoformat()},all,{count}" for hour, count in zip(hours, told, strict=True)]


def only(days: Staged) -> dict[str, object]:
    return days.rows.row(0, named=True) if days.rows.height == 1 else {}


def rules(result: Staged) -> list[tuple[int, str]]:
    return [(row, rule) for row, rule in result.quarantine.select("row_number", "rule").rows()]


def test_hours_are_summed_by_local_day() -> None:
    # Almaty is at UTC+5: its 20th begins at 19:00 of the 19th.
    days = hourly(*day_of([1, 2, 4, 8], "2026-11-19T17:00:00Z"), time_zone="Asia/Almaty")
    told = days.rows.sort("service_date").select("service_date", "vehicle_count").rows()
    assert told == [(date(2026, 11, 19), 3), (DAY, 12)]


def test_a_day_keeps_what_tells_its_sensor() -> None:
    # A null, two zeros, 5 three times in a row and 5 again alone, and no row for the other hours.
    assert only(hourly(*day_of([5, 5, 5, 7, 5, 0, 0, None]))) == {
        "source_id": "counts",
        "version_id": "v1",
        "station_id": "a",
        "service_date": DAY,
        "vehicle_class": "all",
        "vehicle_count": 27,
        "day_hour_count": 24,
        "counted_hour_count": 7,
        "null_hour_count": 1,
        "zero_hour_count": 2,
        "longest_equal_hour_count": 3,
        "mean_clock_hour": pytest.approx(69.5 / 27, abs=0.01),
    }


def test_a_row_of_zeros_is_no_row_of_equal_counts() -> None:
    assert only(hourly(*day_of([0] * 5)))["longest_equal_hour_count"] == 0
    assert only(hourly(*day_of([0] * 5 + [3])))["longest_equal_hour_count"] == 1


def test_a_day_without_a_counted_hour_is_null_and_not_zero() -> None:
    nothing, zeros = only(hourly(*day_of([None, None]))), only(hourly(*day_of([0, 0])))
    assert (nothing["vehicle_count"], nothing["null_hour_count"]) == (None, 2)
    assert (zeros["vehicle_count"], zeros["zero_hour_count"]) == (0, 2)
    assert nothing["mean_clock_hour"] is None
    assert zeros["mean_clock_hour"] is None


@pytest.mark.parametrize(
    ("written", "mean"),
    [
        ([("08", 10)], 8.5),
        ([("08", 10), ("10", 10)], 9.5),
        # Before and after midnight: midnight in the mean, not noon.
        ([("23", 10), ("00", 10)], 0.0),
        ([("22", 10), ("00", 10)], 23.5),
        # Twelve hours apart and equal: no mean.
        ([("06", 10), ("18", 10)], None),
    ],
)
def test_the_mean_hour_is_that_of_the_clock(
    written: list[tuple[str, int]], mean: float | None
) -> None:
    rows = [f"a,2026-11-20 {hour}:00,all,{count}" for hour, count in written]
    assert only(hourly(*rows, time_zone="Asia/Almaty"))["mean_clock_hour"] == mean


@pytest.mark.parametrize(
    ("time_zone", "day", "hours"),
    [
        ("Asia/Almaty", "2024-02-29", 25),
        ("Asia/Almaty", "2024-03-01", 24),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        # Clocks moved by half an hour: full hours count.
        ("Australia/Lord_Howe", "2026-10-04", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24),
        # Midnight itself is skipped.
        ("Africa/Cairo", "2026-04-24", 23),
    ],
)
def test_a_day_has_the_hours_between_its_midnights(time_zone: str, day: str, hours: int) -> None:
    days = hourly(f"a,{day} 12:00,all,1", time_zone=time_zone)
    assert only(days)["day_hour_count"] == hours
    by_day = staged(DAILY, f"a,{day},all,1", time_zone=time_zone)[1]
    assert (only(by_day)["day_hour_count"], only(by_day)["counted_hour_count"]) == (hours, hours)


def test_a_file_by_the_day_brings_days_and_no_hours() -> None:
    hours, days = staged(DAILY, "a,2026-11-20,heavy,700", "a,20261121,heavy,", "b,2026-11-20,all,0")
    assert hours.rows.is_empty()
    assert hours.quarantine.is_empty()
    told = days.rows.select(
        "station_id", "vehicle_count", "counted_hour_count", "null_hour_count", "mean_clock_hour"
    )
    assert told.rows() == [
        ("a", 700, 24, 0, None),
        ("a", None, 0, 24, None),
        ("b", 0, 24, 0, None),
    ]


def test_bad_rows_of_a_file_by_the_day_are_named() -> None:
    _, days = staged(
        DAILY,
        "a,2026-11-20,heavy,-1",
        "a,2026-11-31,heavy,1",
        "a,2026-11-20,bicycle,1",
        "a,2026-11-21,heavy,1",
        "a,2026-11-21,heavy,2",
    )
    assert rules(days) == [
        (2, "vehicle_count|min"),
        (3, "count_date|unparsable"),
        (4, "vehicle_class|check"),
        (6, "primary_key|repeated"),
    ]
    assert only(days)["vehicle_count"] == 1


def test_a_file_tells_hours_or_days() -> None:
    with pytest.raises(SourceError, match="hour_at or count_date"):
        staged("station_id,vehicle_class,vehicle_count", "a,all,1")


def test_a_negative_hour_is_refused_and_in_no_day() -> None:
    hours, days = staged(HOURLY, *day_of([4, -4, 4]))
    assert rules(hours) == [(3, "vehicle_count|min")]
    assert (only(days)["vehicle_count"], only(days)["counted_hour_count"]) == (8, 2)
    assert days.quarantine.is_empty()


@pytest.mark.parametrize(
    ("light", "heavy", "whole", "is_refused"),
    [
        (70, 30, 100, False),
        (70, 29, 100, False),  # 1 less: rounding
        (690, 300, 1000, False),  # 1 % less: vehicles without a class
        (650, 300, 1000, True),
        (70, 35, 100, True),
        ("", 30, 100, False),  # a class was not counted: nothing to add up
        ("", 130, 100, True),  # more than all there are, whatever the other is
    ],
)
def test_classes_that_do_not_add_up_are_refused_in_both_tables(
    light: int | str, heavy: int, whole: int, is_refused: bool
) -> None:
    told = [f"a,{{}},light,{light}", f"a,{{}},heavy,{heavy}", f"a,{{}},all,{whole}"]
    sound = ["a,2026-11-20 09:00,light,1", "a,2026-11-20 09:00,heavy,1", "a,2026-11-20 09:00,all,2"]
    hours, days = staged(HOURLY, *(row.format("2026-11-20 08:00") for row in told), *sound)
    expected = [(row, NOT_ADDING_UP) for row in (2, 3, 4)] if is_refused else []
    assert rules(hours) == expected
    counts = dict(days.rows.select("vehicle_class", "vehicle_count").iter_rows())
    assert counts["all"] == (2 if is_refused else 2 + whole)
    by_day = staged(DAILY, *(row.format("2026-11-20") for row in told))[1]
    assert rules(by_day) == expected


@pytest.mark.parametrize("part", ["heavy", "light"])
def test_a_station_that_tells_a_part_has_no_sum_to_keep(part: str) -> None:
    hours, _ = staged(HOURLY, f"a,2026-11-20 08:00,{part},30", "a,2026-11-20 08:00,all,100")
    assert hours.quarantine.is_empty()


def test_in_a_file_with_offsets_an_hour_without_one_is_in_no_day() -> None:
    hours, days = staged(HOURLY, "a,2026-11-20T05:00:00Z,all,1", "a,2026-11-20T06:00:00,all,2")
    assert rules(hours) == [(3, "hour_at|no offset in a file with offsets")]
    assert only(days)["vehicle_count"] == 1


def test_what_begins_within_an_hour_is_refused() -> None:
    hours, days = staged(HOURLY, "a,2026-11-20 08:00,all,1", "a,2026-11-20 08:15,all,2")
    assert rules(hours) == [(3, NO_HOUR)]
    assert only(days)["vehicle_count"] == 1


def test_hours_of_a_clock_off_by_half_an_hour_are_hours() -> None:
    local = hourly("a,2026-11-20 08:00,all,1", time_zone="Asia/Kolkata")
    utc = hourly("a,2026-11-20T08:00:00Z,all,1", time_zone="Asia/Kolkata")
    assert (only(local)["mean_clock_hour"], only(utc)["mean_clock_hour"]) == (8.5, 14.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=60))
def test_days_hold_what_the_hours_hold(counts: list[int | None]) -> None:
    days = hourly(*day_of(counts), time_zone="Asia/Almaty").rows
    known = [count for count in counts if count is not None]
    assert days.get_column("vehicle_count").sum() == sum(known)
    assert days.get_column("counted_hour_count").sum() == len(known)
    assert days.get_column("null_hour_count").sum() == len(counts) - len(known)
    assert days.get_column("zero_hour_count").sum() == known.count(0)
    assert days.select(
        (pl.col("longest_equal_hour_count") <= pl.col("counted_hour_count")).all()
    ).item()


def test_typed_days_are_days() -> None:
    source = SourceVersion("counts", "v1", "file.parquet", "parquet")
    rows = pl.DataFrame(
        {
            "station_id": ["a", "b"],
            "count_date": [DAY, DAY],
            "vehicle_class": ["all", "all"],
            "vehicle_count": [5, None],
        }
    )
    assert stage_count_station_days({"rows": rows}, source).rows.height == 2
    instants = rows.with_columns(count_date=pl.lit(datetime(2026, 11, 20, tzinfo=UTC)))
    told = stage_count_station_days({"rows": instants}, source).rows
    assert told.get_column("service_date").to_list() == [DAY, DAY]


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("null_where_nothing_counted", {"vehicle_count": None}),
        ("null_where_nothing_counted", {"counted_hour_count": 0, "longest_equal_hour_count": 0}),
        ("hours_within_counted", {"zero_hour_count": 3}),
        ("hours_within_counted", {"longest_equal_hour_count": 3}),
    ],
)
def test_the_contract_refuses(rule: str, counts: dict[str, int | None]) -> None:
    rows = hourly(*day_of([4, 5])).rows
    odd = rows.with_columns(
        pl.lit(value, rows.schema[name]).alias(name) for name, value in counts.items()
    )
    assert CountStationDays.filter(odd)[1].counts() == {rule: 1}
