"""Commitments: sentences of a speech or a programme, with target, deadline and what measures them.

A commitment without a figure is kept: what can't be measured is part of the answer. The figure is
an address (mart, column, rows), so a commitment is measured by nothing but a published table; so is
the forecast of the day on which it is met.

An *announced target* is a number with a deadline that somebody told the public at some time, in our
words, with the address where it was told, and the value that was published nearest to the deadline.
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


class FigureAddress(Versioned):
    """Columns that say where a figure is."""

    figure_table = dy.String(
        nullable=True, regex=r"^marts\.[a-z_]+$", description="Mart that measures it."
    )
    figure_column = dy.String(nullable=True, description="Column of the mart that is its value.")
    figure_share_column = dy.String(
        nullable=True, description="Column that says the same as a share, where there is one."
    )
    figure_low_column = dy.String(
        nullable=True, description="Column of the least that the value may be, where there is one."
    )
    figure_high_column = dy.String(
        nullable=True, description="Column of the most that the value may be, where there is one."
    )
    figure_where_json = dy.String(
        nullable=True,
        description="Rows of the mart that count: a JSON object, column to value as text.",
    )
    figure_latest_column = dy.String(
        nullable=True, description="Date column of a mart with several rows: the latest counts."
    )
    figure_scope = dy.String(nullable=True, description="What the measure covers, in words.")


class Commitments(FigureAddress):
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
    forecast_table = dy.String(
        nullable=True,
        regex=r"^marts\.[a-z_]+$",
        description="Mart that forecasts the day on which it is met.",
    )
    forecast_column = dy.String(nullable=True, description="Its column with that day.")
    forecast_low_column = dy.String(
        nullable=True, description="Its column with the earliest day of the interval."
    )
    forecast_high_column = dy.String(
        nullable=True, description="Its column with the latest day of the interval."
    )
    forecast_where_json = dy.String(
        nullable=True,
        description="Rows of that mart that count: a JSON object, column to value as text.",
    )

    @dy.rule()
    def figure_is_an_address(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Mart and column are both named, or neither is and what a measure would take is."""
        table = pl.col("figure_table").is_not_null()
        column = pl.col("figure_column").is_not_null()
        return (table == column) & (table | pl.col("needed_input").is_not_null())

    @dy.rule()
    def forecast_is_an_address(cls) -> pl.Expr:  # noqa: N805  # as above
        """Of a forecast, mart and column are both named, or neither is."""
        return pl.col("forecast_table").is_null() == pl.col("forecast_column").is_null()

    @dy.rule()
    def target_can_be_compared(cls) -> pl.Expr:  # noqa: N805  # as above
        """A target has a comparison, a baseline has a day."""
        target = pl.col("target_value").is_null() == pl.col("target_comparison").is_null()
        return target & (pl.col("baseline_value").is_null() == pl.col("baseline_date").is_null())


class AnnouncedTargets(FigureAddress):
    """One row per target of a version of the list."""

    target_id = dy.String(primary_key=True, description="Short name of the target.")
    commitment_id = dy.String(description="Commitment that it is about.")
    announced_date = dy.Date(
        nullable=True, description="Day of the announcement; null where the source tells none."
    )
    announced_text = dy.String(
        nullable=True, description="When it was announced, where no day is told."
    )
    source_name = dy.String(description="Who announced it.")
    source_address = dy.String(description="Where it was told.")
    statement = dy.String(description="What was announced, in our words.")
    indicator = dy.String(nullable=True, description="What the number is about.")
    unit = dy.String(nullable=True, description="Unit of the target and of the published value.")
    target_value = dy.Float64(description="Number to reach.")
    target_comparison = one_of(
        *COMPARISONS, description="How a value compares to the target that it meets."
    )
    deadline_date = dy.Date(description="Last day to reach it; a year alone is its last day.")
    published_value = dy.Float64(
        nullable=True, description="Value published nearest to the deadline, as published."
    )
    published_date = dy.Date(nullable=True, description="Day that it is about.")
    published_scope = dy.String(nullable=True, description="What it covers, as published.")
    published_address = dy.String(nullable=True, description="Where it was published.")

    @dy.rule()
    def figure_is_dated(cls) -> pl.Expr:  # noqa: N805  # as above
        """A figure has its column and that of its days, or there is none."""
        no_table = pl.col("figure_table").is_null()
        parts = (pl.col("figure_column"), pl.col("figure_latest_column"))
        return pl.all_horizontal(part.is_null() == no_table for part in parts)

    @dy.rule()
    def announcement_is_dated(cls) -> pl.Expr:  # noqa: N805  # as above
        """An announcement has a day, or words that say when it was."""
        return pl.col("announced_date").is_not_null() | pl.col("announced_text").is_not_null()

    @dy.rule()
    def published_is_told_whole(cls) -> pl.Expr:  # noqa: N805  # as above
        """A published value has its day, its scope and its address, or there is none."""
        told = [pl.col(f"published_{part}").is_null() for part in ("date", "scope", "address")]
        no_value = pl.col("published_value").is_null()
        return pl.all_horizontal(part == no_value for part in told)


def stage_commitments(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Commitments under contract; of two with one id the first stays."""
    return sift(Commitments, raw["commitments"], source)


def stage_announced_targets(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Announced targets under contract; of two with one id the first stays."""
    return sift(AnnouncedTargets, raw["targets"], source)
