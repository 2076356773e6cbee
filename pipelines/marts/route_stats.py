"""What each route offers on a service date: trips, span, headways, peak, hours and kilometres.

The definitions are gtfs-kit's `compute_route_stats` (13.0) without split directions, over the
trips of `marts.trip_stats` whose service runs on the date; its columns one to one:

    ours                        gtfs-kit              definition
    trip_count                  num_trips             trips; each once, however often it repeats
    trip_start_count            num_trip_starts       trips with a start time
    trip_end_count              num_trip_ends         trips with an end time
    stop_pattern_count          num_stop_patterns     different stop patterns
    is_loop                     is_loop               at least one trip is a loop
    is_bidirectional            is_bidirectional      trips in more than one direction
    start_seconds, end_seconds  start_time, end_time  first start, last end
    headway_*_minutes           *_headway             between starts in one direction, 07:00-19:00
    peak_trip_count             peak_num_trips        most trips under way at once
    peak_start_seconds, _end_   peak_start_, _end_    first of the longest periods with that many
    service_distance_km         service_distance      sum over trips, null if one is unknown
    service_duration_seconds    service_duration      sum over trips; gtfs-kit in hours
    service_speed_kmh           service_speed         distance by duration
    mean_trip_distance_km       mean_trip_distance    distance by trips
    mean_trip_duration_seconds  mean_trip_duration    duration by trips; gtfs-kit in hours

Besides, `departure_count` counts each repetition of frequencies.txt. Where it is above trip_count
the headways, peak, distance and duration are those of the trips as written, each run once.
`headway_effective_minutes` is not gtfs-kit's; `pipelines.marts.service` defines it.
Left out, as in gtfs-kit: trips without a positive duration, headways of trips without direction_id.
A date without service has no rows.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, stamp
from pipelines.marts.service import FEED, Headways, headways, trips_on
from pipelines.marts.trip_stats import KM_DECIMALS, TripStats
from pipelines.night import Night
from pipelines.staging.gtfs import ServiceDates

METHOD = "scheduled trips"
ROUTE = (*FEED, "route_id")
SECONDS = {"unit": "second"}

NO_HEADWAY = "no two departures in one direction between 07:00 and 19:00"
NO_DISTANCE = "no distance for at least one trip"


class RouteStats(Figure, Headways):
    """One row per service date, feed and route that runs on it."""

    source_id = dy.String(primary_key=True, description="Feed.")
    route_id = dy.String(primary_key=True, description="Route, unique in its feed.")
    version_id = dy.String(description="Feed version that governs the date.")
    route_short_name = dy.String(nullable=True, description="Route's name as riders know it.")
    route_type = dy.Int32(description="Route's mode (GTFS).")
    trip_count = dy.Int64(min=1, description="Trips, each once.")
    departure_count = dy.Int64(min=0, description="Departures, repetitions by frequencies counted.")
    trip_start_count = dy.Int64(min=0, description="Trips with a start time.")
    trip_end_count = dy.Int64(min=0, description="Trips with an end time.")
    stop_pattern_count = dy.Int64(min=1, description="Different stop patterns.")
    is_loop = dy.Bool(description="At least one trip ends less than 400 m from its start.")
    is_bidirectional = dy.Bool(description="Trips run in more than one direction.")
    start_seconds = dy.Int32(metadata=SECONDS, description="Start of the first trip.")
    end_seconds = dy.Int32(metadata=SECONDS, description="End of the last trip.")
    peak_trip_count = dy.Int64(min=1, description="Most trips under way at once.")
    peak_start_seconds = dy.Int32(metadata=SECONDS, description="When that many are reached.")
    peak_end_seconds = dy.Int32(metadata=SECONDS, description="Until when that many run.")
    service_distance_km = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km"}, description="Length of all trips."
    )
    service_duration_seconds = dy.Int64(
        min=1, metadata=SECONDS, description="Duration of all trips."
    )
    service_speed_kmh = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km/h"}, description="Length by duration."
    )
    mean_trip_distance_km = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km"}, description="Mean length of a trip."
    )
    mean_trip_duration_seconds = dy.Float64(
        min=0, metadata=SECONDS, description="Mean duration of a trip."
    )


def compute_route_stats(
    night: Night,
    *,
    trip_stats: dy.DataFrame[TripStats],
    service_dates: dy.DataFrame[ServiceDates],
) -> dy.DataFrame[RouteStats]:
    """Route statistics of the night's date, sorted by key."""
    trips = trips_on(night.service_date, trip_stats, service_dates)
    trips = trips.filter(pl.col("duration_seconds") > 0)
    directed = trips.filter(pl.col("direction_id").is_not_null())
    rows = (
        trips.group_by(ROUTE)
        .agg(*_totals())
        .join(_peaks(trips), on=ROUTE)
        .join(
            headways(directed, "start_seconds", along=(*ROUTE, "direction_id"), by=ROUTE),
            on=ROUTE,
            how="left",
        )
        .with_columns(*_means())
        .with_columns(reason=_reason())
    )
    stamped = stamp(rows, night, method=METHOD).select(RouteStats.column_names())
    return RouteStats.validate(stamped.sort(RouteStats.primary_key()))


