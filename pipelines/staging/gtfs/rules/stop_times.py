"""When and in what order a trip calls at its stops: stop_times alone, trip by trip.

Calls are compared in order of stop_sequence. Left out: calls without trip_id, and what pickup and
drop-off windows may hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, ROW, WARNING, Found, found, rule
from pipelines.staging.gtfs.rules.runs import BLANK, Flags, Positions, calls_where, runs_of

TIMES = ("arrival_time", "departure_time")
WINDOW = ("start_pickup_drop_off_window", "end_pickup_drop_off_window")
EXACT = 1  # stop_times.timepoint: times are kept to


@rule("unsorted_stop_times", INFO, "calls")
def unsorted_calls(feed: Feed) -> Iterator[Found]:
    """In the file's order, the stop_sequence of a trip does not rise from row to row, or rows of
    other trips lie between its own: one finding for each trip, at its first row."""
    runs = runs_of(feed)
    rows = runs.calls.get_column(ROW).to_numpy()
    sequence = runs.calls.get_column("stop_sequence")
    if not rows.size:
        return
    falls = (sequence == sequence.shift(1)).fill_null(value=False).to_numpy().copy()
    falls[1:] |= rows[1:] < rows[:-1]
    falls[runs.first] = False
    first, last = (at.reduceat(rows, runs.first) for at in (np.minimum, np.maximum))
    is_loose = (last - first >= runs.lengths) & _overlaps(first, last)
    is_broken = is_loose | np.logical_or.reduceat(falls, runs.first)
    trips = runs.calls.select("trip_id")[runs.first[is_broken]]
    yield found("stop_times", trips.with_columns(pl.Series(ROW, first[is_broken])), "trip_id")


def _overlaps(first: Positions, last: Positions) -> Flags:
    """Whether the rows from first to last of a trip meet those of another."""
    order = np.argsort(first)
    overlaps = np.zeros(first.size, np.bool_)
    meets_next = np.maximum.accumulate(last[order])[:-1] > first[order][1:]
    overlaps[order[1:]] = meets_next
    overlaps[order[:-1]] |= last[order][:-1] > first[order][1:]
    return overlaps


@rule("missing_trip_edge", ERROR, "calls")
def trip_without_edge_times(feed: Feed) -> Iterator[Found]:
    """The first or last stop time of a trip lacks arrival_time or departure_time, and has no window
    of pickup and drop-off either: one finding for each time that is missing."""
    is_edge = pl.col("trip_id").is_not_null() & (pl.col("is_first") | pl.col("is_last"))
    is_rigid = pl.all_horizontal(pl.col(WINDOW).is_null())
    for field in TIMES:
        yield calls_where(feed, pl.col(field).is_null() & is_edge & is_rigid, field)


@rule("stop_time_with_only_arrival_or_departure_time", ERROR, "calls")
def call_with_one_time(feed: Feed) -> Iterator[Found]:
    """Of arrival_time and departure_time one is given, the other is not."""
    for field, other in (TIMES, TIMES[::-1]):
        one_sided = pl.col(field).is_null() & pl.col(other).is_not_null()
        yield calls_where(feed, one_sided, field)


@rule("stop_time_with_arrival_before_previous_departure_time", ERROR, "calls")
def arrival_before_departure(feed: Feed) -> Iterator[Found]:
    """A vehicle arrives at a stop before its departure_time at the last stop that has one."""
    runs = runs_of(feed)
    arrival, departure = runs.times("arrival_time"), runs.times("departure_time")
    left = runs.before(departure != BLANK)
    is_early = (arrival != BLANK) & (left != BLANK) & (arrival < departure[left])
    yield runs.found(is_early, "arrival_time")


@rule("stop_time_timepoint_without_times", ERROR, "calls", "stop_times.timepoint")
def exact_call_without_times(feed: Feed) -> Iterator[Found]:
    """timepoint says that times are exact, but arrival_time or departure_time is blank: one finding
    for each time that is missing."""
    for field in TIMES:
        timeless = (pl.col("timepoint") == EXACT) & pl.col(field).is_null()
        yield calls_where(feed, timeless, field)


@rule("missing_timepoint_value", WARNING, "calls", "stop_times.timepoint")
def times_without_timepoint(feed: Feed) -> Iterator[Found]:
    """A stop time has arrival_time or departure_time, but does not say in timepoint whether they
    are exact, in a feed that has the column."""
    is_timed = pl.any_horizontal(pl.col(TIMES).is_not_null())
    yield calls_where(feed, pl.col("timepoint").is_null() & is_timed, "timepoint")


@rule("decreasing_or_equal_stop_time_distance", ERROR, "calls", "stop_times.shape_dist_traveled")
def distance_that_does_not_rise(feed: Feed) -> Iterator[Found]:
    """shape_dist_traveled of a stop is no larger than that of the stop before; stop times without
    stop_id are passed over."""
    runs = runs_of(feed)
    distance = runs.floats("shape_dist_traveled")
    at_stop = runs.calls.get_column("stop_id").is_not_null().to_numpy()
    before = runs.before(at_stop)
    falls = at_stop & (before != BLANK) & (distance <= distance[before])
    yield runs.found(falls, "shape_dist_traveled")
