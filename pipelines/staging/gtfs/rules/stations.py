"""What stations hold: parents and children, levels, and the pathways between them.

A station (location_type 1) is the parent of platforms (0), entrances (2) and generic nodes (3), a
platform that of its boarding areas (4). Pathways join all of them but stations, and platforms that
have boarding areas; whoever enters must reach every platform, and get out again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.network import (
    BOARDING_AREA,
    ENTRANCE,
    GENERIC_NODE,
    LOCATION_TYPE,
    STATION,
    STOP,
)
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, ROW, WARNING, Found, found, rule

INNER_LOCATIONS = (ENTRANCE, GENERIC_NODE, BOARDING_AREA)
ELEVATOR, EXIT_GATE = 5, 7  # pathways.pathway_mode
# stops.stop_access: riders come to the stop from the street, not through its station.
FROM_THE_STREET = 1
ENDS = ("from_stop_id", "to_stop_id")
# A boarding area's parent is a platform, whose parent is the station.
STEPS_TO_STATION = 3


@rule("location_without_parent_station", ERROR, "stops")
def inner_location_without_parent(feed: Feed) -> Iterator[Found]:
    """An entrance, generic node or boarding area has no parent_station."""
    orphan = LOCATION_TYPE.is_in(INNER_LOCATIONS) & pl.col("parent_station").is_null()
    yield found("stops", feed["stops"].filter(orphan), "parent_station")


@rule("station_with_parent_station", ERROR, "stops.parent_station")
def station_within_station(feed: Feed) -> Iterator[Found]:
    """A station has a parent_station."""
    nested = (LOCATION_TYPE == STATION) & pl.col("parent_station").is_not_null()
    yield found("stops", feed["stops"].filter(nested), "parent_station")


@rule("platform_without_parent_station", INFO, "stops.platform_code")
def platform_without_parent(feed: Feed) -> Iterator[Found]:
    """A stop has a platform_code, but no parent_station."""
    orphan = (
        (LOCATION_TYPE == STOP)
        & pl.col("platform_code").is_not_null()
        & pl.col("parent_station").is_null()
    )
    yield found("stops", feed["stops"].filter(orphan), "platform_code")


@rule("wrong_parent_location_type", ERROR, "stops.parent_station")
def parent_of_wrong_type(feed: Feed) -> Iterator[Found]:
    """The parent of a platform, entrance or generic node is no station, or that of a boarding area
    is no platform."""
    expected = (
        pl.when(LOCATION_TYPE == BOARDING_AREA)
        .then(STOP)
        .when(LOCATION_TYPE.is_in((STOP, ENTRANCE, GENERIC_NODE)))
        .then(STATION)
    )
    children = feed["stops"].join(
        _types(feed, "parent_station"), on="parent_station", maintain_order="left"
    )
    yield found("stops", children.filter(pl.col("type") != expected), "parent_station")


@rule("unused_station", INFO, "stops")
def station_without_stops(feed: Feed) -> Iterator[Found]:
    """A station is no location's parent_station."""
    stations = feed["stops"].filter((LOCATION_TYPE == STATION) & pl.col("stop_id").is_not_null())
    yield found("stops", stations.join(_parents(feed), on="stop_id", how="anti"), "stop_id")


@rule("stop_access_specified_for_incorrect_location", ERROR, "stops.stop_access")
def access_to_no_stop(feed: Feed) -> Iterator[Found]:
    """stop_access is given for a location that is no stop or platform."""
    told = pl.col("stop_access").is_not_null() & (LOCATION_TYPE != STOP)
    yield found("stops", feed["stops"].filter(told), "stop_access")


@rule("stop_access_specified_for_stop_with_no_parent_station", ERROR, "stops.stop_access")
def access_to_stop_without_station(feed: Feed) -> Iterator[Found]:
    """stop_access is given for a stop that belongs to no station."""
    told = pl.col("stop_access").is_not_null() & (LOCATION_TYPE == STOP)
    orphan = pl.col("parent_station").is_null()
    yield found("stops", feed["stops"].filter(told & orphan), "stop_access")


@rule("missing_level_id", ERROR, "pathways", "stops")
def elevator_between_unknown_levels(feed: Feed) -> Iterator[Found]:
    """A location at either end of an elevator has no level_id."""
    elevators = feed["pathways"].filter(pl.col("pathway_mode") == ELEVATOR)
    at_elevator = feed["stops"].join(_ends(elevators), on="stop_id", how="semi")
    yield found("stops", at_elevator.filter(pl.col("level_id").is_null()), "level_id")


@rule("bidirectional_exit_gate", ERROR, "pathways")
def exit_gate_both_ways(feed: Feed) -> Iterator[Found]:
    """An exit gate (pathway_mode 7) can be passed both ways."""
    both_ways = (pl.col("pathway_mode") == EXIT_GATE) & (pl.col("is_bidirectional") == 1)
    yield found("pathways", feed["pathways"].filter(both_ways), "is_bidirectional")


@rule("pathway_loop", WARNING, "pathways")
def pathway_to_its_start(feed: Feed) -> Iterator[Found]:
    """A pathway ends where it begins."""
    loop = pl.col("from_stop_id") == pl.col("to_stop_id")
    yield found("pathways", feed["pathways"].filter(loop), "to_stop_id")


