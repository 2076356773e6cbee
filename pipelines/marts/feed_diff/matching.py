"""Rows of two versions matched by id, or by identity where ids are unstable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from pipelines.marts.trip_patterns import SEPARATOR

MatchedBy = Literal["id", "identity"]
# Fewer than half: renamed or numbered anew rather than added and removed (our assumption).
STABLE_SHARE = 0.5

ROWS = {
    "key": pl.String,
    "label": pl.String,
    "count_before": pl.Int64,
    "count_after": pl.Int64,
    "added_count": pl.Int64,
    "removed_count": pl.Int64,
    "changed_count": pl.Int64,
    "kept_count": pl.Int64,
    "changed_columns": pl.String,
}


def text_of(*columns: str) -> pl.Expr:
    """Columns as one text that no other values give; null and nothing are the same."""
    return pl.concat_str(pl.col(*columns).cast(pl.String).fill_null(""), separator=SEPARATOR)


def matched_by(before: pl.DataFrame, after: pl.DataFrame) -> MatchedBy:
    """Whether the rows' ids are stable. Both frames have `id` and `identity`, ids once each."""
    smaller = min(before.height, after.height)
    both = before.select("id", "identity").join(after.select("id", other="identity"), on="id")
    if both.height < STABLE_SHARE * smaller:
        return "identity"
    same = both.filter(pl.col("identity") == pl.col("other")).height
    counts = _counted(before, after)
    shared = counts.select(pl.min_horizontal("count_before", "count_after").sum()).item()
    return "identity" if same < STABLE_SHARE * shared else "id"


def by_id(before: pl.DataFrame, after: pl.DataFrame, content: Sequence[str]) -> pl.DataFrame:
    """Columns as in `ROWS`, one row per id of either side.

    Both frames have `id`, `label` and the columns of `content`, any of which may change.
    """
    is_before, is_after = pl.col("is_before").is_not_null(), pl.col("is_after").is_not_null()
    names = [
        pl.when(is_before & is_after & pl.col(name).ne_missing(pl.col(f"{name}_after"))).then(
            pl.lit(name)
        )
        for name in content
    ]
    marked = (
        before.with_columns(is_before=pl.lit(value=True))
        .join(
            after.with_columns(is_after=pl.lit(value=True)),
            on="id",
            how="full",
            suffix="_after",
            coalesce=True,
        )
        .with_columns(changed_columns=pl.concat_str(*names, separator=", ", ignore_nulls=True))
    )
    is_changed = pl.col("changed_columns") != ""
    return _rows(
        marked,
        key="id",
        count_before=is_before,
        count_after=is_after,
        added_count=~is_before,
        removed_count=~is_after,
        changed_count=is_before & is_after & is_changed,
        kept_count=is_before & is_after & ~is_changed,
        changed_columns=pl.when(is_changed).then("changed_columns"),
    )


def by_identity(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Columns as in `ROWS`, one row per identity of either side.

    Both frames have `identity`, `label` and `turn`: rows of an identity with different turns are
    one thing that takes turns, those with the same are several.
    """
    first, second = pl.col("count_before"), pl.col("count_after")
    return _rows(
        _counted(before, after),
        key="identity",
        count_before=first,
        count_after=second,
        added_count=pl.max_horizontal(second - first, 0),
        removed_count=pl.max_horizontal(first - second, 0),
        changed_count=pl.lit(0),
        kept_count=pl.min_horizontal(first, second),
        changed_columns=pl.lit(None),
    )


def by_amount(before: pl.DataFrame, after: pl.DataFrame, is_same: pl.Expr) -> pl.DataFrame:
    """Columns as in `ROWS` and all others, one row per `key`: there, or there in another amount.

    Both frames have `key`, `label` and `count`, with keys once each; `is_same` is told of the
    joined rows whether nothing changed (columns of `after` end in ``_after``).
    """
    joined = before.join(after, on="key", how="full", suffix="_after", coalesce=True)
    first, second = pl.col("count").is_not_null(), pl.col("count_after").is_not_null()
    counts = {
        "added_count": ~first,
        "removed_count": ~second,
        "changed_count": first & second & ~is_same,
        "kept_count": first & second & is_same,
    }
    return joined.with_columns(
        label=pl.coalesce("label_after", "label"),
        count_before=pl.col("count").fill_null(0),
        count_after=pl.col("count_after").fill_null(0),
        changed_columns=pl.lit(None, pl.String),
        **{name: flag.cast(pl.Int64) for name, flag in counts.items()},
    )


def _counted(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """One row per identity of either side: how often each has it (the most in any turn)."""

    def count(rows: pl.DataFrame) -> pl.DataFrame:
        turns = rows.group_by("identity", "turn").agg(count=pl.len(), label=pl.min("label"))
        return turns.group_by("identity").agg(pl.max("count"), pl.min("label"))

    joined = count(before).join(
        count(after), on="identity", how="full", suffix="_after", coalesce=True
    )
    return joined.with_columns(
        count_before=pl.col("count").fill_null(0).cast(pl.Int64),
        count_after=pl.col("count_after").fill_null(0).cast(pl.Int64),
    )


def _rows(joined: pl.DataFrame, *, key: str, **columns: pl.Expr) -> pl.DataFrame:
    told = joined.select(key=key, label=pl.coalesce("label_after", "label"), **columns)
    return told.select(pl.col(name).cast(dtype) for name, dtype in ROWS.items())
