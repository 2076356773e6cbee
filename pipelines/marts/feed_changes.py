"""What the version that governs the night changed, table by table, against the one before it.

Rows appear on the night on which another version of a feed governs than on the latest night before
(`pipelines.marts.feed_diff` says how two versions are matched): routes, stops, trips, patterns, and
the vehicle-kilometres of a comparable weekday by route. before_count = removed + changed + kept,
after_count = added + changed + kept.
Kilometres are totals over the routes whose distance is known in both versions; gained and lost are
the sums of the routes' differences, so km_after - km_before = km_gained - km_lost.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.marts.feed_diff.diff import COMPARED, feed_diffs
from pipelines.marts.feed_diff.sides import Side
from pipelines.marts.trip_patterns import TripPatterns
from pipelines.marts.trip_stats import KM_DECIMALS, TripStats
from pipelines.night import Night
from pipelines.staging.gtfs import Agency, Routes, ServiceDates, Stops

KM = {"unit": "km"}
GROUP = (
    *("source_id", "table_name", "before_version_id", "after_version_id", "matched_by"),
    *("compared_before_date", "compared_after_date"),
)
COUNTS = ("added_count", "removed_count", "changed_count", "kept_count")


class FeedChanges(dy.Schema):
    """One row per night, feed that another version governs than before, and table compared."""

    service_date = dy.Date(primary_key=True, description="Night on which the version took over.")
    source_id = dy.String(primary_key=True, description="Feed.")
    table_name = one_of(*COMPARED, primary_key=True, description="What is compared.")
    before_version_id = dy.String(description="Version that governed the latest night before.")
    after_version_id = dy.String(description="Version that governs the night.")
    matched_by = one_of(
        "id", "identity", description="Whether rows are matched by id, or by what they are."
    )
    before_count = dy.Int64(min=0, description="Rows of the version before.")
    after_count = dy.Int64(min=0, description="Rows of the version after.")
    added_count = dy.Int64(min=0, description="Rows that only the version after has.")
    removed_count = dy.Int64(min=0, description="Rows that only the version before had.")
    changed_count = dy.Int64(min=0, description="Rows that both have, not alike.")
    kept_count = dy.Int64(min=0, description="Rows that both have.")
    km_before = dy.Float64(
        nullable=True, min=0, metadata=KM, description="Vehicle-km on the compared date, before."
    )
    km_after = dy.Float64(
        nullable=True, min=0, metadata=KM, description="Vehicle-km on the compared date, after."
    )
    km_gained = dy.Float64(
        nullable=True, min=0, metadata=KM, description="Sum over routes that run more."
    )
    km_lost = dy.Float64(
        nullable=True, min=0, metadata=KM, description="Sum over routes that run less."
    )
    compared_before_date = dy.Date(nullable=True, description="Weekday compared, before.")
    compared_after_date = dy.Date(nullable=True, description="Weekday compared, after.")
    reason = dy.String(nullable=True, description="Which kilometres are not told, and why.")

    @dy.rule()
    def adds_up(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """What is removed, changed and kept was there; what is added, changed and kept is."""
        both = pl.col("changed_count") + pl.col("kept_count")
        return (pl.col("before_count") == pl.col("removed_count") + both) & (
            pl.col("after_count") == pl.col("added_count") + both
        )


def compute_feed_changes(
    night: Night,
    *,
    agency: dy.DataFrame[Agency],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    service_dates: dy.DataFrame[ServiceDates],
    trip_stats: dy.DataFrame[TripStats],
    trip_patterns: dy.DataFrame[TripPatterns],
    version_changes: pl.DataFrame,
) -> dy.DataFrame[FeedChanges]:
    """Counts of changes, sorted by key. `version_changes` names the versions before and after."""
    tables = Side(agency, routes, stops, service_dates, trip_stats, trip_patterns)
    rows = feed_diffs(version_changes, tables, night.service_date)
    totals = rows.group_by(GROUP).agg(pl.sum(*COUNTS), *_km())
    both = pl.col("changed_count") + pl.col("kept_count")
    is_km = pl.col("table_name") == "vehicle_km"
    told = totals.with_columns(
        *(pl.when(is_km).then(name).alias(name) for name in ("km_before", "km_after")),
        *(pl.when(is_km).then(name).alias(name) for name in ("km_gained", "km_lost")),
        service_date=pl.lit(night.service_date, pl.Date),
        before_count=pl.col("removed_count") + both,
        after_count=pl.col("added_count") + both,
        reason=pl.when(is_km).then("reason"),
    )
    return FeedChanges.validate(
        told.select(FeedChanges.column_names()).sort(FeedChanges.primary_key())
    )


def _km() -> list[pl.Expr]:
    """Totals over the routes known in both versions, and how many are not."""
    before, after = pl.col("km_before"), pl.col("km_after")
    is_known = before.is_not_null() & after.is_not_null()
    some = is_known.any()

    def total(value: pl.Expr) -> pl.Expr:
        return pl.when(some).then(value.filter(is_known).sum().round(KM_DECIMALS))

    unknown = (~is_known).sum()
    return [
        total(before).alias("km_before"),
        total(after).alias("km_after"),
        total((after - before).clip(lower_bound=0)).alias("km_gained"),
        total((before - after).clip(lower_bound=0)).alias("km_lost"),
        pl.when(unknown > 0)
        .then(pl.format("no distance for {} of {} routes", unknown, pl.len()))
        .alias("reason"),
    ]
