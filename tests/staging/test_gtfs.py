"""GTFS rows under contract: types, defaults, dates of service, what is refused by which rule."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.gtfs.parse import parse_gtfs
from pipelines.staging import gtfs
from pipelines.staging.gtfs import seconds_of_day
from pipelines.staging.sift import Staged
from tests.toy_feeds import FILES, NAURYZ, STAGED, feed_source, staged_feed, toy_feed

SOURCE = feed_source()


def staged(table: str, **overrides: str | None) -> Staged:
    raw = parse_gtfs(toy_feed(**overrides), SOURCE)
    result: Staged = getattr(gtfs, f"stage_{table}")(raw, SOURCE)
    return result


def refused(result: Staged) -> list[tuple[int, str]]:
    return result.quarantine.select("row_number", "rule").rows()


def seconds(*texts: str | None) -> list[int | None]:
    frame = pl.DataFrame({"time": texts}, schema={"time": pl.String})
    return frame.select(seconds_of_day("time")).to_series().to_list()


def test_times_are_seconds_of_the_service_day() -> None:
    assert seconds("00:00:00", "7:05:09", "07:05:09", "23:59:59", "24:00:00", "99:59:59") == [
        *(0, 25509, 25509, 86399, 86400, 359999)
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "7:05", "07:5:09", "07:60:00", "07:00:60", "-7:00:00", "100:00:00", "07.05.09"),
        *("aa:00:00", "07:00:0:", "0é:00:0", "07:00:00 ", "\x00\x00:00:00", "07:00:0O", "7:05:0"),
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert seconds(text, "07:00:00", None) == [None, 25200, None]


@given(st.integers(0, 359_999), st.booleans())
def test_every_time_is_read_back(second: int, padded: bool) -> None:
    hours = f"{second // 3600:02d}" if padded else str(second // 3600)
    assert seconds(f"{hours}:{second % 3600 // 60:02d}:{second % 60:02d}") == [second]


@given(st.lists(st.text(alphabet="0123456789: ", max_size=9), min_size=1))
def test_only_times_are_read(texts: list[str]) -> None:
    pattern = r"^\d{1,2}:[0-5]\d:[0-5]\d$"
    is_time = pl.Series(texts).str.contains(pattern).to_list()
    assert [value is not None for value in seconds(*texts)] == is_time


def test_the_toy_is_staged_whole() -> None:
    tables = staged_feed(toy_feed())
    heights = {name: table.height for name, table in tables.items()}
    assert heights == {
        "feed_versions": 1,
        "feed_notices": 0,
        "agency": 1,
        "stops": 7,
        "routes": 2,
        "trips": 4,
        "stop_times": 14,
        "frequencies": 0,
        "shapes": 3,
        "calendar": 2,
        "calendar_dates": 1,
        # 2026 has 261 weekdays, one of them taken off, and 365 days.
        "service_dates": 260 + 365,
    }
    for table in tables.values():
        assert table.columns[:2] == ["source_id", "version_id"]


def test_calls_are_typed() -> None:
    calls = staged("stop_times").rows.filter(trip_id="B1")
    assert calls.get_column("departure_seconds").to_list() == [28800, None, 29070, 29160]
    assert calls.get_column("arrival_seconds").to_list() == [28800, None, 29040, 29160]
    assert calls.get_column("stop_sequence").to_list() == [1, 2, 3, 4]
    assert calls.get_column("pickup_type").to_list() == [0, 0, 0, 0]


def test_nauryz_has_no_weekday_service() -> None:
    dates = staged("service_dates").rows
    on_nauryz = dates.filter(service_date=date.fromisoformat(NAURYZ))
    assert on_nauryz.get_column("service_id").to_list() == ["daily"]


def test_service_by_dates_alone() -> None:
    dates = staged(
        "service_dates",
        calendar=None,
        calendar_dates="service_id,date,exception_type\nweekday,20260102,1\nweekday,20260105,2\n",
    )
    assert dates.rows.select("service_id", "service_date").rows() == [("weekday", date(2026, 1, 2))]


def test_the_only_agency_needs_no_id() -> None:
    overrides = {
        "agency": "agency_name,agency_url,agency_timezone\nToy,https://example.org,Asia/Almaty\n",
        "routes": "route_id,route_type\nM1,1\n10,3\n",
    }
    assert staged("agency", **overrides).rows.get_column("agency_id").to_list() == ["Toy"]
    assert staged("routes", **overrides).rows.get_column("agency_id").to_list() == ["Toy", "Toy"]


def with_rows(table: str, *rows: str) -> dict[str, str]:
    return {table: FILES[table] + "".join(f"{row}\n" for row in rows)}


@pytest.mark.parametrize(
    ("table", "row", "rule"),
    [
        ("stops", "MA,Twice,43.2,76.9", "primary_key|repeated"),
        ("stops", "X,Nowhere,,", "coordinates_present"),
        ("stops", "X,Far north,143.2,76.9", "stop_lat|max"),
        ("stops", "X,Words,north,76.9", "stop_lat|unparsable"),
        ("routes", "X,nobody,1,Long,3", "agency_id|unknown"),
        ("routes", "X,toy,1,Long,bus", "route_type|unparsable"),
        ("trips", "X,weekday,T,Gamma,0,", "route_id|unknown"),
        ("trips", "10,never,T,Gamma,0,", "service_id|unknown"),
        ("trips", "10,daily,T,Gamma,2,", "direction_id|max"),
        ("stop_times", "X,07:00:00,07:00:00,MA,1", "trip_id|unknown"),
        ("stop_times", "B1,09:00:00,09:00:00,X,9", "stop_id|unknown"),
        ("stop_times", "B1,09:00:00,08:59:00,BA,9", "departure_after_arrival"),
        ("stop_times", "B1,9 o'clock,,BA,9", "arrival_seconds|unparsable"),
        ("stop_times", "B1,09:00:00,09:00:00,BA,-1", "stop_sequence|min"),
        ("stop_times", "B1,09:00:00,09:00:00,BA,4", "primary_key|repeated"),
        ("shapes", "metro,43.24,,4", "shape_pt_lon|nullability"),
        ("calendar", "late,1,1,1,1,1,0,0,20261231,20260101", "end_not_before_start"),
        ("calendar", "late,2,1,1,1,1,0,0,20260101,20261231", "monday|unparsable"),
        ("calendar_dates", "weekday,20260230,2", "date|unparsable"),
        ("calendar_dates", "weekday,20260324,3", "exception_type|max"),
    ],
)
def test_bad_rows_are_refused_by_name(table: str, row: str, rule: str) -> None:
    result = staged(table, **with_rows(table, row))
    last = FILES[table].count("\n")
    assert refused(result) == [(last, rule)]
    assert result.rows.height == last - 1
    assert row.partition(",")[0] in result.quarantine.item(0, "row_json")


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("B1,08:00:00,08:00:00,600", "end_after_start"),
        ("B1,08:00:00,09:00:00,0", "headway_secs|min"),
        ("X,08:00:00,09:00:00,600", "trip_id|unknown"),
        ("B1,08:00:00,9h,600", "end_seconds|unparsable"),
    ],
)
def test_bad_frequencies_are_refused_by_name(row: str, rule: str) -> None:
    heading = "trip_id,start_time,end_time,headway_secs\n"
    result = staged("frequencies", frequencies=f"{heading}B1,6:00:00,7:00:00,600\n{row}\n")
    assert refused(result) == [(2, rule)]
    assert result.rows.select("start_seconds", "exact_times").rows() == [(21600, 0)]


def test_what_depends_on_a_refused_row_is_refused_too() -> None:
    overrides = with_rows("routes", "X,nobody,1,Long,3")
    overrides |= with_rows("trips", "X,weekday,T,Gamma,0,")
    overrides |= with_rows("stop_times", "T,07:00:00,07:00:00,MA,1")
    assert refused(staged("trips", **overrides)) == [(5, "route_id|unknown")]
    assert refused(staged("stop_times", **overrides)) == [(15, "trip_id|unknown")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "gtfs/transitland_cdmx.zip",
        "gtfs/gtfskit_nyc_subway_gtfs.zip",
        "access/r5r_poa/poa_eptc.zip",
        "access/r5r_poa/poa_trensurb.zip",
    ],
)
def test_real_feeds_lose_nothing(shared_data: Path, path: str) -> None:
    raw = parse_gtfs((shared_data / path).read_bytes(), SOURCE)
    for name in STAGED:
        result: Staged = getattr(gtfs, f"stage_{name}")(raw, SOURCE)
        if name in raw:
            assert result.rows.height + result.refused == raw[name].height
        assert result.refused == 0
