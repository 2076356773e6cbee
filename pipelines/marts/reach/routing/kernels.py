# ruff: noqa: PLR0917  # compiled code takes arrays by position
"""The router's inner loops, compiled.

Lanes are the departures of the window, earliest first. Whoever leaves later can do nothing that
those who left earlier can't (they may wait), so a run, a stop and a moment remember one number: how
many lanes can be on board or there by then. It fits in a byte, so the states of 64 origins are one
cache line, and a step for all of them is one maximum of two rows.

`sweep` goes once over the events of the window in the order of time:
  departure  what waits at the boarding point joins the run
  arrival    the run's lanes are written down as the arrival's row, with those of all arrivals at
             its point before
`finish` then reads, for each destination, the arrivals in the order in which people walk in from
them: the lanes by which a row exceeds the ones before arrive at that moment.

Events are rows of numbers: ROW of an arrival (0: a departure), BEFORE (the row of the arrival
before at its point; of a departure the slot it takes over), SLOT (the state of a run), POINT where
one boards, TIME. With at most k rides a state is k rows of bytes, for at most 1, 2 ... k rides.
All numbers are integers and threads share nothing, so that each origin's times are the same
whoever computes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from pipelines.marts.reach.routing.timetable import Ints, Longs
from pipelines.marts.reach.routing.vectors import (
    added,
    added_below,
    all_shorts,
    bytes_at,
    counted,
    higher,
    lower_lanes,
    lowest_bit,
    shorts_at,
    where_higher,
    write_bytes,
    write_shorts,
)

ROW, BEFORE, SLOT, POINT, TIME = 0, 1, 2, 3, 4
WIDTH = 64  # origins at once: a row of bytes is a cache line
MOST_LANES = 255  # of one sweep: their number is a byte
FAR = np.uint16(0xFFFF)  # no arrival

Bytes = npt.NDArray[np.uint8]
Shorts = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]
States = tuple[Bytes, Bytes, Bytes]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def _jit(kernel: Kernel) -> Kernel:
    """Compiled code that holds no lock of Python, kept between processes."""
    return cast("Kernel", njit(cache=True, nogil=True, error_model="numpy")(kernel))


@_jit
def _address(array: npt.NDArray[Any]) -> np.uintp:
    return np.uintp(array.ctypes.data)


@_jit
def sweep(
    segments: Longs,
    events: Ints,
    pull_begins: Longs,
    pulled: Ints,
    walk_begins: Longs,
    walks: Ints,
    lanes_after: Bytes,
    start: int,
    shift: int,
    states: States,
) -> None:
    """Fill `states`: arrivals by row, runs by slot, waiting by boarding point; all by origin.

    Events `segments[s, 0]` to `segments[s, 1]` are gone over once, or where `segments[s, 2]` until
    nothing changes. `walks[walk_begins[b]:walk_begins[b + 1]]` are the origins that walk to
    boarding point b, and in how many seconds; `lanes_after` tells how many lanes have left so many
    seconds after `start`. `shift` is 0, or WIDTH where rides are limited: then a change leads from
    at most k rides to at most k + 1.
    """
    rows, riding, waiting = states
    rows[:] = 0
    riding[:] = 0
    waiting[:] = 0
    for segment in range(len(segments)):
        begin, end = segments[segment, 0], segments[segment, 1]
        before = np.int64(-1)
        while True:
            for event in range(begin, end):
                sources = pulled[pull_begins[event] : pull_begins[event + 1]]
                _step(events[event], sources, shift, states)
                if events[event, ROW] == 0:
                    point = events[event, POINT]
                    _walk_in(
                        events[event],
                        walks[walk_begins[point] : walk_begins[point + 1]],
                        lanes_after,
                        start,
                        riding,
                    )
            if segments[segment, 2] == 0:
                break
            total = _total(events[begin:end], rows, riding)
            if total == before:
                break
            before = total


@_jit
def _step(event: Ints, pulled: Ints, shift: int, states: States) -> None:
    """One event, for all origins."""
    rows, riding, waiting = states
    width = rows.shape[1]
    rows_at, riding_at, waiting_at = _address(rows), _address(riding), _address(waiting)
    for part in range(0, width, WIDTH):
        state_at = riding_at + np.uintp(event[SLOT] * width + part)
        state = bytes_at(state_at)
        if event[ROW] > 0:
            earlier = bytes_at(rows_at + np.uintp(event[BEFORE] * width + part))
            write_bytes(rows_at + np.uintp(event[ROW] * width + part), higher(earlier, state))
        else:
            here_at = waiting_at + np.uintp(event[POINT] * width + part)
            here = bytes_at(here_at)
            if part >= shift:
                for row in pulled:
                    here = higher(here, bytes_at(rows_at + np.uintp(row * width + part - shift)))
                write_bytes(here_at, here)
            taken = bytes_at(riding_at + np.uintp(event[BEFORE] * width + part))
            write_bytes(state_at, higher(higher(state, taken), here))


@_jit
def _walk_in(event: Ints, walks: Ints, lanes_after: Bytes, start: int, riding: Bytes) -> None:
    """Those who walk to a departure from their origins."""
    for walk in range(len(walks)):
        since = event[TIME] - start - walks[walk, 1]
        if since >= 0:
            lanes = lanes_after[since]
            for k in range(walks[walk, 0], riding.shape[1], WIDTH):
                riding[event[SLOT], k] = max(riding[event[SLOT], k], lanes)


@_jit
def _total(events: Ints, rows: Bytes, riding: Bytes) -> np.int64:
    """A number that grows whenever a state does."""
    total = np.int64(0)
    for event in range(len(events)):
        for k in range(rows.shape[1]):
            total += np.int64(rows[events[event, ROW], k])
            total += np.int64(riding[events[event, SLOT], k])
    return total


@_jit
def arrive(
    place: int,
    begins: Longs,
    delivered: Ints,
    passes: Longs,
    step: int,
    longest: int,
    rows: Bytes,
    walk_begins: Longs,
    walks: Ints,
    times: Shorts,
) -> None:
    """Fill `times` (lane of a pass, origin) with the seconds from door to door to one destination.

    `passes` has one row per sweep: its draw, the row where its arrivals begin, its first departure,
    the row of `times` where its lanes begin, and how many they are. `delivered` is indexed by
    `begins[draw, place]`; `walks` are those from the origins to the destination itself.
    """
    times[:] = FAR
    for walk in range(walk_begins[place], walk_begins[place + 1]):
        for lane in range(len(times)):
            times[lane, walks[walk, 0]] = walks[walk, 1]
    for sweep_done in passes:
        draw, base, start, first, lanes = sweep_done
        _deliver(
            delivered[begins[draw, place] : begins[draw, place + 1]],
            rows[base:],
            start,
            step,
            (lanes - 1) * step + longest,
            times[first : first + lanes],
        )


@_jit
def unroll(
    begins: Longs,
    delivered: Ints,
    passes: Longs,
    step: int,
    longest: int,
    rows: Bytes,
    walk_begins: Longs,
    walks: Ints,
    times: Shorts,
) -> None:
    """Fill `times` (destination, lane of a pass, origin) with the seconds to all destinations."""
    for place in range(len(times)):
        arrive(
            place,
            begins,
            delivered,
            passes,
            step,
            longest,
            rows,
            walk_begins,
            walks,
            times[place],
        )


@_jit
def _deliver(delivered: Ints, rows: Bytes, start: int, step: int, last: int, times: Shorts) -> None:
    """Lower `times` (lane, origin) to what one place's deliveries give, up to `last`."""
    first_column = rows.shape[1] - WIDTH
    present = np.zeros(WIDTH, np.uint8)
    rows_at, times_at = _address(rows) + np.uintp(first_column), _address(times)
    arrived = bytes_at(_address(present))
    for delivery in range(len(delivered)):
        since = delivered[delivery, 1] - start
        if since > last:
            break
        row = delivered[delivery, 0]
        there = bytes_at(rows_at + np.uintp(row * rows.shape[1]))
        fresh = where_higher(there, arrived)
        if fresh == 0:
            continue
        # The lanes that arrive now lie between these, for all origins taken together.
        first, end = np.uint8(MOST_LANES), np.uint8(0)
        while fresh != 0:
            k = lowest_bit(fresh)
            fresh &= fresh - np.uint64(1)
            first = min(first, present[k])
            present[k] = rows[row, first_column + k]
            end = max(end, present[k])
        for lane in range(first, end):
            lower_lanes(
                times_at + np.uintp(2 * WIDTH * lane),
                np.uint16(since - lane * step),
                np.uint8(lane),
                arrived,
                there,
            )
        arrived = higher(there, arrived)


