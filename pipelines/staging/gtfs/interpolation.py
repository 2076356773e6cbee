"""Times of calls that a feed leaves blank, computed from the timed calls around them.

GTFS lets a feed time only some calls of a trip and leaves the rest to the reader (stop_times.txt,
`arrival_time`). A call with one time of the two has that one for both, as the reference says; that
is not interpolated. Calls without either lie in a *gap*, between the timed call before, left at
a, and the timed call after, reached at b. Each is reached and left at

    a + (b - a) * share        rounded to the nearest second, a half up

where share is how much of the way through the gap lies behind the call, measured by the first of

1. `shape_dist_traveled`, where every call of the gap and both ends have it, and it never falls;
2. straight lines from stop to stop, where all of them have coordinates;
3. the number of calls, the way being the same between any two;

that finds the gap's ends apart. Times never fall along a gap, and never pass its ends.
Left blank: calls before the first or after the last timed one of their trip (a vehicle's speed is
not guessed beyond what is known), and gaps that end before they begin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

TIMES = ("arrival_seconds", "departure_seconds")
# Mean radius of the Earth in millimetres (IUGG). Only ratios of lengths matter here.
EARTH_RADIUS_MM = 6_371_008_800.0


@dataclass(frozen=True)
class _Gaps:
    """The blank calls in gaps: their rows, and the rows of the timed calls before and after."""

    row: Rows
    before: Rows
    after: Rows

    def shares(self, place: Floats, is_blocked: NDArray[np.bool_]) -> Floats:
        """How much of the way lies behind each blank call; NaN where this measure can't say.

        `place` is where each call is along its trip; `is_blocked` marks calls that can't be
        reached from the one before by this measure.
        """
        blocks = np.cumsum(is_blocked)
        way = place[self.after] - place[self.before]
        is_usable = (blocks[self.after] == blocks[self.before]) & (way > 0)
        shares = np.full(self.row.size, np.nan)
        behind = place[self.row[is_usable]] - place[self.before[is_usable]]
        shares[is_usable] = behind / way[is_usable]
        return shares


def interpolate_times(calls: pl.DataFrame, stops: pl.DataFrame) -> pl.DataFrame:
    """The same rows in the same order with blank times filled, and `is_interpolated`.

    `calls` has trip_id, stop_id, stop_sequence, arrival_seconds, departure_seconds (Int32) and
    shape_dist_traveled, the rows of a trip together and in order of stop_sequence. `stops` has
    stop_id, stop_lat and stop_lon in degrees; of stops with the same id the first counts.
    """
    told = calls.with_columns(
        pl.coalesce("arrival_seconds", "departure_seconds").alias("arrival_seconds"),
        pl.coalesce("departure_seconds", "arrival_seconds").alias("departure_seconds"),
    )
    gaps = _gaps(told)
    if gaps.row.size == 0:
        return told.with_columns(is_interpolated=pl.lit(value=False))
    computed = pl.Series("computed", [None], pl.Int32).new_from_index(0, told.height)
    computed = computed.scatter(gaps.row, _seconds(told, gaps, _shares(told, gaps, stops)))
    return told.with_columns(
        *(pl.col(name).fill_null(computed) for name in TIMES),
        is_interpolated=computed.is_not_null(),
    )


def _gaps(told: pl.DataFrame) -> _Gaps:
    """The blank calls that lie between two timed calls of their trip, in order."""
    arrival, departure = (told.get_column(name) for name in TIMES)
    none = np.empty(0, np.int64)
    if not arrival.null_count():
        return _Gaps(none, none, none)
    is_timed = arrival.is_not_null().to_numpy()
    timed, row = np.flatnonzero(is_timed), np.flatnonzero(~is_timed)
    # How many timed calls, of any trip, come before each blank one.
    count = np.cumsum(is_timed)[row]
    is_between = (count > 0) & (count < timed.size)
    row, count = row[is_between], count[is_between]
    before, after = timed[count - 1], timed[count]
    trip = told.get_column("trip_id").rle_id().to_numpy()
    reached, left = arrival.fill_null(0).to_numpy(), departure.fill_null(0).to_numpy()
    is_gap = (trip[before] == trip[after]) & (left[before] <= reached[after])
    return _Gaps(row[is_gap], before[is_gap], after[is_gap])


def _shares(told: pl.DataFrame, gaps: _Gaps, stops: pl.DataFrame) -> Floats:
    """How much of its gap lies behind each blank call, by the first measure that can say."""
    along = pl.col("shape_dist_traveled").cast(pl.Float64)
    known = pl.when(along.is_finite() & (along >= 0)).then(along).fill_null(float("nan"))
    distance = told.select(known).to_series().to_numpy()
    # A step from or to an unknown distance is NaN, and blocks.
    shares = gaps.shares(distance, ~(np.diff(distance, prepend=np.nan) >= 0))
    if np.isnan(shares).any():
        legs = _legs_mm(told.get_column("stop_id"), stops)
        line = gaps.shares(np.cumsum(np.nan_to_num(legs)), np.isnan(legs))
        shares = np.where(np.isnan(shares), line, shares)
    if np.isnan(shares).any():
        number = np.arange(told.height, dtype=np.float64)
        shares = np.where(
            np.isnan(shares), gaps.shares(number, np.zeros(told.height, np.bool_)), shares
        )
    return shares


def _legs_mm(stop_ids: pl.Series, stops: pl.DataFrame) -> Floats:
    """Straight line from the row before to each row, NaN where a stop has no coordinates.

    Whole millimetres, so that sums are exact and a trip's times don't depend on other trips.
    """
    stops = stops.unique("stop_id", keep="first", maintain_order=True)
    places = stops.select("stop_id", place=pl.int_range(pl.len(), dtype=pl.Int64))
    joined = stop_ids.to_frame("stop_id").join(
        places, on="stop_id", how="left", maintain_order="left"
    )
    # One place more, for stops that the feed does not have.
    place = joined.get_column("place").fill_null(stops.height).to_numpy()
    latitude, longitude = (
        np.append(np.radians(degrees.cast(pl.Float64).fill_null(np.nan).to_numpy()), np.nan)
        for degrees in stops.select("stop_lat", "stop_lon").get_columns()
    )
    axes = (
        np.cos(latitude) * np.cos(longitude),
        np.cos(latitude) * np.sin(longitude),
        np.sin(latitude),
    )
    squares = np.zeros(len(place))
    for axis in axes:
        squares += np.diff(axis[place], prepend=np.nan) ** 2
    return np.round(np.sqrt(squares) * EARTH_RADIUS_MM)


def _seconds(told: pl.DataFrame, gaps: _Gaps, shares: Floats) -> NDArray[np.int32]:
    """Time at each blank call."""
    reached, left = (told.get_column(name).fill_null(0).to_numpy() for name in TIMES)
    start = left[gaps.before].astype(np.int64)
    length = reached[gaps.after].astype(np.int64) - start
    return (start + np.floor(length * shares + 0.5)).astype(np.int32)
