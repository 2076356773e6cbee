"""Shapes as lines: their points in order, and boxes around runs of them to search by.

A line's *place* is the index of a point among all points, plus the share of the way to the next
one: 7.25 lies a quarter of the way from point 7 to point 8. Positions of one line rise along it.
Points without shape_id belong to no line; those without both coordinates, or with one that no
place on Earth has, are not on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import ROW
from pipelines.staging.gtfs.rules.runs import Floats, Positions

# Boxes hold as many of the next finer boxes, the finest as many segments; two sizes of boxes keep a
# search among 50,000 points to some hundred comparisons.
FAN = 16
# No coordinate lies beyond: such a one is misread, and told by itself.
MOST_LAT, MOST_LON = 90.0, 180.0
_EXTREMES = (np.minimum, np.maximum)
POINT_FIELDS = (ROW, "shape_id", "shape_pt_lat", "shape_pt_lon", "shape_dist_traveled")


@once
def points_in_order(shapes: pl.DataFrame) -> pl.DataFrame:
    """Points of shapes.txt that name a shape, each shape's together and by shape_pt_sequence:
    POINT_FIELDS and `line`, a number for each shape in order of first appearance."""
    points = shapes.select(*POINT_FIELDS, "shape_pt_sequence")
    if points.get_column("shape_id").null_count():
        points = points.filter(pl.col("shape_id").is_not_null())
    run = points.get_column("shape_id").rle_id()
    is_head = (run != run.shift(1)).fill_null(value=True)
    heads = points.get_column("shape_id").filter(is_head)
    sequence = points.get_column("shape_pt_sequence")
    rises = (is_head | (sequence >= sequence.shift(1))).fill_null(value=False)
    if heads.n_unique() == heads.len() and rises.all():
        return points.with_columns(line=run).drop("shape_pt_sequence")
    numbers = heads.to_frame().unique(maintain_order=True).with_row_index("line")
    points = points.join(numbers, on="shape_id", maintain_order="left")
    # Line and sequence as one number: ten times as fast to sort by as by the two.
    key = pl.col("line").cast(pl.Int64) * 2**32 + pl.col("shape_pt_sequence").fill_null(-(2**31))
    order = points.select(pl.arg_sort_by(key, maintain_order=True)).to_series()
    return points.drop("shape_pt_sequence")[order]


@dataclass(frozen=True)
class Boxes:
    """Boxes in degrees around runs of points: middles and half sizes; `first` of each line's boxes,
    which lie together, and how many."""

    first: Positions
    count: Positions
    lat: Floats
    lon: Floats
    half_lat: Floats
    half_lon: Floats


@dataclass(frozen=True)
class Lines:
    """All lines of a feed: `shape_ids` in order, points in degrees, distances as users count them
    (NaN where blank), boxes from coarse to fine."""

    shape_ids: pl.Series
    first: Positions
    count: Positions
    lat: Floats
    lon: Floats
    distance: Floats
    boxes: tuple[Boxes, Boxes]


@once
def lines_of(shapes: pl.DataFrame) -> Lines:
    """The lines of shapes.txt that have a point."""
    lat, lon = pl.col("shape_pt_lat"), pl.col("shape_pt_lon")
    on_earth = lat.is_between(-MOST_LAT, MOST_LAT) & lon.is_between(-MOST_LON, MOST_LON)
    points = points_in_order(shapes)
    if not points.select(on_earth.fill_null(value=False).all()).item():
        points = points.filter(on_earth)
    line = points.get_column("line").to_numpy()
    first = np.flatnonzero(np.diff(line, prepend=-1) != 0)
    count = np.diff(first, append=line.size)
    lats, lons = (points.get_column(f"shape_pt_{axis}").to_numpy() for axis in ("lat", "lon"))
    fine = _boxes_around_segments(first, count, lats, lons)
    return Lines(
        shape_ids=points.get_column("shape_id").gather(first),
        first=first,
        count=count,
        lat=lats,
        lon=lons,
        distance=points.get_column("shape_dist_traveled").fill_null(np.nan).to_numpy(),
        boxes=(_boxes_around_boxes(fine), fine),
    )


def ranges(first: Positions, count: Positions) -> Positions:
    """first, first + 1, ... (count of them) for each pair, one after the other."""
    heads = np.cumsum(count) - count
    return np.asarray(np.arange(count.sum()) + np.repeat(first - heads, count))


def _boxes_around_segments(first: Positions, count: Positions, lat: Floats, lon: Floats) -> Boxes:
    """Boxes around `FAN` segments each: their points and the one after, if in the line."""
    starts, boxes, box_count = _groups(first, count)
    # The last segment of a box ends in the first point of the next, unless that begins a line.
    follows = np.ones(starts.size, np.bool_)
    follows[boxes] = False
    after = np.flatnonzero(follows)
    edges = []
    for degrees in (lat, lon):
        low, high = (at.reduceat(degrees, starts) if degrees.size else degrees for at in _EXTREMES)
        low[after - 1] = np.minimum(low[after - 1], degrees[starts[after]])
        high[after - 1] = np.maximum(high[after - 1], degrees[starts[after]])
        edges.append((low, high))
    return _boxes(boxes, box_count, edges)


def _boxes_around_boxes(fine: Boxes) -> Boxes:
    starts, boxes, box_count = _groups(fine.first, fine.count)
    edges = []
    for middle, half in ((fine.lat, fine.half_lat), (fine.lon, fine.half_lon)):
        sides = zip(_EXTREMES, (middle - half, middle + half), strict=True)
        low, high = (at.reduceat(side, starts) if side.size else side for at, side in sides)
        edges.append((low, high))
    return _boxes(boxes, box_count, edges)


def _groups(first: Positions, count: Positions) -> tuple[Positions, Positions, Positions]:
    """Runs cut into groups of `FAN`: where each group starts, each run's first group, and count."""
    groups = -(-count // FAN)
    first_group = np.cumsum(groups) - groups
    return (
        ranges(np.zeros_like(groups), groups) * FAN + np.repeat(first, groups),
        first_group,
        groups,
    )


def _boxes(first: Positions, count: Positions, edges: list[tuple[Floats, Floats]]) -> Boxes:
    """Boxes from their low and high edges in latitude, then longitude; one of more than half a turn
    crosses the antimeridian, and is taken as a whole turn."""
    (south, north), (west, east) = edges
    turn = east - west
    return Boxes(
        first,
        count,
        lat=(south + north) / 2,
        lon=(west + east) / 2,
        half_lat=(north - south) / 2,
        half_lon=np.where(turn > MOST_LON, MOST_LON, turn / 2),
    )
