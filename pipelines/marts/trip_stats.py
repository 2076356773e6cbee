"""What each trip of a feed version is: its stops, span, length, speed and stop pattern.

The definitions are gtfs-kit's `compute_trip_stats` (13.0), its columns one to one:

    ours               gtfs-kit       definition
    stop_count         num_stops      calls of the trip
    start_seconds      start_time     departure from the first call, see below
    end_seconds        end_time       departure from the last call, see below
    duration_seconds   duration       end - start; gtfs-kit in hours
    distance_km        distance       see below; gtfs-kit in miles where the feed is in ft or mi
    speed_kmh          speed          distance / duration, null (gtfs-kit: inf) for no duration
    is_loop            is_loop        first and last stop less than 400 m apart (UTM)
    stop_pattern_name  the same       direction, "-", rank of its stop sequence among the trips of
                                      route and direction; of equals the one with the lower trip_id

and under the same names trip_id, route_id, route_short_name, route_type, direction_id, shape_id,
block_id, service_id, start_stop_id, end_stop_id.

*Times*: where a feed gives one of arrival and departure alone, as GTFS allows, it stands for both
(gtfs-kit: null); where neither, the time is null. First and last calls are never interpolated.

*Distance*: the largest shape_dist_traveled of the trip, if the feed's stop_times have any; else
along its shape from the point next to the first stop to that next to the last, or the whole shape
where it crosses itself or that difference is not positive; null without a shape.

Besides, `departure_count`: how often the trip leaves on a day it runs, 1 unless frequencies.txt
repeats it (gtfs-kit counts such a trip once). In a feed that gives directions to some trips only,
the others' patterns are named "none-<rank>"; one that gives none has direction 0 in these names.
Left out: trips without stop times.
"""

from __future__ import annotations

import dataframely as dy
import numpy as np
import polars as pl
import shapely

from pipelines.contracts.version import Versioned
from pipelines.marts.plane import Floats, to_plane, utm_meridian
from pipelines.marts.service import FEED, departures_by_trip
from pipelines.staging.gtfs import (
    FeedVersions,
    Frequencies,
    Routes,
    Shapes,
    Stops,
    StopTimes,
    Trips,
)

# First and last stop of a loop lie closer than this (gtfs-kit, compute_trip_stats).
LOOP_M = 400
# A distance between two stops along a shape may exceed its length by this (gtfs-kit).
SHAPE_TOLERANCE_M = 100
METRES_PER_UNIT = {"ft": 0.3048, "mi": 1609.344, "m": 1.0, "km": 1000.0}
# Millimetres; finer digits of a length mean nothing.
KM_DECIMALS = 6


class TripStats(Versioned):
    """One row per trip of a feed version that has stop times."""

    trip_id = dy.String(primary_key=True, description="Trip, unique in its feed.")
    route_id = dy.String(description="Route it belongs to.")
    route_short_name = dy.String(nullable=True, description="Route's name as riders know it.")
    route_type = dy.Int32(description="Route's mode (GTFS).")
    direction_id = dy.Int32(nullable=True, description="Direction of travel.")
    shape_id = dy.String(nullable=True, description="Line that it drives.")
    stop_pattern_name = dy.String(
        description="Direction and rank of its stop sequence in route and direction, e.g. 0-1."
    )
    block_id = dy.String(nullable=True, description="Trips that one vehicle runs in sequence.")
    service_id = dy.String(description="Set of dates it runs on.")
    stop_count = dy.Int64(min=1, description="Calls at stops.")
    start_seconds = dy.Int32(
        nullable=True,
        metadata={"unit": "second"},
        description="Departure from the first call, after the service day's start.",
    )
    end_seconds = dy.Int32(
        nullable=True,
        metadata={"unit": "second"},
        description="Departure from the last call, after the service day's start.",
    )
    start_stop_id = dy.String(description="Stop of the first call.")
    end_stop_id = dy.String(description="Stop of the last call.")
    is_loop = dy.Bool(description="First and last stop are less than 400 m apart.")
    duration_seconds = dy.Int32(
        nullable=True, metadata={"unit": "second"}, description="End less start."
    )
    distance_km = dy.Float64(
        nullable=True, min=0, metadata={"unit": "km"}, description="Length of the trip."
    )
    speed_kmh = dy.Float64(
        nullable=True, metadata={"unit": "km/h"}, description="Length by duration, stops included."
    )
    departure_count = dy.Int64(
        min=0, description="Departures on a day it runs: 1, or those that frequencies give."
    )


