"""Transfers: whether the stops, routes and trips that a transfer names fit one another.

A transfer has two ends, from and to; findings name the end's field. Times and trips of in-seat
transfers (transfer_type 4 and 5) are read from the calls of the trips named. Left out: rows that
lack what their type requires (`conditional`), and ids that are not there.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.network import LOCATION_TYPE, STATION, STOP
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, ROW, WARNING, Found, found, rule
from pipelines.staging.gtfs.rules.sphere import great_circle_m

# transfers.transfer_type: 2 waits a given time, 4 and 5 link trips of one vehicle.
TIMED, IN_SEAT, NOT_IN_SEAT = 2, 4, 5
LINKED = pl.col("transfer_type").is_in((IN_SEAT, NOT_IN_SEAT)).fill_null(value=False)
SIDES = ("from", "to")
# Walks of this length are rare, and of that length no walks (Canonical Validator 8).
LONG_WALK_M, LONGEST_WALK_M = 2_000, 10_000


@rule("transfer_distance_above_2_km", INFO, "transfers", "stops")
def transfer_far(feed: Feed) -> Iterator[Found]:
    """The two stops of a transfer are more than 2 km, at most 10 km apart in a straight line."""
    yield _far(feed, (pl.col("metres") > LONG_WALK_M) & (pl.col("metres") <= LONGEST_WALK_M))


@rule("transfer_distance_too_large", WARNING, "transfers", "stops")
def transfer_too_far(feed: Feed) -> Iterator[Found]:
    """The two stops of a transfer are more than 10 km apart in a straight line."""
    yield _far(feed, pl.col("metres") > LONGEST_WALK_M)


def _far(feed: Feed, is_far: pl.Expr) -> Found:
    places = pl.concat([feed["stops"].select("stop_id"), feed.stop_places], how="horizontal")
    known = places.drop_nulls("stop_id").unique("stop_id", keep="first", maintain_order=True)
    transfers = feed["transfers"].select(ROW, "from_stop_id", "to_stop_id")
    placed = transfers.join(known, left_on="from_stop_id", right_on="stop_id").join(
        known, left_on="to_stop_id", right_on="stop_id", suffix="_to"
    )
    ends = pl.col("stop_lat", "stop_lon", "stop_lat_to", "stop_lon_to")
    metres = great_circle_m(*(pl.col(name) for name in placed.select(ends).columns))
    broken = placed.with_columns(metres=metres).filter(is_far).sort(ROW)
    return found("transfers", broken, "to_stop_id")


@rule("transfer_with_invalid_stop_location_type", ERROR, "transfers", "stops")
def transfer_at_no_stop(feed: Feed) -> Iterator[Found]:
    """A transfer begins or ends at an entrance, node or boarding area; or, where it links two trips
    (transfer_type 4 and 5), at a station: it needs the stop itself."""
    types = feed["stops"].drop_nulls("stop_id").unique("stop_id", keep="first", maintain_order=True)
    for side in SIDES:
        field = f"{side}_stop_id"
        known = types.select(pl.col("stop_id").alias(field), type=LOCATION_TYPE)
        transfers = feed["transfers"].join(known, on=field, maintain_order="left")
        is_allowed = (pl.col("type") == STOP) | ((pl.col("type") == STATION) & ~LINKED)
        yield found("transfers", transfers.filter(~is_allowed), field)


@rule("transfer_with_invalid_trip_and_route", ERROR, "transfers", "trips")
def transfer_of_other_route(feed: Feed) -> Iterator[Found]:
    """A transfer names a trip and a route that the trip does not belong to."""
    trips = feed["trips"].drop_nulls("trip_id").unique("trip_id", keep="first", maintain_order=True)
    for side in SIDES:
        trip, route = f"{side}_trip_id", f"{side}_route_id"
        told = feed["transfers"].filter(pl.col(trip).is_not_null() & pl.col(route).is_not_null())
        known = trips.select(pl.col("trip_id").alias(trip), actual="route_id")
        broken = told.join(known, on=trip, maintain_order="left")
        yield found("transfers", broken.filter(pl.col(route) != pl.col("actual")), route)


@rule("transfer_with_invalid_trip_and_stop", ERROR, "transfers", "stops", "calls")
def transfer_where_trip_does_not_call(feed: Feed) -> Iterator[Found]:
    """A transfer names a trip and a stop at which it does not call. A station stands for its
    platforms; other locations stand for nothing."""
    stops = feed["stops"].select("stop_id", "parent_station", type=LOCATION_TYPE)
    itself = stops.filter(pl.col("type") == STOP).select("stop_id", stands_for="stop_id")
    children = (
        stops.filter(pl.col("type") == STATION)
        .select("stop_id")
        .join(stops.select(stop_id="parent_station", stands_for="stop_id"), on="stop_id")
    )
    meanings = pl.concat([itself, children]).unique()
    for side in SIDES:
        field = f"{side}_stop_id"
        told, visits = _visits(feed, side)
        known = told.join(feed["stops"], left_on=field, right_on="stop_id", how="semi")
        meant = known.join(meanings, left_on=field, right_on="stop_id")
        fits = meant.join(
            visits, left_on=["trip_id", "stands_for"], right_on=["trip_id", "stop_id"], how="semi"
        )
        yield found("transfers", known.join(fits, on=ROW, how="anti"), field)


@rule("transfer_with_suspicious_mid_trip_in_seat", WARNING, "transfers", "calls")
def linked_in_the_middle(feed: Feed) -> Iterator[Found]:
    """Of two linked trips (transfer_type 4 and 5), the first calls at from_stop_id but does not end
    there, or the second calls at to_stop_id but does not begin there."""
    for side, end in (("from", "is_last"), ("to", "is_first")):
        field = f"{side}_stop_id"
        told, visits = _visits(feed, side, LINKED)
        places = visits.select("is_first", "is_last", "trip_id", pl.col("stop_id").alias(field))
        visited = told.join(places, on=["trip_id", field], how="semi", maintain_order="left")
        elsewhere = visited.join(places.filter(end), on=["trip_id", field], how="anti")
        yield found("transfers", elsewhere, field)


def _visits(
    feed: Feed, side: str, only: pl.Expr | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transfers that name a stop and a trip of this part at one end, and the calls of these trips.

    Of the first: row_number, the stop's field and `trip_id`; of the second: trip_id, stop_id,
    is_first, is_last.
    """
    trip, stop = f"{side}_trip_id", f"{side}_stop_id"
    transfers = feed["transfers"] if only is None else feed["transfers"].filter(only)
    named = transfers.drop_nulls([trip, stop]).select(ROW, stop, trip_id=trip)
    columns = ("trip_id", "stop_id", "is_first", "is_last")
    calls = feed.calls.select(columns)
    if named.is_empty():
        return named, calls.clear()
    ids = named.get_column("trip_id").unique()
    # Trips lie together: one look at each trip, not at each call.
    first = calls.filter("is_first").select(is_named=pl.col("trip_id").is_in(ids.implode()))
    trip_of_call = calls.select(pl.col("is_first").cum_sum() - 1).to_series()
    is_named = first.get_column("is_named").gather(trip_of_call)
    visits = calls.filter(is_named)
    here = visits.filter("is_first")
    return named.join(here, on="trip_id", how="semi"), visits


