"""Main streets: how many of those announced are open to traffic on a service date.

A street is *open* from its day of opening on, or where that isn't known, from the day on which it
was told to be open. It is *not open* while the stage last told is an earlier one and the opening
planned lies ahead or was never planned. On all others the register is silent: no stage was told,
or the planned day has passed without news. These may be open or not, so the count is a range:
`_low` counts none of them and `_high` all; the value is null, and the reason says how many.

Left out: part of a street that is open, and lengths.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.night import Night
from pipelines.staging.street_works import OPEN, STREET_CLASSES, StreetWorks

ALL = "all"
METHOD = "stage last told"
NO_REGISTER = "no register of street works was delivered"
_STREETS = {"unit": "streets"}


class MainStreets(Figure):
    """One row per service date and class of street, and one for all classes."""

    street_class = one_of(
        *STREET_CLASSES, ALL, primary_key=True, description="Class of street, or all together."
    )
    street_count = dy.Int64(
        nullable=True, min=0, metadata=_STREETS, description="Streets of the register."
    )
    known_count = dy.Int64(
        nullable=True, min=0, metadata=_STREETS, description="Those known to be open or not."
    )
    opened_count = dy.Int64(
        nullable=True, min=0, metadata=_STREETS, description="Streets open; null for a range."
    )
    opened_count_low = dy.Int64(
        nullable=True, min=0, metadata=_STREETS, description="Streets known to be open."
    )
    opened_count_high = dy.Int64(
        nullable=True, min=0, metadata=_STREETS, description="Streets not known to be closed."
    )
    next_opening_date = dy.Date(
        nullable=True, description="First opening planned after the service date."
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The count is null exactly where a reason says why."""
        return pl.col("opened_count").is_null() == pl.col("reason").is_not_null()


def compute_main_streets(
    night: Night, *, street_works: dy.DataFrame[StreetWorks]
) -> dy.DataFrame[MainStreets]:
    """Streets open on the night's date, sorted by key."""
    judged = _judged(street_works, night)
    each = judged.group_by("street_class").agg(*_counts())
    total = judged.select(pl.lit(ALL).alias("street_class"), *_counts())
    rows = pl.concat([each, total])
    if street_works.is_empty():
        rows = rows.with_columns(pl.lit(None, pl.Int64).alias(name) for name in _COUNTS)
    stamped = stamp(rows.with_columns(_opened(), _reason()), night, method=METHOD)
    ordered = stamped.select(MainStreets.column_names()).sort(MainStreets.primary_key())
    return MainStreets.validate(ordered)


_COUNTS = ("street_count", "known_count", "opened_count_low", "opened_count_high")


def _judged(works: pl.DataFrame, night: Night) -> pl.DataFrame:
    """The streets with `is_open`: null where the register doesn't say."""
    today = night.service_date
    since = pl.coalesce("opened_date", pl.when(pl.col("stage") == OPEN).then("stage_date"))
    is_ahead = pl.col("planned_opening_date").is_null() | (pl.col("planned_opening_date") > today)
    is_closed = (pl.col("stage") != OPEN) & is_ahead
    # One that opened later was closed on this date.
    return works.with_columns(
        is_open=pl.when(since.is_not_null()).then(since <= today).when(is_closed).then(False)
    ).with_columns(
        planned=pl.when(since.is_null() & (pl.col("planned_opening_date") > today)).then(
            "planned_opening_date"
        )
    )


def _counts() -> list[pl.Expr]:
    return [
        pl.len().cast(pl.Int64).alias("street_count"),
        pl.col("is_open").count().cast(pl.Int64).alias("known_count"),
        pl.col("is_open").sum().cast(pl.Int64).alias("opened_count_low"),
        pl.col("is_open").fill_null(True).sum().cast(pl.Int64).alias("opened_count_high"),
        pl.col("planned").min().alias("next_opening_date"),
    ]


def _opened() -> pl.Expr:
    is_known = pl.col("opened_count_low") == pl.col("opened_count_high")
    return pl.when(is_known).then("opened_count_low").alias("opened_count")


def _reason() -> pl.Expr:
    unknown = pl.col("street_count") - pl.col("known_count")
    silent = pl.format("a range: of {} of {} streets it is not known", unknown, "street_count")
    return (
        pl.when(pl.col("street_count").is_null())
        .then(pl.lit(NO_REGISTER))
        .when(unknown > 0)
        .then(silent)
        .alias("reason")
    )
