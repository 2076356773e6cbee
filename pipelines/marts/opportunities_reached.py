"""Cumulative opportunities: what is within 30, 45 and 60 minutes of each cell, door to door.

    opportunities_reached = sum of O_j over all cells j with t_ij <= T

with t_ij the 25th, 50th or 75th percentile of `marts.travel_times` and O_j what there is in cell j,
i itself included: `people` (the population grid) and whatever the city's sources of opportunities
count. A place with opportunities belongs to the cell whose centroid is nearest in a straight line,
and to none beyond `NEAREST_CELL_M`.

`_low` and `_high` count people by the cells' P10 and P90 (bounds under full correlation), and where
headways were drawn, times two standard errors longer and shorter. Without either they are the
middle value; of people without P10 and P90 they are null.

Left out: competition for what is reached, and opening hours.
"""

from __future__ import annotations

from itertools import product

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from pipelines.marts.reach.assumptions import PERCENTILES, THRESHOLDS_MINUTES
from pipelines.marts.reach.catchment import arc_m, on_unit_sphere
from pipelines.marts.reach.people import ESTIMATES, places
from pipelines.marts.reach_inputs import ReachInputs
from pipelines.marts.travel_times import TravelTimes, named_cells
from pipelines.night import Night
from pipelines.staging.opportunities import PEOPLE, Opportunities
from pipelines.staging.population import PopulationCells

# Ours: the corners of a grid of 1 km lie 707 m from the centroids.
NEAREST_CELL_M = 1_000.0
COUNT_DECIMALS = 3
STANDARD_ERRORS = 2.0
BOUNDS = tuple(ESTIMATES)  # count, low, high
COMBINATIONS = tuple(product(THRESHOLDS_MINUTES, PERCENTILES))
OPPORTUNITIES = {"unit": "opportunities"}

Floats = npt.NDArray[np.float64]