def compute_trip_stats(
    *,
    trips: dy.DataFrame[Trips],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    stop_times: dy.DataFrame[StopTimes],
    shapes: dy.DataFrame[Shapes],
    frequencies: dy.DataFrame[Frequencies],
    feed_versions: dy.DataFrame[FeedVersions],
) -> dy.DataFrame[TripStats]:
    """Trip statistics of each feed version at hand, sorted by key."""
    departures = departures_by_trip(frequencies)
    feeds: list[pl.DataFrame] = [TripStats.create_empty()]
    for source_id, version_id, unit in feed_versions.select(*FEED, "distance_unit").iter_rows():
        here = (pl.col("source_id") == source_id) & (pl.col("version_id") == version_id)
        rows = feed_trip_stats(
            trips=trips.filter(here),
            routes=routes.filter(here),
            stops=stops.filter(here),
            stop_times=stop_times.filter(here),
            shapes=shapes.filter(here),
            distance_unit=unit,
        ).with_columns(source_id=pl.lit(source_id), version_id=pl.lit(version_id))
        counted = rows.join(departures, on=[*FEED, "trip_id"], how="left")
        feeds.append(counted.with_columns(pl.col("departure_count").fill_null(1)))
    rows = pl.concat([feed.select(TripStats.column_names()) for feed in feeds])
    return TripStats.validate(rows.sort(*FEED, "trip_id"))


def feed_trip_stats(
    *,
    trips: pl.DataFrame,
    routes: pl.DataFrame,
    stops: pl.DataFrame,
    stop_times: pl.DataFrame,
    shapes: pl.DataFrame,
    distance_unit: str,
) -> pl.DataFrame:
    """Trip statistics of one feed, by trip_id, without the columns that other tables add."""
    journeys = _journeys(stop_times)
    rows = (
        journeys.join(trips.select(TRIP_COLUMNS), on="trip_id")
        .join(routes.select(ROUTE_COLUMNS), on="route_id")
        .sort("trip_id")
    )
    duration = pl.col("end_seconds") - pl.col("start_seconds")
    points = _points(stops)
    rows = rows.with_columns(
        _pattern_names(rows),
        duration_seconds=duration,
        is_loop=_loops(rows, points),
        distance_km=_distances_km(rows, points, shapes, distance_unit),
    )
    speed = pl.col("distance_km") / pl.col("duration_seconds") * 3600
    return rows.with_columns(
        speed_kmh=pl.when(pl.col("duration_seconds") != 0).then(speed).round(KM_DECIMALS)
    )


TRIP_COLUMNS = ("trip_id", "route_id", "direction_id", "shape_id", "block_id", "service_id")
ROUTE_COLUMNS = ("route_id", "route_short_name", "route_type")


def _journeys(stop_times: pl.DataFrame) -> pl.DataFrame:
    """One row per trip: what its calls in order of stop_sequence give, its stops as `pattern`.

    Feeds come nearly in order, so trips are numbered by the runs of their rows, and rows are
    sorted by one integer where there is anything to sort: ten times faster than sorting text.
    """
    coded = stop_times.select(
        "stop_sequence",
        "departure_seconds",
        "shape_dist_traveled",
        run=pl.col("trip_id").rle_id(),
        stop_id=pl.col("stop_id").cast(pl.Categorical),
    )
    run = coded.get_column("run")
    heads = stop_times.get_column("trip_id").filter((run != run.shift()).fill_null(value=True))
    trips = (
        heads.to_frame()
        .with_columns(number=pl.int_range(pl.len(), dtype=pl.UInt32))
        .with_columns(pl.col("number").min().over("trip_id"))
    )
    number = trips.get_column("number").gather(run)
    key = number.cast(pl.UInt64) * 2**32 + coded.get_column("stop_sequence").cast(pl.UInt64)
    calls = coded.select("stop_id", "departure_seconds", "shape_dist_traveled", number=number)
    if not key.is_sorted():
        calls = calls[key.arg_sort()]
    return (
        calls.with_columns(pl.col("number").set_sorted())
        .group_by("number", maintain_order=True)
        .agg(
            stop_count=pl.len().cast(pl.Int64),
            start_seconds=pl.first("departure_seconds"),
            end_seconds=pl.last("departure_seconds"),
            start_stop_id=pl.first("stop_id"),
            end_stop_id=pl.last("stop_id"),
            traveled=pl.max("shape_dist_traveled"),
            pattern=pl.col("stop_id").to_physical(),
        )
        .with_columns(pl.col("start_stop_id", "end_stop_id").cast(pl.String))
        .join(trips.unique("number"), on="number")
    )