@rule("pathway_dangling_generic_node", WARNING, "pathways", "stops")
def node_that_leads_nowhere(feed: Feed) -> Iterator[Found]:
    """Pathways join a generic node to one other location only: nobody passes through it."""
    there = feed["pathways"].select(stop_id="from_stop_id", other="to_stop_id")
    back = feed["pathways"].select(stop_id="to_stop_id", other="from_stop_id")
    neighbours = pl.concat([there, back]).drop_nulls().unique().group_by("stop_id").len()
    dangling = neighbours.filter(pl.col("len") == 1)
    nodes = feed["stops"].filter(LOCATION_TYPE == GENERIC_NODE)
    yield found("stops", nodes.join(dangling, on="stop_id", how="semi"), "stop_id")


@rule("pathway_to_platform_with_boarding_areas", ERROR, "pathways", "stops")
def pathway_to_divided_platform(feed: Feed) -> Iterator[Found]:
    """A pathway leads to a platform that has boarding areas, not to one of these."""
    platforms = (
        feed["stops"].filter(LOCATION_TYPE == STOP).join(_parents(feed), on="stop_id", how="semi")
    )
    yield from _pathways_at(feed, platforms)


@rule("pathway_to_wrong_location_type", ERROR, "pathways", "stops")
def pathway_to_station(feed: Feed) -> Iterator[Found]:
    """A pathway leads to a station as a whole, not to a location in it."""
    yield from _pathways_at(feed, feed["stops"].filter(LOCATION_TYPE == STATION))


@rule(
    "pathway_to_stop_with_access_outside_of_station_pathways",
    ERROR,
    "pathways",
    "stops.stop_access",
)
def pathway_to_street_stop(feed: Feed) -> Iterator[Found]:
    """A pathway leads to a stop that stop_access says is reached from the street."""
    yield from _pathways_at(feed, feed["stops"].filter(pl.col("stop_access") == FROM_THE_STREET))


@rule("pathway_unreachable_location", ERROR, "pathways", "stops")
def location_cut_off(feed: Feed) -> Iterator[Found]:
    """In a station that has pathways, a platform, boarding area or generic node can't be reached
    from any entrance, or no exit can be reached from it. Platforms with boarding areas are left
    out."""
    ways = feed["pathways"].select(*ENDS, both=pl.col("is_bidirectional") == 1)
    ways = ways.drop_nulls(ENDS)
    if ways.is_empty():
        return
    stops = feed["stops"].drop_nulls("stop_id").unique("stop_id", keep="first", maintain_order=True)
    stations = _stations(stops)
    with_pathways = stations.join(_ends(ways), on="stop_id", how="semi").select("station")
    inner = stops.join(
        stations.join(with_pathways, on="station", how="semi"), on="stop_id", how="semi"
    )
    is_divided = pl.col("stop_id").is_in(_parents(feed).get_column("stop_id").implode())
    asked = inner.filter(
        LOCATION_TYPE.is_in((GENERIC_NODE, BOARDING_AREA)) | ((LOCATION_TYPE == STOP) & ~is_divided)
    )
    entrances = stops.filter(LOCATION_TYPE == ENTRANCE).get_column("stop_id").to_list()
    entered = _reached(entrances, ways, *ENDS)
    left = _reached(entrances, ways, *ENDS[::-1])
    is_cut_off = ~pl.col("stop_id").is_in(sorted(entered & left))
    yield found("stops", asked.filter(is_cut_off), "stop_id")


def _reached(starts: list[str], ways: pl.DataFrame, here: str, there: str) -> set[str]:
    """Locations reached from `starts` along pathways from the column `here` to `there`."""
    back = ways.filter("both").select(pl.col(there).alias(here), pl.col(here).alias(there))
    steps = pl.concat([ways.select(here, there), back]).group_by(here).agg(there)
    onward: Mapping[str, list[str]] = dict(steps.iter_rows())
    seen, waiting = set(starts), deque(starts)
    while waiting:
        for location in onward.get(waiting.popleft(), ()):
            if location not in seen:
                seen.add(location)
                waiting.append(location)
    return seen


def _stations(stops: pl.DataFrame) -> pl.DataFrame:
    """`stop_id` and the `station` it lies in (itself where it is one); others are left out."""
    above = stops.select(at="stop_id", next="parent_station", is_station=LOCATION_TYPE == STATION)
    climbing, arrived = stops.select("stop_id", at="stop_id"), []
    for _ in range(STEPS_TO_STATION):
        climbing = climbing.join(above, on="at")
        arrived.append(climbing.filter("is_station").select("stop_id", station="at"))
        climbing = climbing.filter(~pl.col("is_station")).select("stop_id", at="next")
    return pl.concat(arrived)


def _types(feed: Feed, key: str) -> pl.DataFrame:
    """The `type` of each location, by its id under the name `key`."""
    named = feed["stops"].filter(pl.col("stop_id").is_not_null())
    first = named.unique("stop_id", keep="first", maintain_order=True)
    return first.select(pl.col("stop_id").alias(key), type=LOCATION_TYPE)


def _parents(feed: Feed) -> pl.DataFrame:
    """Ids (`stop_id`) that some location names as its parent."""
    return feed["stops"].select(stop_id="parent_station").drop_nulls().unique()


def _ends(pathways: pl.DataFrame) -> pl.DataFrame:
    """Ids (`stop_id`) at either end of pathways."""
    return pl.concat([pathways.select(stop_id=end) for end in ENDS]).drop_nulls().unique()


def _pathways_at(feed: Feed, stops: pl.DataFrame) -> Iterator[Found]:
    """Pathways that begin or end at one of these stops: one finding for each end."""
    for end in ENDS:
        broken = feed["pathways"].join(stops, left_on=end, right_on="stop_id", how="semi")
        yield found("pathways", broken.select(ROW, end), end)
