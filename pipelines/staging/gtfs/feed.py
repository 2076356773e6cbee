"""What a feed says of itself, what is odd in it, and the agencies that run its service."""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

DISTANCE_UNITS = ("ft", "km", "m", "mi")


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
        *DISTANCE_UNITS,
        description=(
            "Unit of shape_dist_traveled, inferred from the lengths of shapes; km where none is."
        ),
    )
    sample_date = dy.Date(
        nullable=True, description="Thursday of the first whole week, or the middle of the period."
    )
    sample_route_count = dy.Int64(nullable=True, min=0, description="Routes run on sample_date.")
    sample_trip_count = dy.Int64(nullable=True, min=0, description="Trips run on sample_date.")
    sample_stop_count = dy.Int64(nullable=True, min=0, description="Stops served on sample_date.")
    feed_publisher_name = dy.String(nullable=True, description="feed_info: publisher.")
    feed_publisher_url = dy.String(nullable=True, description="feed_info: publisher's address.")
    feed_lang = dy.String(nullable=True, description="feed_info: language of the feed's texts.")
    feed_start_date = dy.Date(nullable=True, description="feed_info: complete from this date.")
    feed_end_date = dy.Date(nullable=True, description="feed_info: complete to this date.")
    feed_version = dy.String(nullable=True, description="feed_info: the publisher's own version.")


class FeedNotices(Versioned):
    """One row per feed version and thing that was put right in it or looks odd."""

    notice_code = dy.String(primary_key=True, description="Name of what was found.")
    table_name = dy.String(primary_key=True, description="GTFS table it was found in.")
    affected_count = dy.Int64(min=1, description="How many rows or ids are affected.")
    affected_sample = dy.String(description="Some of them.")
    description = dy.String(description="What was found, and what was done about it.")


class Agency(Versioned):
    """One row per agency; an agency without agency_id goes by its name."""

    agency_id = dy.String(primary_key=True, description="Agency, unique in its feed.")
    agency_name = dy.String(description="Full name.")
    agency_url = dy.String(nullable=True, description="Address of its site.")
    agency_timezone = dy.String(description="Time zone of its timetable, e.g. Asia/Almaty.")
    agency_lang = dy.String(nullable=True, description="Its main language.")
    agency_phone = dy.String(nullable=True, description="Its telephone number.")


def stage_feed_versions(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """The one row about the feed. Dates of feed_info that can't be read are null, not refused."""
    parsed = {
        name: pl.col(name).str.to_date("%Y%m%d", strict=False)
        for name in ("feed_start_date", "feed_end_date")
    }
    rows = raw["feed_versions"].with_columns(pl.col(list(parsed)).cast(pl.String))
    return sift(FeedVersions, rows.with_columns(**parsed), source)


def stage_feed_notices(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """The notices of this feed version; normally few or none."""
    return sift(FeedNotices, raw["feed_notices"], source)


def stage_agency(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Agencies; without agency_id (GTFS allows it to the only one) the name stands for it."""
    rows = raw["agency"]
    if "agency_id" not in rows.columns:
        rows = rows.with_columns(agency_id=pl.lit(None, pl.String))
    named = rows.with_columns(pl.coalesce("agency_id", "agency_name").alias("agency_id"))
    return sift(Agency, named, source)
