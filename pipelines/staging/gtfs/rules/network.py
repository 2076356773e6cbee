"""Agencies, routes and stops: what each needs to be shown to riders, and what must agree.

Blank location_type is 0, a stop or platform. Left out: references between files and what every
file is asked alike, which the specification says; parents and pathways, which are `stations`.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, WARNING, Found, found, found_file, rule
from pipelines.staging.gtfs.rules.sphere import nearest_m

STOP, STATION, ENTRANCE, GENERIC_NODE, BOARDING_AREA = 0, 1, 2, 3, 4
LOCATION_TYPE = pl.col("location_type").fill_null(STOP)
# Locations that riders see by name and on the map (stops.txt: stop_name, stop_lat).
NAMED_LOCATIONS = (STOP, STATION, ENTRANCE)
# Stops that belong to no station and lie nearer than this are likely one (transitland-lib).
SAME_PLACE_M = 1.0


@rule("missing_required_agency_id", ERROR, "agency")
def agency_id_missing_among_several(feed: Feed) -> Iterator[Found]:
    """The feed has more than one agency, and a row of agency, routes or fare_attributes does not
    say which it is."""
    if feed["agency"].height > 1:
        for name in ("agency", "routes", "fare_attributes"):
            yield found(name, feed[name].filter(pl.col("agency_id").is_null()), "agency_id")


@rule("inconsistent_agency_timezone", ERROR, "agency")
def agencies_in_different_time_zones(feed: Feed) -> Iterator[Found]:
    """An agency has another time zone than the first; one feed has one time zone."""
    yield _differs_from_first(feed, "agency_timezone")


@rule("inconsistent_agency_lang", WARNING, "agency.agency_lang")
def agencies_in_different_languages(feed: Feed) -> Iterator[Found]:
    """An agency has another language than the first that names one."""
    yield _differs_from_first(feed, "agency_lang")


def _differs_from_first(feed: Feed, field: str) -> Found:
    agencies = feed["agency"].filter(pl.col(field).is_not_null())
    text = pl.col(field).str.to_lowercase()
    return found("agency", agencies.filter(text != text.first()), field)


@rule("route_both_short_and_long_name_missing", ERROR, "routes")
def route_without_name(feed: Feed) -> Iterator[Found]:
    """A route has neither route_short_name nor route_long_name."""
    nameless = pl.col("route_short_name").is_null() & pl.col("route_long_name").is_null()
    broken = feed["routes"].filter(nameless)
    yield found("routes", broken, "route_short_name", pl.col("route_id"))


@rule("route_networks_specified_in_more_than_one_file", ERROR, "routes.network_id")
def networks_told_twice(feed: Feed) -> Iterator[Found]:
    """routes has the column network_id, and networks or route_networks is there as well; only one
    way of telling networks is allowed, even where the column is blank."""
    for name in ("networks", "route_networks"):
        if feed.has(name):
            yield found_file(name, "network_id")


@rule("missing_stop_name", ERROR, "stops")
def stop_without_name(feed: Feed) -> Iterator[Found]:
    """A stop, station or entrance has no stop_name."""
    nameless = LOCATION_TYPE.is_in(NAMED_LOCATIONS) & pl.col("stop_name").is_null()
    yield found("stops", feed["stops"].filter(nameless), "stop_name")


@rule("stop_without_location", ERROR, "stops")
def stop_without_coordinates(feed: Feed) -> Iterator[Found]:
    """A stop, station or entrance lacks stop_lat or stop_lon: one finding for each."""
    placed = feed["stops"].filter(LOCATION_TYPE.is_in(NAMED_LOCATIONS))
    for field in ("stop_lat", "stop_lon"):
        yield found("stops", placed.filter(pl.col(field).is_null()), field)


@rule("stop_without_stop_time", WARNING, "stops", "served_stops")
def stop_never_served(feed: Feed) -> Iterator[Found]:
    """No stop time names a stop or platform, nor does a location group list it in a feed whose stop
    times name groups."""
    stops = feed["stops"].filter((LOCATION_TYPE == STOP) & pl.col("stop_id").is_not_null())
    served = feed.served_stops.select("stop_id")
    if feed.served_groups.height:
        grouped = feed["location_group_stops"].join(feed.served_groups, on="location_group_id")
        served = pl.concat([served, grouped.select("stop_id")])
    yield found("stops", stops.join(served, on="stop_id", how="anti"), "stop_id")


@rule("location_with_unexpected_stop_time", ERROR, "stops", "served_stops")
def vehicle_at_no_stop(feed: Feed) -> Iterator[Found]:
    """A stop time names a station, entrance, generic node or boarding area: vehicles call at stops
    and platforms only."""
    others = feed["stops"].filter(LOCATION_TYPE != STOP)
    yield found("stops", others.join(feed.served_stops, on="stop_id", how="semi"), "stop_id")


@rule("stop_too_close_to_another", INFO, "stops", is_extension=True)
def stops_in_one_place(feed: Feed) -> Iterator[Found]:
    """Two stops without parent_station lie less than 1 m apart: likely one stop entered twice, or
    platforms without their station."""
    alone = (LOCATION_TYPE == STOP) & pl.col("parent_station").is_null()
    has_place = pl.col("stop_lat").is_not_null() & pl.col("stop_lon").is_not_null()
    stops = (
        feed["stops"].filter(alone & has_place).unique("stop_id", keep="first", maintain_order=True)
    )
    near = nearest_m(stops.get_column("stop_lat"), stops.get_column("stop_lon")) < SAME_PLACE_M
    yield found("stops", stops.filter(near), "stop_id")
