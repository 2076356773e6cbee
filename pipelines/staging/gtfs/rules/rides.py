"""How far and how long a vehicle rides between the stops of a trip, for the rules of speed.

A stop's place is its own or an ancestor's (`Feed.stop_places`); distances are great circles.
Along a trip they are summed from stop to stop with a place; stops without one are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.runs import (
    BLANK,
    Flags,
    Floats,
    Integers,
    Positions,
    Runs,
    runs_of,
)
from pipelines.staging.gtfs.rules.sphere import EARTH_RADIUS_M

# Fastest believable speed by routes.route_type, and of any other type (Canonical GTFS Validator,
# fast_travel_between_consecutive_stops).
FASTEST_KMH = {
    0: 100.0,  # tram: Houston's reaches 100
    1: 150.0,  # underground
    2: 500.0,  # rail: a magnetic levitation train
    3: 150.0,  # bus
    4: 80.0,  # ferry
    5: 30.0,  # cable tram
    6: 50.0,  # aerial lift
    7: 50.0,  # funicular
    11: 150.0,  # trolleybus
    12: 150.0,  # monorail
}
FASTEST_OTHER_KMH = 200.0
METRES_PER_KM = 1000


@dataclass(frozen=True)
class Rides:
    """The calls of a part with places and times; `fastest_kmh` is NaN where no route is known."""

    runs: Runs
    on_sphere: tuple[Floats, Floats, Floats]  # each stop as a vector of length 1
    stop: Positions  # each call's stop among these, or BLANK
    is_placed: Flags
    arrival: Integers
    departure: Integers
    fastest_kmh: Floats

    @cached_property
    def ends(self) -> Flags:
        """Calls that a ride can end at: their place and arrival are known."""
        return np.asarray(self.is_placed & (self.arrival != BLANK))

    @cached_property
    def starts(self) -> Flags:
        """Calls that a ride can start from: their place and departure are known."""
        return np.asarray(self.is_placed & (self.departure != BLANK))

    @cached_property
    def along_km(self) -> Floats:
        """Distance of each call along its trip, from any origin; it never falls in a part."""
        placed = slice(None) if self.is_placed.all() else self.is_placed
        stop, begin = self.stop[placed], self.runs.begin[placed]
        chord = np.zeros(max(stop.size - 1, 0))
        for axis in self.on_sphere:
            step = np.diff(axis[stop])
            step *= step
            chord += step
        chord[begin[1:] != begin[:-1]] = 0.0
        legs = np.zeros(self.stop.size)
        legs[placed] = np.append(0.0, _arc_km(np.sqrt(chord, out=chord)))[: stop.size]
        return np.cumsum(legs, out=legs)

    def km(self, start: Positions, end: Positions) -> Floats:
        """Straight distances between calls."""
        chord = np.zeros(start.size)
        for axis in self.on_sphere:
            chord += (axis[self.stop[end]] - axis[self.stop[start]]) ** 2
        return _arc_km(np.sqrt(chord))


def _arc_km(chord: Floats) -> Floats:
    """Length of the arc over a chord of a sphere of radius 1, on the Earth."""
    half = np.minimum(chord / 2, 1.0)
    return np.asarray(2 * EARTH_RADIUS_M / METRES_PER_KM * np.arcsin(half))


@once
def rides_of(feed: Feed) -> Rides:
    """The rides of the feed's part of stop_times."""
    runs = runs_of(feed)
    places = feed.stop_places
    lat, lon = (np.radians(_degrees(places, column)) for column in ("stop_lat", "stop_lon"))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    stop = runs.indexes("stop_index")
    is_known = (np.abs(lat) <= np.pi / 2) & (np.abs(lon) <= np.pi)
    is_placed = np.append(is_known, False)[stop]  # BLANK takes the last
    return Rides(
        runs=runs,
        on_sphere=(x, y, z),
        stop=stop,
        is_placed=is_placed,
        arrival=runs.times("arrival_time"),
        departure=runs.times("departure_time"),
        fastest_kmh=np.repeat(_fastest_kmh(feed, runs), runs.lengths),
    )


def _degrees(places: pl.DataFrame, column: str) -> Floats:
    return places.get_column(column).fill_null(np.nan).to_numpy()


def _fastest_kmh(feed: Feed, runs: Runs) -> Floats:
    """Limit of each trip of the part, NaN without a route."""
    kind = pl.col("route_type")
    limit = kind.replace_strict(FASTEST_KMH, default=FASTEST_OTHER_KMH, return_dtype=pl.Float64)
    routes = feed["routes"].unique("route_id", keep="first").select("route_id", limit=limit)
    trips = feed["trips"].select(pl.col("route_id").gather(runs.trips))
    limits = trips.join(routes, on="route_id", how="left", maintain_order="left")
    return limits.get_column("limit").fill_null(np.nan).to_numpy()
