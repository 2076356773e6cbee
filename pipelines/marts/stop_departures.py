"""How many departures each stop has in each hour of a calendar day, by the feeds' timetables.

The day is the calendar day of the service date: from local midnight to local midnight, 25 hours on
the day on which the clock is put back. It has the departures that riders can board there in that
time, whichever service date they belong to: trips of the evening before that run past midnight
count, trips of its own service date that run past the next midnight do not. How an instant comes of
a GTFS time, a calendar day and frequencies.txt is said in `pipelines.marts.departures`.

An hour begins on the full hour of the clock of the feed's agency. `local_hour` is what that clock
shows; where it is put back, one of them comes twice, with two `hour_at`. Departures per hour from
06:00 to 20:00 are the sum over `local_hour` 6 to 19, divided by 14.
A stop without departures in an hour has no row for it. Left out: calls without a time.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, stamp
from pipelines.marts.departures import departures_of_day, is_time_zone
from pipelines.marts.service import FEED
from pipelines.night import Night
from pipelines.staging.gtfs import (
    FeedVersions,
    Frequencies,
    ServiceDates,
    Stops,
    StopTimes,
    Trips,
)

METHOD = "scheduled departures"
METHOD_CITY_ZONE = "scheduled departures, the city's time zone assumed"


class StopDepartures(Figure):
    """One row per service date, feed, stop and hour of that calendar day with a departure."""

    source_id = dy.String(primary_key=True, description="Feed.")
    stop_id = dy.String(primary_key=True, description="Stop or platform, unique in its feed.")
    hour_at = dy.Datetime(
        primary_key=True, time_unit="us", time_zone="UTC", description="Start of the hour."
    )
    version_id = dy.String(description="Feed version that governs the date.")
    stop_name = dy.String(nullable=True, description="Name as riders know it.")
    time_zone = dy.String(description="Time zone of the feed's times.")
    local_hour = dy.Int32(
        min=0,
        max=23,
        metadata={"unit": "hour"},
        description="Hour that the clock shows in time_zone when the hour starts.",
    )
    departure_count = dy.Int64(
        min=1, description="Departures that riders can board, repetitions by frequencies counted."
    )
    past_midnight_count = dy.Int64(
        min=0, description="Of these, departures of trips of a service date before."
    )
    interpolated_count = dy.Int64(
        min=0, description="Of these, departures whose time is interpolated."
    )
    frequency_based_count = dy.Int64(
        min=0,
        description="Of these, repetitions without exact times: their minute is not known.",
    )

    @dy.rule()
    def parts_within_whole(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """None of the parts is above departure_count."""
        parts = ("past_midnight_count", "interpolated_count", "frequency_based_count")
        return pl.max_horizontal(parts) <= pl.col("departure_count")


def compute_stop_departures(
    night: Night,
    *,
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    stops: dy.DataFrame[Stops],
    frequencies: dy.DataFrame[Frequencies],
    feed_versions: dy.DataFrame[FeedVersions],
) -> dy.DataFrame[StopDepartures]:
    """Hourly departures on the night's date, sorted by key.

    The city's time zone is taken for a feed that names none that is known; `method` says so.
    ContractError where frequencies repeat trips more often than any city can.
    """
    named = stops.select(*FEED, "stop_id", "stop_name")
    feeds: list[pl.DataFrame] = []
    for source_id, version_id, zone in feed_versions.select(*FEED, "agency_timezone").iter_rows():
        here = (pl.col("source_id") == source_id) & (pl.col("version_id") == version_id)
        is_known = is_time_zone(zone)
        time_zone = zone if is_known else night.time_zone
        departures = departures_of_day(
            night.service_date,
            time_zone,
            service_dates=service_dates.filter(here),
            trips=trips.filter(here),
            stop_times=stop_times.filter(here),
            frequencies=frequencies.filter(here),
        )
        rows = _hourly(departures, night, time_zone).with_columns(
            source_id=pl.lit(source_id), version_id=pl.lit(version_id)
        )
        rows = rows.join(named, on=[*FEED, "stop_id"], how="left")
        method = METHOD if is_known else METHOD_CITY_ZONE
        feeds.append(stamp(rows, night, method=method).select(StopDepartures.column_names()))
    hours = pl.concat([StopDepartures.create_empty(), *feeds])
    return StopDepartures.validate(hours.sort(StopDepartures.primary_key()))


def _hourly(departures: pl.DataFrame, night: Night, time_zone: str) -> pl.DataFrame:
    """Departures of one feed counted by stop and hour."""
    clock = pl.col("departure_at").dt.convert_time_zone(time_zone)
    past_hour = pl.duration(minutes=clock.dt.minute(), seconds=clock.dt.second())
    counted = departures.group_by("stop_id", hour_at=pl.col("departure_at") - past_hour).agg(
        departure_count=pl.len().cast(pl.Int64),
        past_midnight_count=_count(pl.col("service_date") < night.service_date),
        interpolated_count=_count(pl.col("is_interpolated")),
        frequency_based_count=_count(~pl.col("is_exact")),
    )
    local_hour = pl.col("hour_at").dt.convert_time_zone(time_zone).dt.hour()
    return counted.with_columns(time_zone=pl.lit(time_zone), local_hour=local_hour.cast(pl.Int32))


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.sum().cast(pl.Int64)
