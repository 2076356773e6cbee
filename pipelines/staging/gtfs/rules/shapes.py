"""The lines that vehicles drive: shapes.txt alone, and its distances against those of stop_times.

Neighbouring points are those next to each other by shape_pt_sequence. Whether stops lie on their
shape is in `shape_matching`.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, ROW, WARNING, Found, found, rule
from pipelines.staging.gtfs.rules.shape_lines import points_in_order
from pipelines.staging.gtfs.rules.sphere import great_circle_m

# Canonical GTFS Validator, equal_shape_distance_diff_coordinates: a hundred-thousandth of a degree.
SAME_POINT_M = 1.11
# The same, trip_distance_exceeds_shape_distance: a ten-thousandth of a degree.
SAME_END_M = 11.1
# Nothing on land or water is drawn so far in one straight line: a point is misplaced.
LONGEST_SEGMENT_M = 1_000_000.0
# No degree of latitude or longitude is longer.
LONGEST_DEGREE_M = 112_000.0
DISTANCE, LAT, LON = "shape_dist_traveled", "shape_pt_lat", "shape_pt_lon"

_line = pl.col("line")
_IS_FIRST = (_line != _line.shift(1)).fill_null(value=True)
_IS_LAST = (_line != _line.shift(-1)).fill_null(value=True)
_STEP_M = great_circle_m(*(pl.col(name) for name in ("lat_before", "lon_before", LAT, LON)))


@rule("single_shape_point", WARNING, "shapes")
def shape_of_one_point(feed: Feed) -> Iterator[Found]:
    """A shape has one point only: that is no line."""
    points = points_in_order(feed["shapes"])
    yield found("shapes", points.filter(_IS_FIRST & _IS_LAST), "shape_id")


@rule("unused_shape", WARNING, "shapes", "trips")
def shape_of_no_trip(feed: Feed) -> Iterator[Found]:
    """No trip has this shape_id: one finding for each shape, at its first point."""
    shapes = points_in_order(feed["shapes"]).filter(_IS_FIRST)
    yield found("shapes", shapes.join(feed["trips"], on="shape_id", how="anti"), "shape_id")


@rule("decreasing_shape_distance", ERROR, "shapes.shape_dist_traveled")
def shape_distance_that_falls(feed: Feed) -> Iterator[Found]:
    """shape_dist_traveled of a point is less than that of the point before."""
    falls = ~_IS_FIRST & (pl.col(DISTANCE) < pl.col(DISTANCE).shift(1))
    yield found("shapes", points_in_order(feed["shapes"]).filter(falls), DISTANCE)


@rule("equal_shape_distance_same_coordinates", WARNING, "shapes.shape_dist_traveled")
def shape_point_repeated(feed: Feed) -> Iterator[Found]:
    """A point has the shape_dist_traveled and the coordinates of the point before."""
    same = (pl.col(LAT) == pl.col("lat_before")) & (pl.col(LON) == pl.col("lon_before"))
    yield found("shapes", _points_of_equal_distance(feed).filter(same), DISTANCE)


@rule("equal_shape_distance_diff_coordinates", ERROR, "shapes.shape_dist_traveled")
def equal_distance_far_apart(feed: Feed) -> Iterator[Found]:
    """A point has the shape_dist_traveled of the point before, but lies at least 1.11 m away."""
    yield found("shapes", _points_of_equal_distance(feed).filter(_STEP_M >= SAME_POINT_M), DISTANCE)


@rule(
    "equal_shape_distance_diff_coordinates_distance_below_threshold",
    WARNING,
    "shapes.shape_dist_traveled",
)
def equal_distance_a_step_apart(feed: Feed) -> Iterator[Found]:
    """A point has the shape_dist_traveled of the point before, and lies less than 1.11 m away."""
    near = (_STEP_M > 0) & (_STEP_M < SAME_POINT_M)
    yield found("shapes", _points_of_equal_distance(feed).filter(near), DISTANCE)


def _points_of_equal_distance(feed: Feed) -> pl.DataFrame:
    """Points with the distance of the one before them, which is `lat_before`, `lon_before`."""
    is_equal = ~_IS_FIRST & (pl.col(DISTANCE) == pl.col(DISTANCE).shift(1))
    return _after_neighbours(points_in_order(feed["shapes"]), is_equal)


def _after_neighbours(points: pl.DataFrame, wanted: pl.Expr) -> pl.DataFrame:
    lazy = points.lazy().with_columns(
        wanted.alias("wanted"),
        lat_before=pl.col(LAT).shift(1),
        lon_before=pl.col(LON).shift(1),
    )
    return (
        lazy.filter("wanted").select(ROW, DISTANCE, LAT, LON, "lat_before", "lon_before").collect()
    )


@rule("shape_segment_too_long", WARNING, "shapes", is_extension=True)
def shape_that_leaps(feed: Feed) -> Iterator[Found]:
    """A point of a shape lies more than 1,000 km from the point before: one of the two is
    misplaced."""
    degrees = pl.col(LAT).diff().abs() + pl.col(LON).diff().abs()
    may_leap = ~_IS_FIRST & (degrees * LONGEST_DEGREE_M > LONGEST_SEGMENT_M)
    points = _after_neighbours(points_in_order(feed["shapes"]), may_leap)
    metres = pl.format("{} km", (_STEP_M / 1000).round().cast(pl.Int64))
    yield found("shapes", points.filter(_STEP_M > LONGEST_SEGMENT_M), LAT, metres)


@rule(
    "trip_distance_exceeds_shape_distance",
    ERROR,
    "trip_spans",
    "trips",
    "stops",
    "shapes.shape_dist_traveled",
)
def trip_beyond_end_of_shape(feed: Feed) -> Iterator[Found]:
    """shape_dist_traveled of a trip's last stop time is larger than any of its shape, and the stop
    lies more than 11.1 m from the shape's farthest point."""
    trips = _trips_beyond_shapes(feed)
    yield found("trips", trips.filter(pl.col("metres") > SAME_END_M), "shape_id", _BEYOND)


