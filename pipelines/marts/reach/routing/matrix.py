"""One computation of travel times: sweeps over plans, and what they give for each destination.

Origins go in batches of 64. A batch's sweeps (one for each draw of a timetable, and for each block
of departures where a window has more than a byte can count) leave their arrivals in the thread's
scratch, from which every destination's times are gathered and ranked at once: nothing larger than
the batch's own percentiles leaves the compiled code. The scratch takes 64 bytes for each arrival
of a sweep (times k where there are at most k rides).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.reach.assumptions import LONGEST_MINUTES, PERCENTILES
from pipelines.marts.reach.routing.plan import Plan, Walks
from pipelines.marts.reach.routing.timetable import Departures, Ints, Longs

Bytes = npt.NDArray[np.uint8]
Shorts = npt.NDArray[np.uint16]
Scratch = tuple[Bytes, Bytes, Bytes]  # arrivals by row, runs by slot, waiting by boarding point

WIDTH = 64  # origins that one sweep serves: kernels.WIDTH
LONGEST_SECONDS = LONGEST_MINUTES * 60
MOST_LANES = 255  # of one sweep: their number is a byte
FAR = 2**16 - 1  # times from a sweep's first departure are 16-bit numbers below it
TIMES = tuple(f"p{percentile}_seconds" for percentile in PERCENTILES)
ERRORS = tuple(f"p{percentile}_error_seconds" for percentile in PERCENTILES)
COLUMNS: dict[str, pl.DataType] = {
    "origin": pl.UInt32(),
    "destination": pl.UInt32(),
    **dict.fromkeys(TIMES, pl.Int32()),
    **dict.fromkeys(ERRORS, pl.Float32()),
}


@dataclass(frozen=True)
class Pass:
    """One sweep: a block of departures over one draw's plan."""

    draw: int
    segments: Longs
    start_seconds: int  # after the window's start
    lanes: int
    first_lane: int


