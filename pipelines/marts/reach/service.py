"""Stops served on a service date by one mode.

A stop is served when an active trip of one of the mode's routes calls there and people may board
or alight: a call with both `pickup_type` and `drop_off_type` 1 serves nobody. Terminals where one
can only alight count, since the way back begins beside them. A stop lies where the feed puts it, a
platform not at its station; without coordinates of its own it lies at its parent station.

*Step-free* is a stop with wheelchair_boarding 1 where a trip with wheelchair_accessible 1 calls;
*perhaps step-free* one without a 2 where a trip without a 2 calls. 0 or empty says nothing: a
platform, or a boarding area, then has what its station says (gtfs.org, stops.txt).

Left out: zones that are served on demand (they have no stop), and how often a stop is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import dataframely as dy
import polars as pl

from pipelines.errors import ContractError, sample_text
from pipelines.staging.gtfs import Routes, ServiceDates, Stops, StopTimes, Trips

_FEED = ("source_id", "version_id")
_NOT_AVAILABLE = 1  # GTFS pickup_type and drop_off_type
_ACCESSIBLE, _INACCESSIBLE = 1, 2  # GTFS wheelchair_boarding and wheelchair_accessible


@dataclass(frozen=True)
class Mode:
    """Kinds of routes that are reached from the same distance, by GTFS and extended route types."""

    name: str
    distance_m: int
    route_types: frozenset[int]


@dataclass(frozen=True)
class Timetable:
    """The staged tables of all feed versions that govern the night."""

    service_dates: dy.DataFrame[ServiceDates]
    trips: dy.DataFrame[Trips]
    stop_times: dy.DataFrame[StopTimes]
    routes: dy.DataFrame[Routes]
    stops: dy.DataFrame[Stops]

    @property
    def feeds(self) -> list[str]:
        """Names of the feeds, sorted."""
        return sorted(set(self.stops.get_column("source_id")))


def served_stops(timetable: Timetable, mode: Mode, service_date: date) -> pl.DataFrame:
    """One row per stop of a feed that the mode serves on the date: latitude, longitude in degrees.

    Besides, whether it `is_step_free` and `is_perhaps_step_free`, and its `parent_station`.
    ContractError where a served stop has no place.
    """
    called = (
        _calls(timetable, mode, service_date)
        .group_by(*_FEED, "stop_id")
        .agg(
            is_step_free=(pl.col("trip_flag") == _ACCESSIBLE).any(),
            is_perhaps_step_free=(pl.col("trip_flag") != _INACCESSIBLE).any(),
        )
    )
    served = called.join(placed_stops(timetable.stops), on=[*_FEED, "stop_id"], how="left")
    unplaced = served.filter(pl.any_horizontal(pl.col("latitude", "longitude").is_null()))
    if unplaced.height:
        raise ContractError(
            f"staging.stops has no place for {unplaced.height} stops that are served on "
            f"{service_date}: {sample_text(sorted(unplaced.get_column('stop_id')))}.",
            "Quarantine calls at stops without coordinates, or ask the feed's publisher for them.",
        )
    stop_flag = pl.col("stop_flag").fill_null(0)
    return (
        served.with_columns(
            pl.col("is_step_free") & (stop_flag == _ACCESSIBLE),
            pl.col("is_perhaps_step_free") & (stop_flag != _INACCESSIBLE),
        )
        .drop("stop_flag")
        .sort(*_FEED, "stop_id")
    )


def stranded_trips(
    timetable: Timetable, mode: Mode, service_date: date, stops: pl.DataFrame
) -> pl.DataFrame:
    """Trips of the mode that run on the date and call at none but these stops: their keys."""
    calls = _calls(timetable, mode, service_date)
    trip = [*_FEED, "trip_id"]
    elsewhere = calls.join(stops, on=[*_FEED, "stop_id"], how="anti")
    return calls.join(elsewhere, on=trip, how="anti").select(trip).unique().sort(trip)


def _calls(timetable: Timetable, mode: Mode, service_date: date) -> pl.DataFrame:
    """Calls at which trips of the mode serve somebody, with the trip's accessibility."""
    active = timetable.service_dates.filter(pl.col("service_date") == service_date)
    of_mode = timetable.routes.filter(pl.col("route_type").is_in(sorted(mode.route_types)))
    running = (
        timetable.trips.join(of_mode, on=[*_FEED, "route_id"], how="semi")
        .join(active, on=[*_FEED, "service_id"], how="semi")
        .select(*_FEED, "trip_id", trip_flag=pl.col("wheelchair_accessible").fill_null(0))
    )
    is_for_nobody = pl.all_horizontal(pl.col("pickup_type", "drop_off_type") == _NOT_AVAILABLE)
    calls = timetable.stop_times.filter(~is_for_nobody, pl.col("stop_id").is_not_null())
    return calls.select(*_FEED, "trip_id", "stop_id").join(running, on=[*_FEED, "trip_id"])


def placed_stops(stops: pl.DataFrame) -> pl.DataFrame:
    """Each stop's place and accessibility (null: unknown), its station's where it has none."""
    has_place = pl.col("stop_lat").is_not_null() & pl.col("stop_lon").is_not_null()
    placed = stops.select(
        *_FEED,
        "stop_id",
        "parent_station",
        latitude=pl.when(has_place).then("stop_lat"),
        longitude=pl.when(has_place).then("stop_lon"),
        stop_flag=pl.when(pl.col("wheelchair_boarding") != 0).then("wheelchair_boarding"),
    )
    inherited = ("latitude", "longitude", "stop_flag")
    for _ in range(2):  # a boarding area lies on a platform, and that one in a station
        above = {f"{name}_above": pl.col(name) for name in inherited}
        parents = placed.select(*_FEED, parent_station="stop_id", **above)
        placed = placed.join(parents, on=[*_FEED, "parent_station"], how="left").select(
            *(*_FEED, "stop_id", "parent_station"),
            *(pl.coalesce(name, f"{name}_above").alias(name) for name in inherited),
        )
    return placed
