"""GTFS rows under contract: types, defaults, dates of service, what is refused by which rule."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.seconds import seconds_of_day
from pipelines.staging.sift import Staged
from tests.toy_feeds import FILES, NAURYZ, staged_feed, staged_tables, toy_feed


def staged(table: str, **overrides: str | None) -> Staged:
    return staged_tables(toy_feed(**overrides))[table]


def refused(result: Staged) -> list[tuple[int, str]]:
    return result.quarantine.select("row_number", "rule").rows()


def seconds(*texts: str | None) -> list[int | None]:
    frame = pl.DataFrame({"time": texts}, schema={"time": pl.String})
    return frame.select(seconds_of_day("time")).to_series().to_list()


def test_times_are_seconds_of_the_service_day() -> None:
    assert seconds("00:00:00", "7:05:09", "07:05:09", "23:59:59", "24:00:00", "123:00:01") == [
        *(0, 25509, 25509, 86399, 86400, 442801)
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "7:05", "07:5:09", "07:60:00", "07:00:60", "-7:00:00", "1000:00:00", "07.05.09"),
        *("aa:00:00", "07:00:0:", "0é:00:0", "07:00:00 ", "\x00\x00:00:00", "07:00:0O", "7:05:0"),
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert seconds(text, "07:00:00", None) == [None, 25200, None]


@pytest.mark.slow
@given(st.integers(0, 3_599_999), st.booleans())
def test_every_time_is_read_back(second: int, padded: bool) -> None:
    hours = f"{second // 3600:02d}" if padded else str(second // 3600)
    assert seconds(f"{hours}:{second % 3600 // 60:02d}:{second % 60:02d}") == [second]


@pytest.mark.slow
@given(st.lists(st.text(alphabet="0123456789: ", max_size=10), min_size=1))
def test_only_times_are_read(texts: list[str]) -> None:
    pattern = r"^\d{1,3}:[0-5]\d:[0-5]\d$"
    is_time = pl.Series(texts).str.contains(pattern).to_list()
    assert [value is not None for value in seconds(*texts)] == is_time


@pytest.mark.slow
def test_the_toy_is_staged_whole() -> None:
    tables = staged_feed(toy_feed())
    heights = {name: table.height for name, table in tables.items()}
    assert heights == {
        "feed_versions": 1,
        "feed_notices": 1,  # feed_info.txt is recommended
        "feed_rules": len(CODES),
        "agency": 1,
        "stops": 7,
        "routes": 2,
        "trips": 4,
        "stop_times": 14,
        "frequencies": 0,
        "transfers": 0,
        "pathways": 0,
        "shapes": 3,
        "calendar": 2,
        "calendar_dates": 1,
        # 2026 has 261 weekdays, one of them taken off, and 365 days.
        "service_dates": 260 + 365,
    }
    for table in tables.values():
        assert table.columns[:2] == ["source_id", "version_id"]


@pytest.mark.slow
def test_ids_of_any_script_are_kept_and_told() -> None:
    names = {name: text.replace("MA", "Станция-Ә") for name, text in FILES.items()}
    assert staged("stop_times", **names).rows.height == 14
    notices = staged_feed(toy_feed(**names))["feed_notices"]
    told = notices.filter(notice_code="non_ascii_or_non_printable_char")
    assert set(told.get_column("severity")) == {"WARNING"}


@pytest.mark.slow
def test_calls_are_typed() -> None:
    calls = staged("stop_times").rows.filter(trip_id="B1")
    assert calls.get_column("departure_seconds").to_list() == [28800, 28920, 29070, 29160]
    assert calls.get_column("arrival_seconds").to_list() == [28800, 28920, 29040, 29160]
    assert calls.get_column("is_interpolated").to_list() == [False, True, False, False]
    assert calls.get_column("stop_sequence").to_list() == [1, 2, 3, 4]
    assert calls.get_column("pickup_type").to_list() == [0, 0, 0, 0]


@pytest.mark.slow
def test_nauryz_has_no_weekday_service() -> None:
    dates = staged("service_dates").rows
    on_nauryz = dates.filter(service_date=date.fromisoformat(NAURYZ))
    assert on_nauryz.get_column("service_id").to_list() == ["daily"]


@pytest.mark.slow
def test_service_by_dates_alone() -> None:
    dates = staged(
        "service_dates",
        calendar=None,
        calendar_dates="service_id,date,exception_type\nweekday,20260102,1\nweekday,20260105,2\n",
    )
    assert dates.rows.select("service_id", "service_date").rows() == [("weekday", date(2026, 1, 2))]


@pytest.mark.slow
def test_the_only_agency_needs_no_id() -> None:
    overrides = {
        "agency": "agency_name,agency_url,agency_timezone\nToy,https://example.org,Asia/Almaty\n",
        "routes": "route_id,route_type\nM1,1\n10,3\n",
    }
    assert staged("agency", **overrides).rows.get_column("agency_id").to_list() == ["Toy"]
    assert staged("routes", **overrides).rows.get_column("agency_id").to_list() == ["Toy", "Toy"]


def with_rows(table: str, *rows: str) -> dict[str, str]:
    return {table: FILES[table] + "".join(f"{row}\n" for row in rows)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "row", "rule"),
    [
        ("stops", "MA,Twice,43.2,76.9", "duplicate_key"),
        ("stops", "X,Nowhere,,", "stop_without_location"),
        ("stops", "X,Far north,143.2,76.9", "coordinates_present"),
        ("stops", "X,Words,north,76.9", "stop_without_location"),
        ("routes", "X,toy,1,Long,bus", "invalid_integer"),
        ("routes", "X,toy,1,Long,", "missing_required_field"),
        ("trips", "X,weekday,T,Gamma,0,", "foreign_key_violation"),
        ("trips", "10,never,T,Gamma,0,", "foreign_key_violation"),
        ("stop_times", "X,07:00:00,07:00:00,MA,1", "foreign_key_violation"),
        ("stop_times", "B1,09:00:00,09:00:00,X,9", "foreign_key_violation"),
        ("stop_times", "B1,09:00:00,08:59:00,BA,9", "start_and_end_range_out_of_order"),
        ("stop_times", "B1,09:00:00,09:00:00,BA,-1", "number_out_of_range"),
        ("stop_times", "B1,09:00:00,09:00:00,BA,4", "duplicate_key"),
        ("stop_times", "B1,09:00:00,09:00:00,BA,last", "invalid_integer"),
        ("shapes", "metro,43.24,,4", "missing_required_field"),
        ("calendar", "late,1,1,1,1,1,0,0,20261231,20260101", "start_and_end_range_out_of_order"),
        ("calendar", "late,2,1,1,1,1,0,0,20260101,20261231", "unexpected_enum_value"),
        ("calendar_dates", "weekday,20260230,2", "invalid_date"),
        ("calendar_dates", "weekday,20260324,3", "unexpected_enum_value"),
    ],
)
def test_bad_rows_are_refused_by_name(table: str, row: str, rule: str) -> None:
    result = staged(table, **with_rows(table, row))
    number = FILES[table].count("\n") + 1  # as an editor counts: the header is row 1
    assert refused(result) == [(number, rule)]
    assert result.rows.height == number - 2
    assert row.partition(",")[0] in result.quarantine.item(0, "row_json")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "row", "column", "value"),
    [
        ("routes", "X,nobody,1,Long,3", "agency_id", "toy"),  # the only agency
        ("trips", "10,daily,T,Gamma,2,", "direction_id", None),
        ("trips", "10,daily,T,Gamma,0,nowhere", "shape_id", None),
        ("stop_times", "B1,9 o'clock,,BA,9", "arrival_seconds", None),
    ],
)
def test_a_broken_value_that_is_not_vital_is_null(
    table: str, row: str, column: str, value: str | None
) -> None:
    result = staged(table, **with_rows(table, row))
    key = {
        "routes": ("route_id", "X"),
        "trips": ("trip_id", "T"),
        "stop_times": ("stop_sequence", 9),
    }
    name, wanted = key[table]
    assert refused(result) == []
    assert result.rows.filter(pl.col(name) == wanted).get_column(column).to_list() == [value]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("B1,08:00:00,08:00:00,600", "start_and_end_range_equal"),
        ("B1,08:00:00,07:00:00,600", "start_and_end_range_out_of_order"),
        ("B1,08:00:00,09:00:00,0", "number_out_of_range"),
        ("X,08:00:00,09:00:00,600", "foreign_key_violation"),
        ("B1,08:00:00,9h,600", "invalid_time"),
    ],
)
def test_bad_frequencies_are_refused_by_name(row: str, rule: str) -> None:
    heading = "trip_id,start_time,end_time,headway_secs\n"
    result = staged("frequencies", frequencies=f"{heading}B1,6:00:00,7:00:00,600\n{row}\n")
    assert refused(result) == [(3, rule)]
    assert result.rows.select("start_seconds", "exact_times").rows() == [(21600, 0)]


@pytest.mark.slow
def test_what_depends_on_a_refused_row_is_refused_too() -> None:
    overrides = with_rows("routes", "X,toy,1,Long,bus")
    overrides |= with_rows("trips", "X,weekday,T,Gamma,0,")
    overrides |= with_rows("stop_times", "T,07:00:00,07:00:00,MA,1", "T,07:09:00,07:09:00,MB,2")
    assert refused(staged("trips", **overrides)) == [(6, "refers_to_refused_row")]
    assert refused(staged("stop_times", **overrides)) == [
        (16, "refers_to_refused_row"),
        (17, "refers_to_refused_row"),
    ]


TRANSFERS = """\
from_stop_id,to_stop_id,from_route_id,from_trip_id,to_trip_id,transfer_type,min_transfer_time
MA,BA,M1,,,2,120
MB,BB,,,,,
MC,,,,,,
MC,XX,,,,3,
MC,BC,lost,,,0,
,,,B1,B2,4,
,,,B1,,5,
MA,BD,,,,7,-5
"""


@pytest.mark.slow
def test_transfers_mean_what_they_say_or_are_refused() -> None:
    result = staged("transfers", transfers=TRANSFERS)
    told = ("transfer_number", "from_stop_id", "to_trip_id", "transfer_type", "min_transfer_time")
    assert result.rows.select(told).rows() == [
        (2, "MA", None, 2, 120),
        (3, "MB", None, 0, None),  # blank is recommended
        (7, None, "B2", 4, None),
        (9, "MA", None, 0, None),  # what can't be is blank
    ]
    assert refused(result) == [
        (4, "ends_named"),
        (5, "foreign_key_violation"),
        (6, "foreign_key_violation"),
        (8, "ends_named"),
    ]


@pytest.mark.slow
def test_a_transfer_to_a_refused_stop_is_refused() -> None:
    result = staged(
        "transfers",
        **with_rows("stops", "X,Nowhere,,"),
        transfers="from_stop_id,to_stop_id,transfer_type\nMA,X,0\nMA,MB,0\n",
    )
    assert refused(result) == [(2, "refers_to_refused_row")]
    assert result.rows.get_column("to_stop_id").to_list() == ["MB"]


PATHWAYS = """\
pathway_id,from_stop_id,to_stop_id,pathway_mode,is_bidirectional,length,traversal_time
up,MA,MB,2,1,12.5,30
out,MB,MA,7,0,,
odd,MB,MA,9,0,,
lost,MB,XX,1,1,,
"""


@pytest.mark.slow
def test_pathways_join_known_locations() -> None:
    result = staged("pathways", pathways=PATHWAYS)
    assert result.rows.drop("source_id", "version_id").rows() == [
        ("up", "MA", "MB", 2, 1, 12.5, 30),
        ("out", "MB", "MA", 7, 0, None, None),
    ]
    assert refused(result) == [(4, "pathway_mode|nullability"), (5, "foreign_key_violation")]


@pytest.mark.slow
def test_on_demand_calls_are_left_out_and_not_refused() -> None:
    overrides = {
        "location_groups": "location_group_id,location_group_name\nzone,The zone\n",
        "stop_times": FILES["stop_times"].replace(
            "stop_sequence\n",
            "stop_sequence,location_group_id,start_pickup_drop_off_window,"
            "end_pickup_drop_off_window,pickup_type,drop_off_type\n",
        )
        + "B1,,,,5,zone,09:00:00,10:00:00,2,2\n",
    }
    result = staged("stop_times", **overrides)
    assert refused(result) == []
    assert result.rows.height == 14


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
    payload = (shared_data / path).read_bytes()
    tables = staged_tables(payload)
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        for name in ("stops", "routes", "trips", "stop_times", "shapes", "calendar"):
            lines = [line for line in archive.read(f"{name}.txt").splitlines() if line.strip()]
            assert tables[name].rows.height == len(lines) - 1
            assert tables[name].refused == 0