@rule(
    "trip_distance_exceeds_shape_distance_below_threshold",
    WARNING,
    "trip_spans",
    "trips",
    "stops",
    "shapes.shape_dist_traveled",
)
def trip_just_beyond_end_of_shape(feed: Feed) -> Iterator[Found]:
    """shape_dist_traveled of a trip's last stop time is larger than any of its shape, but the stop
    lies at most 11.1 m from the shape's farthest point."""
    trips = _trips_beyond_shapes(feed)
    near = (pl.col("metres") > 0) & (pl.col("metres") <= SAME_END_M)
    yield found("trips", trips.filter(near), "shape_id", _BEYOND)


_BEYOND = pl.format("{}: {} of {}", "shape_id", "last_shape_dist_traveled", "farthest")


@once
def _trips_beyond_shapes(feed: Feed) -> pl.DataFrame:
    """Trips whose last stop time has a distance larger than any of their shape, with the `metres`
    from that stop to the shape's farthest point."""
    points = points_in_order(feed["shapes"])
    lengths = points.lazy().group_by("shape_id").agg(farthest=pl.col(DISTANCE).max()).collect()
    trips = (
        feed["trips"]
        .select(ROW, "trip_id", "shape_id")
        .join(feed.trip_spans.filter(pl.col("last_shape_dist_traveled") > 0), on="trip_id")
        .join(lengths.filter(pl.col("farthest") > 0), on="shape_id")
        .filter(pl.col("last_shape_dist_traveled") > pl.col("farthest"))
    )
    ends = (
        points.join(trips, on="shape_id", how="semi")
        .join(lengths, on="shape_id", maintain_order="left")
        .filter(pl.col(DISTANCE) == pl.col("farthest"))
        .unique("shape_id", keep="first", maintain_order=True)
        .select("shape_id", LAT, LON)
    )
    places = pl.concat([feed["stops"].select("stop_id"), feed.stop_places], how="horizontal")
    stops = places.unique("stop_id", keep="first")
    metres = great_circle_m(pl.col("stop_lat"), pl.col("stop_lon"), pl.col(LAT), pl.col(LON))
    return (
        trips.join(ends, on="shape_id")
        .join(stops, left_on="last_stop_id", right_on="stop_id")
        .with_columns(metres=metres)
        .sort(ROW)
    )


@rule(
    "trip_with_shape_dist_traveled_but_no_shape_distances",
    INFO,
    "calls",
    "trips",
    "stop_times.shape_dist_traveled",
    "shapes",
)
def trip_distances_without_shape_distances(feed: Feed) -> Iterator[Found]:
    """A stop time of a trip has shape_dist_traveled, but a point of its shape has not: there is
    nothing to measure it by."""
    trips = feed["trips"].select(ROW, "trip_id", "shape_id")
    doubtful = trips.join(_unmeasured(feed["shapes"]), on="shape_id", how="semi")
    if not doubtful.is_empty():
        calls = feed.calls.lazy().filter(pl.col(DISTANCE).is_not_null())
        trip_ids = calls.select("trip_id").unique().collect()
        measured = doubtful.join(trip_ids, on="trip_id", how="semi", maintain_order="left")
        yield found("trips", measured, "shape_id")


@once
def _unmeasured(shapes: pl.DataFrame) -> pl.DataFrame:
    """Shapes with a point that has no distance."""
    return shapes.filter(pl.col(DISTANCE).is_null()).select("shape_id").unique()
