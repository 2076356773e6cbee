"""PTAL: how good public transport is from a place, as one index and a band, after TfL.

Connectivity assessment guide (Transport for London, 2015):

    WT  = walk / 80 m a minute          SWT = 0.5 x 60 / departures an hour
    AWT = SWT + 2.0 (bus), 0.75 (rail)  EDF = 30 / (WT + AWT)
    index = over modes: EDF of the best route + 0.5 x EDF of each other route

A route counts once: at the nearest place (see `stop_places`) where riders can board it, if that is
within 640 m (bus, trolleybus) or 960 m (metro, suburban rail, tram) on foot, in the direction that
leaves more often there. Modes are bus, tram, metro and suburban rail. What TfL calls a rail route,
a pattern of calls, is a GTFS route here.

Left out: coaches, ferries, cable cars and taxis.
"""

from __future__ import annotations

import polars as pl

from pipelines.marts.reach.assumptions import WALK_M_PER_MINUTE
from pipelines.night import Window

PEAK = Window(8 * 3600 + 15 * 60, 9 * 3600 + 15 * 60)
LONGEST_WALK_M = {"bus": 640.0, "tram": 960.0, "metro": 960.0, "suburban rail": 960.0}
# Minutes added to the mean wait, since vehicles are late.
LATE_MINUTES = {"bus": 2.0, "tram": 0.75, "metro": 0.75, "suburban rail": 0.75}
OTHER_ROUTES_WEIGHT = 0.5
INDEX_DECIMALS = 4
# Each band but the first holds the indices above its bound, up to the next band's.
BANDS = ("0", "1a", "1b", "2", "3", "4", "5", "6a", "6b")
BAND_BOUNDS = (0.0, 2.5, 5.0, 10.0, 15.0, 20.0, 25.0, 40.0)


def access_indices(routes: pl.DataFrame) -> pl.DataFrame:
    """One row per cell with `ptal_index`, of rows (cell, mode, walk_m, departures_per_hour).

    A row is a route that counts for the cell.
    """
    walk_minutes = pl.col("walk_m") / WALK_M_PER_MINUTE
    late_minutes = pl.col("mode").replace_strict(LATE_MINUTES, return_dtype=pl.Float64)
    wait_minutes = 0.5 * 60 / pl.col("departures_per_hour") + late_minutes
    doorstep = 30 / (walk_minutes + wait_minutes)
    others = doorstep.sum() - doorstep.max()
    by_mode = routes.group_by("cell", "mode").agg(
        ptal_index=doorstep.max() + OTHER_ROUTES_WEIGHT * others
    )
    index = pl.col("ptal_index").sum().round(INDEX_DECIMALS)
    return by_mode.group_by("cell").agg(index).sort("cell")


def band(index: pl.Expr) -> pl.Expr:
    """Band of an index; null for null."""
    passed = pl.sum_horizontal(index > bound for bound in BAND_BOUNDS)
    label = passed.replace_strict(dict(enumerate(BANDS)), return_dtype=pl.String)
    return pl.when(index.is_not_null()).then(label)


def nearest_routes(walks: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """The routes that count for each cell: rows (cell, mode, walk_m, departures_per_hour).

    `walks` has cell, mode, stop and distance_m; `rates` mode, stop, place, route, direction and
    departures_per_hour, without zeros. Stops, places and routes are told by numbers.
    """
    limit = pl.col("mode").replace_strict(LONGEST_WALK_M, return_dtype=pl.Float64)
    route = ["mode", "route"]
    at_places = (
        rates.group_by(*route, "place", "direction")
        .agg(pl.sum("departures_per_hour"))
        .group_by(*route, "place")
        .agg(pl.max("departures_per_hour"))
    )
    nearest = (
        walks.filter(pl.col("distance_m") <= limit)
        .join(rates.select(*route, "stop", "place").unique(), on=["mode", "stop"])
        .group_by("cell", *route, "place")
        .agg(walk_m=pl.min("distance_m"))
        .join(at_places, on=[*route, "place"])
        .sort("cell", *route, "walk_m", "departures_per_hour", descending=[*[False] * 4, True])
    )
    once = nearest.unique(["cell", *route], keep="first", maintain_order=True)
    return once.select("cell", "mode", "walk_m", "departures_per_hour")
