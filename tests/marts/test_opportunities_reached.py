"""What is reached in the toy city, by hand: `tests/marts/reach/toy_accessibility.py`."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.opportunities_reached import (
    OpportunitiesReached,
    compute_opportunities_reached,
    counts_by_cell,
)
from pipelines.marts.travel_times import TravelTimes, named_cells
from tests.marts.reach.toy_accessibility import inputs, night, opportunities, reached
from tests.marts.reach.toy_city import CELLS, population

PLACES = opportunities(
    ("at hill", "schools", 43.2460, 76.9000, 3.0),
    ("by gamma", "schools", 43.2410, 76.9369, 1.0),
    ("beside it", "schools", 43.2400, 76.9370, 1.5),
    ("in the hills", "schools", 43.1000, 76.9000, 9.0),
    ("at far", "jobs", 43.3000, 77.0000, 50.0),
)


def found(rows: pl.DataFrame, **of: object) -> dict[str, tuple[float, ...]]:
    """By cell: what is reached, low and high, of the rows that are asked for."""
    of = {"opportunity_type": "people", "threshold_minutes": 30, "percentile": 50} | of
    columns = ("cell_id", "reached_count", "reached_low", "reached_high")
    return {cell: told for cell, *told in map(list, rows.filter(**of).select(columns).iter_rows())}


@cache
def with_places() -> pl.DataFrame:
    """What all reach in the toy city with `PLACES`."""
    return by_all(reached(**PLACES))


def by_all(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(inputs_id=inputs(**PLACES).filter(mode_set="all").item(0, "inputs_id"))


@pytest.mark.slow
def test_people_within_half_an_hour_by_hand() -> None:
    rows = with_places()
    assert found(rows) == {
        "hill": [228.0, 116.0, 340.0],  # hill 20, slope 200, border 6, gamma 2
        "slope": [228.0, 116.0, 340.0],
        "border": [228.0, 116.0, 340.0],
        "gamma": [8.0, 6.0, 10.0],  # the metro does not come back
        "far": [2000.0, 1000.0, 3000.0],
    }


@pytest.mark.slow
def test_other_opportunities_have_no_bounds_of_their_own() -> None:
    rows = with_places()
    schools = found(rows, opportunity_type="schools")
    assert schools["hill"] == [5.5, 5.5, 5.5]
    assert schools["gamma"] == [2.5, 2.5, 2.5]
    # Nobody lives within a kilometre of the school in the hills.
    assert schools["far"] == [0.0, 0.0, 0.0]
    assert found(rows, opportunity_type="jobs")["far"] == [50.0, 50.0, 50.0]


def test_a_percentile_is_of_departures() -> None:
    """From slope gamma takes 21, 23 and 26 minutes; from hill to border 25:09, 27:09 and 28:29."""
    rows = with_places()
    assert [found(rows, percentile=p)["slope"][0] for p in (25, 50, 75)] == [228.0, 228.0, 228.0]


def test_every_cell_type_threshold_and_percentile_has_a_row() -> None:
    rows = with_places()
    assert rows.height == 5 * 3 * 9
    assert rows.equals(rows.sort(OpportunitiesReached.primary_key()))


@pytest.mark.slow
def test_people_without_quantiles_have_no_bounds() -> None:
    plain = population(*((*cell[:3], None, cell[4], None) for cell in CELLS))
    assert found(reached(**plain))["gamma"] == [8.0, None, None]


def test_a_place_belongs_to_the_nearest_cell() -> None:
    cells = named_cells(population(*CELLS)["population_cells"])
    counts = counts_by_cell(cells, PLACES["opportunities"])
    assert list(counts) == ["jobs", "people", "schools"]
    # border, far, gamma, hill, slope
    assert counts["schools"][:, 0].tolist() == [0.0, 0.0, 2.5, 3.0, 0.0]


@pytest.mark.slow
@settings(deadline=None, max_examples=40)  # each makes tables under contract
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 4), st.integers(0, 4)),
        st.integers(0, 4500) | st.none(),
        max_size=25,
    ),
    st.sampled_from([30, 45, 60]),
)
def test_sums_are_those_of_a_plain_loop(
    times: dict[tuple[int, int], int | None], minutes: int
) -> None:
    cells = named_cells(population(*CELLS)["population_cells"])
    names, people = cells["cell_id"].to_list(), cells["population_p50"].to_list()
    pairs = [
        ("a", names[i], names[j], p50 and p50 // 2, p50, None, None, None, None)
        for (i, j), p50 in sorted(times.items())
        if p50 is not None
    ]
    types = {name: column.dtype for name, column in TravelTimes.columns().items()}
    rows = compute_opportunities_reached(
        night(),
        reach_inputs=pl.DataFrame({"inputs_id": ["a"], "draw_count": [1]}),
        travel_times=pl.DataFrame(pairs, schema=types, orient="row"),
        population_cells=population(*CELLS)["population_cells"],
        opportunities=opportunities()["opportunities"],
    )
    told = found(rows, threshold_minutes=minutes)
    for i, origin in enumerate(names):
        near = [p for j, p in enumerate(people) if (times.get((i, j)) or np.inf) <= minutes * 60]
        at_once = [people[j] for j in range(5) if times.get((i, j)) == 0]
        assert told[origin][0] == pytest.approx(sum(near) + sum(at_once))
