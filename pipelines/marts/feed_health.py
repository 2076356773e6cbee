"""How well each feed stands on the night: which version governs, until when, and what to warn of.

*Covered until*: the last day that is in force without a gap from the night on, or the last day
that was in force where the night itself is not; never later than the last date of service.
*Lead*: days from the night on which the newest version first came to the day on which it begins;
null for the first version of all, negative where it had begun before it came.
Warnings are codes of `pipelines.staging.gtfs.expiry`; a short lead is told for a week.
Two things that are not the same: whether the feed comes (`is_stale`, `last_fetched_date`), and
whether what came covers the night (`is_assumed`, `days_left_count`).
Left out: feeds of which no version ever came.
"""

from __future__ import annotations

from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.marts.governing_versions import GoverningVersions
from pipelines.night import Night
from pipelines.staging.gtfs import FeedVersions
from pipelines.staging.gtfs.expiry import LEAD_DAYS, SHORT_LEAD, expiry_findings
from pipelines.staging.gtfs.governing import (
    BASES,
    IN_FORCE,
    LATER,
    FetchedVersions,
    governing_on,
    service_periods,
)

IS_IN_FORCE = pl.col("basis").is_in([IN_FORCE, LATER])
ASSUMED = "service_assumed"
NOT_GOVERNED = "no_version_governs"
FEED = ("source_id", "version_id")


