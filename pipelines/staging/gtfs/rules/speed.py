"""Whether a vehicle could keep its timetable: speeds between the stops of a trip.

Limits by route_type are in `rides`. The time of a ride runs from the departure at one stop to the
arrival at another. Where that is not positive it is taken as a minute; where both times are whole
minutes, a minute is added, since they may be rounded. Stops without a place or a time are bridged.

*Hasty* legs are those that the limit alone, without these allowances, calls too fast along the
stops: only they can be too fast, and only a trip with one of them can be so over many stops.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rides import Rides, rides_of
from pipelines.staging.gtfs.rules.rule import ROW, WARNING, Found, found, rule
from pipelines.staging.gtfs.rules.runs import BLANK, Flags, Floats, Positions

# Canonical GTFS Validator: times that are not positive count as this, rounded ones may err by it.
MINUTE_SECONDS = 60
# Up to this, only the speed between neighbours counts (the same).
FAR_KM = 10.0
HOUR_SECONDS = 3600
NEEDS = ("calls", "stops", "trips", "routes")


@rule("fast_travel_between_consecutive_stops", WARNING, *NEEDS)
def fast_ride_to_next_stop(feed: Feed) -> Iterator[Found]:
    """A vehicle goes faster from one stop to the next than its kind can: tram 100 km/h, bus and
    underground 150, rail 500, ferry 80."""
    rides = rides_of(feed)
    start, end = _hasty_legs(feed)
    kmh = _speeds_kmh(rides, rides.km(start, end), start, end)
    is_fast = kmh > rides.fastest_kmh[end]
    yield _found(rides, end[is_fast], kmh[is_fast])


@rule("fast_travel_between_far_stops", WARNING, *NEEDS)
def fast_ride_to_far_stop(feed: Feed) -> Iterator[Found]:
    """Over more than 10 km along its stops a vehicle goes faster than its kind can: one finding for
    each trip, at the first stop that it reaches too soon."""
    rides = rides_of(feed)
    calls = _calls_of_hasty_trips(feed)
    if not calls.size:
        return
    far = _last_far_calls(rides, calls)
    ends = np.flatnonzero(_is_too_soon(rides, calls, far))
    _, of_trip = np.unique(rides.runs.begin[calls[ends]], return_index=True)
    ends = ends[of_trip]
    start, end = _nearest_fast_starts(rides, calls, ends, far[ends])
    yield _found(rides, end, _speeds_kmh(rides, _along_km(rides, start, end), start, end))


def _speeds_kmh(rides: Rides, km: Floats, start: Positions, end: Positions) -> Floats:
    """Speeds of rides between calls, by the times of the module's definition."""
    left, reached = rides.departure[start], rides.arrival[end]
    is_rounded = (left % MINUTE_SECONDS == 0) & (reached % MINUTE_SECONDS == 0)
    seconds = reached - left
    allowed = np.where(seconds > 0, seconds + MINUTE_SECONDS * is_rounded, MINUTE_SECONDS)
    return km * HOUR_SECONDS / allowed


def _along_km(rides: Rides, start: Positions, end: Positions) -> Floats:
    return rides.along_km[end] - rides.along_km[start]


def _found(rides: Rides, end: Positions, kmh: Floats) -> Found:
    """Findings at the calls where rides end, with their speeds."""
    calls = rides.runs.calls.select(ROW)[end].with_columns(kmh=pl.Series(kmh, dtype=pl.Float64))
    speed = pl.format("{} km/h", pl.col("kmh").round(1))
    return found("stop_times", calls, "arrival_time", speed)


@once
def _hasty_legs(feed: Feed) -> tuple[Positions, Positions]:
    """Hasty legs: positions of the call where each starts, and of the next where one can end."""
    rides = rides_of(feed)
    start = rides.runs.before(rides.starts)
    end = np.flatnonzero(rides.ends & (start != BLANK))
    start = start[end]
    seconds = rides.arrival[end] - rides.departure[start]
    is_hasty = _along_km(rides, start, end) * HOUR_SECONDS > rides.fastest_kmh[end] * seconds
    return start[is_hasty], end[is_hasty]


