"""Stops as trips pass them along their shapes, each pattern of stops once.

Trips on one shape with the same stops and distances in the same order make the same visits, rail
apart from the rest (at the ends of rail trips, shapes may stay farther away): the first of them
stands for all. Left out: trips without a known shape or route, stops without a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.runs import Floats, Positions, Runs, runs_of
from pipelines.staging.gtfs.rules.shape_lines import MOST_LAT, MOST_LON, Lines, lines_of, ranges

RAIL = 2  # routes.route_type
# How far a stop may lie from its shape, and the first and last of a rail trip, whose shapes often
# end before the tracks do (Canonical GTFS Validator, stop_too_far_from_shape).
NEAR_M = 100.0
NEAR_RAIL_END_M = 400.0


@dataclass(frozen=True)
class Visits:
    """One element per stop of a pattern, pattern by pattern in order: the call, its pattern (by
    number), line and stop, how near the line should be; `distance` is the call's, 0 if blank."""

    runs: Runs
    lines: Lines
    call: Positions
    pattern: Positions
    line: Positions
    stop: Positions
    near_m: Floats
    distance: Floats
    lat: Floats
    lon: Floats

    @cached_property
    def first(self) -> Positions:
        """Where each pattern's visits begin."""
        return np.flatnonzero(np.diff(self.pattern, prepend=-1) != 0)

    @cached_property
    def length(self) -> Positions:
        """How many visits each pattern has."""
        return np.diff(self.first, append=self.pattern.size)

    @cached_property
    def stop_on_line(self) -> Positions:
        """A number for each stop on each line."""
        return self.line * (int(self.stop.max(initial=0)) + 1) + self.stop


@once
def visits_of(feed: Feed) -> Visits:
    """The visits of the trips in the feed's part of stop_times."""
    runs, lines = runs_of(feed), lines_of(feed["shapes"])
    patterns = _patterns(feed, runs, lines)
    first, length = (patterns.get_column(name).to_numpy() for name in ("first", "length"))
    call = ranges(first, length)
    is_edge = np.zeros(call.size, np.bool_)
    heads = np.cumsum(length) - length
    is_edge[heads] = is_edge[heads + length - 1] = True
    is_rail = np.repeat(patterns.get_column("is_rail").to_numpy(), length)
    stop = runs.indexes("stop_index")[call]
    lat, lon = (
        np.append(feed.stop_places.get_column(f"stop_{axis}").fill_null(np.nan).to_numpy(), np.nan)
        for axis in ("lat", "lon")
    )
    is_placed = (np.abs(lat[stop]) <= MOST_LAT) & (np.abs(lon[stop]) <= MOST_LON)
    return Visits(
        runs=runs,
        lines=lines,
        call=call[is_placed],
        pattern=np.repeat(np.arange(length.size), length)[is_placed],
        line=np.repeat(patterns.get_column("line").to_numpy(), length)[is_placed],
        stop=stop[is_placed],
        near_m=np.where(is_edge & is_rail, NEAR_RAIL_END_M, NEAR_M)[is_placed],
        distance=np.nan_to_num(runs.floats("shape_dist_traveled")[call[is_placed]]),
        lat=lat[stop[is_placed]],
        lon=lon[stop[is_placed]],
    )


def _patterns(feed: Feed, runs: Runs, lines: Lines) -> pl.DataFrame:
    """The first trip of each pattern: line, is_rail, and its calls as first and length."""
    numbers = pl.DataFrame(
        {"shape_id": lines.shape_ids, "line": np.arange(lines.shape_ids.len(), dtype=np.int64)}
    )
    routes = feed["routes"].unique("route_id", keep="first")
    is_rail = (pl.col("route_type") == RAIL).fill_null(value=False)
    known = (
        feed["trips"]
        .select(pl.col("shape_id", "route_id").gather(runs.trips))
        .join(numbers, on="shape_id", how="left", maintain_order="left")
        .join(
            routes.select("route_id", is_rail=is_rail),
            on="route_id",
            how="left",
            maintain_order="left",
        )
    )
    return (
        known.select("line", "is_rail")
        .with_columns(first=runs.first, length=runs.lengths, told=_fingerprints(runs))
        .drop_nulls()
        .unique(["line", "is_rail", "length", "told"], keep="first", maintain_order=True)
    )


def _fingerprints(runs: Runs) -> NDArray[np.uint64]:
    """A number for each trip that tells its stops, their order and distances: a sum of hashes."""
    order = np.arange(runs.calls.height) - runs.begin
    told = (runs.indexes("stop_index") + (order << _STOP_BITS)).view(np.uint64)
    told ^= runs.floats("shape_dist_traveled").view(np.uint64) * _MIX
    for shift in (29, 32):
        told *= _MIX
        told ^= told >> np.uint64(shift)
    return np.add.reduceat(told, runs.first) if told.size else told


# Odd and without pattern in its bits, so that a product depends on all bits of the other factor
# (2**64 divided by the golden ratio).
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_STOP_BITS = 32
