"""What the version that governs the night changed, row by row: the keys behind `feed_changes`.

Keys are ids where rows are matched by id; else, and for patterns, the hash of what the thing is,
which stays the same in every version (`pipelines.marts.feed_diff`). Rows that are kept are left
out, and so are all but the first 20,000 of a feed and table, in order of their keys:
`marts.feed_changes` has the full counts.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.marts.feed_diff.diff import COMPARED, feed_diffs
from pipelines.marts.feed_diff.sides import Side
from pipelines.marts.trip_patterns import TripPatterns, hashes
from pipelines.marts.trip_stats import TripStats
from pipelines.night import Night
from pipelines.staging.gtfs import Agency, Routes, ServiceDates, Stops

# A person reads some; whoever wants all of a national feed's trips has both versions in the lake.
MOST_ROWS_LISTED = 20_000


class FeedChangeRows(dy.Schema):
    """One row per night, feed, table and thing that the version added, removed or changed."""

    service_date = dy.Date(primary_key=True, description="Night on which the version took over.")
    source_id = dy.String(primary_key=True, description="Feed.")
    table_name = one_of(*COMPARED, primary_key=True, description="What is compared.")
    key = dy.String(primary_key=True, description="Id, or the hash of what it is.")
    label = dy.String(nullable=True, description="What it is in words.")
    change = one_of("added", "removed", "changed", description="What happened to it.")
    count_before = dy.Int64(
        min=0, description="Rows before; of a pattern its trips, of vehicle_km departures."
    )
    count_after = dy.Int64(min=0, description="The same, after.")
    changed_columns = dy.String(nullable=True, description="Columns that differ, where by id.")
    km_before = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km"}, description="Of vehicle_km: before."
    )
    km_after = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km"}, description="Of vehicle_km: after."
    )


def compute_feed_change_rows(
    night: Night,
    *,
    agency: dy.DataFrame[Agency],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    service_dates: dy.DataFrame[ServiceDates],
    trip_stats: dy.DataFrame[TripStats],
    trip_patterns: dy.DataFrame[TripPatterns],
    version_changes: pl.DataFrame,
) -> dy.DataFrame[FeedChangeRows]:
    """Changes, sorted by key. `version_changes` names the versions before and after."""
    tables = Side(agency, routes, stops, service_dates, trip_stats, trip_patterns)
    rows = feed_diffs(version_changes, tables, night.service_date)
    change = (
        pl.when(pl.col("changed_count") > 0)
        .then(pl.lit("changed"))
        .when(pl.col("added_count") > 0)
        .then(pl.lit("added"))
        .when(pl.col("removed_count") > 0)
        .then(pl.lit("removed"))
    )
    changed = rows.with_columns(change=change).filter(pl.col("change").is_not_null())
    is_text = (pl.col("matched_by") == "identity") | (pl.col("table_name") == "patterns")
    told = (
        changed.with_columns(hashed=hashes(changed.get_column("key")))
        .with_columns(
            key=pl.when(is_text).then("hashed").otherwise("key"),
            service_date=pl.lit(night.service_date, pl.Date),
        )
        .select(FeedChangeRows.column_names())
        .sort(FeedChangeRows.primary_key())
    )
    place = pl.int_range(pl.len()).over("source_id", "table_name")
    return FeedChangeRows.validate(told.filter(place < MOST_ROWS_LISTED))
