"""Stop statistics: the toy by hand, New York and Tampa by gtfs-kit."""

from __future__ import annotations

from pathlib import Path

import gtfs_kit
import polars as pl
import pytest

from benchmarks.oracle import differences, under_our_names
from pipelines.marts.stop_stats import NO_HEADWAY, NO_TIMES, compute_stop_stats
from tests.toy_feeds import (
    FILES,
    NAURYZ,
    WEDNESDAY,
    feed_source,
    night_of,
    staged_feed,
    toy_feed,
)

pytestmark = pytest.mark.slow

READS = ("service_dates", "trips", "stop_times", "stops", "frequencies")


def compute(service_date: str, *feeds: dict[str, pl.DataFrame]) -> pl.DataFrame:
    tables = {name: pl.concat([feed[name] for feed in feeds]) for name in READS}
    return compute_stop_stats(night_of(service_date), **tables)


def toy(service_date: str = WEDNESDAY, **overrides: str | None) -> pl.DataFrame:
    return compute(service_date, staged_feed(toy_feed(**overrides)))


def test_the_toy_by_hand() -> None:
    rows = toy().select(
        "stop_id",
        "stop_name",
        "trip_count",
        "route_count",
        "start_seconds",
        "end_seconds",
        "headway_mean_minutes",
        "reason",
    )
    assert rows.rows() == [
        ("BA", "Bus Alpha", 2, 1, 28800, 86640, None, NO_HEADWAY),
        # B1 calls here without a time, half-way between 08:00 and 08:04.
        ("BB", "Bus Beta", 2, 1, 28920, 86520, None, NO_HEADWAY),
        ("BC", "Bus Gamma", 2, 1, 29070, 86400, None, NO_HEADWAY),
        ("BD", "Bus Delta", 2, 1, 29160, 86280, None, NO_HEADWAY),
        ("MA", "Metro Alpha", 2, 1, 25200, 25800, 10.0, None),
        ("MB", "Metro Beta", 2, 1, 25350, 25950, 10.0, None),
        ("MC", "Metro Gamma", 2, 1, 25560, 26160, 10.0, None),
    ]


def test_headways_of_all_routes_together() -> None:
    calls = FILES["stop_times"] + "B1,8:10:00,8:10:00,MA,5\nB2,24:10:00,24:10:00,MA,50\n"
    at_metro = toy(stop_times=calls).filter(stop_id="MA").row(0, named=True)
    assert (at_metro["trip_count"], at_metro["route_count"]) == (4, 2)
    # 07:00, 07:10, 08:10; 24:10 is out of the window.
    assert at_metro["headway_min_minutes"] == 10
    assert at_metro["headway_max_minutes"] == 60
    assert at_metro["headway_mean_minutes"] == 35
    assert at_metro["end_seconds"] == 87000


def test_a_stop_without_times_says_so() -> None:
    calls = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\nB1,,,BA,1\n"
    row = toy(stop_times=calls).row(0, named=True)
    assert (row["trip_count"], row["start_seconds"], row["reason"]) == (1, None, NO_TIMES)


def test_a_holiday_serves_the_bus_alone() -> None:
    assert toy(NAURYZ).get_column("stop_id").to_list() == ["BA", "BB", "BC", "BD"]
    assert toy("2027-01-01").height == 0


def test_repetitions_by_frequencies_are_told_apart() -> None:
    spans = "trip_id,start_time,end_time,headway_secs\nB1,6:00:00,7:00:00,600\n"
    row = toy(frequencies=spans).row(0, named=True)
    assert (row["trip_count"], row["departure_count"]) == (2, 7)


def test_feeds_with_the_same_ids_stay_apart() -> None:
    feeds = [staged_feed(toy_feed(), feed_source(name)) for name in ("one", "two")]
    both = compute(WEDNESDAY, *reversed(feeds))
    assert both.filter(source_id="two").equals(compute(WEDNESDAY, feeds[1]))
    assert both.height == 14


def test_any_order_of_rows_gives_the_same() -> None:
    tables = staged_feed(toy_feed())
    shuffled = {name: table.reverse() for name, table in tables.items()}
    assert compute(WEDNESDAY, shuffled).equals(compute(WEDNESDAY, tables))


def test_cairns_equals_gtfs_kit_once_its_blank_times_are_filled(shared_data: Path) -> None:
    """gtfs-kit can't count a stop at which a time is blank, so it is told those of staging."""
    path = shared_data / "gtfs" / "gtfskit_cairns_gtfs.zip"
    tables, feed = staged_feed(path.read_bytes()), gtfs_kit.read_feed(path)
    told = tables["stop_times"].select("trip_id", "stop_sequence", "departure_seconds")
    seconds = {(trip, number): second for trip, number, second in told.iter_rows()}
    calls = feed.stop_times
    assert calls.departure_time.isna().sum() == 65
    calls["departure_time"] = [
        f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        for key in zip(calls.trip_id, calls.stop_sequence, strict=True)
        for second in [seconds[key]]
    ]
    feed.stop_times = calls
    theirs = feed.compute_stop_stats(["20140604"])
    ours = compute("2014-06-04", tables)
    assert differences(ours, under_our_names(theirs), "stop_id") == {}
    assert ours.height == len(theirs) > 0


@pytest.mark.parametrize(
    ("name", "service_date"),
    [("gtfskit_nyc_subway_gtfs.zip", "2024-12-18"), ("transitland_hart.zip", "2018-03-01")],
)
def test_real_feeds_equal_gtfs_kit(shared_data: Path, name: str, service_date: str) -> None:
    path = shared_data / "gtfs" / name
    feed = gtfs_kit.read_feed(path)
    theirs = feed.compute_stop_stats([service_date.replace("-", "")])
    ours = compute(service_date, staged_feed(path.read_bytes()))
    assert differences(ours, under_our_names(theirs), "stop_id") == {}
    assert ours.height == len(theirs) > 0