class OpportunitiesReached(dy.Schema):
    """One row per set of inputs, cell, type of opportunity, threshold and percentile of time."""

    inputs_id = dy.String(primary_key=True, description="Inputs, as in marts.reach_inputs.")
    cell_id = dy.String(primary_key=True, description="Cell, as in marts.travel_times.")
    opportunity_type = dy.String(primary_key=True, description="What there is: people, jobs, ...")
    threshold_minutes = dy.Int16(
        primary_key=True,
        check=lambda minutes: minutes.is_in(THRESHOLDS_MINUTES),
        metadata={"unit": "minutes"},
        description="Longest time from door to door.",
    )
    percentile = dy.Int16(
        primary_key=True,
        check=lambda percentile: percentile.is_in(PERCENTILES),
        description="Share of departures, in per cent, that take no longer than the threshold.",
    )
    reached_count = dy.Float64(min=0, metadata=OPPORTUNITIES, description="What is reached.")
    reached_low = dy.Float64(
        nullable=True, min=0, metadata=OPPORTUNITIES, description="The same, lower bound."
    )
    reached_high = dy.Float64(
        nullable=True, min=0, metadata=OPPORTUNITIES, description="The same, upper bound."
    )

    @dy.rule()
    def bounds_in_order(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Low <= count <= high."""
        return (pl.col("reached_low") <= pl.col("reached_count")).fill_null(value=True) & (
            pl.col("reached_count") <= pl.col("reached_high")
        ).fill_null(value=True)


def compute_opportunities_reached(
    night: Night,  # noqa: ARG001  # what holds for all nights with these inputs knows of none
    *,
    reach_inputs: dy.DataFrame[ReachInputs],
    travel_times: dy.DataFrame[TravelTimes],
    population_cells: dy.DataFrame[PopulationCells],
    opportunities: dy.DataFrame[Opportunities],
) -> dy.DataFrame[OpportunitiesReached]:
    """What every cell reaches, for the one set of inputs of `reach_inputs`, sorted by key."""
    cells = named_cells(population_cells)
    inputs_id, draw_count = reach_inputs.select("inputs_id", "draw_count").row(0)
    there = counts_by_cell(cells, opportunities)
    pairs = _numbered(travel_times, cells)
    rows = []
    for minutes, percentile in COMBINATIONS:
        nearer = _within(pairs, cells.height, minutes * 60, percentile, is_drawn=draw_count > 1)
        for kind, counts in there.items():
            sums = [matrix @ counts[:, i] for i, matrix in enumerate(nearer)]
            rows.append(
                cells.select(
                    pl.lit(inputs_id).alias("inputs_id"),
                    "cell_id",
                    opportunity_type=pl.lit(kind),
                    threshold_minutes=pl.lit(minutes, pl.Int16),
                    percentile=pl.lit(percentile, pl.Int16),
                    **{
                        f"reached_{bound}": pl.Series(values).fill_nan(None).round(COUNT_DECIMALS)
                        for bound, values in zip(BOUNDS, sums, strict=True)
                    },
                )
            )
    reached = pl.concat(rows).sort(OpportunitiesReached.primary_key())
    return OpportunitiesReached.validate(reached)


def counts_by_cell(cells: pl.DataFrame, opportunities: pl.DataFrame) -> dict[str, Floats]:
    """By type, in order: an array of count, low and high for each of the cells of `named_cells`.

    Low and high of people are NaN where the grid has none.
    """
    people = cells.select(ESTIMATES.values()).to_numpy().astype(np.float64)
    people[:, np.isnan(people).any(axis=0)] = np.nan
    there = {PEOPLE: people}
    ordered = opportunities.sort("source_id", "place_id")
    cell, distance_m = _nearest(ordered, cells)
    is_near = distance_m <= NEAREST_CELL_M
    kinds = ordered.get_column("opportunity_type").to_numpy()
    count = ordered.get_column("opportunity_count").to_numpy()
    for kind in sorted(set(kinds)):
        own = (kinds == kind) & is_near
        sums = np.bincount(cell[own], weights=count[own], minlength=cells.height)
        there[str(kind)] = np.column_stack([sums] * len(BOUNDS))
    return dict(sorted(there.items()))


def _nearest(rows: pl.DataFrame, cells: pl.DataFrame) -> tuple[npt.NDArray[np.int64], Floats]:
    """Position of the cell nearest to each place, and how many metres away it is."""
    if rows.is_empty() or cells.is_empty():
        return np.zeros(rows.height, np.int64), np.full(rows.height, np.inf)
    chord, cell = cKDTree(on_unit_sphere(places(cells))).query(on_unit_sphere(places(rows)))
    return np.asarray(cell), arc_m(np.asarray(chord))


def _numbered(travel_times: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Pairs that some threshold reaches, cells by their position, in order."""
    longest = max(THRESHOLDS_MINUTES) * 60
    number = cells.select("cell_id", number=pl.int_range(pl.len(), dtype=pl.Int32))
    slack = STANDARD_ERRORS * pl.max_horizontal(pl.col(r"^p\d+_error_seconds$").fill_null(0.0))
    near = travel_times.filter(pl.col("p25_seconds") - slack <= longest)
    for end in ("origin", "destination"):
        names = number.rename({"cell_id": f"{end}_cell_id", "number": end})
        near = near.join(names, on=f"{end}_cell_id")
    return near.drop(r"^.*_cell_id$", "inputs_id").sort("origin", "destination")


def _within(
    pairs: pl.DataFrame, count: int, seconds: int, percentile: int, *, is_drawn: bool
) -> tuple[csr_array, csr_array, csr_array]:
    """Matrices of cells by cells: 1 where one gets there in time; surely so; perhaps so."""
    time = pl.col(f"p{percentile}_seconds")
    error = STANDARD_ERRORS * pl.col(f"p{percentile}_error_seconds")
    middle = _matrix(pairs, count, time <= seconds)
    if not is_drawn:
        return middle, middle, middle
    # Where some draw never gets there the error is unknown: not surely.
    surely, perhaps = time + error <= seconds, time - error.fill_null(0.0) <= seconds
    return middle, _matrix(pairs, count, surely), _matrix(pairs, count, perhaps)


def _matrix(pairs: pl.DataFrame, count: int, is_within: pl.Expr) -> csr_array:
    near = pairs.filter(is_within)
    at = (near.get_column("origin").to_numpy(), near.get_column("destination").to_numpy())
    return csr_array((np.ones(near.height), at), shape=(count, count))
