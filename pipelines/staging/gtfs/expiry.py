"""When a feed ends, and what to warn of: pure date rules for a night's feeds.

Codes and limits are those of the validation rules (`pipelines.staging.gtfs.rules.service`), which
read one version's feed_info and services. Here the end may come of several versions that follow
each other, and the last date of service stands where feed_info gives no end: to a rider it is the
same. `feed_lead_time_short` is an extension: by gtfs.org's practices a new timetable is published 7
days before it begins.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.staging.gtfs.rules.service import EARLY_EXPIRY_DAYS, EXPIRY_DAYS

LEAD_DAYS = 7

SOON = "feed_expiration_date7_days"
AHEAD = "feed_expiration_date30_days"
EXPIRED = "expired_calendar"
SHORT_LEAD = "feed_lead_time_short"
SEVERITY = "WARNING"

FINDINGS = {
    "source_id": pl.String,
    "version_id": pl.String,
    "notice_code": pl.String,
    "severity": pl.String,
    "last_date": pl.Date,
    "days_left_count": pl.Int64,
    "description": pl.String,
}


def expiry_findings(feeds: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Warnings of feeds that end soon, or have ended, seen from a date.

    `feeds` has one row per feed version (`staging.feed_versions` has the columns): source_id,
    version_id, feed_end_date, service_end_date. Columns as in `FINDINGS`: at most one of the two
    warnings of an end, and one of services that are all over. Sorted by feed and code.
    """
    end = pl.coalesce("feed_end_date", "service_end_date")
    feed_ends = feeds.with_columns(last_date=end).with_columns(_days_left(as_of))
    services_end = feeds.with_columns(last_date="service_end_date").with_columns(_days_left(as_of))
    left = pl.col("days_left_count")
    is_ahead = (left >= EXPIRY_DAYS) & (left < EARLY_EXPIRY_DAYS)
    found = [
        _finding(feed_ends.filter(left < EXPIRY_DAYS), SOON, _ENDS),
        _finding(feed_ends.filter(is_ahead), AHEAD, _ENDS),
        _finding(services_end.filter(left < 0), EXPIRED, _OVER),
    ]
    return pl.concat(found).sort("source_id", "version_id", "notice_code")


def _days_left(as_of: date) -> pl.Expr:
    days = (pl.col("last_date") - pl.lit(as_of)).dt.total_days()
    return days.cast(pl.Int64).alias("days_left_count")


_ENDS = pl.format("The timetable ends on {} ({} days left).", "last_date", "days_left_count")
_OVER = pl.format("The last service ran on {}.", "last_date")


def _finding(rows: pl.DataFrame, code: str, description: pl.Expr) -> pl.DataFrame:
    told = rows.with_columns(
        notice_code=pl.lit(code), severity=pl.lit(SEVERITY), description=description
    )
    return told.select(pl.col(name).cast(dtype) for name, dtype in FINDINGS.items())