def _totals() -> list[pl.Expr]:
    # Whole millimetres, so that the sum is the same in any order.
    millimetres = (pl.col("distance_km") * 10**KM_DECIMALS).round().cast(pl.Int64)
    kilometres = millimetres.sum() / 10**KM_DECIMALS
    return [
        pl.min("route_short_name"),
        pl.min("route_type"),
        pl.len().cast(pl.Int64).alias("trip_count"),
        pl.sum("departure_count"),
        pl.col("start_seconds").count().cast(pl.Int64).alias("trip_start_count"),
        pl.col("end_seconds").count().cast(pl.Int64).alias("trip_end_count"),
        pl.col("stop_pattern_name").n_unique().cast(pl.Int64).alias("stop_pattern_count"),
        pl.col("is_loop").any(),
        (pl.col("direction_id").n_unique() > 1).alias("is_bidirectional"),
        pl.min("start_seconds"),
        pl.max("end_seconds"),
        pl.when(pl.col("distance_km").is_not_null().all())
        .then(kilometres)
        .alias("service_distance_km"),
        pl.col("duration_seconds").cast(pl.Int64).sum().alias("service_duration_seconds"),
    ]


def _means() -> list[pl.Expr]:
    distance, duration = pl.col("service_distance_km"), pl.col("service_duration_seconds")
    return [
        (distance / duration * 3600).round(KM_DECIMALS).alias("service_speed_kmh"),
        (distance / pl.col("trip_count")).round(KM_DECIMALS).alias("mean_trip_distance_km"),
        (duration / pl.col("trip_count")).alias("mean_trip_duration_seconds"),
    ]


def _reason() -> pl.Expr:
    no_headway = pl.when(pl.col("headway_mean_minutes").is_null()).then(pl.lit(NO_HEADWAY))
    no_distance = pl.when(pl.col("service_distance_km").is_null()).then(pl.lit(NO_DISTANCE))
    both = pl.concat_str(no_headway, no_distance, separator="; ", ignore_nulls=True)
    return pl.when(both != "").then(both)


def _peaks(trips: pl.DataFrame) -> pl.DataFrame:
    """One row per route: most trips under way, and the first of the longest periods with them.

    Trips under way change only at starts and ends; a period goes on through times at which the
    number stays the same.
    """
    starts = trips.select(*ROUTE, at_seconds="start_seconds", change=pl.lit(1, pl.Int64))
    ends = trips.select(*ROUTE, at_seconds="end_seconds", change=pl.lit(-1, pl.Int64))
    under_way = (
        pl.concat([starts, ends])
        .group_by(*ROUTE, "at_seconds")
        .agg(pl.sum("change"))
        .sort(*ROUTE, "at_seconds")
        .with_columns(
            count=pl.col("change").cum_sum().over(ROUTE),
            until_seconds=pl.col("at_seconds").shift(-1).over(ROUTE),
        )
        .with_columns(period=pl.struct(*ROUTE, "count").rle_id())
    )
    return (
        under_way.filter(pl.col("count") == pl.col("count").max().over(ROUTE))
        .group_by(*ROUTE, "period")
        .agg(
            peak_trip_count=pl.first("count"),
            peak_start_seconds=pl.min("at_seconds"),
            peak_end_seconds=pl.max("until_seconds"),
        )
        .sort(
            pl.col("peak_end_seconds") - pl.col("peak_start_seconds"),
            "peak_start_seconds",
            descending=[True, False],
        )
        .unique(ROUTE, keep="first", maintain_order=True)
        .drop("period")
    )
