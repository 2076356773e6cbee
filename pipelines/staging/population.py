"""Population cells: residents by place, each with a low, a middle and a high estimate.

A cell is a point (its centroid) with people. Where the source gives one number, it is the middle
estimate and the others are null. The estimates are quantiles of a cell's residents over the
source's own models; their sums are no quantiles.

Left out: the cells' outlines, and rescaling to official totals.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

_PEOPLE = {"unit": "people"}


class PopulationCells(Versioned):
    """One row per cell of one version of a population grid."""

    cell_id = dy.String(primary_key=True, description="Cell as the source names it.")
    latitude = dy.Float64(
        min=-90, max=90, metadata={"unit": "degree"}, description="Of the centroid, WGS 84."
    )
    longitude = dy.Float64(
        min=-180, max=180, metadata={"unit": "degree"}, description="Of the centroid, WGS 84."
    )
    population_p10 = dy.Float64(
        nullable=True, min=0, metadata=_PEOPLE, description="Residents, low estimate (P10)."
    )
    population_p50 = dy.Float64(min=0, metadata=_PEOPLE, description="Residents, middle estimate.")
    population_p90 = dy.Float64(
        nullable=True, min=0, metadata=_PEOPLE, description="Residents, high estimate (P90)."
    )

    @dy.rule()
    def estimates_in_order(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """P10 <= P50 <= P90, where they are given."""
        low = pl.col("population_p10") <= pl.col("population_p50")
        high = pl.col("population_p50") <= pl.col("population_p90")
        return low.fill_null(value=True) & high.fill_null(value=True)


def stage_population_cells(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Cells under contract from the parser's frame ``population_cells``."""
    return sift(PopulationCells, raw["population_cells"], source)
