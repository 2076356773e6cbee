"""How often riders can leave a stop: trips with times, by headway, of the evening before."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from pipelines.marts.reach.service import Timetable
from pipelines.marts.reach.supply import departures_per_hour
from pipelines.night import Window
from tests.marts.reach.toy_city import RATES_READ, a_night, timetable
from tests.toy_feeds import FILES, SUNDAY, WEDNESDAY, toy_feed

pytestmark = pytest.mark.slow

PEAK = Window(8 * 3600 + 15 * 60, 9 * 3600 + 15 * 60)
SEVEN = Window(7 * 3600, 8 * 3600)
SPANS = "trip_id,start_time,end_time,headway_secs,exact_times\n"
BUS_CALLS = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"


def rates(
    window: Window, service_date: str = WEDNESDAY, **overrides: str | None
) -> dict[tuple[str, str, str], float]:
    """Departures an hour by stop, route and direction."""
    frames: dict[str, Any] = timetable(toy_feed(**overrides), tables=RATES_READ)
    told = [frames.pop(name) for name in ("frequencies", "feed_versions")]
    rows = departures_per_hour(
        a_night(service_date), {"window": window}, Timetable(**frames), *told
    )
    return {(stop, route, way): rate for stop, route, way, rate in rows[:, 2:].iter_rows()}


def test_departures_in_the_window_count_each() -> None:
    # Trains leave Alpha at 07:00 and 07:10; at Gamma nobody boards.
    assert rates(SEVEN) == {("MA", "M1", "0"): 2.0, ("MB", "M1", "0"): 2.0}
    assert rates(Window(7 * 3600, 9 * 3600))["MA", "M1", "0"] == 1.0
    assert rates(Window(7 * 3600 + 1, 8 * 3600 + 1))["MA", "M1", "0"] == 1.0
    assert rates(SEVEN, SUNDAY) == {}


def test_trips_by_frequency_count_by_their_headway() -> None:
    spans = SPANS + "M1-0700,06:00:00,22:00:00,338,0\nM1-0710,06:00:00,22:00:00,600,1\n"
    found = rates(PEAK, frequencies=spans)
    assert found["MA", "M1", "0"] == pytest.approx(3600 / 338 + 6)


def test_a_span_counts_for_the_part_of_the_window_in_which_it_passes() -> None:
    # Vehicles leave Alpha until 08:45, and pass Beta 2.5 minutes later.
    spans = SPANS + "M1-0700,06:00:00,08:45:00,600,0\nM1-0710,09:00:00,09:15:00,300,0\n"
    found = rates(PEAK, frequencies=spans)
    assert found["MA", "M1", "0"] == pytest.approx(3 + 3)
    assert found["MB", "M1", "0"] == pytest.approx(3.25 + 2.5)


def test_trips_of_the_evening_before_are_still_on_their_way() -> None:
    late = FILES["stop_times"].replace("24:02:00,24:02:00,BB", "31:30:00,31:30:00,BB")
    late = late.replace("24:04:00,24:04:00,BA", "31:40:00,31:40:00,BA")
    assert rates(SEVEN, SUNDAY, stop_times=late) == {("BB", "10", "1"): 1.0}
    spans = SPANS + "B1,31:00:00,32:00:00,600,0\n"
    assert rates(SEVEN, SUNDAY, frequencies=spans)["BA", "10", "0"] == pytest.approx(6)
    # No weekday service runs on the Friday before this Saturday's.
    assert ("MA", "M1", "0") not in rates(SEVEN, "2026-11-21", frequencies=spans)


def test_without_a_direction_the_next_stop_tells() -> None:
    trips = FILES["trips"].replace(",0,metro", ",,metro").replace("Gamma,1", "Gamma,")
    assert rates(SEVEN, trips=trips) == {("MA", "M1", "MB"): 2.0, ("MB", "M1", "MC"): 2.0}


def test_who_may_not_board_has_no_departure() -> None:
    calls = BUS_CALLS.replace("\n", ",pickup_type\n")
    calls += (
        "B1,07:00:00,07:00:00,BA,1,0\nB1,07:02:00,07:02:00,BB,2,1\nB1,07:04:00,07:04:00,BC,3,0\n"
    )
    assert rates(SEVEN, stop_times=calls) == {("BA", "10", "0"): 1.0}
    spans = SPANS + "B1,06:00:00,22:00:00,600,0\n"
    assert rates(SEVEN, stop_times=calls, frequencies=spans) == {("BA", "10", "0"): 6.0}


def test_the_clock_is_the_agencys() -> None:
    frames: dict[str, Any] = timetable(
        toy_feed(agency=FILES["agency"].replace("Asia/Almaty", "Europe/Paris")), tables=RATES_READ
    )
    told = [frames.pop(name) for name in ("frequencies", "feed_versions")]
    rows = departures_per_hour(a_night(), {"seven": SEVEN}, Timetable(**frames), *told)
    assert rows.filter(pl.col("stop_id") == "MA").get_column("seven").to_list() == [2.0]


def test_two_feeds_lie_side_by_side() -> None:
    frames: dict[str, Any] = timetable(toy_feed(), toy_feed(), tables=RATES_READ)
    told = [frames.pop(name) for name in ("frequencies", "feed_versions")]
    rows = departures_per_hour(a_night(), {"seven": SEVEN}, Timetable(**frames), *told)
    assert rows.get_column("source_id").to_list() == ["feed1", "feed1", "feed2", "feed2"]
    assert a_night().service_date == date(2026, 11, 18)
