"""What each stop is offered on a service date: trips, routes, headways, first and last departure.

The definitions are gtfs-kit's `compute_stop_stats` (13.0) without split directions, over the calls
of trips whose service runs on the date; its columns one to one:

    ours                        gtfs-kit              definition
    trip_count                  num_trips             calls; a trip that calls twice counts twice
    route_count                 num_routes            different routes
    headway_*_minutes           *_headway             between departures of any route, 07:00-19:00
    start_seconds, end_seconds  start_time, end_time  first and last departure

`headway_effective_minutes` is not gtfs-kit's; `pipelines.marts.service` defines it.
Times that a feed leaves blank are those interpolated in staging (gtfs-kit can't count such a feed).
Besides, `departure_count` counts each repetition of frequencies.txt; where it is above trip_count
the headways and times are those of the trips as written, each run once. Times are those of the
service date, past 24:00 where they are; `marts.stop_departures` tells the calendar day's.
A stop that no trip serves on the date has no row, a date without service none at all.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, stamp
from pipelines.marts.service import FEED, Headways, departures_by_trip, headways, trips_on
from pipelines.night import Night
from pipelines.staging.gtfs import Frequencies, ServiceDates, Stops, StopTimes, Trips

METHOD = "scheduled calls"
STOP = (*FEED, "stop_id")

NO_TIMES = "no departure time at this stop"
NO_HEADWAY = "fewer than two departures between 07:00 and 19:00"


class StopStats(Figure, Headways):
    """One row per service date, feed and stop that a trip serves on it."""

    source_id = dy.String(primary_key=True, description="Feed.")
    stop_id = dy.String(primary_key=True, description="Stop or platform, unique in its feed.")
    version_id = dy.String(description="Feed version that governs the date.")
    stop_name = dy.String(nullable=True, description="Name as riders know it.")
    trip_count = dy.Int64(min=1, description="Calls of trips, each trip once.")
    departure_count = dy.Int64(min=0, description="Calls, repetitions by frequencies counted.")
    route_count = dy.Int64(min=1, description="Different routes that call.")
    start_seconds = dy.Int32(
        nullable=True, metadata={"unit": "second"}, description="First departure."
    )
    end_seconds = dy.Int32(
        nullable=True, metadata={"unit": "second"}, description="Last departure."
    )


def compute_stop_stats(
    night: Night,
    *,
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    stops: dy.DataFrame[Stops],
    frequencies: dy.DataFrame[Frequencies],
) -> dy.DataFrame[StopStats]:
    """Stop statistics of the night's date, sorted by key."""
    trip = [*FEED, "trip_id"]
    running = (
        trips_on(night.service_date, trips, service_dates)
        .select(*trip, "route_id")
        .join(departures_by_trip(frequencies), on=trip, how="left")
        .with_columns(pl.col("departure_count").fill_null(1))
    )
    calls = stop_times.select(*trip, "stop_id", "departure_seconds").join(running, on=trip)
    rows = (
        calls.group_by(STOP)
        .agg(
            trip_count=pl.len().cast(pl.Int64),
            departure_count=pl.sum("departure_count"),
            route_count=pl.col("route_id").n_unique().cast(pl.Int64),
            start_seconds=pl.min("departure_seconds"),
            end_seconds=pl.max("departure_seconds"),
        )
        .join(headways(calls, "departure_seconds", along=STOP, by=STOP), on=STOP, how="left")
        .join(stops.select(*STOP, "stop_name"), on=STOP, how="left")
        .with_columns(reason=_reason())
    )
    stamped = stamp(rows, night, method=METHOD).select(StopStats.column_names())
    return StopStats.validate(stamped.sort(StopStats.primary_key()))


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("start_seconds").is_null())
        .then(pl.lit(NO_TIMES))
        .when(pl.col("headway_mean_minutes").is_null())
        .then(pl.lit(NO_HEADWAY))
    )
