"""Which version of each feed governs which service days, as known on the night.

The rule is that of `pipelines.staging.gtfs.governing`: in force, delivered later, bridged (and then
assumed), or none. Asked for a day D as known on night K: the row of service_date K, the feed, and
from_date <= D <= to_date. A run has no day in common with another, and none is left out between
the first night on which the feed came and the last day that any version covers (60 days ahead at
least).
Left out: feeds of which no version ever came.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.night import Night
from pipelines.staging.gtfs import FeedVersions
from pipelines.staging.gtfs.governing import (
    BASES,
    MOST_BRIDGED_DAYS,
    FetchedVersions,
    governing_days,
    service_periods,
)

NO_VERSION = f"no version covers these days or lies within {MOST_BRIDGED_DAYS} days of them"


class GoverningVersions(dy.Schema):
    """One row per night, feed and run of service days that one version governs, or none."""

    service_date = dy.Date(primary_key=True, description="Night as of which this was known.")
    source_id = dy.String(primary_key=True, description="Feed.")
    from_date = dy.Date(primary_key=True, description="First service day of the run.")
    to_date = dy.Date(description="Last service day of the run, included.")
    day_count = dy.Int64(min=1, description="Service days of the run.")
    version_id = dy.String(nullable=True, description="Feed version that governs them.")
    is_assumed = dy.Bool(description="Whether it bridges days that no version covers.")
    basis = one_of(*BASES, description="Why it governs them.")
    reason = dy.String(nullable=True, description="Why no version does; null where one does.")

    @dy.rule()
    def ordered(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A run ends no earlier than it begins."""
        return pl.col("to_date") >= pl.col("from_date")

    @dy.rule()
    def none_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Where no version governs there is a reason, and only there."""
        return pl.col("version_id").is_null() == pl.col("reason").is_not_null()


def compute_governing_versions(
    night: Night,
    *,
    feed_versions: dy.DataFrame[FeedVersions],
    fetched_versions: dy.DataFrame[FetchedVersions],
) -> dy.DataFrame[GoverningVersions]:
    """The runs of days of every feed, as known on the night; sorted by key."""
    periods = service_periods(feed_versions)
    days = governing_days(fetched_versions, periods, night.service_date)
    rows = days.with_columns(
        service_date=pl.lit(night.service_date, pl.Date),
        day_count=(pl.col("to_date") - pl.col("from_date")).dt.total_days() + 1,
        reason=pl.when(pl.col("version_id").is_null()).then(pl.lit(NO_VERSION)),
    )
    ordered = rows.select(GoverningVersions.column_names()).sort(GoverningVersions.primary_key())
    return GoverningVersions.validate(ordered)
