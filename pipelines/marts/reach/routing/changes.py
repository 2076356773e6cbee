"""Changes: from which arrival to which departure riders get, and in how many seconds.

By default one stays at the stop in no time, or walks to another one. transfers.txt overlays that:
type 3 forbids a change, type 2 takes its min_transfer_time in place of the walk (also at one stop),
types 0 and 1 allow it: it takes the walk's time, in a straight line x the detour factor where
nobody would walk so far. A rule at a station holds for all its platforms. Where several rules fit
an arriving and a departing run the most specific holds, in the order of the GTFS reference: both
trips named; a trip and a route; one trip; both routes; one route; none. After that a rule at stops
goes before one at stations, and the first of the file before the others.

Riders stay seated from one trip to another where type 4 says so: into the first run of that trip on
the same service date that starts at or after the arrival, which is no other ride. A block_id alone
says only that the vehicle goes on: at the same stop that costs no time anyway, elsewhere people
change by the rules above. Type 5 (riders have to leave the vehicle) changes nothing of that. That
a vehicle waits (type 1) can only be told by its timetable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.marts.reach.assumptions import DETOUR_FACTOR
from pipelines.marts.reach.routing.feeds import FEED, STATION
from pipelines.marts.reach.routing.plan import Changes
from pipelines.marts.reach.routing.stations import M_PER_SECOND, straight_m
from pipelines.marts.reach.routing.timetable import Connections, Ints, Timetable

MINIMUM_TIME, FORBIDDEN, STAY_SEATED, LEAVE_SEATS = 2, 3, 4, 5  # GTFS transfer_type
PAIR = ("from_place", "to_place")
SELECTORS = ("from_trip", "from_route", "to_trip", "to_route")


@dataclass(frozen=True)
class Links:
    """Changes by place and class, for all draws of a timetable.

    A class is the runs of a trip or a route that some rule names at a place; all others there are
    one too. `alight` and `board` hold place, trip, route (null: any) and point; `links` from_point,
    to_point, seconds; `seated` from_trip, to_trip.
    """

    alight: pl.DataFrame
    board: pl.DataFrame
    links: pl.DataFrame
    seated: pl.DataFrame

    def changes(self, connections: Connections, trips: pl.DataFrame) -> Changes:
        """These changes for the runs of one draw; `trips` are those of `trips_of`."""
        route = trips["route"].to_numpy()[connections.trip]
        return Changes(
            alight=_points(self.alight, connections.to_place, connections.trip, route),
            board=_points(self.board, connections.from_place, connections.trip, route),
            alight_place=self.alight["place"].to_numpy().astype(np.int32),
            board_place=self.board["place"].to_numpy().astype(np.int32),
            from_point=self.links["from_point"].to_numpy().astype(np.int32),
            to_point=self.links["to_point"].to_numpy().astype(np.int32),
            seconds=self.links["seconds"].to_numpy().astype(np.int32),
            stays=_stays(self.seated, connections),
        )


def link(timetable: Timetable, foot: pl.DataFrame, transfers: pl.DataFrame) -> Links:
    """All changes by foot (from_place, to_place, seconds: the least of each pair) and by rules.

    Staying at a place needs no row of `foot`.
    """
    rules = _rules(timetable, transfers)
    timed = rules.filter(pl.col("transfer_type") < STAY_SEATED)
    special = timed.filter(pl.any_horizontal(pl.col(SELECTORS).is_not_null()))
    alight = _classes(timetable.places, special, "from")
    board = _classes(timetable.places, special, "to")
    pairs = _pairs(timetable.places, foot, timed)
    routes = timetable.trips.select("trip", of_trip="route")
    links = pairs.join(_named(alight, routes, "from"), on="from_place").join(
        _named(board, routes, "to"), on="to_place"
    )
    # Of most pairs of places no rule says anything.
    plain = links.join(timed, on=PAIR, how="anti")
    ruled = _ruled(links.join(timed, on=PAIR, how="semi"), timed)
    seconds = ["from_point", "to_point", "seconds"]
    joined = pl.concat([plain.select(seconds), ruled.select(seconds)])
    seated = rules.filter(transfer_type=STAY_SEATED).drop_nulls(["from_trip", "to_trip"])
    return Links(
        alight,
        board,
        joined.drop_nulls("seconds").sort("to_point", "from_point"),
        seated.select("from_trip", "to_trip").unique().sort("from_trip", "to_trip"),
    )


def _rules(timetable: Timetable, transfers: pl.DataFrame) -> pl.DataFrame:
    """Rules that may hold for some trip that rides, by places and positions of trips and routes."""
    riding = timetable.trips.join(timetable.calls.select("trip"), on="trip", how="semi")
    routes = riding.select(*FEED, "route_id", "route").unique()
    rules = transfers.sort(*FEED, "transfer_number").with_row_index("number")
    for end in ("from", "to"):
        trip, route = f"{end}_trip_id", f"{end}_route_id"
        trips = riding.select(
            *FEED, pl.col("trip_id").alias(trip), pl.col("trip").alias(f"{end}_trip")
        )
        of_end = routes.select(
            *FEED, pl.col("route_id").alias(route), pl.col("route").alias(f"{end}_route")
        )
        rules = rules.join(trips, on=[*FEED, trip], how="left")
        rules = rules.join(of_end, on=[*FEED, route], how="left")
        rules = rules.join(_stops(timetable, end), on=[*FEED, f"{end}_stop_id"], how="left")
        is_missing = (pl.col(trip).is_not_null() & pl.col(f"{end}_trip").is_null()) | (
            pl.col(route).is_not_null() & pl.col(f"{end}_route").is_null()
        )
        rules = rules.filter(~is_missing)
    trips_named = pl.sum_horizontal(pl.col("from_trip", "to_trip").is_not_null())
    ends_named = pl.sum_horizontal(
        pl.any_horizontal(pl.col(f"{end}_trip", f"{end}_route").is_not_null())
        for end in ("from", "to")
    )
    is_timed = pl.col("transfer_type") == MINIMUM_TIME
    return rules.select(
        *PAIR,
        *SELECTORS,
        "transfer_type",
        "number",
        # Two trips, a trip and a route, a trip, two routes, a route, none.
        rank=3 * trips_named.cast(pl.Int32).clip(0, 1) + trips_named.eq(2) + ends_named,
        stations=pl.col("from_is_station").cast(pl.Int32) + pl.col("to_is_station").cast(pl.Int32),
        rule_seconds=pl.when(is_timed).then("min_transfer_time"),
    )


def _stops(timetable: Timetable, end: str) -> pl.DataFrame:
    """The places that a stop_id of a rule stands for: itself, or all platforms of a station."""
    places = timetable.places
    called = places.join(timetable.calls.select("place"), on="place", how="semi")
    names = (*map(pl.col, FEED), pl.col("stop_id").alias(f"{end}_stop_id"))
    place = pl.col("place").alias(f"{end}_place")
    own = called.select(*names, place, pl.lit(value=False).alias(f"{end}_is_station"))
    stations = places.filter(location_type=STATION).select(*names, station="place")
    of_station = called.select("station", place)
    under = stations.join(of_station, on="station").drop("station")
    return pl.concat([own, under.with_columns(pl.lit(value=True).alias(f"{end}_is_station"))])


def _classes(places: pl.DataFrame, special: pl.DataFrame, end: str) -> pl.DataFrame:
    """Points: every place's own, then those of the trips and routes that rules name there."""
    own = places.select(
        pl.col("place").cast(pl.UInt32),
        trip=pl.lit(None, pl.UInt32),
        route=pl.lit(None, pl.UInt32),
    )
    by_trip, by_route = pl.col(f"{end}_trip"), pl.col(f"{end}_route")
    named = special.filter(by_trip.is_not_null() | by_route.is_not_null()).select(
        place=f"{end}_place",
        trip=by_trip,
        route=pl.when(by_trip.is_null()).then(by_route),
    )
    named = named.drop_nulls("place").unique().sort("place", "trip", "route")
    return pl.concat([own, named]).with_row_index("point")