@rule("inconsistent_route_type_for_in_seat_transfer", WARNING, "transfers", "routes")
def in_seat_between_modes(feed: Feed) -> Iterator[Found]:
    """Riders are to stay seated (transfer_type 4) from a route of one route_type to one of
    another."""
    routes = feed["routes"].drop_nulls("route_id").unique("route_id", keep="first")
    types = routes.select("route_id", "route_type")
    seated = feed["transfers"].filter(pl.col("transfer_type") == IN_SEAT)
    both = seated.join(types, left_on="from_route_id", right_on="route_id").join(
        types, left_on="to_route_id", right_on="route_id", suffix="_to"
    )
    broken = both.filter(pl.col("route_type") != pl.col("route_type_to")).sort(ROW)
    yield found("transfers", broken, "to_route_id")


@rule("unexpected_min_transfer_time", INFO, "transfers.min_transfer_time", is_extension=True)
def time_of_untimed_transfer(feed: Feed) -> Iterator[Found]:
    """min_transfer_time is given for a transfer that is not of transfer_type 2: readers of the feed
    do not look at it."""
    other = pl.col("transfer_type").fill_null(0) != TIMED
    broken = feed["transfers"].filter(other & pl.col("min_transfer_time").is_not_null())
    yield found("transfers", broken, "min_transfer_time", pl.col("min_transfer_time"))
