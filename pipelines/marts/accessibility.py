"""Accessibility: what residents reach within 30, 45 and 60 minutes, on average.

    reached_count = sum over cells i of P_i x A_i / sum of P_i        (of the city, of a district)
    reached_share = reached_count / opportunities_count

with P_i the residents of cell i (middle estimate) and A_i what one reaches from there
(`marts.opportunities_reached`, all over the city's grid and not in the district alone). `_low` and
`_high` are the same means of its bounds. `opportunities_count` is all there is in the grid.

By mode set, as `marts.reach_inputs` names them: all, metro alone, bus alone, and two bounds of what
people reach without steps. Where a mode set has no trips in the window, values are null and
`reason` has why; where it has no trips in one feed only, the others' count.

Left out: residents outside the grid, and who among the residents travels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dataframely as dy
import numpy as np
import polars as pl

from pipelines.contracts.figure import one_of, stamp
from pipelines.marts.opportunities_reached import (
    BOUNDS,
    COMBINATIONS,
    COUNT_DECIMALS,
    OPPORTUNITIES,
    Floats,
    OpportunitiesReached,
    counts_by_cell,
)
from pipelines.marts.reach.assumptions import PERCENTILES, THRESHOLDS_MINUTES
from pipelines.marts.reach.mode_sets import MODE_SET_NAMES
from pipelines.marts.reach.people import (
    MIDDLE,
    NOBODY,
    PEOPLE,
    PEOPLE_DECIMALS,
    SHARE_DECIMALS,
    Scope,
    Scoped,
    located,
    scopes,
    total,
)
from pipelines.marts.reach_inputs import ReachInputs
from pipelines.marts.travel_times import named_cells
from pipelines.night import Night
from pipelines.staging.districts import Districts
from pipelines.staging.opportunities import Opportunities
from pipelines.staging.population import PopulationCells


class Accessibility(Scoped):
    """One row per service date, scope, mode set, type of opportunity, threshold and percentile."""

    mode_set = one_of(*MODE_SET_NAMES, primary_key=True, description="By which modes one travels.")
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
    inputs_id = dy.String(
        nullable=True, description="Inputs of the travel times, as in marts.reach_inputs."
    )
    residents_count = dy.Float64(
        nullable=True, min=0, metadata=PEOPLE, description="Residents of the scope."
    )
    opportunities_count = dy.Float64(
        nullable=True, min=0, metadata=OPPORTUNITIES, description="All there is in the city's grid."
    )
    reached_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=OPPORTUNITIES,
        description="What a resident reaches on average.",
    )
    reached_low = dy.Float64(
        nullable=True, min=0, metadata=OPPORTUNITIES, description="The same, lower bound."
    )
    reached_high = dy.Float64(
        nullable=True, min=0, metadata=OPPORTUNITIES, description="The same, upper bound."
    )
    reached_share = dy.Float64(
        nullable=True, min=0, max=1, description="reached_count / opportunities_count."
    )

    @dy.rule()
    def bounds_in_order(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Low <= count <= high."""
        low, count, high = (pl.col(f"reached_{bound}") for bound in ("low", "count", "high"))
        return (low <= count).fill_null(value=True) & (count <= high).fill_null(value=True)

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """What is reached is there, or the reason why not."""
        return pl.col("reached_count").is_not_null() | pl.col("reason").is_not_null()


def compute_accessibility(
    night: Night,
    *,
    reach_inputs: dy.DataFrame[ReachInputs],
    opportunities_reached: dy.DataFrame[OpportunitiesReached],
    population_cells: dy.DataFrame[PopulationCells],
    districts: dy.DataFrame[Districts],
    opportunities: dy.DataFrame[Opportunities],
) -> dy.DataFrame[Accessibility]:
    """Accessibility of the city and its districts on the night's date, sorted by key."""
    cells = located(named_cells(population_cells), districts)
    there = {
        kind: counts[:, 0].sum() for kind, counts in counts_by_cell(cells, opportunities).items()
    }
    about = scopes(night, districts, cells)
    means = _means(opportunities_reached, cells, about, list(there))
    rows = [
        row
        for scope in about
        for inputs in reach_inputs.sort("mode_set").iter_rows(named=True)
        for row in _rows(scope, inputs, there, total(scope.own(cells), MIDDLE), means)
    ]
    own = {n: column.dtype for n, column in Accessibility.columns().items() if n in rows[0]}
    method = str(reach_inputs.get_column("method").first())
    stamped = stamp(pl.DataFrame(rows, schema=own), night, method=method, windowed=True)
    ordered = stamped.select(Accessibility.column_names()).sort(Accessibility.primary_key())
    return Accessibility.validate(ordered)


Means = Mapping[tuple[str, str], Floats]


def _means(
    reached: pl.DataFrame, cells: pl.DataFrame, about: Sequence[Scope], kinds: Sequence[str]
) -> Means:
    """By scope and inputs: means of types by combinations of threshold and percentile by bounds.

    Sums go over cells in their order (no BLAS), so that they are the same on any machine.
    """
    means: dict[tuple[str, str], Floats] = {}
    shape = (cells.height, len(kinds), len(COMBINATIONS), len(BOUNDS))
    weights = {
        scope.scope_id: np.where(
            np.isin(cells["cell_id"].to_numpy(), scope.own(cells)["cell_id"].to_numpy()),
            cells.get_column(MIDDLE).to_numpy(),
            0.0,
        )
        for scope in about
    }
    for (inputs_id,), rows in reached.group_by("inputs_id"):
        ordered = rows.sort(OpportunitiesReached.primary_key())
        values = ordered.select(f"reached_{bound}" for bound in BOUNDS).to_numpy().reshape(shape)
        for scope_id, weight in weights.items():
            if weight.any():
                sums = np.einsum("c,c...->...", weight, values)
                means[scope_id, str(inputs_id)] = sums / weight.sum()
    return means


def _rows(
    scope: Scope,
    inputs: Mapping[str, object],
    there: Mapping[str, float],
    people: float,
    means: Means,
) -> list[dict[str, object]]:
    """A scope's rows of one mode set; null where nothing is computed or nobody lives."""
    found = means.get((scope.scope_id, str(inputs["inputs_id"])))
    has_grid = bool(inputs["cell_count"])
    rows = []
    for at, (kind, count) in enumerate(there.items()):
        for number, (minutes, percentile) in enumerate(COMBINATIONS):
            values = [None] * len(BOUNDS) if found is None else _rounded(found[at, number])
            middle = values[0]
            rows.append(
                {
                    "reason": None if found is not None else inputs["reason"] or NOBODY,
                    "scope_type": scope.scope_type,
                    "scope_id": scope.scope_id,
                    "scope_name": scope.scope_name,
                    "mode_set": inputs["mode_set"],
                    "opportunity_type": kind,
                    "threshold_minutes": minutes,
                    "percentile": percentile,
                    "inputs_id": inputs["inputs_id"],
                    "residents_count": round(people, PEOPLE_DECIMALS) if has_grid else None,
                    "opportunities_count": round(count, COUNT_DECIMALS) if has_grid else None,
                    **{f"reached_{bound}": v for bound, v in zip(BOUNDS, values, strict=True)},
                    "reached_share": (
                        min(1.0, round(middle / count, SHARE_DECIMALS))
                        if count and middle is not None
                        else None
                    ),
                }
            )
    return rows


def _rounded(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), COUNT_DECIMALS) for value in values]
