"""Traffic: instants, nulls that aren't zeros, and bad rows by rule."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.parse import parse_count_stations, parse_traffic_counts
from pipelines.staging.sift import Staged
from pipelines.staging.traffic import (
    CountStationHours,
    CountStations,
    stage_count_station_hours,
    stage_count_stations,
)


def csv_source(time_zone: str = "UTC") -> SourceVersion:
    return SourceVersion("traffic", "v1", "file.csv", "csv", time_zone=time_zone)


def rules(result: Staged) -> list[tuple[int, str]]:
    return [(row, rule) for row, rule in result.quarantine.select("row_number", "rule").rows()]


def hours(*rows: str, time_zone: str = "UTC") -> Staged:
    source = csv_source(time_zone)
    payload = "\n".join(["station_id,hour_at,vehicle_class,vehicle_count", *rows]).encode()
    return stage_count_station_hours(parse_traffic_counts(payload, source), source)


def test_a_null_count_is_no_zero() -> None:
    result = hours("a,2026-11-20T05:00:00Z,heavy,", "a,2026-11-20T06:00:00Z,heavy,0")
    assert not result.quarantine.height
    rows = CountStationHours.validate(result.rows)
    assert rows.get_column("vehicle_count").to_list() == [None, 0]


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20T05:00:00Z",
        "2026-11-20 05:00:00+00:00",
        "2026-11-20T10:00:00+05:00",
        "2026-11-20T10:00:00.000+0500",
        "2026-11-20 10:00:00",
        "2026-11-20T10:00",
    ],
)
def test_a_time_without_an_offset_is_local(written: str) -> None:
    result = hours(f"a,{written},heavy,1", time_zone="Asia/Almaty")
    assert result.rows.get_column("hour_at").to_list() == [datetime(2026, 11, 20, 5, tzinfo=UTC)]


def test_an_hour_that_the_clock_showed_twice_is_refused_unless_its_offset_is_told() -> None:
    # On 2024-03-01 Almaty moved from UTC+6 to UTC+5: local 23:00 of the day before came twice.
    untold = hours(
        "a,2024-02-29 22:00:00,heavy,1", "a,2024-02-29 23:00:00,heavy,1", time_zone="Asia/Almaty"
    )
    assert rules(untold) == [(3, "hour_at|unparsable")]
    told = hours("a,2024-02-29T23:00:00+06:00,heavy,2", "a,2024-02-29T23:00:00+05:00,heavy,3")
    assert not told.quarantine.height
    found = [
        result.rows.select(pl.col("hour_at").dt.hour(), "vehicle_count").rows()
        for result in (untold, told)
    ]
    assert found == [[(16, 1)], [(17, 2), (18, 3)]]


def test_in_a_file_with_offsets_a_time_without_one_is_refused_by_name() -> None:
    result = hours(
        "a,2026-11-20T05:00:00Z,heavy,1",
        "a,2026-11-20T06:00:00,heavy,2",
        "a,2026-11-20T12:00:00+05:00,heavy,3",
        "a,noon,heavy,4",
        "a,,heavy,5",
        time_zone="Asia/Almaty",
    )
    assert rules(result) == [
        (3, "hour_at|no offset in a file with offsets"),
        (5, "hour_at|unparsable"),
        (6, "hour_at|nullability"),
    ]
    assert result.rows.get_column("vehicle_count").to_list() == [1, 3]


def test_typed_local_times_are_local_too() -> None:
    local = datetime(2026, 11, 20, 10)  # noqa: DTZ001 (a file that tells no time zone)
    buffer = io.BytesIO()
    pl.DataFrame(
        {"station_id": ["a"], "hour_at": [local], "vehicle_class": ["all"], "vehicle_count": [3.0]}
    ).write_parquet(buffer)
    source = SourceVersion("traffic", "v1", "c.parquet", "parquet", time_zone="Asia/Almaty")
    result = stage_count_station_hours(parse_traffic_counts(buffer.getvalue(), source), source)
    assert result.rows.select("hour_at", "vehicle_count").rows() == [
        (datetime(2026, 11, 20, 5, tzinfo=UTC), 3)
    ]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("a,2026-11-20T05:00:00Z,heavy,-1", "vehicle_count|min"),
        ("a,2026-11-20T05:00:00Z,heavy,many", "vehicle_count|unparsable"),
        ("a,2026-11-20T05:00:00Z,tank,1", "vehicle_class|check"),
        ("a,yesterday,heavy,1", "hour_at|unparsable"),
        (",2026-11-20T05:00:00Z,heavy,1", "station_id|nullability"),
        ("b,2026-11-20T05:00:00Z,heavy,1", "primary_key|repeated"),
    ],
)
def test_a_bad_station_hour_goes_to_quarantine_by_its_rule(row: str, rule: str) -> None:
    assert rules(hours("b,2026-11-20T05:00:00Z,heavy,7", row)) == [(3, rule)]


def test_count_stations_need_a_role_and_a_place() -> None:
    source = csv_source()
    payload = (
        b"station_id,station_name,role,latitude,longitude,opened_date\n"
        b"a,Kaskelen,cordon,43.2,76.5,2021-09-01\n"
        b"b,Nowhere,cordon,143.2,76.5,\n"
        b"c,Camera,camera,43.2,76.5,\n"
    )
    result = stage_count_stations(parse_count_stations(payload, source), source)
    assert CountStations.validate(result.rows).get_column("station_id").to_list() == ["a"]
    assert rules(result) == [(3, "latitude|max"), (4, "role|check")]


@pytest.mark.parametrize(
    ("parse", "lacking"),
    [
        (parse_count_stations, "'station_id', 'role', 'latitude', 'longitude'"),
        (parse_traffic_counts, "'station_id', 'hour_at or count_date', 'vehicle_class'"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_the_columns_it_lacks(
    parse: Callable[[bytes, SourceVersion], dict[str, pl.DataFrame]], lacking: str
) -> None:
    with pytest.raises(SourceError, match=f"lacks the column {lacking}.*it has 'n', 'm'"):
        parse(b"n,m\n1,2\n", csv_source())
