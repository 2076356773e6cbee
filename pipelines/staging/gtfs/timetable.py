"""Trips, their calls at stops, and the frequencies at which some of them repeat."""

from __future__ import annotations

from dataclasses import replace

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.interpolation import interpolate_times
from pipelines.staging.gtfs.rows import staged
from pipelines.staging.gtfs.validation import Part, Validation
from pipelines.staging.sift import Staged

SECONDS = {"unit": "second"}
# Fields that only a call of on-demand service has.
ON_DEMAND = (
    "location_group_id",
    "location_id",
    "start_pickup_drop_off_window",
    "end_pickup_drop_off_window",
)
START_OF_DAY = "after the service day's start (noon minus 12 h)"


class Trips(Versioned):
    """One row per trip, or per trip that frequencies repeat."""

    trip_id = dy.String(primary_key=True, description="Trip, unique in its feed.")
    route_id = dy.String(description="Route it belongs to.")
    service_id = dy.String(description="Set of dates it runs on.")
    trip_headsign = dy.String(nullable=True, description="Destination shown to riders.")
    trip_short_name = dy.String(nullable=True, description="Name shown to riders.")
    direction_id = dy.Int32(nullable=True, min=0, max=1, description="Direction of travel.")
    block_id = dy.String(nullable=True, description="Trips that one vehicle runs in sequence.")
    shape_id = dy.String(nullable=True, description="Line that it drives.")
    wheelchair_accessible = dy.Int32(
        nullable=True, min=0, max=2, description="0 unknown, 1 at least one rider, 2 none."
    )
    bikes_allowed = dy.Int32(
        nullable=True, min=0, max=2, description="0 unknown, 1 at least one bicycle, 2 none."
    )


class StopTimes(Versioned):
    """One row per call of a trip at a stop."""

    trip_id = dy.String(primary_key=True, description="Trip.")
    stop_sequence = dy.Int32(primary_key=True, min=0, description="Order of calls in the trip.")
    arrival_seconds = dy.Int32(
        nullable=True, min=0, metadata=SECONDS, description=f"arrival_time in s {START_OF_DAY}."
    )
    departure_seconds = dy.Int32(
        nullable=True, min=0, metadata=SECONDS, description=f"departure_time in s {START_OF_DAY}."
    )
    stop_id = dy.String(description="Stop or platform.")
    stop_headsign = dy.String(nullable=True, description="Destination shown from here on.")
    pickup_type = dy.Int32(
        min=0, max=3, description="0 regular, 1 no boarding, 2 by phone, 3 by arrangement."
    )
    drop_off_type = dy.Int32(
        min=0, max=3, description="0 regular, 1 no alighting, 2 by phone, 3 by arrangement."
    )
    shape_dist_traveled = dy.Float64(
        nullable=True, min=0, description="Distance along the shape in the feed's distance_unit."
    )
    timepoint = dy.Int32(
        nullable=True, min=0, max=1, description="0 times are approximate, 1 exact."
    )
    is_interpolated = dy.Bool(
        description="Whether the feed leaves the times blank and they were interpolated."
    )

    @dy.rule()
    def departure_after_arrival(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A vehicle does not leave before it arrives."""
        return pl.col("departure_seconds") >= pl.col("arrival_seconds")


class Frequencies(Versioned):
    """One row per trip and span of the day in which it repeats at a headway."""

    trip_id = dy.String(primary_key=True, description="Trip that repeats.")
    start_seconds = dy.Int32(
        primary_key=True, min=0, metadata=SECONDS, description=f"start_time in s {START_OF_DAY}."
    )
    end_seconds = dy.Int32(
        min=0, metadata=SECONDS, description=f"end_time in s {START_OF_DAY}; no departure then."
    )
    headway_secs = dy.Int32(
        min=1, metadata=SECONDS, description="Time between departures from the first stop."
    )
    exact_times = dy.Int32(min=0, max=1, description="0 headway kept roughly, 1 exact departures.")

    @dy.rule()
    def end_after_start(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The span has a length."""
        return pl.col("end_seconds") > pl.col("start_seconds")


def stage_trips(feed: Validation, source: SourceVersion) -> Staged:
    """Trips of known routes and services."""
    return staged(Trips, feed.files.get("trips"), source)


def stage_stop_times(part: Part, source: SourceVersion) -> Staged:
    """A part's calls of known trips at known stops, in key order, blank times interpolated.

    Calls of on-demand service (at zones or location groups, or within a window of time) are left
    out: no figure reads them.
    """
    calls, on_demand = part.judged, pl.any_horizontal(pl.col(ON_DEMAND).is_not_null())
    if calls.usable.select(on_demand.any()).item():
        calls = replace(calls, usable=calls.usable.filter(~on_demand))
    usable = interpolate_times(
        calls.kept.with_columns(arrival_seconds="arrival_time", departure_seconds="departure_time"),
        part.stops,
    )
    return staged(
        StopTimes,
        replace(calls, usable=usable),
        source,
        pickup_type=pl.col("pickup_type").fill_null(0),
        drop_off_type=pl.col("drop_off_type").fill_null(0),
    )


def stage_frequencies(feed: Validation, source: SourceVersion) -> Staged:
    """Frequencies of known trips."""
    return staged(
        Frequencies,
        feed.files.get("frequencies"),
        source,
        start_seconds=pl.col("start_time"),
        end_seconds=pl.col("end_time"),
        exact_times=pl.col("exact_times").fill_null(0),
    )
