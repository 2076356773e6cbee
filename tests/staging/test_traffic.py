"""Traffic: instants, nulls that aren't zeros, repeats that stay, and bad rows by rule."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.parse import (
    parse_count_stations,
    parse_passages,
    parse_read_audits,
    parse_traffic_counts,
)
from pipelines.staging.sift import Staged
from pipelines.staging.traffic import (
    CountStationHours,
    CountStations,
    Passages,
    ReadAudits,
    stage_count_station_hours,
    stage_count_stations,
    stage_passages,
    stage_read_audits,
)

HASH = "9f86d081884c7d65"


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
    result = hours(
        "a,2024-02-29 22:00:00,heavy,1",
        "a,2024-02-29 23:00:00,heavy,1",
        "a,2024-02-29T23:00:00+06:00,heavy,2",
        "a,2024-02-29T23:00:00+05:00,heavy,3",
        time_zone="Asia/Almaty",
    )
    assert rules(result) == [(3, "hour_at|unparsable")]
    told = result.rows.select(pl.col("hour_at").dt.hour(), "vehicle_count").rows()
    assert told == [(16, 1), (17, 2), (18, 3)]


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


def test_repeats_of_a_passage_stay_and_are_numbered() -> None:
    source = csv_source()
    row = f"a,2026-11-20T05:00:00.123Z,in,heavy,{HASH}"
    payload = f"station_id,passed_at,direction,vehicle_class,plate_hash\n{row}\n{row}"
    result = stage_passages(parse_passages(payload.encode(), source), source)
    rows = Passages.validate(result.rows)
    assert rows.get_column("passage_number").to_list() == [1, 2]
    assert rows.get_column("passed_at").dt.millisecond().to_list() == [123, 123]


def test_an_unread_plate_and_an_untold_direction_are_null() -> None:
    source = csv_source()
    payload = b"station_id,passed_at,plate_hash\na,2026-11-20T05:00:00Z,\n"
    result = stage_passages(parse_passages(payload, source), source)
    assert result.rows.select("direction", "vehicle_class", "plate_hash").rows() == [
        (None, "all", None)
    ]


def test_an_audit_reads_no_more_than_it_saw() -> None:
    source = csv_source()
    payload = (
        b"station_id,audit_date,hour_of_day,vehicles_seen_count,plates_read_count\n"
        b"a,2026-11-20,5,20,17\na,2026-11-20,6,20,21\na,2026-11-20,24,20,17\n"
    )
    result = stage_read_audits(parse_read_audits(payload, source), source)
    assert ReadAudits.validate(result.rows).height == 1
    assert rules(result) == [(3, "read_not_above_seen"), (4, "hour_of_day|max")]


@pytest.mark.parametrize(
    ("parse", "lacking"),
    [
        (parse_count_stations, "'station_id', 'role', 'latitude', 'longitude'"),
        (parse_traffic_counts, "'station_id', 'hour_at', 'vehicle_class', 'vehicle_count'"),
        (parse_passages, "'station_id', 'passed_at', 'plate_hash'"),
        (parse_read_audits, "'station_id', 'audit_date', 'hour_of_day', 'vehicles_seen_count'"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_the_columns_it_lacks(
    parse: Callable[[bytes, SourceVersion], dict[str, pl.DataFrame]], lacking: str
) -> None:
    with pytest.raises(SourceError, match=f"lacks the column {lacking}.*it has 'n', 'm'"):
        parse(b"n,m\n1,2\n", csv_source())
