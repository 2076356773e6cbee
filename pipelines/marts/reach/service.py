"""Stops served on a service date by one mode.

A stop is served when an active trip of one of the mode's routes calls there and people may board
or alight: a call with both `pickup_type` and `drop_off_type` 1 serves nobody. Terminals where one
can only alight count, since the way back begins beside them. A stop lies where the feed puts it, a
platform not at its station; without coordinates of its own it lies at its parent station.

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

    ContractError where a served stop has no place.
    """
    active = timetable.service_dates.filter(pl.col("service_date") == service_date)
    of_mode = timetable.routes.filter(pl.col("route_type").is_in(sorted(mode.route_types)))
    running = timetable.trips.join(of_mode, on=[*_FEED, "route_id"], how="semi").join(
        active, on=[*_FEED, "service_id"], how="semi"
    )
    is_for_nobody = pl.all_horizontal(pl.col("pickup_type", "drop_off_type") == _NOT_AVAILABLE)
    called = (
        timetable.stop_times.join(running, on=[*_FEED, "trip_id"], how="semi")
        .filter(~is_for_nobody, pl.col("stop_id").is_not_null())
        .select(*_FEED, "stop_id")
        .unique()
    )
    served = called.join(_places(timetable.stops), on=[*_FEED, "stop_id"], how="left")
    unplaced = served.filter(pl.any_horizontal(pl.col("latitude", "longitude").is_null()))
    if unplaced.height:
        raise ContractError(
            f"staging.stops has no place for {unplaced.height} stops that are served on "
            f"{service_date}: {sample_text(sorted(unplaced.get_column('stop_id')))}.",
            "Quarantine calls at stops without coordinates, or ask the feed's publisher for them.",
        )
    return served.sort(*_FEED, "stop_id")


def _places(stops: pl.DataFrame) -> pl.DataFrame:
    """Each stop's latitude and longitude, its parent station's where it has none of its own."""
    parents = stops.select(
        *_FEED, parent_station="stop_id", parent_lat="stop_lat", parent_lon="stop_lon"
    )
    has_place = pl.col("stop_lat").is_not_null() & pl.col("stop_lon").is_not_null()
    return stops.join(parents, on=[*_FEED, "parent_station"], how="left").select(
        *_FEED,
        "stop_id",
        latitude=pl.when(has_place).then("stop_lat").otherwise("parent_lat"),
        longitude=pl.when(has_place).then("stop_lon").otherwise("parent_lon"),
    )
