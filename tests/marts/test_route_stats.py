"""Route statistics: the toy by hand, New York and Tampa by gtfs-kit."""

from __future__ import annotations

from pathlib import Path

import gtfs_kit
import polars as pl
import pytest

from benchmarks.oracle import differences, under_our_names
from pipelines.marts.route_stats import NO_DISTANCE, NO_HEADWAY, compute_route_stats
from tests.marts.test_trip_stats import compute as compute_trips
from tests.toy_feeds import FILES, NAURYZ, WEDNESDAY, night_of, staged_feed, toy_feed

pytestmark = pytest.mark.slow


def compute(tables: dict[str, pl.DataFrame], service_date: str) -> pl.DataFrame:
    trip_stats = compute_trips(tables)
    return compute_route_stats(
        night_of(service_date), trip_stats=trip_stats, service_dates=tables["service_dates"]
    )


def toy(service_date: str = WEDNESDAY, **overrides: str | None) -> pl.DataFrame:
    return compute(staged_feed(toy_feed(**overrides)), service_date)


def test_the_toy_by_hand() -> None:
    bus, metro = toy().rows(named=True)
    assert (bus["route_id"], bus["trip_count"], bus["stop_pattern_count"]) == ("10", 2, 2)
    assert (bus["is_bidirectional"], bus["is_loop"]) == (True, False)
    assert (bus["start_seconds"], bus["end_seconds"]) == (28800, 86640)
    assert bus["headway_mean_minutes"] is None
    assert bus["service_distance_km"] is None
    assert bus["service_duration_seconds"] == 720
    assert bus["reason"] == f"{NO_HEADWAY}; {NO_DISTANCE}"
    # The first of the two longest periods with one bus under way.
    assert (bus["peak_trip_count"], bus["peak_start_seconds"]) == (1, 28800)
    assert bus["peak_end_seconds"] == 29160

    assert (metro["route_id"], metro["trip_count"], metro["departure_count"]) == ("M1", 2, 2)
    assert metro["is_bidirectional"] is False
    headways = [metro[f"headway_{kind}_minutes"] for kind in ("min", "mean", "max")]
    assert headways == [10, 10, 10]
    assert metro["service_distance_km"] == pytest.approx(2 * 2.998, rel=1e-3)
    assert metro["mean_trip_duration_seconds"] == 360
    assert metro["service_speed_kmh"] == pytest.approx(29.98, rel=1e-3)
    assert (metro["reason"], metro["departure_window"]) == (None, "whole day")
    assert (metro["mark"], metro["day_type"]) == ("synthetic", "weekday")


def test_a_holiday_has_only_the_daily_route() -> None:
    assert toy(NAURYZ).get_column("route_id").to_list() == ["10"]


@pytest.mark.parametrize("service_date", ["2025-12-31", "2027-01-01"])
def test_a_date_without_service_has_no_rows(service_date: str) -> None:
    rows = toy(service_date)
    assert rows.height == 0
    assert "headway_mean_minutes" in rows.columns


def timetable(*trips: tuple[str, str, str]) -> dict[str, str]:
    """Files of route 10's trips, each (direction, start, end) from BA to BD."""
    heading = "route_id,service_id,trip_id,direction_id\n"
    calls = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    return {
        "trips": heading + "".join(f"10,daily,t{n},{way[0]}\n" for n, way in enumerate(trips)),
        "stop_times": calls
        + "".join(
            f"t{n},{start},{start},BA,1\nt{n},{end},{end},BD,2\n"
            for n, (_, start, end) in enumerate(trips)
        ),
    }


def test_headways_are_taken_by_direction_from_seven_to_nineteen() -> None:
    route = toy(
        **timetable(
            ("0", "6:50:00", "7:10:00"),
            ("0", "7:00:00", "7:20:00"),
            ("0", "7:10:00", "7:30:00"),
            ("0", "7:40:00", "8:00:00"),
            ("1", "7:05:00", "7:25:00"),
            ("1", "19:00:00", "19:20:00"),
            ("1", "19:01:00", "19:20:00"),
        )
    ).row(0, named=True)
    assert route["headway_min_minutes"] == 10
    assert route["headway_max_minutes"] == 715
    assert route["headway_mean_minutes"] == pytest.approx((10 + 30 + 715) / 3)


def test_the_peak_is_the_first_of_the_longest_periods() -> None:
    route = toy(
        **timetable(
            ("0", "8:00:00", "9:00:00"),
            ("1", "8:10:00", "8:20:00"),
            # One ends as another begins: two go on being under way.
            ("0", "9:30:00", "10:30:00"),
            ("1", "9:40:00", "9:50:00"),
            ("1", "9:50:00", "9:55:00"),
            ("1", "10:00:00", "10:15:00"),
        )
    ).row(0, named=True)
    assert route["peak_trip_count"] == 2
    assert route["peak_start_seconds"] == (9 * 60 + 40) * 60
    assert route["peak_end_seconds"] == (9 * 60 + 55) * 60


def test_trips_without_duration_are_left_out() -> None:
    rows = toy(**timetable(("0", "8:00:00", "8:00:00"), ("0", "9:00:00", "9:10:00")))
    assert rows.get_column("trip_count").to_list() == [1]
    only = toy(**timetable(("0", "8:00:00", "8:00:00")))
    assert only.height == 0


def test_repetitions_by_frequencies_are_told_apart() -> None:
    spans = "trip_id,start_time,end_time,headway_secs\nB1,6:00:00,7:00:00,600\n"
    bus = toy(frequencies=spans).row(0, named=True)
    assert (bus["trip_count"], bus["departure_count"]) == (2, 7)


def test_any_order_of_rows_gives_the_same() -> None:
    tables = staged_feed(toy_feed(stops=FILES["stops"]))
    shuffled = {name: table.reverse() for name, table in tables.items()}
    assert compute(shuffled, WEDNESDAY).equals(compute(tables, WEDNESDAY))


@pytest.mark.parametrize(
    ("name", "service_date"),
    [("gtfskit_nyc_subway_gtfs.zip", "2024-12-18"), ("transitland_hart.zip", "2018-03-01")],
)
def test_real_feeds_equal_gtfs_kit(shared_data: Path, name: str, service_date: str) -> None:
    path = shared_data / "gtfs" / name
    feed = gtfs_kit.read_feed(path)
    date = service_date.replace("-", "")
    # gtfs-kit's trip statistics of the trips that run; those of all Tampa's take a minute.
    on_date = feed.restrict_to_trips(feed.get_trips(date).trip_id.tolist())
    theirs = on_date.compute_route_stats([date])
    ours = compute(staged_feed(path.read_bytes()), service_date)
    assert differences(ours, under_our_names(theirs, feed.dist_units), "route_id") == {}
    assert ours.height == len(theirs) > 0
