"""GTFS text: publishers' habits are tolerated, what can't be read is named, gtfs-kit describes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.sources.gtfs.parse import parse_gtfs
from tests.toy_feeds import FILES, feed_source, toy_feed

SOURCE = feed_source()


def parse(**overrides: str | bytes | None) -> dict[str, pl.DataFrame]:
    return parse_gtfs(toy_feed(**overrides), SOURCE)


def test_every_file_is_a_frame_of_text() -> None:
    raw = parse()
    assert raw["stop_times"].height == 14
    assert set(raw["stop_times"].dtypes) == {pl.String}
    assert raw["frequencies"].columns == ["trip_id", "start_time", "end_time", "headway_secs"]
    assert raw["frequencies"].height == 0


@pytest.mark.parametrize(
    "written",
    [
        "\ufeff stop_id , stop_name,stop_lat,stop_lon\r\n\r\n MA , Alpha ,43.24,76.90\r\n",
        '"stop_id","stop_name","stop_lat","stop_lon"\n"MA","Alpha","43.24","76.90"',
        "stop_name,stop_id,stop_lon,stop_lat,\nAlpha,MA,76.90,43.24,,,\n",
        "stop_id,stop_name,stop_lat,stop_lon,stop_desc\rMA,Alpha,43.24,76.90\r",
    ],
    ids=["marks and blanks", "quotes", "ragged", "old line ends"],
)
def test_habits_of_publishers_are_tolerated(written: str) -> None:
    stops = parse(stops=written)["stops"]
    row = stops.select("stop_id", "stop_name", "stop_lat", "stop_lon").rows()
    assert row == [("MA", "Alpha", "43.24", "76.90")]


def test_empty_text_is_null() -> None:
    stops = parse(stops='stop_id,stop_name,stop_lat,stop_lon\nMA,"",43.24,76.90\nMB, ,1,2\n')[
        "stops"
    ]
    assert stops.get_column("stop_name").null_count() == 2


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"stop_times": None}, r"lacks stop_times\.txt"),
        ({"stop_times": ""}, r"lacks stop_times\.txt"),
        ({"calendar": None, "calendar_dates": None}, r"calendar\.txt or calendar_dates\.txt"),
        ({"agency": None, "routes": None}, r"agency\.txt, routes\.txt"),
        ({"trips": "route_id,trip_id\n10,B1\n"}, r"trips\.txt .* lacks the column\(s\) service_id"),
        ({"stops": "stop_id\n".encode("utf-16")}, r"stops\.txt"),
        ({"stops": b"stop_id,stop_lat,stop_lon\n\xd0,1,2\n"}, r"stops\.txt .* UTF-8"),
        ({"stops": 'stop_id,stop_lat,stop_lon\n"MA,1,2\n'}, r"stops\.txt .* CSV"),
    ],
)
def test_what_cannot_be_read_is_named(overrides: dict[str, str | bytes | None], said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        parse(**overrides)
    assert caught.value.remedy


def test_either_calendar_is_enough() -> None:
    assert parse(calendar=None)["calendar"].height == 0
    assert parse(calendar_dates=None)["calendar_dates"].height == 0


def test_a_sound_feed_has_no_notices() -> None:
    assert parse()["feed_notices"].rows() == []


def test_gtfs_kit_finds_what_is_odd() -> None:
    raw = parse(
        stops=FILES["stops"].replace("stop_lon\n", "stop_lon,parent_station\n")
        + "BX,Unserved,43.2,76.9,\nBA2,Orphan,43.2,76.9,NOWHERE\n",
        routes=FILES["routes"] + "11,toy,10,Twin,3\n",
        agency=FILES["agency"] + "idle agency,Idle,https://example.org,Asia/Almaty\n",
    )
    notices = raw["feed_notices"].select("notice_code", "affected_count", "affected_sample")
    assert sorted(notices.rows()) == [
        ("agencies_without_routes", 1, "'idle agency'"),
        ("ids_with_blanks", 1, "'idle agency'"),
        ("parent_station_undefined", 1, "'BA2'"),
        ("route_short_names_unclear", 2, "'10', '11'"),
        ("routes_without_trips", 1, "'11'"),
        ("stops_without_stop_times", 2, "'BA2', 'BX'"),
    ]
    assert raw["stops"].height == 9
    assert raw["routes"].height == 3
    assert raw["stops"].get_column("parent_station").null_count() == 9


def test_gtfs_kit_describes_the_feed() -> None:
    info = "feed_publisher_name,feed_lang,feed_version\nToy,kk,7\n"
    told = parse(feed_info=info)["feed_versions"].row(0, named=True)
    assert told["agency_names"] == "Toy Transit"
    assert (told["service_start_date"], told["service_end_date"]) == ("20260101", "20261231")
    assert (told["stop_count"], told["trip_count"], told["stop_time_count"]) == (7, 4, 14)
    # 2026-01-08 is the Thursday of the first whole week.
    assert (told["sample_date"], told["sample_trip_count"]) == ("20260108", 4)
    assert told["sample_stop_count"] == 7
    assert (told["feed_version"], told["feed_lang"]) == ("7", "kk")
    assert told["has_frequencies"] is False


@pytest.mark.parametrize(("unit", "length"), [("m", 2998), ("ft", 9836), ("mi", 1.863), ("km", 3)])
def test_the_unit_of_distances_is_inferred(unit: str, length: float) -> None:
    shapes = (
        "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence,shape_dist_traveled\n"
        f"metro,43.24,76.9000,1,0\nmetro,43.24,76.9369,2,{length}\n"
    )
    assert parse(shapes=shapes)["feed_versions"].item(0, "distance_unit") == unit


def test_a_feed_without_any_date_is_described_all_the_same() -> None:
    calendar = FILES["calendar"].replace("20260101", "soon").replace("20261231", "later")
    told = parse(calendar=calendar, calendar_dates=None)["feed_versions"].row(0, named=True)
    assert told["service_start_date"] is None
    assert told["trip_count"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "name"), [("gtfs", "transitland_cdmx.zip"), ("access/r5r_poa", "poa_eptc.zip")]
)
def test_real_feeds_keep_every_row(shared_data: Path, folder: str, name: str) -> None:
    payload = (shared_data / folder / name).read_bytes()
    raw = parse_gtfs(payload, SOURCE)
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        for table in ("stops", "routes", "trips", "stop_times", "shapes", "calendar"):
            lines = [line for line in archive.read(f"{table}.txt").splitlines() if line.strip()]
            assert raw[table].height == len(lines) - 1