def _pairs(places: pl.DataFrame, foot: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Pairs of places with the seconds of the walk, if one walks there, and in a straight line."""
    here = places.select(from_place="place", to_place="place", seconds=pl.lit(0, pl.Int32))
    walks = pl.concat([foot.select(here.columns).cast(here.schema), here])
    walks = walks.group_by(PAIR).agg(pl.min("seconds"))
    apart = rules.select(PAIR).unique().join(walks, on=PAIR, how="anti")
    lie = places.select(from_place="place", latitude="latitude", longitude="longitude")
    to_lie = lie.rename(
        {name: name.replace("from", "to") if "_" in name else f"to_{name}" for name in lie.columns}
    )
    ends = apart.join(lie, on="from_place").join(to_lie, on="to_place")
    seconds = (straight_m(ends) * DETOUR_FACTOR / M_PER_SECOND).ceil().cast(pl.Int32)
    far = ends.select(PAIR).with_columns(seconds=pl.lit(None, pl.Int32), straight_seconds=seconds)
    return pl.concat([walks.with_columns(straight_seconds=pl.lit(None, pl.Int32)), far])


def _named(points: pl.DataFrame, routes: pl.DataFrame, end: str) -> pl.DataFrame:
    """Points with the names of one end; those of a trip have its route too."""
    of_route = points.join(routes, on="trip", how="left", maintain_order="left")
    of_route = of_route.with_columns(route=pl.coalesce("route", "of_trip")).drop("of_trip")
    return of_route.select(pl.all().name.prefix(f"{end}_"))


def _ruled(links: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Links between places that rules name, by the most specific rule that fits each."""
    fits = pl.all_horizontal(
        pl.col(f"{name}_rule").is_null() | (pl.col(f"{name}_rule") == pl.col(name))
        for name in SELECTORS
    )
    ends = ["from_point", "to_point"]
    fitting = links.join(rules, on=PAIR, suffix="_rule").filter(fits.fill_null(value=False))
    first = fitting.sort("rank", "stations", "number", descending=[True, False, False])
    best = first.unique(ends, keep="first", maintain_order=True)
    judged = links.join(best.select(*ends, "transfer_type", "rule_seconds"), on=ends, how="left")
    is_ruled = pl.col("transfer_type").is_not_null()
    on_foot = pl.coalesce("seconds", pl.when(is_ruled).then("straight_seconds"))
    allowed = judged.filter(pl.col("transfer_type").fill_null(0) != FORBIDDEN)
    return allowed.with_columns(seconds=pl.coalesce("rule_seconds", on_foot))


def _points(points: pl.DataFrame, place: Ints, trip: Ints, route: Ints) -> Ints:
    """The point of each call: its trip's at the place, its route's, or the place's own."""
    named = points.filter(pl.col("trip").is_not_null() | pl.col("route").is_not_null())
    if named.is_empty():
        return place
    calls = pl.DataFrame({"place": place, "trip": trip, "route": route}).cast(pl.UInt32)
    by_trip = named.drop_nulls("trip").select("place", "trip", of_trip="point")
    by_route = named.drop_nulls("route").select("place", "route", of_route="point")
    found = calls.join(by_trip, on=["place", "trip"], how="left", maintain_order="left").join(
        by_route, on=["place", "route"], how="left", maintain_order="left"
    )
    point = found.select(pl.coalesce("of_trip", "of_route", "place")).to_series()
    return point.to_numpy().astype(np.int32)


def _stays(seated: pl.DataFrame, connections: Connections) -> Ints:
    """Pairs of runs: the second is the first of its trip to start after the first has ended."""
    runs = pl.DataFrame(
        {"run": connections.run, "trip": connections.trip, "day": connections.service_day}
    ).unique()
    runs = runs.with_columns(
        pl.col("trip").cast(pl.UInt32),
        starts=pl.lit(connections.run_starts).gather("run"),
        ends=pl.lit(connections.run_ends).gather("run"),
    )
    after = runs.select("day", "starts", to_trip="trip", to_run="run")
    pairs = (
        seated.join(runs.rename({"trip": "from_trip"}).drop("starts"), on="from_trip")
        .join(after, on=["to_trip", "day"])
        .filter(pl.col("starts") >= pl.col("ends"))
        .sort("run", "to_trip", "starts", "to_run")
        .unique(["run", "to_trip"], keep="first", maintain_order=True)
    )
    return pairs.select("run", "to_run").to_numpy().astype(np.int32).reshape(-1, 2)
