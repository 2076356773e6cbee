"""Line 1 has its true stations, run times and headways."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl

from pipelines.sample.metro import departures

from .gtfs_rules import active_trips, assert_sound, read_by_gtfs_kit, seconds

Feed = dict[str, pl.DataFrame]


def test_feed_is_sound(metro: Feed) -> None:
    assert_sound(metro)
    assert metro["agency"]["agency_timezone"].to_list() == ["Asia/Almaty"]
    assert metro["routes"]["route_type"].to_list() == ["1"]
    assert metro["feed_info"].select("feed_start_date", "feed_end_date").row(0) == (
        "20251001",
        "20270228",
    )


def test_gtfs_kit_reads_it(metro_zip: bytes, tmp_path: Path) -> None:
    feed = read_by_gtfs_kit(metro_zip, tmp_path)
    assert len(feed.stops) == 11
    assert len(feed.get_dates()) == 516  # 2025-10-01 to 2027-02-28
    assert len(feed.get_trips("20261120")) == 2 * 128


def test_stations_have_three_names(metro: Feed) -> None:
    names = metro["translations"].filter(pl.col("record_id") == "TEATR")
    assert dict(names.select("language", "translation").iter_rows()) == {
        "en": "Auezov Theater",
        "kk": "М. Әуезов атындағы театр",  # noqa: RUF001 - Kazakh is written so
    }
    assert len(metro["translations"]) == 22


def test_run_times_are_true_in_both_directions(metro: Feed) -> None:
    times = metro["stop_times"].with_columns(seconds("departure_time").alias("at"))
    there = times.filter(pl.col("trip_id") == "M1-weekday-0-000")["at"].diff().drop_nulls()
    back = times.filter(pl.col("trip_id") == "M1-weekday-1-000")["at"].diff().drop_nulls()
    assert there.to_list() == [140, 130, 150, 190, 140, 170, 160, 160, 150, 200]
    assert back.to_list() == there.to_list()[::-1]
    assert there.sum() == 1_590


def headways(service_id: str, direction_id: int, first: float, last: float) -> set[int]:
    """Headways between departures in a window of hours."""
    leaving = departures(service_id, direction_id)
    within = [at for at in leaving if first * 3600 <= at < last * 3600]
    return {later - earlier for earlier, later in pairwise(within)}


def test_headways_are_true() -> None:
    for direction_id in (0, 1):
        assert headways("weekday", direction_id, 6, 7.6) == {372}
        assert headways("weekday", direction_id, 7.75, 8.8) == {338}
        assert headways("weekday", direction_id, 9, 17) == {620}
        assert headways("weekday", direction_id, 17.1, 19.8) == {338}
        assert headways("weekday", direction_id, 20, 23.8) == {620}
        assert headways("weekend", direction_id, 6, 23.5) <= set(range(740, 961))


def test_service_runs_from_first_to_last_train(metro: Feed) -> None:
    assert departures("weekday", 0)[0] == 6 * 3600 + 22 * 60 + 30
    assert departures("weekday", 0)[-1] == 24 * 3600 + 2 * 60
    assert metro["stop_times"]["departure_time"].max() == "24:28:30"
    # 128 unique departures from Raiymbek batyr are published for weekdays.
    assert len(departures("weekday", 0)) == 128


def test_holidays_run_as_weekends(metro: Feed) -> None:
    assert len(active_trips(metro, "20261120", "friday")) == 256
    holiday = active_trips(metro, "20261216", "wednesday")
    assert set(holiday["service_id"]) == {"weekend"}
    assert len(holiday) == len(active_trips(metro, "20261121", "saturday"))
