"""Which counts of trips must not be told: small ones, and those that would give one away.

A count of 1 to 4 trips could point at a haulier. Where the total of some pairs is told, one hidden
pair is the total less the others; so the next smallest pairs are hidden with it, until at least
two are hidden and what all hidden ones sum to is itself not small (complementary suppression:
Hundepool and others, Statistical Disclosure Control, 2012, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

SMALLEST_COUNT = 5
FEWEST_HIDDEN = 2


def is_small(count: pl.Expr) -> pl.Expr:
    """Whether a count is one of 1 to 4; never null."""
    return count.is_between(1, SMALLEST_COUNT - 1).fill_null(value=False)


def with_hidden(
    rows: pl.DataFrame, group: Sequence[str], order: Sequence[str], parts: Sequence[str]
) -> pl.DataFrame:
    """The rows with `is_hidden`, in any order.

    A row's counts are `parts`, of which their sum is told too; a `group`'s total is told elsewhere.
    Of equal rows those first by `order` are hidden first.
    """
    whole = pl.sum_horizontal(parts)
    small = pl.any_horizontal(is_small(pl.col(name)) for name in parts) | is_small(whole)
    told = rows.with_columns(is_hidden=small, whole_count=whole).sort(
        *group, pl.col("is_hidden").not_(), "whole_count", *order
    )
    place = pl.int_range(1, pl.len() + 1).over(group)
    sums = [pl.col(name).cum_sum().over(group) for name in parts]
    enough = place >= pl.max_horizontal(pl.col("is_hidden").sum().over(group), FEWEST_HIDDEN)
    is_safe = pl.all_horizontal(enough, *(~is_small(total) for total in sums))
    return (
        told.with_columns(place=place, is_safe=is_safe)
        .with_columns(
            last=pl.when("is_safe").then("place").min().over(group).fill_null(pl.len().over(group))
        )
        .with_columns(
            is_hidden=pl.col("is_hidden").any().over(group) & (pl.col("place") <= pl.col("last"))
        )
        .drop("place", "is_safe", "last", "whole_count")
    )
