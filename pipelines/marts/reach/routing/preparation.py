# ruff: noqa: PLR0917  # compiled code takes arrays by position
"""What the sweeps stand on, compiled: which arrivals matter to which place, and when.

Arrivals are rows of numbers in the order of alighting points and, at each, of events: TIME, RUN,
CONNECTION, and ROW, where a sweep writes them down (in the order of events; row 0 is nobody's).

Whoever alights from a run could have stayed on board, so an arrival is of no use to a place that a
later arrival of the same run serves as soon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from pipelines.marts.reach.routing.timetable import Ints, Longs

TIME, RUN, CONNECTION, ROW = 0, 1, 2, 3

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def _jit(kernel: Kernel) -> Kernel:
    """Compiled code that holds no lock of Python, kept between processes."""
    return cast("Kernel", njit(cache=True, nogil=True, error_model="numpy")(kernel))


@_jit
def deliveries(
    begins: Longs, walks: Ints, point_rows: Longs, arrivals: Ints, last: int
) -> tuple[Longs, Ints]:
    """For each place the arrivals people walk in from: (begins, rows of ROW and time).

    `walks[begins[p]:begins[p + 1]]` are the alighting points that place p is reached from and the
    seconds; `arrivals[point_rows[a]:point_rows[a + 1]]` those at point a. A place's deliveries are
    in the order of their time, and those after `last` left out.
    """
    places = len(begins) - 1
    size, largest = 0, 0
    for place in range(places):
        own = 0
        for walk in range(begins[place], begins[place + 1]):
            own += point_rows[walks[walk, 0] + 1] - point_rows[walks[walk, 0]]
        size += own
        largest = max(largest, own)
    delivered = np.empty((size, 2), np.int32)
    ends = np.zeros(places + 1, np.int64)
    keys = np.empty(largest, np.int64)
    latest = np.full(arrivals[:, RUN].max() + 1 if len(arrivals) else 0, -1, np.int32)
    kept = 0
    for place in range(places):
        count = 0
        for walk in range(begins[place], begins[place + 1]):
            point = walks[walk, 0]
            for arrival in range(point_rows[point], point_rows[point + 1]):
                time = arrivals[arrival, TIME] + walks[walk, 1]
                if time > last:
                    break
                keys[count] = np.int64(time) << 32 | arrival
                count += 1
        ordered = np.sort(keys[:count])
        for key in ordered:
            arrival = key & 0xFFFFFFFF
            run = arrivals[arrival, RUN]
            if arrivals[arrival, CONNECTION] > latest[run]:
                latest[run] = arrivals[arrival, CONNECTION]
                delivered[kept, 0] = arrivals[arrival, ROW]
                delivered[kept, 1] = key >> 32
                kept += 1
        for key in ordered:
            latest[arrivals[key & 0xFFFFFFFF, RUN]] = -1
        ends[place + 1] = kept
    return ends, delivered[:kept].copy()


@_jit
def pulls(
    boarded: Ints, times: Ints, begins: Longs, delivered: Ints, row_point: Ints, point_count: int
) -> tuple[Longs, Ints]:
    """For each event the rows that have reached its boarding point since the event before there.

    `boarded` is the point of each event, or -1. Of the rows of one alighting point the last holds
    the others. Returns (begins by event, rows).
    """
    fresh = begins[:-1].copy()
    pulled = np.empty(len(delivered), np.int32)
    pull_begins = np.zeros(len(boarded) + 1, np.int64)
    seen = np.full(point_count, -1, np.int32)
    count = 0
    for event in range(len(boarded)):
        point = boarded[event]
        if point >= 0:
            first = fresh[point]
            at = first
            while at < begins[point + 1] and delivered[at, 1] <= times[event]:
                at += 1
            fresh[point] = at
            for delivery in range(at - 1, first - 1, -1):
                row = delivered[delivery, 0]
                if seen[row_point[row]] != event:
                    seen[row_point[row]] = event
                    pulled[count] = row
                    count += 1
        pull_begins[event + 1] = count
    return pull_begins, pulled[:count].copy()


@_jit
def by_end(origins: Longs, begins: Longs, walks: Ints, end_count: int) -> tuple[Longs, Ints]:
    """Walks of some origins by where they end: (begins, rows of position in origins, seconds)."""
    end_begins = np.zeros(end_count + 1, np.int64)
    for origin in origins:
        for walk in range(begins[origin], begins[origin + 1]):
            end_begins[walks[walk, 0] + 1] += 1
    for end in range(end_count):
        end_begins[end + 1] += end_begins[end]
    free = end_begins[:-1].copy()
    turned = np.empty((end_begins[-1], 2), np.int32)
    for position in range(len(origins)):
        for walk in range(begins[origins[position]], begins[origins[position] + 1]):
            at = free[walks[walk, 0]]
            free[walks[walk, 0]] += 1
            turned[at, 0] = position
            turned[at, 1] = walks[walk, 1]
    return end_begins, turned
