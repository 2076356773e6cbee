"""Commitments: sentences of a speech or a programme, with target, deadline and what measures them.

A commitment without a figure is kept: what can't be measured is part of the answer. The figure is
an address (mart, column, rows), so a commitment is measured by nothing but a published table.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

DIRECTIONS = ("rising", "falling")
COMPARISONS = ("at most", "at least", "below", "above")


class Commitments(Versioned):
    """One row per commitment of a version of the list."""

    commitment_id = dy.String(primary_key=True, description="Short name of the commitment.")
    rank = dy.Int32(min=1, description="Place in the list.")
    source_name = dy.String(description="Speech or programme that it is from.")
    sentence = dy.String(description="What was said, word for word.")
    indicator = dy.String(description="What would show that it is kept.")
    unit = dy.String(nullable=True, description="Unit of the indicator and of its target.")
    direction = one_of(*DIRECTIONS, nullable=True, description="Which way is better.")
    target_value = dy.Float64(
        nullable=True, description="Target in `unit`; null where none is set."
    )
    target_comparison = one_of(
        *COMPARISONS, nullable=True, description="How a value compares to a target that it meets."
    )
    target_text = dy.String(nullable=True, description="The target in words, where they say more.")
    deadline_date = dy.Date(nullable=True, description="Last day to meet it; null where none.")
    baseline_value = dy.Float64(
        nullable=True, description="Value from which the way to the target is measured, in `unit`."
    )
    baseline_date = dy.Date(nullable=True, description="Day of the baseline's value.")
    needed_input = dy.String(
        nullable=True, description="What a measure would take, where there is none yet."
    )
    figure_table = dy.String(
        nullable=True, regex=r"^marts\.[a-z_]+$", description="Mart that measures it."
    )
    figure_column = dy.String(nullable=True, description="Column of the mart that is its value.")
    figure_share_column = dy.String(
        nullable=True, description="Column that says the same as a share, where there is one."
    )
    figure_where_json = dy.String(
        nullable=True,
        description="Rows of the mart that count: a JSON object, column to value as text.",
    )
    figure_latest_column = dy.String(
        nullable=True, description="Date column of a mart with several rows: the latest counts."
    )
    figure_scope = dy.String(nullable=True, description="What the measure covers, in words.")

    @dy.rule()
    def figure_is_an_address(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Mart and column are both named, or neither is and what a measure would take is."""
        table = pl.col("figure_table").is_not_null()
        column = pl.col("figure_column").is_not_null()
        return (table == column) & (table | pl.col("needed_input").is_not_null())

    @dy.rule()
    def target_can_be_compared(cls) -> pl.Expr:  # noqa: N805  # as above
        """A target has a comparison, a baseline has a day."""
        target = pl.col("target_value").is_null() == pl.col("target_comparison").is_null()
        return target & (pl.col("baseline_value").is_null() == pl.col("baseline_date").is_null())


def stage_commitments(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Commitments under contract; of two with one id the first stays."""
    return sift(Commitments, raw["commitments"], source)
