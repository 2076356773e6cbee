"""Access typology: how often public transport leaves within a short walk, after DG REGIO.

Measuring access to public transport in European cities (Poelman and Dijkstra, European Commission,
WP 01/2015): within 5 minutes on foot of a bus or tram stop, within 10 of a metro or rail station.
Stops of one place are clustered (see `stop_places`) and their departures added up; a home in reach
of several places takes the best. Departures an hour are the mean from 06:00 to 20:00:

    high > 10,  medium 4 to 10,  low < 4,  none: nothing leaves within the walk,
    very high: both kinds of modes above 10

Left out: coaches, ferries, cable cars and taxis. The definition is for weekdays.
"""

from __future__ import annotations

import polars as pl

from pipelines.marts.reach.assumptions import WALK_M_PER_MINUTE
from pipelines.night import Window

DAYTIME = Window(6 * 3600, 20 * 3600)
SLOW, FAST = "bus_tram", "metro_rail"
KINDS = {"bus": SLOW, "tram": SLOW, "metro": FAST, "suburban rail": FAST}
LONGEST_WALK_M = {SLOW: 5 * WALK_M_PER_MINUTE, FAST: 10 * WALK_M_PER_MINUTE}
CLASSES = ("very high", "high", "medium", "low", "none")
HIGH_ABOVE, MEDIUM_FROM = 10.0, 4.0
RATE_DECIMALS = 4
COLUMNS = {kind: f"{kind}_departures_per_hour" for kind in LONGEST_WALK_M}


def best_departures(walks: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """One row per cell with a departure in reach: of each kind the best place's, an hour.

    `walks` has cell, mode, stop and distance_m; `rates` mode, stop, place and departures_per_hour,
    without zeros. Both columns (`COLUMNS`) are 0 where nothing leaves within the walk.
    """
    kind = pl.col("mode").replace_strict(KINDS, return_dtype=pl.String)
    limit = kind.replace_strict(LONGEST_WALK_M, return_dtype=pl.Float64)
    at_places = rates.group_by("place", kind=kind).agg(pl.sum("departures_per_hour"))
    reached = (
        walks.filter(pl.col("distance_m") <= limit)
        .join(rates.select("mode", "stop", "place").unique(), on=["mode", "stop"])
        .select("cell", "place", kind=kind)
        .unique()
    )
    best = (
        reached.join(at_places, on=["kind", "place"])
        .group_by("cell")
        .agg(
            pl.col("departures_per_hour")
            .filter(pl.col("kind") == name)
            .max()
            .fill_null(0.0)
            .round(RATE_DECIMALS)
            .alias(column)
            for name, column in COLUMNS.items()
        )
    )
    return best.sort("cell")


def access_class(slow: pl.Expr, fast: pl.Expr) -> pl.Expr:
    """Class of a home by the departures an hour of both kinds; null where one is null."""
    best = pl.max_horizontal(slow, fast)
    return (
        pl.when(slow.is_null() | fast.is_null())
        .then(pl.lit(None, pl.String))
        .when((slow > HIGH_ABOVE) & (fast > HIGH_ABOVE))
        .then(pl.lit("very high"))
        .when(best > HIGH_ABOVE)
        .then(pl.lit("high"))
        .when(best >= MEDIUM_FROM)
        .then(pl.lit("medium"))
        .when(best > 0)
        .then(pl.lit("low"))
        .otherwise(pl.lit("none"))
    )
