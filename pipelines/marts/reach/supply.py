"""How often riders can leave each stop: departures an hour by route and direction, in some window.

The window lies on the calendar day of the service date, by the clock of the feed's agency. Trips
with clock times count as often as they leave in it, those of the evening before that are still on
their way included (see `pipelines.marts.departures`). Trips that frequencies.txt repeats have a
rate instead: the part of the window in which they pass the stop, over their headway, so that a
headway of 338 s is 10.65 departures an hour and not 10 or 11.

A direction is GTFS's direction_id; where the feed gives none, the stop that follows tells them
apart. Left out: calls where nobody can board (`pickup_type` 1, and the last of a trip).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import dataframely as dy
import polars as pl

from pipelines.marts.departures import (
    NO_PICKUP,
    departures_of_day,
    is_time_zone,
    service_start_at,
)
from pipelines.marts.reach.service import Timetable
from pipelines.marts.service import FEED
from pipelines.night import Night, Window
from pipelines.staging.gtfs import FeedVersions, Frequencies

_BY = ("stop_id", "route_id", "direction")


@dataclass(frozen=True)
class _Feed:
    """The tables of one feed version, and the time zone of its clock."""

    time_zone: str
    service_dates: pl.DataFrame
    trips: pl.DataFrame
    stop_times: pl.DataFrame
    frequencies: pl.DataFrame


def departures_per_hour(
    night: Night,
    windows: Mapping[str, Window],
    timetable: Timetable,
    frequencies: dy.DataFrame[Frequencies],
    feed_versions: dy.DataFrame[FeedVersions],
) -> pl.DataFrame:
    """One row per feed version, stop, route and direction with a departure in some window.

    Columns of the key, and for each window by its name the mean departures an hour in it. Windows
    begin after the hours at which clocks are changed.
    """
    feeds = [
        _rates(night.service_date, windows, feed).with_columns(
            source_id=pl.lit(source_id), version_id=pl.lit(version_id)
        )
        for (source_id, version_id), feed in _feeds(night, timetable, frequencies, feed_versions)
    ]
    schema = dict.fromkeys([*FEED, *_BY], pl.String) | dict.fromkeys(windows, pl.Float64)
    empty = pl.DataFrame(schema=schema)
    return pl.concat([empty, *(feed.select(*schema) for feed in feeds)]).sort(*FEED, *_BY)


def _feeds(
    night: Night,
    timetable: Timetable,
    frequencies: pl.DataFrame,
    feed_versions: pl.DataFrame,
) -> list[tuple[tuple[str, str], _Feed]]:
    feeds = []
    for source_id, version_id, zone in feed_versions.select(*FEED, "agency_timezone").iter_rows():
        here = (pl.col("source_id") == source_id) & (pl.col("version_id") == version_id)
        feed = _Feed(
            zone if is_time_zone(zone) else night.time_zone,
            timetable.service_dates.filter(here),
            timetable.trips.filter(here),
            timetable.stop_times.filter(here),
            frequencies.filter(here),
        )
        feeds.append(((source_id, version_id), feed))
    return feeds


def _rates(day: date, windows: Mapping[str, Window], feed: _Feed) -> pl.DataFrame:
    """Departures an hour of one feed, summed over its trips."""
    calls = pl.concat([_written(day, windows, feed), _repeated(day, windows, feed)])
    leaving = calls.filter(pl.any_horizontal(pl.col(list(windows)) > 0))
    return _directed(leaving, feed).group_by(_BY).agg(pl.col(list(windows)).sum())


_CALL = ("trip_id", "stop_sequence", "stop_id")


def _written(day: date, windows: Mapping[str, Window], feed: _Feed) -> pl.DataFrame:
    """Calls of trips that run as written, each with its departures an hour."""
    once = feed.trips.join(feed.frequencies, on="trip_id", how="anti")
    departures = departures_of_day(
        day,
        feed.time_zone,
        service_dates=feed.service_dates,
        trips=once,
        stop_times=feed.stop_times,
        frequencies=feed.frequencies.clear(),
    )
    within = {
        name: pl.col("departure_at").is_between(*_instants(day, window, feed), closed="left")
        for name, window in windows.items()
    }
    return departures.select(
        *_CALL,
        *(
            is_within.cast(pl.Float64).truediv(_hours(windows[name])).alias(name)
            for name, is_within in within.items()
        ),
    )


def _instants(day: date, window: Window, feed: _Feed) -> tuple[pl.Expr, pl.Expr]:
    """UTC instants at which a window of the calendar day begins and ends."""
    start_at = service_start_at(pl.lit(day), feed.time_zone)
    begin, end = (
        start_at + pl.duration(seconds=seconds)
        for seconds in (window.start_seconds, window.end_seconds)
    )
    return begin, end


def _repeated(day: date, windows: Mapping[str, Window], feed: _Feed) -> pl.DataFrame:
    """Calls of trips that frequencies repeat, each with its rate in departures an hour."""
    begins, ends = (
        pl.col(bound) + pl.col("departure_seconds") - pl.col("base_seconds") + pl.col("shift")
        for bound in ("start_seconds", "end_seconds")
    )
    calls = (
        feed.stop_times.join(feed.frequencies, on="trip_id", how="semi")
        .with_columns(
            base_seconds=pl.col("departure_seconds")
            .sort_by("stop_sequence")
            .first()
            .over("trip_id"),
            is_last=pl.col("stop_sequence") == pl.col("stop_sequence").max().over("trip_id"),
        )
        .filter(~pl.col("is_last"), pl.col("pickup_type") != NO_PICKUP)
    )
    spans = (
        feed.trips.join(_services(day, feed), on="service_id")
        .select("trip_id", "shift")
        .join(feed.frequencies, on="trip_id")
        .join(calls, on="trip_id")
    )
    return spans.select(
        *_CALL,
        *(
            (
                pl.min_horizontal(ends, window.end_seconds)
                - pl.max_horizontal(begins, window.start_seconds)
            )
            .clip(0)
            .truediv(pl.col("headway_secs") * _hours(window))
            .alias(name)
            for name, window in windows.items()
        ),
    )


def _services(day: date, feed: _Feed) -> pl.DataFrame:
    """Services of the day and of the one before, with what moves their times onto the day's."""
    starts = pl.DataFrame({"service_date": [day - timedelta(days=1), day]}).with_columns(
        start_at=service_start_at(pl.col("service_date"), feed.time_zone)
    )
    shift = (pl.col("start_at") - pl.col("start_at").max()).dt.total_seconds()
    return feed.service_dates.join(starts.with_columns(shift=shift), on="service_date")


def _directed(calls: pl.DataFrame, feed: _Feed) -> pl.DataFrame:
    """The calls, with their trip's route and the direction in which it goes on."""
    trips = feed.trips.select(
        "trip_id", "route_id", direction=pl.col("direction_id").cast(pl.String)
    )
    routed = calls.join(trips, on="trip_id")
    undirected = trips.filter(pl.col("direction").is_null())
    if undirected.is_empty():
        return routed
    following = (
        feed.stop_times.join(undirected, on="trip_id", how="semi")
        .sort("trip_id", "stop_sequence")
        .select("trip_id", "stop_sequence", next_id=pl.col("stop_id").shift(-1).over("trip_id"))
    )
    named = routed.join(following, on=["trip_id", "stop_sequence"], how="left")
    return named.with_columns(pl.coalesce("direction", "next_id").alias("direction"))


def _hours(window: Window) -> float:
    return (window.end_seconds - window.start_seconds) / 3600
