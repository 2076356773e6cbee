"""Opportunities by place: what people travel to, jobs, schools, clinics, and how many there are.

A place is a point (a cell's centroid, say) with a count for each type. People themselves are no
opportunities here: where they live is in the population grid.

Left out: opening hours, admission, and how good or how full they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

# The type that stands for residents wherever opportunities are counted.
PEOPLE = "people"


class Opportunities(Versioned):
    """One row per place and type of opportunity."""

    place_id = dy.String(primary_key=True, description="Place as the source names it.")
    opportunity_type = dy.String(
        primary_key=True, min_length=1, description="What there is, e.g. jobs, schools, clinics."
    )
    latitude = dy.Float64(
        min=-90, max=90, metadata={"unit": "degree"}, description="WGS 84 latitude."
    )
    longitude = dy.Float64(
        min=-180, max=180, metadata={"unit": "degree"}, description="WGS 84 longitude."
    )
    opportunity_count = dy.Float64(
        min=0, metadata={"unit": "opportunities"}, description="How many there are."
    )

    @dy.rule()
    def no_people(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Residents come from the population grid."""
        return pl.col("opportunity_type") != PEOPLE


def stage_opportunities(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Opportunities under contract from the parser's frame ``opportunities``."""
    return sift(Opportunities, raw["opportunities"], source)
