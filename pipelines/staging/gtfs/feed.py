"""What a feed says of itself, what is odd in it, and the agencies that run its service."""

from __future__ import annotations

import math
from types import MappingProxyType

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.rows import staged
from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.sphere import great_circle_m
from pipelines.staging.gtfs.service import service_days_of
from pipelines.staging.gtfs.validation import Validation
from pipelines.staging.sift import Quarantine, Staged

# Metres in each unit that feeds are known to use (gtfs-kit knows the same four).
UNIT_METRES = MappingProxyType({"ft": 0.3048, "km": 1000.0, "m": 1.0, "mi": 1609.344})
SHAPES_MEASURED = 40
FEED_INFO = (
    "feed_publisher_name",
    "feed_publisher_url",
    "feed_lang",
    "feed_start_date",
    "feed_end_date",
    "feed_version",
)


class FeedVersions(Versioned):
    """One row per feed version: its agencies, dates and sizes as delivered, and its feed_info."""

    agency_names = dy.String(nullable=True, description="Names of its agencies, '; ' between them.")
    agency_timezone = dy.String(nullable=True, description="Time zone of its first agency.")
    service_start_date = dy.Date(nullable=True, description="First date of any of its services.")
    service_end_date = dy.Date(nullable=True, description="Last date of any of its services.")
    agency_count = dy.Int64(min=0, description="Rows of agency.txt.")
    route_count = dy.Int64(min=0, description="Rows of routes.txt.")
    stop_count = dy.Int64(min=0, description="Rows of stops.txt, stations included.")
    trip_count = dy.Int64(min=0, description="Rows of trips.txt.")
    stop_time_count = dy.Int64(min=0, description="Rows of stop_times.txt.")
    shape_count = dy.Int64(min=0, description="Shapes (not points) of shapes.txt.")
    frequency_count = dy.Int64(min=0, description="Rows of frequencies.txt.")
    has_frequencies = dy.Bool(description="Whether some trips repeat by frequencies.txt.")
    distance_unit = one_of(
        *UNIT_METRES,
        description=(
            "Unit of shape_dist_traveled, inferred from the lengths of shapes; km where none is."
        ),
    )
    feed_publisher_name = dy.String(nullable=True, description="feed_info: publisher.")
    feed_publisher_url = dy.String(nullable=True, description="feed_info: publisher's address.")
    feed_lang = dy.String(nullable=True, description="feed_info: language of the feed's texts.")
    feed_start_date = dy.Date(nullable=True, description="feed_info: complete from this date.")
    feed_end_date = dy.Date(nullable=True, description="feed_info: complete to this date.")
    feed_version = dy.String(nullable=True, description="feed_info: the publisher's own version.")


class FeedNotices(Versioned):
    """One row per feed version, notice code and file: what validation found."""

    notice_code = dy.String(
        primary_key=True, description="Code of the Canonical GTFS Validator, or an extension of it."
    )
    file_name = dy.String(primary_key=True, description="File it was found in.")
    severity = one_of(
        "ERROR", "WARNING", "INFO", description="Severity by the validator; a policy may differ."
    )
    affected_count = dy.Int64(min=1, description="How many findings.")
    affected_sample = dy.String(
        description="The first few as JSON: row (the header is 1), field, value."
    )
    is_extension = dy.Bool(description="Whether the code is ours.")
    description = dy.String(description="What the code means.")


class FeedRules(Versioned):
    """One row per feed version and rule: whether the feed keeps it."""

    rule_code = dy.String(primary_key=True, description="Notice code of the rule.")
    rule_status = one_of(
        *("pass", "fail", "not applicable", "not run"), description="What came of the rule."
    )
    reason = dy.String(description="Why it was not run; empty where it was.")
    severity = one_of("ERROR", "WARNING", "INFO", description="Severity of what it finds.")
    is_extension = dy.Bool(description="Whether the rule is ours.")


class Agency(Versioned):
    """One row per agency; an agency without agency_id goes by its name."""

    agency_id = dy.String(primary_key=True, description="Agency, unique in its feed.")
    agency_name = dy.String(description="Full name.")
    agency_url = dy.String(nullable=True, description="Address of its site.")
    agency_timezone = dy.String(
        nullable=True, description="Time zone of its timetable, e.g. Asia/Almaty."
    )
    agency_lang = dy.String(nullable=True, description="Its main language.")
    agency_phone = dy.String(nullable=True, description="Its telephone number.")


