"""A feed's bytes in judgement: habits tolerated, what is wrong told, large files in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gtfs_kit
import polars as pl
import pytest

from pipelines.sources.gtfs import parse
from pipelines.sources.gtfs.parse import parse_gtfs, read_feed
from pipelines.staging.gtfs.validation import Validation
from tests.toy_feeds import FILES, feed_source, staged_feed, staged_tables, toy_feed

SOURCE = feed_source()


def judged(**overrides: str | bytes | None) -> Validation:
    feed = parse_gtfs(toy_feed(**overrides), SOURCE)
    for _ in feed.parts():
        pass
    return feed


def errors(**overrides: str | bytes | None) -> set[tuple[str, str]]:
    notices = judged(**overrides).notices()
    return {(notice.code, notice.file) for notice in notices if notice.severity == "ERROR"}


@pytest.mark.parametrize(
    "written",
    [
        "\ufeff stop_id , stop_name,stop_lat,stop_lon\r\n\r\n MA , Alpha ,43.24,76.90\r\n",
        '"stop_id","stop_name","stop_lat","stop_lon"\n"MA","Alpha","43.24","76.90"',
        "stop_name,stop_id,stop_lon,stop_lat,\nAlpha,MA,76.90,43.24,,,\n",
        "stop_id,stop_name,stop_lat,stop_lon,stop_desc\rMA,Alpha,43.24,76.90\r",
        "stop_id,stop_name,stop_lat,stop_lon\nMA,Alpha,43.24,76.90\n".encode("utf-16"),
    ],
    ids=["marks and blanks", "quotes", "ragged", "old line ends", "UTF-16"],
)
def test_habits_of_publishers_are_tolerated(written: str | bytes) -> None:
    stops = read_feed(toy_feed(stops=written), SOURCE).tables["stops"].rows
    row = stops.select("stop_id", "stop_name", "stop_lat", "stop_lon").rows()
    assert row == [("MA", "Alpha", "43.24", "76.90")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ({"stop_times": None}, {("missing_required_file", "stop_times.txt")}),
        ({"stop_times": ""}, {("empty_file", "stop_times.txt")}),
        (
            {"calendar": None, "calendar_dates": None},
            {
                ("missing_calendar_and_calendar_date_files", "calendar.txt"),
                ("foreign_key_violation", "trips.txt"),
            },
        ),
        (
            {"trips": "route_id,trip_id,trip_headsign\n10,B1,x\n"},
            {("missing_required_column", "trips.txt"), ("foreign_key_violation", "stop_times.txt")},
        ),
        ({"stops": FILES["stops"] + '"X,Open,43.2,76.9\n'}, {("csv_parsing_failed", "stops.txt")}),
    ],
)
def test_what_is_wrong_is_named(
    overrides: dict[str, str | bytes | None], found: set[tuple[str, str]]
) -> None:
    assert found <= errors(**overrides)


@pytest.mark.slow
def test_a_sound_feed_has_no_errors_and_every_rule_a_status() -> None:
    feed = judged()
    assert errors() == set()
    assert {status for status, _ in feed.statuses().values()} >= {"pass", "not applicable"}
    not_run = {code: why for code, (status, why) in feed.statuses().items() if status == "not run"}
    assert set(not_run.values()) <= {
        "no date to judge by",
        "no country is told to judge numbers by",
    }


def test_rules_that_need_what_cannot_be_read_are_not_run() -> None:
    statuses = judged(trips="route_id,trip_id\n10,B1\n").statuses()
    assert statuses["unused_trip"] == ("not run", "trips could not be read whole")


@pytest.mark.slow
def test_the_feed_is_described() -> None:
    info = "feed_publisher_name,feed_publisher_url,feed_lang,feed_version\nToy,http://a.kz,kk,7\n"
    told = staged_feed(toy_feed(feed_info=info))["feed_versions"].row(0, named=True)
    assert told["agency_names"] == "Toy Transit"
    assert [str(told[f"service_{end}_date"]) for end in ("start", "end")] == [
        *("2026-01-01", "2026-12-31")
    ]
    assert (told["stop_count"], told["trip_count"], told["stop_time_count"]) == (7, 4, 14)
    assert (told["feed_version"], told["feed_lang"]) == ("7", "kk")
    assert told["has_frequencies"] is False


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "length"), [("m", 2998), ("ft", 9836), ("mi", 1.863), ("km", 3)])
def test_the_unit_of_distances_is_inferred(unit: str, length: float) -> None:
    shapes = (
        "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence,shape_dist_traveled\n"
        f"metro,43.24,76.9000,1,0\nmetro,43.24,76.9369,2,{length}\n"
    )
    assert staged_feed(toy_feed(shapes=shapes))["feed_versions"].item(0, "distance_unit") == unit


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["gtfs/transitland_hart.zip", "gtfs/gtfskit_cairns_gtfs.zip", "gtfs/transitland_eg.zip"]
)
def test_the_unit_is_the_one_that_gtfs_kit_infers(shared_data: Path, path: str) -> None:
    feed = gtfs_kit.read_feed(shared_data / path, dist_units="km")
    theirs = gtfs_kit.shapes.infer_dist_units(feed.shapes)
    ours = staged_feed((shared_data / path).read_bytes())["feed_versions"].item(0, "distance_unit")
    assert ours == theirs


@pytest.mark.slow
def test_a_feed_without_any_date_is_described_all_the_same() -> None:
    calendar = FILES["calendar"].replace("20260101", "soon").replace("20261231", "later")
    tables = staged_tables(toy_feed(calendar=calendar, calendar_dates=None))
    told = tables["feed_versions"].rows.row(0, named=True)
    assert told["service_start_date"] is None
    assert told["trip_count"] == 4


def many_trips(count: int) -> dict[str, str]:
    """Trips in an order that is not theirs by name, their calls interleaved and out of order."""
    names = [f"T{(n * 7919) % count:04}" for n in range(count)]
    trips = "".join(f"10,daily,{name},Delta,0,\n" for name in names)
    calls = [
        f"{name},{7 + call:02}:{n % 60:02}:00,,{stop},{call}\n"
        for call, stop in ((2, "BB"), (1, "BA"), (3, "BC"))
        for n, name in enumerate(names)
    ]
    calls += ["UNKNOWN,07:00:00,07:00:00,BA,1\n", f"{names[0]},09:00:00,,BX,9\n", calls[0]]
    heading, _, _ = FILES["stop_times"].partition("\n")
    trip_heading, _, _ = FILES["trips"].partition("\n")
    return {"stop_times": f"{heading}\n{''.join(calls)}", "trips": f"{trip_heading}\n{trips}"}


def everything(payload: bytes) -> dict[str, Any]:
    tables = staged_tables(payload)
    calls = tables["stop_times"]
    return {
        "rows": calls.rows.rows(),
        "refused": calls.quarantine.sort("row_number", "rule").rows(),
        "rules": tables["feed_rules"].rows.rows(),
        "notices": tables["feed_notices"].rows.rows(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("block_bytes", [300, 2_000, 4_000])
def test_a_large_file_in_parts_is_the_same_as_in_one(
    monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    payload = toy_feed(**many_trips(80))
    whole = everything(payload)
    monkeypatch.setattr(parse, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(parse, "PART_BYTES", block_bytes // 2)
    feed = parse_gtfs(payload, SOURCE)
    assert sum(1 for _ in feed.parts()) > 1
    in_parts = everything(payload)
    assert len(whole["rows"]) == 240
    assert {rule for _, _, _, rule, _ in whole["refused"]} == {
        *("foreign_key_violation", "duplicate_key")
    }
    for name, told in whole.items():
        assert in_parts[name] == told, name


@pytest.mark.slow
def test_notices_count_everything_and_show_the_first() -> None:
    rows = "".join(f"X{n},Nowhere,,\n" for n in range(40))
    feed = judged(stops=FILES["stops"] + rows)
    notice = next(n for n in feed.notices() if n.code == "stop_without_location")
    assert notice.count >= 40
    assert [one["row"] for one in notice.sample][:1] == [9]
    assert json.loads(notice.sample_json) == list(notice.sample)


@pytest.mark.slow
def test_typed_values_are_told_as_the_feed_wrote_them() -> None:
    heading = "trip_id,start_time,end_time,headway_secs\n"
    feed = judged(frequencies=f"{heading}B1,8:00:00,7:05:00,600\n")
    notice = next(n for n in feed.notices() if n.code == "start_and_end_range_out_of_order")
    assert notice.sample[0] == {"row": 2, "field": "end_time", "value": "7:05:00"}


def test_a_part_without_rows_is_judged_too() -> None:
    heading, _, _ = FILES["stop_times"].partition("\n")
    feed = judged(stop_times=f"{heading}\n")
    assert ("empty_file", "stop_times.txt") in {(n.code, n.file) for n in feed.notices()}
    assert feed.call_count == 0
    assert pl.Series([notice.count for notice in feed.notices()]).min() == 1