class FeedHealth(dy.Schema):
    """One row per night and feed."""

    service_date = dy.Date(primary_key=True, description="Night.")
    source_id = dy.String(primary_key=True, description="Feed.")
    version_id = dy.String(nullable=True, description="Version that governs the night, if any.")
    basis = one_of(*BASES, description="Why it governs.")
    is_assumed = dy.Bool(description="Whether it bridges days that no version covers.")
    is_stale = dy.Bool(description="Whether the feed did not come on the night.")
    last_fetched_date = dy.Date(description="Latest night on which the feed came.")
    first_covered_date = dy.Date(nullable=True, description="First day of the version's period.")
    last_covered_date = dy.Date(nullable=True, description="Last day of the version's period.")
    covered_until_date = dy.Date(
        nullable=True, description="Last day in force without a gap; null: none was covered yet."
    )
    days_left_count = dy.Int64(
        nullable=True, description="Days from the night to covered_until_date; negative: it passed."
    )
    newest_version_id = dy.String(description="Version that came last.")
    newest_since_date = dy.Date(description="Night on which it first came.")
    newest_age_days_count = dy.Int64(min=0, description="Days since then.")
    newest_starts_date = dy.Date(nullable=True, description="First day of its period.")
    lead_days_count = dy.Int64(
        nullable=True, description="Days between those two dates; null for the first version."
    )
    warning_codes = dy.String(nullable=True, description="What to warn of, '; ' between codes.")
    warning = dy.String(nullable=True, description="The same in words.")

    @dy.rule()
    def codes_with_words(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A code comes with words, and words with a code."""
        return pl.col("warning_codes").is_null() == pl.col("warning").is_null()


def compute_feed_health(
    night: Night,
    *,
    feed_versions: dy.DataFrame[FeedVersions],
    governing_versions: dy.DataFrame[GoverningVersions],
    fetched_versions: dy.DataFrame[FetchedVersions],
) -> dy.DataFrame[FeedHealth]:
    """The health of every feed on the night, sorted by key."""
    as_of = night.service_date
    periods = service_periods(feed_versions)
    rows = (
        governing_on(governing_versions, as_of)
        .select("service_date", *FEED, "basis", "is_assumed")
        .join(_renamed(periods, "first_covered_date", "last_covered_date"), on=FEED, how="left")
        .join(_covered_until(governing_versions, feed_versions, as_of), on="source_id", how="left")
        .join(_ended(feed_versions, as_of), on="source_id", how="left")
        .join(_newest(fetched_versions, periods, as_of), on="source_id")
        .with_columns(pl.coalesce("covered_until_date", "ended_date").alias("covered_until_date"))
        .with_columns(
            days_left_count=(pl.col("covered_until_date") - pl.lit(as_of)).dt.total_days(),
            is_stale=pl.col("last_fetched_date") < as_of,
        )
    )
    warned = rows.join(_warnings(rows, as_of), on="source_id", how="left")
    return FeedHealth.validate(
        warned.select(FeedHealth.column_names()).sort(FeedHealth.primary_key())
    )


def _renamed(periods: pl.DataFrame, start: str, end: str) -> pl.DataFrame:
    return periods.rename({"start_date": start, "end_date": end})


def _covered_until(
    governing_versions: pl.DataFrame, feed_versions: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """One row per feed that was ever in force: its covered_until_date."""
    services = feed_versions.select(*FEED, "service_end_date")
    ends = pl.min_horizontal("to_date", "service_end_date")
    in_force = (
        governing_versions.filter(IS_IN_FORCE)
        .join(services, on=FEED, how="left")
        .sort("source_id", "from_date")
        .with_columns(
            # Runs that follow each other without a gap make one chain.
            chain=(pl.col("from_date") != pl.col("to_date").shift(1) + pl.duration(days=1))
            .fill_null(value=True)
            .cum_sum()
            .over("source_id")
        )
    )
    chains = in_force.group_by("source_id", "chain").agg(
        starts_date=pl.first("from_date"), covered_until_date=ends.max()
    )
    begun = chains.filter(pl.col("starts_date") <= as_of).sort("source_id", "starts_date")
    return begun.group_by("source_id").agg(pl.last("covered_until_date"))


def _ended(feed_versions: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per feed with a version that had ended before the night: the last such day.

    It may lie before the feed first came, where no day counts as governed.
    """
    services = feed_versions.select(*FEED, "service_end_date")
    ends = service_periods(feed_versions).join(services, on=FEED)
    day = pl.min_horizontal("end_date", "service_end_date")
    over = ends.select("source_id", ended_date=day).filter(pl.col("ended_date") < as_of)
    return over.group_by("source_id").agg(pl.max("ended_date"))


def _newest(fetched: pl.DataFrame, periods: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per feed: the version that came last, since when, and its lead."""
    ordered = fetched.sort("source_id", "fetch_number")
    first_came = ordered.group_by(FEED).agg(newest_since_date=pl.min("first_night_date"))
    last = ordered.group_by("source_id").agg(
        pl.last("version_id"),
        last_fetched_date=pl.max("last_night_date"),
        is_first=pl.col("version_id").n_unique() == 1,
    )
    starts, since = pl.col("newest_starts_date"), pl.col("newest_since_date")
    return (
        last.join(first_came, on=FEED)
        .join(_renamed(periods, "newest_starts_date", "newest_ends_date"), on=FEED, how="left")
        .with_columns(
            newest_age_days_count=(pl.lit(as_of) - since).dt.total_days(),
            lead_days_count=pl.when(~pl.col("is_first")).then((starts - since).dt.total_days()),
        )
        .rename({"version_id": "newest_version_id"})
    )


def _warnings(rows: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per feed that needs a warning: its codes and their words."""
    until = pl.col("covered_until_date")
    ends = rows.select(*FEED, feed_end_date=until, service_end_date=until)
    bridged = rows.filter("is_assumed").select(
        "source_id",
        notice_code=pl.lit(ASSUMED),
        description=pl.format("The service of the night is assumed: {}.", "basis"),
    )
    ungoverned = rows.filter(pl.col("version_id").is_null()).select(
        "source_id",
        notice_code=pl.lit(NOT_GOVERNED),
        description=pl.lit("No version covers the night or lies near it: it has no service."),
    )
    is_short = pl.col("lead_days_count") < LEAD_DAYS
    late = rows.filter(is_short & (pl.col("newest_age_days_count") < LEAD_DAYS)).select(
        "source_id",
        notice_code=pl.lit(SHORT_LEAD),
        description=pl.format(
            "The newest version came {} days before it begins (on {}).",
            "lead_days_count",
            "newest_starts_date",
        ),
    )
    findings = expiry_findings(ends, as_of).select("source_id", "notice_code", "description")
    told = pl.concat([findings, bridged, ungoverned, late]).sort("source_id", "notice_code")
    return told.group_by("source_id", maintain_order=True).agg(
        warning_codes=pl.col("notice_code").str.join("; "),
        warning=pl.col("description").str.join(" "),
    )
