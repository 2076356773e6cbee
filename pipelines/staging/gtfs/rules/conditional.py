"""Fields that must or should have a value on a condition, beyond what the specification says.

These add to `missing_required_field` and `missing_recommended_field`, which hold for every file.
Conditions that have a code of their own (names of routes and stops, booking rules, agencies) are
rules elsewhere. Blank transfer_type is 0, and what 0 requires is required (revised 2026-02); that
transfers of type 2 need min_transfer_time: github.com/google/transit/pull/640 (2026-08).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.flex import PLACES
from pipelines.staging.gtfs.rules.rule import ROW, Found, found
from pipelines.staging.gtfs.rules.transfers import LINKED, TIMED
from pipelines.staging.gtfs.rules.translations import missing_addresses, translation_of_no_call

CARD, APP = 2, 4  # fare_media.fare_media_type


def conditional_required(feed: Feed) -> Iterator[Found]:
    """Blank fields that their row requires: of transfers the stops, or trips where it links two,
    and the time of timed ones; of fare_leg_join_rules the second stop; of translations the ids."""
    between_stops = pl.col("transfer_type").fill_null(0).is_in((0, 1, 2, 3))
    for field, asked in (
        ("from_stop_id", between_stops),
        ("to_stop_id", between_stops),
        ("from_trip_id", LINKED),
        ("to_trip_id", LINKED),
        ("min_transfer_time", pl.col("transfer_type") == TIMED),
    ):
        yield _blank(feed, "transfers", field, asked)
    for field, other in (("from_stop_id", "to_stop_id"), ("to_stop_id", "from_stop_id")):
        yield _blank(feed, "fare_leg_join_rules", field, pl.col(other).is_not_null())
    yield from missing_addresses(feed)


def conditional_recommended(feed: Feed) -> Iterator[Found]:
    """Blank fields that their row recommends: agency_id where the feed has one agency (with more it
    is required), and the name of a fare medium that riders have to find, a card or an app."""
    if feed["agency"].height == 1:
        for file in ("agency", "routes", "fare_attributes"):
            yield _blank(feed, file, "agency_id", pl.lit(value=True))
    named = pl.col("fare_media_type").is_in((CARD, APP))
    yield _blank(feed, "fare_media", "fare_media_name", named)


def calls_without_place(feed: Feed) -> Iterator[Found]:
    """Calls that name no stop, location group or zone: part of `missing_required_field`."""
    nowhere = pl.all_horizontal(pl.col(PLACES).is_null())
    if feed.calls.get_column("stop_id").null_count():
        yield found("stop_times", feed.calls.filter(nowhere).select(ROW, "stop_id"), "stop_id")


def conditional_of_calls(feed: Feed) -> Iterator[tuple[str, Iterable[Found]]]:
    """What the part of stop_times at hand adds to a code that other files share, by code."""
    yield "missing_required_field", calls_without_place(feed)
    if feed.has("translations"):
        yield "translation_foreign_key_violation", translation_of_no_call(feed)


def _blank(feed: Feed, file: str, field: str, asked: pl.Expr) -> Found:
    return found(file, feed[file].filter(asked & pl.col(field).is_null()), field, pl.lit(None))
