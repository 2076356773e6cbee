"""Access of single cells: the toy city and the worked example of PTAL, by hand."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from pipelines.marts.cell_access import CellAccess, compute_cell_access
from tests.marts.reach.toy_city import (
    CELLS,
    RATES_READ,
    a_night,
    no_feed,
    population,
    timetable,
    toy_city,
)
from tests.marts.reach.worked_example import PTAL_INDEX, worked_city
from tests.toy_feeds import FILES, SUNDAY, toy_feed

TOY = toy_city(RATES_READ)
NO_PEAK = "no index: no departures from 08:15 to 09:15 on 2026-11-18 in feeds 'feed1'"


@pytest.mark.slow
def test_the_worked_example_of_ptal() -> None:
    away, home = compute_cell_access(a_night(), **worked_city()).iter_rows(named=True)
    assert (home["cell_id"], home["ptal_index"]) == ("home", PTAL_INDEX)
    assert (home["ptal_band"], away["ptal_band"], away["ptal_index"]) == ("2", "0", 0.0)
    assert (home["metro_walk_m"], home["rail_walk_m"], home["bus_walk_m"]) == (800.0, None, 240.0)


@pytest.mark.slow
def test_the_worked_example_is_of_the_highest_class() -> None:
    away, home = compute_cell_access(a_night(), **worked_city()).iter_rows(named=True)
    # The best of two bus stops, each of its own place; the metro 800 m away, ten minutes.
    assert home["bus_tram_departures_per_hour"] == 12.0
    assert home["metro_rail_departures_per_hour"] == pytest.approx(3600 / 338, abs=1e-4)
    assert (home["access_class"], away["access_class"]) == ("very high", "none")
    assert (away["bus_tram_departures_per_hour"], away["reason"]) == (0.0, None)


def test_walks_to_the_nearest_stop_of_each_mode() -> None:
    cells = compute_cell_access(a_night(), **TOY)
    walks = cells.select("cell_id", "district_id", "metro_walk_m", "bus_walk_m")
    assert walks.rows() == [
        ("border", "east", 810.9, None),
        ("far", None, None, None),
        ("gamma", "east", 0.0, None),
        ("hill", "west", 867.3, None),
        ("slope", "west", None, 433.7),
    ]
    people = cells.select("population_p10", "population_p50", "population_p90").row(3)
    assert people == (10.0, 20.0, 30.0)
    assert cells.get_column("population_rescaled").to_list()[3] == pytest.approx(20 * 250 / 220)


def test_without_departures_in_the_hour_there_is_no_index() -> None:
    cells = compute_cell_access(a_night(), **TOY)
    assert set(cells.get_column("reason")) == {NO_PEAK}
    assert cells.get_column("ptal_band").null_count() == cells.height
    # Two trains and one bus leave in the day: less than a departure an hour, out of reach of all.
    assert cells.get_column("access_class").to_list() == ["none"] * 5


def test_a_few_departures_a_day_are_low_access() -> None:
    at_alpha = population(("home", 43.2400, 76.9000, 1.0, 2.0, 3.0))
    row = compute_cell_access(a_night(), **TOY | at_alpha).row(0, named=True)
    assert row["metro_rail_departures_per_hour"] == pytest.approx(2 / 14, abs=1e-4)
    assert row["access_class"] == "low"


@pytest.mark.parametrize("day_type", ["saturday", "sunday", "holiday"])
def test_the_class_is_defined_for_weekdays(day_type: str) -> None:
    night = replace(a_night(SUNDAY), day_type=day_type)
    at_bus = population(("home", 43.2500, 76.9000, 1.0, 2.0, 3.0))
    row = compute_cell_access(night, **TOY | at_bus).row(0, named=True)
    assert (row["access_class"], row["bus_tram_departures_per_hour"]) == (
        *(None, pytest.approx(1 / 14, abs=1e-4)),
    )
    assert row["reason"].startswith(
        f"no class of access: it is defined for weekdays, and {SUNDAY} is a {day_type}; no index: "
    )


@pytest.mark.slow
def test_without_a_feed_cells_have_their_people_alone() -> None:
    cells = compute_cell_access(a_night(), **TOY | no_feed(RATES_READ))
    assert set(cells.get_column("reason")) == {
        "no class of access: no GTFS feed; no index: no GTFS feed"
    }
    assert cells.get_column("population_p50").sum() == 2228
    unknown = cells.select(pl.col("^.*_m$", "^.*_per_hour$", "ptal_index").null_count())
    assert set(unknown.row(0)) == {5}


def test_without_a_grid_there_are_no_rows() -> None:
    assert compute_cell_access(a_night(), **TOY | population()).is_empty()


@pytest.mark.slow
def test_trams_count_for_classes_and_index_though_not_for_reach() -> None:
    routes = FILES["routes"].replace("Alpha - Delta,3", "Alpha - Delta,0")
    spans = "trip_id,start_time,end_time,headway_secs\nB1,06:00:00,22:00:00,600\n"
    city = TOY | timetable(toy_feed(routes=routes, frequencies=spans), tables=RATES_READ)
    at_stop = population(("home", 43.2500, 76.9000, 1.0, 2.0, 3.0))
    row = compute_cell_access(a_night(), **city | at_stop).row(0, named=True)
    assert (row["bus_walk_m"], row["bus_tram_departures_per_hour"]) == (None, 6.0)
    # A tram waits like rail: 30 / (0 + 0.5 x 60 / 6 + 0.75).
    assert row["ptal_index"] == pytest.approx(30 / 5.75, abs=1e-4)


@pytest.mark.slow
def test_order_of_rows_makes_no_difference() -> None:
    expected = compute_cell_access(a_night(), **worked_city())
    for seed in range(2):
        shuffled = {
            name: rows.sample(fraction=1, shuffle=True, seed=seed)
            for name, rows in worked_city().items()
        }
        assert compute_cell_access(a_night(), **shuffled).equals(expected)


@pytest.mark.slow
def test_the_contract_is_one_row_per_cell() -> None:
    assert CellAccess.primary_key() == ["service_date", "source_id", "cell_id"]
    assert len(CELLS) == compute_cell_access(a_night(), **TOY).height
    cells = compute_cell_access(a_night(), **TOY)
    _, failure = CellAccess.filter(cells.with_columns(reason=pl.lit(None, pl.String)))
    assert "reason_given" in failure.counts()
