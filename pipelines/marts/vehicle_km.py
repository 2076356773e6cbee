"""Scheduled kilometres of buses, and which vehicles run them: for shares and for emissions.

A trip's kilometres are its length times how often it leaves on a day it runs. A trip whose length
isn't known counts as a trip without kilometres, and figures say how many there are.

A timetable doesn't name vehicles, so a route's kilometres are shared over a *pool* of vehicles in
service, in proportion to their number: the first of these that isn't empty.

1. The vehicles that the register assigns to the route.
2. Those of the operator that the register knows under the name of the route's agency (letter case
   and spaces apart); first those without an assignment to another route, then all.
3. Those of all operators, in the same order.

Where a feed tells trolleybus routes (GTFS type 11, extended 800) from others and the fleet has
trolleybuses, these run on the former and other vehicles on the latter; else they are among them.

Left out: kilometres from and to depots, and that old vehicles run less than those just bought.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipelines.marts.service import FEED
from pipelines.marts.vehicle_history import fleet_on

# GTFS and extended route types of buses and trolleybuses, those of `marts.bus_reach`.
BUS_TYPES = (3, 11, *range(700, 717), 800)
TROLLEYBUS_TYPES = (11, 800)
GROUNDS = ("assigned vehicles", "the operator's fleet", "the whole fleet")
_ROUTE = ("route_id", "operator", "is_trolleybus_route")


@dataclass(frozen=True)
class Sharing:
    """Whose vehicles run which trips.

    `trips` are those asked for, with the number of their `pool`; `shares` has one row per pool and
    kind of vehicle with its `share` of the pool, which sum to one; `method` says it in words.
    """

    trips: pl.DataFrame
    shares: pl.DataFrame
    method: str


def fleet_in_service(vehicle_history: pl.DataFrame, service_date: date) -> pl.DataFrame:
    """The vehicles of a date, as one night knew them, without those in reserve; blank serves."""
    is_reserve = (pl.col("status") == "reserve").fill_null(False)
    return fleet_on(vehicle_history, service_date).filter(~is_reserve)


def bus_trips(trip_stats: pl.DataFrame, routes: pl.DataFrame, agency: pl.DataFrame) -> pl.DataFrame:
    """One row per bus trip of the feeds at hand, sorted: its service, operator, km a day, speed.

    Columns: those of FEED, service_id, trip_id, route_id, operator (its agency's name, folded),
    is_trolleybus_route, trip_count (departures), km (of all of them; null where the length isn't
    known), speed_kmh.
    """
    of_buses = routes.filter(pl.col("route_type").is_in(BUS_TYPES))
    names = agency.select(*FEED, "agency_id", "agency_name")
    # A route without agency_id is its feed's only agency's.
    only = names.filter(pl.len().over(FEED) == 1).select(*FEED, only_name="agency_name")
    named = (
        of_buses.select(*FEED, "route_id", "agency_id", bus_type="route_type")
        .join(names, on=[*FEED, "agency_id"], how="left")
        .join(only, on=FEED, how="left")
    )
    is_known = (pl.col("distance_km") > 0) & (pl.col("speed_kmh") > 0)
    return (
        trip_stats.join(named, on=[*FEED, "route_id"])
        .select(
            *FEED,
            "service_id",
            "trip_id",
            "route_id",
            operator=_folded(pl.coalesce("agency_name", "only_name")),
            is_trolleybus_route=pl.col("bus_type").is_in(TROLLEYBUS_TYPES),
            trip_count="departure_count",
            km=pl.when(is_known).then(pl.col("distance_km") * pl.col("departure_count")),
            speed_kmh=pl.when(is_known).then("speed_kmh"),
        )
        .sort(*FEED, "trip_id")
    )


def share_out(trips: pl.DataFrame, fleet: pl.DataFrame, by: Sequence[str]) -> Sharing:
    """Share the trips of `bus_trips` over a fleet; `by` names its columns that make a kind."""
    routes = trips.select(_ROUTE).unique().sort(_ROUTE)
    counts = _counts(trips, fleet, by)
    tells_apart = (
        routes.get_column("is_trolleybus_route").any()
        and counts.get_column("is_trolleybus").n_unique() == 2
    )
    pools: dict[tuple[object, ...], int] = {}
    shares = []
    numbers = []
    grounds = set()
    for route_id, operator, is_trolley in routes.iter_rows():
        of_kind = counts.filter(is_trolleybus=is_trolley) if tells_apart else counts
        key, pool = next(_pools(of_kind, route_id, operator))
        key = (*key, tells_apart and is_trolley)
        grounds.add(key[0])
        if key not in pools:
            pools[key] = len(pools)
            share = pl.col("count") / pl.col("count").sum()
            told = pool.group_by(by).agg(pl.sum("count")).select(*by, share=share)
            shares.append(told.select(pl.lit(pools[key], pl.UInt32).alias("pool"), pl.all()))
        numbers.append(pools[key])
    numbered = routes.with_columns(pool=pl.Series(numbers, dtype=pl.UInt32))
    return Sharing(
        trips.join(numbered, on=_ROUTE, nulls_equal=True, maintain_order="left"),
        pl.concat(shares).sort("pool", *by),
        "km by " + ", else by ".join(ground for ground in GROUNDS if ground in grounds),
    )


def _pools(
    counts: pl.DataFrame, route_id: str, operator: str | None
) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    """The pools that are not empty, best first, each with a key that tells it from others."""
    is_free = pl.col("assigned_id").is_null()
    is_ours = pl.col("operator") == operator if operator else pl.lit(False)
    ways = (
        ((GROUNDS[0], route_id), pl.col("assigned_id") == route_id),
        ((GROUNDS[1], operator, "free"), is_ours & is_free),
        ((GROUNDS[1], operator), is_ours),
        ((GROUNDS[2], "free"), is_free),
        ((GROUNDS[2],), pl.lit(True)),
    )
    for key, condition in ways:
        pool = counts.filter(condition)
        if pool.height:
            yield key, pool


def _counts(trips: pl.DataFrame, fleet: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """How many vehicles of each kind there are, by operator and by the route of these trips."""
    known = trips.get_column("route_id").unique().implode()
    assigned = pl.when(pl.col("route_id").is_in(known)).then("route_id")
    marked = fleet.with_columns(
        assigned_id=assigned,
        operator=_folded(pl.col("operator_name")),
        is_trolleybus=pl.col("fuel_type") == "trolleybus",
    )
    return marked.group_by("assigned_id", "operator", "is_trolleybus", *by).agg(count=pl.len())


def _folded(name: pl.Expr) -> pl.Expr:
    return name.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
