"""What a trip is apart from its identifiers: where it calls, on which weekdays, how it repeats.

Publishers rename trips, routes and stops from one version to the next. A trip of another version
is the same when it runs on the same route and direction, calls at the same stops in the same order,
leaves at the same time on the same weekdays and repeats alike; `marts.trip_stats` has the times.

*Place* of a stop: its stop_code where no other stop of the feed has it; else its name, platform and
coordinates rounded to 4 decimals (11 m). *Weekdays*: seven 0 or 1, Monday first; 1 where the
service runs on at least half of those weekdays between its first and last date (a span below four
weeks counts as four, as far as the version's dates go, so single dates make no weekday).
Hashes are the first 16 digits of SHA-256 of canonical text: the same on any machine.
Left out: trips without stop times, and times at stops other than the first and the last.
"""

from __future__ import annotations

import hashlib

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.marts.service import FEED
from pipelines.staging.gtfs import Frequencies, ServiceDates, Stops, StopTimes, Trips

HASH_DIGITS = 16
SEPARATOR = "\x1f"  # ASCII's own separator of units: no GTFS value has it
PLACE_DECIMALS = 4  # 11 m of latitude: the same kerb, whoever surveyed it
SHORTEST_SPAN_DAYS = 28  # our assumption: a service of fewer weeks shows no weekday by one date
TRIP = (*FEED, "trip_id")
NO_WEEKDAYS = "0000000"


class TripPatterns(Versioned):
    """One row per trip of a feed version that has stop times."""

    trip_id = dy.String(primary_key=True, description="Trip, unique in its feed.")
    stops_by_id_hash = dy.String(description="Hash of the ids of its stops, in order of calls.")
    stops_by_place_hash = dy.String(description="Hash of the places of its stops, in order.")
    weekdays = dy.String(
        regex="^[01]{7}$", description="Weekdays it runs on, Monday first, e.g. 1111100."
    )
    repeats = dy.String(
        nullable=True,
        description="Its frequencies as start-end/headway/exact in seconds; null: it runs once.",
    )


def compute_trip_patterns(
    *,
    trips: dy.DataFrame[Trips],
    stops: dy.DataFrame[Stops],
    stop_times: dy.DataFrame[StopTimes],
    frequencies: dy.DataFrame[Frequencies],
    service_dates: dy.DataFrame[ServiceDates],
) -> dy.DataFrame[TripPatterns]:
    """Patterns of each feed version at hand, sorted by key."""
    rows = (
        _stop_hashes(stop_times, stop_places(stops))
        .join(trips.select(*TRIP, "service_id"), on=TRIP)
        .join(_weekdays(service_dates), on=[*FEED, "service_id"], how="left")
        .join(_repeats(frequencies), on=TRIP, how="left")
        .with_columns(pl.col("weekdays").fill_null(NO_WEEKDAYS))
    )
    return TripPatterns.validate(rows.select(TripPatterns.column_names()).sort(TRIP))


def short_hash(text: str) -> str:
    """First 16 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def stop_places(stops: pl.DataFrame) -> pl.DataFrame:
    """One row per stop: its place as text, by the module's definition."""
    degrees = (
        pl.col(column).round(PLACE_DECIMALS).cast(pl.String).replace("-0.0", "0.0").fill_null("")
        for column in ("stop_lat", "stop_lon")
    )
    named = pl.concat_str(
        pl.lit("name"),
        pl.col("stop_name", "platform_code").fill_null(""),
        *degrees,
        separator=SEPARATOR,
    )
    is_only = pl.col("stop_code").is_not_null() & (pl.len().over(*FEED, "stop_code") == 1)
    code = pl.when(is_only).then(pl.lit("code" + SEPARATOR) + pl.col("stop_code"))
    return stops.select(*FEED, "stop_id", place=pl.coalesce(code, named))


def _stop_hashes(stop_times: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """One row per trip with both hashes; each sequence of stops is hashed once."""
    sequences = (
        stop_times.select(*TRIP, "stop_sequence", "stop_id")
        .sort(*TRIP, "stop_sequence")
        .group_by(TRIP, maintain_order=True)
        .agg(sequence=pl.col("stop_id").str.join(SEPARATOR))
    )
    different = sequences.unique([*FEED, "sequence"], keep="first", maintain_order=True)
    calls = different.select(
        *FEED, "sequence", stop_id=pl.col("sequence").str.split(SEPARATOR)
    ).explode("stop_id")
    by_place = (
        calls.join(places, on=[*FEED, "stop_id"], how="left", maintain_order="left")
        .group_by(*FEED, "sequence", maintain_order=True)
        .agg(place=pl.col("place").fill_null("").str.join(SEPARATOR + SEPARATOR))
    )
    hashed = by_place.select(
        *FEED,
        "sequence",
        stops_by_id_hash=hashes(by_place.get_column("sequence")),
        stops_by_place_hash=hashes(by_place.get_column("place")),
    )
    return sequences.join(hashed, on=[*FEED, "sequence"]).drop("sequence")


def hashes(texts: pl.Series) -> pl.Series:
    """The short hash of each text."""
    return pl.Series([short_hash(text) for text in texts.to_list()], dtype=pl.String)


def _weekdays(service_dates: pl.DataFrame) -> pl.DataFrame:
    """One row per service: its weekdays as text."""
    day = pl.col("service_date")
    length = (day.max() - day.min()).dt.total_days() + 1
    version_days = service_dates.group_by(FEED).agg(version_days=length)
    counts = [
        (day.dt.weekday() == number).sum().cast(pl.Int64).alias(f"count_{number}")
        for number in range(1, 8)
    ]
    services = service_dates.group_by(*FEED, "service_id").agg(length.alias("own_days"), *counts)
    span = pl.min_horizontal(
        pl.max_horizontal("own_days", pl.lit(SHORTEST_SPAN_DAYS)), "version_days"
    )
    # There are span / 7 of each weekday in the span.
    flags = (
        (2 * 7 * pl.col(f"count_{number}") >= span).cast(pl.Int8).cast(pl.String)
        for number in range(1, 8)
    )
    return services.join(version_days, on=FEED).select(
        *FEED, "service_id", weekdays=pl.concat_str(*flags)
    )


def _repeats(frequencies: pl.DataFrame) -> pl.DataFrame:
    span = pl.format("{}-{}/{}/{}", "start_seconds", "end_seconds", "headway_secs", "exact_times")
    ordered = frequencies.sort(*TRIP, "start_seconds").with_columns(span=span)
    return ordered.group_by(TRIP).agg(repeats=pl.col("span").str.join(";"))