def _calls_of_hasty_trips(feed: Feed) -> Positions:
    """Calls of the trips of more than `FAR_KM` that have a hasty leg, or times in disorder: a call
    with one time of two, or left before it is reached."""
    rides = rides_of(feed)
    runs = rides.runs
    is_odd = rides.is_placed & (rides.departure < rides.arrival)
    is_odd |= rides.is_placed & (rides.arrival == BLANK) & (rides.departure != BLANK)
    is_odd[_hasty_legs(feed)[1]] = True
    if not is_odd.any():
        return np.empty(0, np.int64)
    last = runs.first + (runs.lengths - 1)
    is_hasty = np.logical_or.reduceat(is_odd, runs.first)
    is_hasty &= _along_km(rides, runs.first, last) > FAR_KM
    return np.flatnonzero(np.repeat(is_hasty, runs.lengths))


def _last_far_calls(rides: Rides, calls: Positions) -> Positions:
    """For each of these calls, the last of them that lies more than `FAR_KM` before it in its trip
    (an index into `calls`), or `BLANK`."""
    along = rides.along_km[calls]
    far = np.searchsorted(along, along - FAR_KM) - 1
    begin = np.searchsorted(calls, rides.runs.begin[calls])
    return np.where(far >= begin, far, BLANK)


def _is_too_soon(rides: Rides, calls: Positions, far: Positions) -> Flags:
    """Whether a vehicle is at a call too soon after it left a far one.

    It is where the limit's way in the time taken is less than the way itself. Put as
    head start = 3600 * along - limit * time: where the call's, at its arrival, is more than the
    least, at departure, of the far calls (and by a minute's way more, if both times are rounded).
    That holds for times that are not positive, too: 10 km in a minute are faster than any limit.
    """
    way = rides.along_km[calls] * HOUR_SECONDS
    limit = rides.fastest_kmh[calls]
    departure, arrival = rides.departure[calls], rides.arrival[calls]
    leaving = np.where(rides.starts[calls], way - limit * departure, np.inf)
    is_round = departure % MINUTE_SECONDS == 0
    leaving_times = pl.DataFrame(
        {
            "rounded": np.where(is_round, leaving, np.inf),
            "exact": np.where(is_round, np.inf, leaving),
            "trip": rides.runs.begin[calls],
        }
    )
    least = leaving_times.select(pl.col("rounded", "exact").cum_min().over("trip"))
    least_rounded, least_exact = (column.to_numpy() for column in least.get_columns())
    reaching = way - limit * arrival
    minute = limit * MINUTE_SECONDS * (arrival % MINUTE_SECONDS == 0)
    is_soon = (reaching - minute > least_rounded[far]) | (reaching > least_exact[far])
    return np.asarray(is_soon & rides.ends[calls] & (far != BLANK))


def _nearest_fast_starts(
    rides: Rides, calls: Positions, ends: Positions, far: Positions
) -> tuple[Positions, Positions]:
    """Where the shortest ride that is too fast to each of these ends starts, and where it ends."""
    begin = np.searchsorted(calls, rides.runs.begin[calls[ends]])
    counts = far - begin + 1
    heads = np.cumsum(counts) - counts
    start = np.arange(counts.sum()) - np.repeat(heads - begin, counts)
    end = np.repeat(ends, counts)
    at, to = calls[start], calls[end]
    kmh = _speeds_kmh(rides, _along_km(rides, at, to), at, to)
    is_fast = rides.starts[at] & (kmh > rides.fastest_kmh[to])
    nearest = np.maximum.reduceat(np.where(is_fast, start, BLANK), heads) if ends.size else start
    is_found = nearest != BLANK
    return calls[nearest[is_found]], calls[ends[is_found]]