def _pattern_names(rows: pl.DataFrame) -> pl.Series:
    """Names of the rows' stop patterns; the rows are in order of trip_id."""
    group = ["route_id", "direction_id"]
    has_directions = rows.get_column("direction_id").is_not_null().any()
    direction = pl.col("direction_id").cast(pl.String).fill_null("none" if has_directions else "0")
    ranked = (
        rows.select(*group, "pattern", row=pl.int_range(pl.len()))
        .group_by(*group, "pattern")
        .agg(pl.col("row"), count=pl.len(), first_row=pl.min("row"))
        .sort(*group, "count", "first_row", descending=[False, False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over(group))
        .select("row", stop_pattern_name=pl.format("{}-{}", direction, "rank"))
    )
    return ranked.explode("row").sort("row").get_column("stop_pattern_name")


def _points(stops: pl.DataFrame) -> pl.DataFrame:
    """Stops in the plane: stop_id, x, y in metres (NaN where it has no coordinates)."""
    latitudes, longitudes = _degrees(stops, "stop_lat"), _degrees(stops, "stop_lon")
    plane = to_plane(latitudes, longitudes, utm_meridian(longitudes))
    return stops.select("stop_id").with_columns(x=plane[:, 0], y=plane[:, 1])


def _degrees(places: pl.DataFrame, column: str) -> Floats:
    return places.get_column(column).fill_null(float("nan")).to_numpy()


def _at(rows: pl.DataFrame, stop_column: str, points: pl.DataFrame) -> Floats:
    """Coordinates of the stop that each row names, an array of shape (n, 2)."""
    located = rows.select(stop_id=stop_column).join(
        points, on="stop_id", how="left", maintain_order="left"
    )
    return located.select("x", "y").fill_null(float("nan")).to_numpy()


def _loops(rows: pl.DataFrame, points: pl.DataFrame) -> pl.Series:
    way = _at(rows, "end_stop_id", points) - _at(rows, "start_stop_id", points)
    return pl.Series("is_loop", np.hypot(way[:, 0], way[:, 1]) < LOOP_M)


def _distances_km(
    rows: pl.DataFrame, points: pl.DataFrame, shapes: pl.DataFrame, distance_unit: str
) -> pl.Series:
    traveled = rows.get_column("traveled")
    if traveled.is_not_null().any():
        km = traveled * METRES_PER_UNIT[distance_unit] / 1000
    else:
        ends = ["shape_id", "start_stop_id", "end_stop_id"]
        ways = rows.select(ends).unique().filter(pl.col("shape_id").is_not_null())
        lengths = _along_shapes(ways, stops_at=points, shapes=shapes)
        km = rows.join(lengths, on=ends, how="left", maintain_order="left").get_column("length_m")
        km = km / 1000
    return km.round(KM_DECIMALS).alias("distance_km")


def _along_shapes(
    ways: pl.DataFrame, *, stops_at: pl.DataFrame, shapes: pl.DataFrame
) -> pl.DataFrame:
    """`ways` with a shape of two points or more, and `length_m` along it from stop to stop."""
    lines = (
        shapes.join(ways, on="shape_id", how="semi")
        .filter(pl.len().over("shape_id") > 1)
        .sort("shape_id", "shape_pt_sequence")
        .with_columns(line=pl.col("shape_id").rle_id())
    )
    ways = ways.join(
        lines.select("shape_id", "line").unique(), on="shape_id", maintain_order="left"
    )
    if ways.is_empty():
        return ways.with_columns(length_m=pl.lit(None, pl.Float64))
    longitudes = _degrees(lines, "shape_pt_lon")
    plane = to_plane(_degrees(lines, "shape_pt_lat"), longitudes, utm_meridian(longitudes))
    geometry = np.asarray(shapely.linestrings(plane, indices=lines.get_column("line").to_numpy()))
    line = geometry[ways.get_column("line").to_numpy()]
    start, end = (
        shapely.line_locate_point(line, shapely.points(_at(ways, column, stops_at)))
        for column in ("start_stop_id", "end_stop_id")
    )
    whole, part = shapely.length(line), end - start
    is_simple = np.asarray(shapely.is_simple(geometry))[ways.get_column("line").to_numpy()]
    is_part = is_simple & (part > 0) & (part < whole + SHAPE_TOLERANCE_M)
    return ways.with_columns(length_m=np.where(is_part, part, whole))