def passes_of(plans: tuple[Plan, ...], departures: Departures) -> Iterator[Pass]:
    """The sweeps that make up a window, draw by draw and block by block."""
    step, count = departures.step_seconds, departures.count
    most = max(1, min(MOST_LANES, (FAR - 1 - LONGEST_SECONDS) // step + 1))
    for draw, plan in enumerate(plans):
        times = plan.events[:, -1]
        for first in range(0, count, most):
            lanes = min(most, count - first)
            start = first * step
            begin = np.searchsorted(times, start, side="left")
            end = np.searchsorted(times, start + _span(lanes, step), side="right")
            segments = plan.segments.copy()
            segments[:, :2] = segments[:, :2].clip(begin, end)
            useful = segments[segments[:, 0] < segments[:, 1]]
            yield Pass(draw, useful, start, lanes, draw * count + first)


def _span(lanes: int, step: int) -> int:
    """Seconds from a sweep's first departure to the last arrival that counts."""
    return (lanes - 1) * step + LONGEST_SECONDS


@dataclass(frozen=True)
class Matrix:
    """Plans, their sweeps, and the walks from origins and to destinations."""

    departures: Departures
    plans: tuple[Plan, ...]
    passes: tuple[Pass, ...]
    access: Walks
    direct: Walks
    begins: Longs  # (draw, destination): where its deliveries begin
    delivered: Ints
    max_rides: int | None

    @property
    def origin_count(self) -> int:
        """Origins that have a number, with walks or without."""
        return len(self.access.begins) - 1

    @property
    def destination_count(self) -> int:
        """Destinations that have a number, with walks or without."""
        return int(self.begins.shape[1]) - 1

    def frames(self, batches: Iterator[Longs]) -> list[tuple[int, pl.DataFrame]]:
        """First origin and rows of the batches that are left, for threads that share them."""
        scratch = self._scratch()
        return [(int(batch[0]), self._frame(batch, scratch)) for batch in batches]

    def profiles(self, origins: Longs) -> Shorts:
        """Seconds of every departure: (origin, destination, draw and departure)."""
        kernels, scratch = _kernels(), self._scratch()
        self._sweep(origins, scratch)
        gathered = self._gathered(origins, scratch)
        lanes = self.departures.count * len(self.plans)
        times = np.empty((self.destination_count, lanes, WIDTH), np.uint16)
        kernels.unroll(*gathered, times)
        return times.transpose(2, 0, 1)[: len(origins)]

    def _frame(self, origins: Longs, scratch: Scratch) -> pl.DataFrame:
        self._sweep(origins, scratch)
        draws, lanes = len(self.plans), self.departures.count
        ranks = [
            [nearest_rank(percentile, count) for percentile in PERCENTILES]
            for count in (lanes * draws, lanes)
        ]
        shape = (len(origins), self.destination_count, len(PERCENTILES))
        found = np.empty(shape, np.uint16)
        errors = np.empty(shape if draws > 1 else (0, 0, 0), np.float32)
        _kernels().finish(*self._gathered(origins, scratch), np.array(ranks), found, errors)
        is_near = found[:, :, 0] != FAR  # the lowest percentile is the least
        at, destination = np.nonzero(is_near)
        columns = {"origin": origins[at].astype(np.uint32), "destination": destination}
        columns |= dict(zip(TIMES, found[is_near].T.copy(), strict=True))
        if draws > 1:
            columns |= dict(zip(ERRORS, errors[is_near].T.copy(), strict=True))
        near = pl.DataFrame(columns)
        seconds = pl.col(TIMES)
        spread = pl.col(ERRORS).fill_nan(None) if draws > 1 else _UNKNOWN
        known = near.with_columns(pl.when(seconds != FAR).then(seconds))
        return known.with_columns(spread).cast(pl.Schema(COLUMNS))

    def _sweep(self, origins: Longs, scratch: Scratch) -> None:
        kernels, preparation = _kernels(), _preparation()
        rows, riding, waiting = scratch
        step = self.departures.step_seconds
        walks = preparation.by_end(origins, self.access.begins, self.access.rows, len(waiting))
        for each, base in zip(self.passes, self._bases(), strict=True):
            plan = self.plans[each.draw]
            since = np.arange(_span(each.lanes, step) + 1)
            kernels.sweep(
                each.segments,
                plan.events,
                plan.pull_begins,
                plan.pulled,
                *walks,
                np.minimum(since // step + 1, each.lanes).astype(np.uint8),
                each.start_seconds,
                WIDTH if self.max_rides else 0,
                (rows[base : base + plan.row_count], riding, waiting),
            )

    def _bases(self) -> Longs:
        """The row of the scratch at which each sweep's arrivals begin."""
        counts = [self.plans[each.draw].row_count for each in self.passes]
        return np.cumsum([0, *counts])[:-1]

    def _gathered(self, origins: Longs, scratch: Scratch) -> tuple[object, ...]:
        """What the kernels are told of the deliveries to all destinations, after the sweeps."""
        passes = [
            (each.draw, base, each.start_seconds, each.first_lane, each.lanes)
            for each, base in zip(self.passes, self._bases(), strict=True)
        ]
        direct = _preparation().by_end(
            origins, self.direct.begins, self.direct.rows, self.destination_count
        )
        return (
            self.begins,
            self.delivered,
            np.array(passes, np.int64),
            self.departures.step_seconds,
            LONGEST_SECONDS,
            scratch[0],
            *direct,
        )

    def _scratch(self) -> Scratch:
        width = WIDTH * (self.max_rides or 1)
        rows = sum(self.plans[each.draw].row_count for each in self.passes)
        slots = max(plan.slot_count for plan in self.plans)
        points = max(plan.board_count for plan in self.plans)
        return _aligned(rows, width), _aligned(slots, width), _aligned(points, width)


_UNKNOWN = [pl.lit(None).alias(name) for name in ERRORS]


def _aligned(rows: int, width: int) -> Bytes:
    """Rows of bytes that each begin at a cache line."""
    room = np.empty(rows * width + WIDTH, np.uint8)
    begin = -room.ctypes.data % WIDTH
    return room[begin : begin + rows * width].reshape(rows, width)


def nearest_rank(percentile: int, count: int) -> int:
    """How many of `count` values must not exceed a percentile's value; at least one."""
    return max(1, -(-percentile * count // 100))


def _kernels() -> ModuleType:
    # Numba takes a second to load: only for those who route.
    from pipelines.marts.reach.routing import kernels

    return kernels


def _preparation() -> ModuleType:
    from pipelines.marts.reach.routing import preparation

    return preparation
