"""Which trips run on a service date, and how often: what several marts ask of a timetable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import dataframely as dy
import polars as pl

# One version of one feed: ids are unique only within it.
FEED = ("source_id", "version_id")
# Headways are told for the day's middle twelve hours (gtfs-kit's default), ends included.
HEADWAY_START_SECONDS, HEADWAY_END_SECONDS = 7 * 3600, 19 * 3600


def services_on(service_date: date, service_dates: pl.DataFrame) -> pl.DataFrame:
    """One row per feed version and service that runs on the date: its key."""
    running = service_dates.filter(pl.col("service_date") == service_date)
    return running.select(*FEED, "service_id").unique()


def trips_on(service_date: date, trips: pl.DataFrame, service_dates: pl.DataFrame) -> pl.DataFrame:
    """The rows of `trips` (any frame with the key of a service) whose service runs on the date."""
    running = services_on(service_date, service_dates)
    return trips.join(running, on=[*FEED, "service_id"], how="semi")


def departures_by_trip(frequencies: pl.DataFrame) -> pl.DataFrame:
    """One row per trip that frequencies repeat: `departure_count`, how often it leaves in a day.

    In each span a trip leaves at start, start + headway, ... strictly before the end (gtfs.org).
    """
    span = pl.col("end_seconds") - pl.col("start_seconds")
    departures = (span + pl.col("headway_secs") - 1) // pl.col("headway_secs")
    return frequencies.group_by(*FEED, "trip_id").agg(
        departure_count=departures.sum().cast(pl.Int64)
    )


class Headways(dy.Schema):
    """Columns on the time between departures that follow each other, 07:00 to 19:00."""

    headway_max_minutes = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "minute"},
        description="Longest time between departures, 07:00-19:00.",
    )
    headway_min_minutes = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "minute"},
        description="Shortest time between departures, 07:00-19:00.",
    )
    headway_mean_minutes = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "minute"},
        description="Mean time between departures, 07:00-19:00.",
    )
    headway_effective_minutes = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "minute"},
        description="Twice the mean wait of who comes at any time, 07:00-19:00; the mean headway "
        "where departures are even, more where they bunch.",
    )


def headways(
    departures: pl.DataFrame, seconds: str, *, along: Sequence[str], by: Sequence[str]
) -> pl.DataFrame:
    """One row per `by` with the columns of `Headways`, for groups with a headway.

    Headways are the differences between departures (column `seconds`) that follow each other with
    the same `along`; those of all `along` that share a `by` are taken together.
    """
    in_window = pl.col(seconds).is_between(HEADWAY_START_SECONDS, HEADWAY_END_SECONDS)
    ordered = departures.filter(in_window).sort(*along, seconds)
    gaps = ordered.select(*by, gap=pl.col(seconds).diff().over(along)).drop_nulls("gap")
    return gaps.group_by(by).agg(
        headway_max_minutes=pl.col("gap").max() / 60,
        headway_min_minutes=pl.col("gap").min() / 60,
        headway_mean_minutes=pl.col("gap").sum() / pl.len() / 60,
        headway_effective_minutes=effective_headway(pl.col("gap")) / 60,
    )


def effective_headway(gaps: pl.Expr) -> pl.Expr:
    """Headway of an even service with the same mean wait: sum of h^2 / sum of h.

    Who comes at any time meets a long gap more likely than a short one, and waits half of it:
    E[wait] = sum of h^2 / (2 x sum of h).
    """
    h = gaps.cast(pl.Float64)
    return pl.when(h.sum() > 0).then((h**2).sum() / h.sum()).otherwise(0.0)
