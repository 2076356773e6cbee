"""How even reach is: closed forms of the Gini coefficient, and the toy city by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
import shapely

from pipelines.marts.accessibility import Accessibility
from pipelines.marts.bus_reach import compute_bus_reach
from pipelines.marts.metro_reach import compute_metro_reach
from pipelines.marts.rail_reach import compute_rail_reach
from pipelines.marts.reach_equity import ReachEquity, compute_reach_equity, gini
from tests.marts.reach.toy_city import EAST, WEST, a_night, districts, toy_city


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([0.5, 0.5, 0.5], [1, 20, 300], 0.0),
        ([0.0, 1.0], [1, 1], 0.5),
        ([0.0, 0.0, 0.0, 0.8], [1, 1, 1, 1], 0.75),
        # A share s of people has all: 1 - s.
        ([0.0, 0.3], [90, 10], 0.9),
        ([1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1], 0.25),
        # Two of a kind are one of twice the weight.
        ([1.0, 2.0], [1, 3], (3 / 16) / (7 / 4)),
        ([0.0, 0.0], [1, 1], None),
        ([0.5], [0], None),
        ([], [], None),
    ],
)
def test_gini_by_closed_forms(
    values: list[float], weights: list[float], expected: float | None
) -> None:
    assert gini(values, weights) == (None if expected is None else pytest.approx(expected))


def equity(**frames: Any) -> dict[str, dict[str, Any]]:
    """The rows of a night by the figure's table."""
    city = toy_city() | frames
    made = compute_reach_equity(
        a_night(),
        metro_reach=compute_metro_reach(a_night(), **city),
        bus_reach=compute_bus_reach(a_night(), **city),
        rail_reach=compute_rail_reach(a_night(), **city),
        accessibility=Accessibility.create_empty(),
        districts=city["districts"],
    )
    return {row["figure_table"]: row for row in made.iter_rows(named=True)}


@pytest.mark.slow
def test_the_toy_city_by_hand() -> None:
    metro = equity()["marts.metro_reach"]
    # West has 20 of 220 residents within reach, East all of its 8.
    assert (metro["worst_district_id"], metro["worst_share"]) == ("west", 0.090909)
    assert (metro["best_district_id"], metro["best_share"]) == ("east", 1.0)
    assert metro["worst_to_best_ratio"] == pytest.approx(0.090909)
    mean = 28 / 228
    assert metro["reach_gini"] == pytest.approx(220 * 8 / 228**2 * (200 / 220) / mean, abs=1e-6)
    assert (metro["district_count"], metro["figure_column"]) == (2, "reach_share")
    assert (metro["method"], metro["mark"]) == ("straight line x 1.3", "modelled")


@pytest.mark.slow
def test_annexed_districts_against_the_old_city() -> None:
    dated = districts(WEST, {**EAST, "annexed_date": "2014-04-17"})
    metro = equity(**dated)["marts.metro_reach"]
    assert (metro["annexed_district_count"], metro["annexed_share"]) == (1, 1.0)
    assert (metro["old_city_share"], metro["annexed_to_old_ratio"]) == (
        *(0.090909, pytest.approx(11, rel=1e-4)),
    )


@pytest.mark.slow
def test_what_is_annexed_later_is_not_annexed_yet() -> None:
    later = districts(WEST, {**EAST, "annexed_date": "2026-11-19"})
    metro = equity(**later)["marts.metro_reach"]
    assert (metro["annexed_district_count"], metro["old_city_share"]) == (0, None)


@pytest.mark.slow
def test_nobody_within_reach_in_any_district_is_said_so() -> None:
    # South has residents of the toy city's west, all beyond 500 m of a bus stop.
    south = {**WEST, "boundary": shapely.box(76.89, 43.20, 76.92, 43.2465)}
    bus = equity(**districts(south))["marts.bus_reach"]
    assert (bus["district_count"], bus["best_share"], bus["worst_to_best_ratio"]) == (1, 0.0, None)
    assert (bus["reach_gini"], bus["reason"]) == (None, "nobody is within reach in any district")


@pytest.mark.slow
def test_a_figure_without_service_carries_its_reason() -> None:
    rail = equity()["marts.rail_reach"]
    assert rail["reason"] == "no suburban rail trips on 2026-11-18 in feeds 'feed1'"
    assert (rail["district_count"], rail["reach_gini"]) == (0, None)


@pytest.mark.slow
def test_without_districts_nothing_is_compared() -> None:
    rows = equity(**districts())
    assert {row["reason"] for row in rows.values()} == {
        "no districts",
        "no suburban rail trips on 2026-11-18 in feeds 'feed1'",
    }


@pytest.mark.slow
def test_the_contract_is_one_row_per_figure() -> None:
    key = ["service_date", "figure_table", "figure_column", "figure_rows"]
    assert ReachEquity.primary_key() == key
    city = toy_city()
    made = compute_reach_equity(
        a_night(),
        metro_reach=compute_metro_reach(a_night(), **city),
        bus_reach=compute_bus_reach(a_night(), **city),
        rail_reach=compute_rail_reach(a_night(), **city),
        accessibility=Accessibility.create_empty(),
        districts=city["districts"],
    )
    _, failure = ReachEquity.filter(made.with_columns(reach_gini=pl.lit(None, pl.Float64)))
    assert "reason_given" in failure.counts()
