"""Street works: streets that are to be built or opened, with their stage and dates.

A street that was promised without a name is a row all the same, or it would be forgotten. A stage
that nobody told is null: neither "not begun" nor "open". Dates that are known by month or year
alone are entered as its last day.

Left out: costs, contractors, and the line on the map.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

STREET_CLASSES = ("radial", "internal")
STAGES = ("planned", "design", "construction", "open")
OPEN = "open"


class StreetWorks(Versioned):
    """One row per street of a version of a register of works."""

    work_id = dy.String(primary_key=True, description="Short name of the work.")
    street_name = dy.String(nullable=True, description="Street; null where it was never named.")
    street_class = one_of(
        *STREET_CLASSES, description="Radial (out of the city) or internal, as announced."
    )
    section_name = dy.String(nullable=True, description="From where to where.")
    length_km = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km"}, description="Length of the section."
    )
    stage = one_of(
        *STAGES, nullable=True, description="Stage that was last told; null where none was."
    )
    stage_date = dy.Date(nullable=True, description="Day on which that stage was told.")
    planned_opening_date = dy.Date(
        nullable=True, description="Day by which it is to open, as last told; null where none."
    )
    opened_date = dy.Date(nullable=True, description="First day open to traffic, where known.")
    source_address = dy.String(nullable=True, description="Where stage and dates were told.")

    @dy.rule()
    def stage_has_a_day(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A stage is told on a day."""
        return pl.col("stage").is_null() == pl.col("stage_date").is_null()

    @dy.rule()
    def opened_is_open(cls) -> pl.Expr:  # noqa: N805  # as above
        """A street with a day of opening is open."""
        return pl.col("opened_date").is_null() | (pl.col("stage") == OPEN).fill_null(False)


def stage_street_works(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Street works under contract; of two rows with one work_id the first stays."""
    return sift(StreetWorks, raw["street_works"], source)