@_jit
def _rank(times: Shorts, wanted: int, bits: int, ranked: Shorts) -> None:
    """The smallest times that at least `wanted` rows do not exceed, by column, to `ranked`.

    They are found bit by bit, `bits` of them; 2**bits - 1 stands for what is not below it.
    """
    enough = all_shorts(np.uint16(wanted))
    for column in range(0, WIDTH, 32):
        times_at = _address(times) + np.uintp(2 * column)
        found = all_shorts(np.uint16(0))
        for bit in range(bits - 1, -1, -1):
            tried = added(found, all_shorts(np.uint16((1 << bit) - 1)))
            count = all_shorts(np.uint16(0))
            for row in range(len(times)):
                count = counted(count, shorts_at(times_at + np.uintp(2 * WIDTH * row)), tried)
            found = added_below(found, all_shorts(np.uint16(1 << bit)), count, enough)
        write_shorts(_address(ranked) + np.uintp(2 * column), found)


@_jit
def finish(
    begins: Longs,
    delivered: Ints,
    passes: Longs,
    step: int,
    longest: int,
    rows: Bytes,
    walk_begins: Longs,
    walks: Ints,
    ranks: Longs,
    found: Shorts,
    errors: Floats,
) -> None:
    """Percentiles of the times to all destinations, of all draws together.

    `found` and `errors` have the shape (origin, destination, percentile). `ranks` has two rows:
    the percentiles' ranks among all lanes, and among those of one draw. `found` is FAR above
    `longest` seconds; `errors` are standard errors from the draws' own percentiles, NaN where a
    draw has none; they are left alone where there is but one draw.
    """
    draws = len(begins)
    lanes = (passes[-1, 3] + passes[-1, 4]) // draws
    bits = 0
    while 1 << bits <= longest:
        bits += 1
    times = np.empty((lanes * draws, WIDTH), np.uint16)
    ranked = np.empty(WIDTH, np.uint16)
    of_draws = np.empty((draws, WIDTH), np.uint16)
    for place in range(found.shape[1]):
        arrive(place, begins, delivered, passes, step, longest, rows, walk_begins, walks, times)
        for r in range(found.shape[2]):
            _rank(times, ranks[0, r], bits, ranked)
            for k in range(found.shape[0]):
                found[k, place, r] = ranked[k] if ranked[k] <= longest else FAR
            if draws > 1:
                for draw in range(draws):
                    own = times[draw * lanes : (draw + 1) * lanes]
                    _rank(own, ranks[1, r], bits, of_draws[draw])
                for k in range(found.shape[0]):
                    errors[k, place, r] = _standard_error(of_draws[:, k], longest)


@_jit
def _standard_error(values: Shorts, longest: int) -> np.float64:
    """The standard error of the values' mean; NaN where one is longer than `longest`."""
    total = 0.0
    for value in values:
        if value > longest:
            return np.float64(np.nan)
        total += value
    mean = total / len(values)
    squares = 0.0
    for value in values:
        squares += (value - mean) ** 2
    return np.float64(np.sqrt(squares / (len(values) - 1) / len(values)))
