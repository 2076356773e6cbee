"""Whom a scope counts, and what rescaling to official totals changes."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.marts.reach.people import residents, scopes
from tests.marts.reach.toy_city import CELLS, EAST, WEST, a_night, districts, population

# The grid has 220 people in West and 8 in East; 2,000 live outside both.
EXACT_EAST = {**EAST, "population_precision": "exact"}


def rescaled(*areas: dict[str, Any]) -> dict[str, float]:
    cells = residents(**population(*CELLS), **districts(*areas))
    return dict(cells.select("cell_id", "population_rescaled").iter_rows())


def flags(*areas: dict[str, Any]) -> list[bool]:
    where = districts(*areas)
    cells = residents(**population(*CELLS), **where)
    return [scope.has_rescaled for scope in scopes(a_night(), where["districts"], cells)]


def test_cells_of_an_exact_district_sum_to_its_total() -> None:
    people = rescaled(WEST, EXACT_EAST)
    assert people["hill"] == pytest.approx(20 * 250 / 220)
    assert people["hill"] + people["slope"] == pytest.approx(250)
    assert people["border"] + people["gamma"] == pytest.approx(10)
    assert people["far"] == 2000
    assert flags(WEST, EXACT_EAST) == [True, True, True]


def test_a_lower_bound_rescales_nothing() -> None:
    people = rescaled(WEST, EAST)
    assert (people["border"], people["gamma"]) == (6, 2)
    assert flags(WEST, EAST) == [True, False, True]
    assert flags(EAST) == [False, False]


def test_an_exact_total_cannot_be_spread_over_nobody() -> None:
    empty = {**WEST, "district_name": "Empty", "boundary": WEST["boundary"].buffer(-0.0149)}
    nobody = [cell for cell in CELLS if cell[0] not in ("hill", "slope")]
    where = districts(empty)
    cells = residents(**population(*nobody), **where)
    assert cells.get_column("district_id").null_count() == len(nobody)
    assert [s.has_rescaled for s in scopes(a_night(), where["districts"], cells)] == [False, False]


def test_a_cell_on_a_shared_border_lies_in_the_district_that_sorts_first() -> None:
    cells = residents(**population(*CELLS), **districts(WEST, EAST))
    assert dict(cells.select("cell_id", "district_id").iter_rows()) == {
        "border": "east",
        "far": None,
        "gamma": "east",
        "hill": "west",
        "slope": "west",
    }


def test_without_districts_people_stay_as_they_are() -> None:
    cells = residents(**population(*CELLS), **districts())
    assert cells.select(pl.col("population_rescaled") - pl.col("population_p50")).sum().item() == 0
    assert flags() == [False]
