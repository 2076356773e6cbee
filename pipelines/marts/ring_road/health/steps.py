"""Steps: days from which on a station is at another level, against what its peers do.

**Deviation.** The daily value (the log of the volume, or the mean clock hour) less the station's
own median, less the median of its peers' deviations on that day, less what the station does on that
day of the week beside it: what all stations share, seasons and holidays, is out.

**Step.** The day that splits the deviations into two spans whose means differ most for their
lengths (the maximum of the standardised CUSUM). It is told where the medians of the whole spans,
and of the `NEAR_DAYS` days next to it, differ by at least the size asked for, in the same
direction; the near ones by `ERRORS` robust standard errors too; and the `BRINK_DAYS` days next to
it by three quarters of that, which a slow drift doesn't. At least `LEAST_DAYS` days lie on either
side: it lasts. The error is that of two means of four weeks, from the median step between one
week's mean and the next.

One step is told, the most marked one. What came and went within the days looked at may be told by
either end, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Ours, as the limits of a broken station in the analysis plan of the effect.
ERRORS = 6.0
LEAST_DAYS = 14
NEAR_DAYS = 28
BRINK_DAYS = 10
BRINK_SHARE = 0.75
FEWEST_PEERS = 3
WEEK_DAYS = 7
# Median absolute deviation to standard deviation, of a normal distribution.
MAD_FACTOR = 1.4826


@dataclass(frozen=True)
class Step:
    """A lasting step: the row of the first day on the other level, and after less before."""

    row: int
    size: float


def deviations(values: Floats, peers: Collection[Collection[int]], weekdays: Ints) -> Floats:
    """Days x stations: deviations of `values` (NaN: unknown) from those of each station's peers.

    `peers` are columns, by station; a station with fewer than `FEWEST_PEERS` that have values has
    no deviations. `weekdays` has the day of the week of each row.
    """
    centred = values - nan_median(values, axis=0)
    has_any: Bools = np.asarray((~np.isnan(values)).any(axis=0), dtype=np.bool_)
    found = np.full_like(values, np.nan)
    for station, columns in enumerate(peers):
        others = [column for column in columns if column != station and has_any[column]]
        if has_any[station] and len(others) >= FEWEST_PEERS:
            shared = nan_median(centred[:, others], axis=1)
            found[:, station] = _without_weekdays(centred[:, station] - shared, weekdays)
    return found


def find_step(deviation: Floats, least_size: float) -> Step | None:
    """The most marked lasting step of a station's deviations, None where there is none."""
    (rows,) = np.nonzero(~np.isnan(deviation))
    known = deviation[rows]
    if len(known) < 2 * LEAST_DAYS:
        return None
    place = _split(known)
    near = _difference(known, place, NEAR_DAYS)
    whole = _difference(known, place, len(known))
    brink = _difference(known, place, BRINK_DAYS)
    sign = np.sign(near)
    is_step = (
        abs(near) >= max(least_size, ERRORS * _error(known, place))
        and sign * whole >= least_size
        and sign * brink >= BRINK_SHARE * abs(near)
    )
    return Step(int(rows[place]), float(whole)) if is_step else None


def nan_median(values: Floats, axis: int) -> Floats:
    """Median of what is known along an axis; NaN where nothing is."""
    is_empty = np.isnan(values).all(axis=axis, keepdims=True)
    median: Floats = np.nanmedian(np.where(is_empty, 0.0, values), axis=axis)
    median[np.squeeze(is_empty, axis=axis)] = np.nan
    return median


def _split(known: Floats) -> int:
    """First place of the later span, where standardised means differ most."""
    count = len(known)
    before = np.arange(LEAST_DAYS, count - LEAST_DAYS + 1)
    sums = np.cumsum(known)
    first = sums[before - 1] / before
    second = (sums[-1] - sums[before - 1]) / (count - before)
    marked = np.abs(second - first) * np.sqrt(before * (count - before) / count)
    return int(before[np.argmax(marked)])


def _difference(known: Floats, place: int, days: int) -> float:
    """Median of up to so many days from the place on, less that of the days before it."""
    after, before = known[place : place + days], known[max(0, place - days) : place]
    return float(np.median(after) - np.median(before))


def _error(known: Floats, place: int) -> float:
    """Robust standard error of the difference of two means of `NEAR_DAYS`."""
    first = place % WEEK_DAYS
    weeks = known[first : first + (len(known) - first) // WEEK_DAYS * WEEK_DAYS]
    means = weeks.reshape(-1, WEEK_DAYS).mean(axis=1)
    spread = MAD_FACTOR * np.median(np.abs(np.diff(means))) / np.sqrt(2)
    return float(spread * np.sqrt(2 * WEEK_DAYS / NEAR_DAYS))


def _without_weekdays(deviation: Floats, weekdays: Ints) -> Floats:
    """Deviations less what the station does on that day of the week beside the days around it."""
    padded = np.pad(deviation, WEEK_DAYS // 2, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, WEEK_DAYS)
    beside = deviation - nan_median(around, axis=1)
    shape = np.zeros(WEEK_DAYS)
    for weekday in range(WEEK_DAYS):
        own = beside[weekdays == weekday]
        if not np.isnan(own).all():
            shape[weekday] = np.nanmedian(own)
    return np.asarray(deviation - shape[weekdays], dtype=np.float64)
