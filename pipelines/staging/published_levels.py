"""Published traffic levels: what was said about a place's vehicles a day, of which time, by whom.

A statement is kept as it was published, with its "about" or "over". It may name the count station
that stands at the place, or the role of several (the ring's). A month stands for its first day or
its last. Statements with one `pair_id` are one place at different times: a before and an after.

Left out: what was meant where nobody said it. A statement without a period has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift
from pipelines.staging.traffic import STATION_ROLES

QUALIFIERS = ("about", "over", "exactly", "under")
_MONTH = r"^\d{4}-\d{2}$"
_PERIOD = {"period_from_date": "period_from", "period_to_date": "period_to"}


class PublishedLevels(Versioned):
    """One row per published statement about traffic at a place."""

    level_id = dy.String(primary_key=True, description="Short name of the statement.")
    place_name = dy.String(description="Place, as published.")
    road_name = dy.String(nullable=True, description="Road that it lies on.")
    station_id = dy.String(nullable=True, description="Count station that stands there.")
    station_role = one_of(
        *STATION_ROLES, nullable=True, description="Role of the count stations that stand there."
    )
    period_from_date = dy.Date(
        nullable=True, description="First day that it is about; null where none was told."
    )
    period_to_date = dy.Date(nullable=True, description="Last day that it is about.")
    vehicles_per_day = dy.Int64(
        nullable=True,
        min=1,
        metadata={"unit": "vehicles/day"},
        description="Vehicles a day, as published; null where it is about a share.",
    )
    not_entering_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="Share of the road's traffic that does not enter the city, as published.",
    )
    qualifier = one_of(
        *QUALIFIERS, nullable=True, description="Word that stood beside it; null where none did."
    )
    what = dy.String(description="What was counted or designed, in words.")
    pair_id = dy.String(nullable=True, description="Statements to be compared with each other.")
    published_date = dy.Date(nullable=True, description="Day on which it was told, where known.")
    source_address = dy.String(description="Where it was published.")

    @dy.rule()
    def says_one_number(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A statement has a level or a share."""
        return pl.col("vehicles_per_day").is_null() != pl.col("not_entering_share").is_null()

    @dy.rule()
    def period_in_order(cls) -> pl.Expr:  # noqa: N805  # as above
        """A period has two ends, the last not before the first."""
        first, last = pl.col("period_from_date"), pl.col("period_to_date")
        return (first.is_null() & last.is_null()) | (first <= last).fill_null(value=False)

    @dy.rule()
    def pair_has_periods(cls) -> pl.Expr:  # noqa: N805  # as above
        """Statements to be compared tell their periods."""
        return pl.col("pair_id").is_null() | pl.col("period_from_date").is_not_null()

    @dy.rule()
    def one_place(cls) -> pl.Expr:  # noqa: N805  # as above
        """A statement names a station, or a role, or none."""
        return pl.col("station_id").is_null() | pl.col("station_role").is_null()


def stage_published_levels(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Statements under contract; of two rows with one level_id the first stays."""
    levels = raw["published_levels"]
    told = levels.with_columns(
        pl.lit(None, pl.String).alias(name)
        for name in _PERIOD.values()
        if name not in levels.columns
    )
    first, last = pl.col("period_from").cast(pl.String), pl.col("period_to").cast(pl.String)
    end = pl.when(last.is_null()).then(first).otherwise(last)
    parsed = {
        "period_from_date": pl.coalesce(_month(first), _day(first)),
        "period_to_date": pl.coalesce(_month(end).dt.month_end(), _day(end)),
    }
    return sift(PublishedLevels, told, source, parsed, read_from=_PERIOD)


def _month(text: pl.Expr) -> pl.Expr:
    is_month = text.str.contains(_MONTH)
    return pl.when(is_month).then(text + "-01").str.to_date("%Y-%m-%d", strict=False)


def _day(text: pl.Expr) -> pl.Expr:
    is_month = text.str.contains(_MONTH)
    return pl.when(~is_month).then(text).str.to_date("%Y-%m-%d", strict=False)
