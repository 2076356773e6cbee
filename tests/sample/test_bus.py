"""The bus network has Almaty's size, resolves, and changes over 13 months."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.sample.routes import routes_between
from pipelines.sample.seeds import DEFAULT_SEED

from .gtfs_rules import active_trips, assert_sound, read_by_gtfs_kit

pytestmark = pytest.mark.slow

Feed = dict[str, pl.DataFrame]


def test_feed_is_sound(bus: Feed) -> None:
    assert_sound(bus)
    assert set(bus["routes"]["route_type"]) == {"3", "11"}


def test_gtfs_kit_reads_it(bus_zip: bytes, tmp_path: Path) -> None:
    feed = read_by_gtfs_kit(bus_zip, tmp_path)
    assert 18_000 < len(feed.get_trips("20261120")) < 22_000
    assert feed.get_dates()[0] == "20251001"


def test_size_is_almatys(bus: Feed) -> None:
    weekday = active_trips(bus, "20261120", "friday")
    assert 120 <= weekday["route_id"].n_unique() <= 140
    assert 2_700 <= len(bus["stops"]) <= 3_300
    assert 18_000 <= len(weekday) <= 22_000


def test_fewer_trips_at_weekends_and_on_holidays(bus: Feed) -> None:
    weekday = len(active_trips(bus, "20261120", "friday"))
    saturday = len(active_trips(bus, "20261121", "saturday"))
    assert 0.6 * weekday < saturday < 0.85 * weekday
    holiday = len(active_trips(bus, "20261216", "wednesday"))
    assert holiday == len(active_trips(bus, "20261219", "saturday"))


def test_a_year_ago_differs(bus: Feed) -> None:
    now = set(active_trips(bus, "20261120", "friday")["route_id"])
    before = set(active_trips(bus, "20251121", "friday")["route_id"])
    assert len(now - before) == 6
    assert len(before - now) == 4


def test_routes_change_on_the_same_dates_whenever_asked() -> None:
    early = routes_between(date(2025, 10, 1), date(2027, 2, 28), DEFAULT_SEED)
    late = routes_between(date(2026, 3, 1), date(2027, 7, 31), DEFAULT_SEED)
    by_number = {route.number: route for route in late}
    shared = [route for route in early if route.number in by_number]
    assert len(shared) > 120
    assert all(by_number[route.number] == route for route in shared)


def test_stops_lie_350_to_500_m_apart_and_are_shared(bus: Feed) -> None:
    gaps = (
        bus["shapes"]
        .select(
            pl.col("shape_dist_traveled").cast(pl.Float64).diff().over("shape_id").alias("gap_m")
        )["gap_m"]
        .drop_nulls()
    )
    assert gaps.is_between(345, 505).mean() > 0.97  # type: ignore[operator]
    served = (
        bus["stop_times"]
        .select("trip_id", "stop_id")
        .join(bus["trips"].select("trip_id", "route_id"), on="trip_id")
        .group_by("stop_id")
        .agg(pl.col("route_id").n_unique().alias("routes"))
    )
    assert served.filter(pl.col("routes") > 1).height > len(served) / 3


def test_trips_run_past_midnight_and_slower_in_the_peak(bus: Feed) -> None:
    assert str(bus["stop_times"]["arrival_time"].max()) > "24:30:00"
    ends = (
        bus["stop_times"]
        .filter(pl.col("trip_id").str.starts_with("R001-0-"))
        .group_by("trip_id", maintain_order=True)
        .agg(
            pl.col("departure_time").first().str.slice(0, 2).cast(pl.Int64).alias("hour"),
            pl.col("arrival_time").first().alias("start"),
            pl.col("arrival_time").last().alias("end"),
        )
    )
    minutes = [
        (int(end[:2]) - int(start[:2])) * 60 + int(end[3:5]) - int(start[3:5])
        for start, end in ends.select("start", "end").iter_rows()
    ]
    hours = ends["hour"].to_numpy()
    peak, night = np.array(minutes)[hours == 18], np.array(minutes)[hours == 22]
    assert peak.mean() > 1.3 * night.mean()


def test_suburban_routes_leave_the_city(bus: Feed) -> None:
    heads = bus["trips"].filter(pl.col("route_id").str.starts_with("R4"))["trip_headsign"]
    assert heads.str.starts_with("Талгар").any()
    assert heads.str.starts_with("Каскелен").any()


def test_accessibility_is_partly_unknown(bus: Feed) -> None:
    for table, column in (("stops", "wheelchair_boarding"), ("trips", "wheelchair_accessible")):
        shares = bus[table][column].value_counts(normalize=True)
        found = dict(shares.iter_rows())
        assert set(found) == {"0", "1", "2"}
        assert 0.2 < found["0"] < 0.6
