"""The feeds that a router reads, who travels by them, and the places where one boards.

A place is a stop, platform or boarding area of one feed version (ids repeat between feeds); it is
known by its position in `Places`. It lies where the feed puts it, without coordinates at its parent
station. Left out: zones of service on demand, which have no stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

FEED = ("source_id", "version_id")
ACCESSIBLE, NOT_ACCESSIBLE = 1, 2  # GTFS wheelchair_boarding and wheelchair_accessible
STATION = 1  # GTFS location_type

# Who needs no steps: "lower" rides only what the feed says is accessible, "upper" all that it does
# not call inaccessible (where it says nothing, the truth lies between the two).
StepFree = Literal["lower", "upper"]


@dataclass(frozen=True)
class Feeds:
    """The staged tables of all feed versions that govern the day."""

    feed_versions: pl.DataFrame
    service_dates: pl.DataFrame
    trips: pl.DataFrame
    stop_times: pl.DataFrame
    frequencies: pl.DataFrame
    routes: pl.DataFrame
    stops: pl.DataFrame
    transfers: pl.DataFrame
    pathways: pl.DataFrame


@dataclass(frozen=True)
class Travel:
    """By which routes people travel (GTFS route types; None: by all), and whether without steps."""

    route_types: frozenset[int] | None = None
    step_free: StepFree | None = None


ANY_TRAVEL = Travel()


def places_of(feeds: Feeds) -> pl.DataFrame:
    """One row per stop row of any location type, in key order; `place` is its position.

    Columns place, source_id, version_id, stop_id, location_type, parent (its place, or null),
    station (the place at the top, or its own), latitude, longitude (null where nobody knows),
    wheelchair_boarding (its station's where it has none of its own, as GTFS says).
    """
    own = feeds.stops.sort(*FEED, "stop_id").with_row_index("place")
    parents = own.select(
        *FEED,
        "stop_lat",
        "stop_lon",
        "wheelchair_boarding",
        "place",
        grandparent=pl.col("parent_station"),
        parent_station=pl.col("stop_id"),
    )
    keys = [*FEED, "parent_station"]
    joined = own.join(parents, on=keys, how="left", suffix="_parent", maintain_order="left")
    # Boarding areas belong to a platform, and by it to a station.
    grandparents = parents.select(
        *FEED, pl.col("parent_station").alias("grandparent"), place_grandparent="place"
    )
    joined = joined.join(grandparents, on=[*FEED, "grandparent"], how="left", maintain_order="left")
    is_placed = pl.col("stop_lat").is_not_null() & pl.col("stop_lon").is_not_null()
    told = pl.col("wheelchair_boarding").fill_null(0)
    return joined.select(
        "place",
        *FEED,
        "stop_id",
        "location_type",
        parent="place_parent",
        station=pl.coalesce("place_grandparent", "place_parent", "place"),
        latitude=pl.when(is_placed).then("stop_lat").otherwise("stop_lat_parent"),
        longitude=pl.when(is_placed).then("stop_lon").otherwise("stop_lon_parent"),
        wheelchair_boarding=pl.when(told > 0)
        .then(told)
        .otherwise(pl.col("wheelchair_boarding_parent").fill_null(0)),
    )


def is_allowed(flag: str, step_free: StepFree | None) -> pl.Expr:
    """Whether a stop's or trip's flag lets these travellers use it."""
    if step_free is None:
        return pl.lit(True)
    told = pl.col(flag).fill_null(0)
    return told == ACCESSIBLE if step_free == "lower" else told != NOT_ACCESSIBLE
