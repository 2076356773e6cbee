"""Travel times in the toy city, by hand: `tests/marts/reach/toy_accessibility.py`."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.marts.travel_times import TravelTimes
from tests.marts.reach.toy_accessibility import inputs, night, travel_times
from tests.marts.reach.toy_city import CELLS, NETWORK_READ, population, timetable
from tests.toy_feeds import SUNDAY, toy_feed

pytestmark = pytest.mark.slow

Times = tuple[int | None, int | None, int | None]


def between(rows: pl.DataFrame) -> dict[tuple[str, str], Times]:
    """Percentiles by pair of cells."""
    columns = ("origin_cell_id", "destination_cell_id", "p25_seconds", "p50_seconds", "p75_seconds")
    return {(origin, to): (a, b, c) for origin, to, a, b, c in rows.select(columns).iter_rows()}


def test_percentiles_by_hand() -> None:
    times = between(travel_times())
    # 17, 18 ... 26 minutes, each twice: the 5th, 10th and 15th of 20.
    assert times["hill", "gamma"] == (19 * 60, 21 * 60, 24 * 60)
    # By metro 23:09 ... 32:09, each twice, or 28:29 on foot.
    assert times["hill", "border"] == (25 * 60 + 9, 27 * 60 + 9, 28 * 60 + 29)
    # The metro does not come back.
    assert times["border", "hill"] == (28 * 60 + 29,) * 3
    assert ("gamma", "hill") not in times


def test_who_comes_too_late_never_arrives() -> None:
    # From slope the metro of 07:10 is missed by who leaves after 06:57: 19, 20 ... 26 minutes for
    # 8 departures, 19 ... 28 for 10, and two never arrive.
    times = between(travel_times())
    assert times["slope", "gamma"] == (21 * 60, 23 * 60, 26 * 60)


def test_by_bus_alone_all_walk() -> None:
    times = between(travel_times("bus"))
    assert ("hill", "gamma") not in times
    assert times["hill", "border"] == (28 * 60 + 29,) * 3


def test_each_cell_is_at_itself_and_far_is_alone() -> None:
    times = between(travel_times())
    assert all(times[cell[0], cell[0]] == (0, 0, 0) for cell in CELLS)
    assert {pair for pair in times if "far" in pair} == {("far", "far")}


def test_rows_come_in_the_order_of_their_key() -> None:
    rows = travel_times()
    assert rows.equals(rows.sort(TravelTimes.primary_key()))
    assert set(rows.get_column("inputs_id")) == {
        inputs().filter(mode_set="all").item(0, "inputs_id")
    }


def test_the_same_on_any_date_with_these_inputs() -> None:
    sunday = travel_times("all", night(SUNDAY))
    assert sunday.equals(travel_times("bus"))


def test_cells_of_two_grids_are_told_apart() -> None:
    grid: pl.DataFrame = population(*CELLS)["population_cells"]
    both = pl.concat([grid, grid.with_columns(source_id=pl.lit("other"))])
    times = between(travel_times(population_cells=both))
    assert times["other/hill", "grid/gamma"] == times["grid/hill", "other/gamma"]
    assert times["other/hill", "grid/hill"] == (0, 0, 0)


def test_headways_are_drawn_and_their_error_told() -> None:
    """Every 20 minutes, nobody knows when: the wait is anything from nothing to the headway."""
    head = "trip_id,start_time,end_time,headway_secs\n"
    frequencies = f"{head}M1-0700,06:00:00,09:00:00,1200\n"
    drawn: dict[str, Any] = timetable(toy_feed(frequencies=frequencies), tables=NETWORK_READ)
    rows = travel_times(**drawn).filter(origin_cell_id="hill", destination_cell_id="gamma")
    [(p50, error)] = rows.select("p50_seconds", "p50_error_seconds").rows()
    # 651 s on foot and 360 s by metro; the wait is half of 1,200 s, or less by M1-0710.
    assert 651 + 360 < p50 <= 651 + 360 + 600 + 2 * error
    assert 0 < error < 300
    assert inputs(**drawn).filter(mode_set="metro").item(0, "draw_count") == 10