def stage_feed_versions(feed: Validation, source: SourceVersion) -> Staged:
    """The one row about the feed. Ask when every part of stop_times was taken."""
    agencies = stage_agency(feed, source).rows
    days = service_days_of(feed)
    shapes = feed.feed["shapes"]
    info = feed.feed["feed_info"].head(1).select(FEED_INFO)
    told = info if info.height else info.clear(1)
    row = told.with_columns(
        source_id=pl.lit(source.source_id),
        version_id=pl.lit(source.version_id),
        agency_names=pl.lit("; ".join(agencies.get_column("agency_name")) or None, pl.String),
        agency_timezone=pl.lit(_first(agencies.get_column("agency_timezone")), pl.String),
        service_start_date=pl.lit(days.get_column("date").min(), pl.Date),
        service_end_date=pl.lit(days.get_column("date").max(), pl.Date),
        agency_count=pl.lit(feed.feed["agency"].height),
        route_count=pl.lit(feed.feed["routes"].height),
        stop_count=pl.lit(feed.feed["stops"].height),
        trip_count=pl.lit(feed.feed["trips"].height),
        stop_time_count=pl.lit(feed.call_count),
        shape_count=pl.lit(shapes.get_column("shape_id").n_unique()),
        frequency_count=pl.lit(feed.feed["frequencies"].height),
        has_frequencies=pl.lit(feed.feed["frequencies"].height > 0),
        distance_unit=pl.lit(distance_unit(shapes)),
    )
    return Staged(FeedVersions.validate(row, cast=True), Quarantine.create_empty())


def stage_feed_notices(feed: Validation, source: SourceVersion) -> Staged:
    """What was found in this feed version. Ask when every part of stop_times was taken."""
    rows = [
        {
            "source_id": source.source_id,
            "version_id": source.version_id,
            "notice_code": notice.code,
            "file_name": notice.file,
            "severity": notice.severity,
            "affected_count": notice.count,
            "affected_sample": notice.sample_json,
            "is_extension": CODES[notice.code].is_extension,
            "description": CODES[notice.code].meaning,
        }
        for notice in feed.notices()
    ]
    schema = {name: column.dtype for name, column in FeedNotices.columns().items()}
    return Staged(
        FeedNotices.validate(pl.DataFrame(rows, schema=schema)), Quarantine.create_empty()
    )


def stage_feed_rules(feed: Validation, source: SourceVersion) -> Staged:
    """Status of every rule. Ask when every part of stop_times was taken."""
    rows = [
        {
            "source_id": source.source_id,
            "version_id": source.version_id,
            "rule_code": code,
            "rule_status": status,
            "reason": reason,
            "severity": CODES[code].severity,
            "is_extension": CODES[code].is_extension,
        }
        for code, (status, reason) in feed.statuses().items()
    ]
    schema = {name: column.dtype for name, column in FeedRules.columns().items()}
    return Staged(FeedRules.validate(pl.DataFrame(rows, schema=schema)), Quarantine.create_empty())


def stage_agency(feed: Validation, source: SourceVersion) -> Staged:
    """Agencies; without agency_id (GTFS allows it to the only one) the name stands for it."""
    return staged(
        Agency,
        feed.files.get("agency"),
        source,
        agency_id=pl.coalesce("agency_id", "agency_name"),
    )


def _first(values: pl.Series) -> object:
    known = values.drop_nulls()
    return known[0] if known.len() else None


def distance_unit(shapes: pl.DataFrame) -> str:
    """Unit of shape_dist_traveled: the one in which shapes are as long as their points say.

    The median ratio of given to great-circle length over some shapes, compared on a log scale; km
    where no shape says.
    """
    given = shapes.filter(pl.col("shape_dist_traveled") > 0).get_column("shape_id")
    chosen = given.unique(maintain_order=True).head(SHAPES_MEASURED)
    points = shapes.filter(pl.col("shape_id").is_in(chosen.implode()))
    points = points.sort("shape_id", "shape_pt_sequence").drop_nulls(
        ["shape_pt_lat", "shape_pt_lon"]
    )
    if points.is_empty():
        return "km"
    lat, lon = pl.col("shape_pt_lat"), pl.col("shape_pt_lon")
    same = pl.col("shape_id") == pl.col("shape_id").shift(1)
    step_m = pl.when(same).then(great_circle_m(lat.shift(1), lon.shift(1), lat, lon))
    lengths = (
        points.with_columns(step_m.alias("step_m"))
        .group_by("shape_id", maintain_order=True)
        .agg(pl.col("step_m").sum(), pl.col("shape_dist_traveled").max())
        .filter(pl.col("step_m") > 0)
    )
    ratio = lengths.select((pl.col("shape_dist_traveled") / pl.col("step_m")).median()).item()
    if not ratio:
        return "km"
    return min(UNIT_METRES, key=lambda unit: abs(math.log(ratio * UNIT_METRES[unit])))
