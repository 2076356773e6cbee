"""The calls of a part as runs: each trip's rows lie together, and rules compare their positions.

A position is a row's index among the calls that name a trip; those without trip_id are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import ROW, Found, found

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int32]
Positions = NDArray[np.int64]
# Stands for no time, index or position among integers; no real one is negative.
BLANK = -1


@dataclass(frozen=True)
class Runs:
    """Calls sorted by trip and stop_sequence, and where each trip's run of them begins."""

    calls: pl.DataFrame
    first: Positions  # of each trip's first call

    @cached_property
    def begin(self) -> Positions:
        """For each call, the position of its trip's first."""
        return np.repeat(self.first, self.lengths)

    @cached_property
    def lengths(self) -> Positions:
        """Number of calls of each trip."""
        return np.diff(self.first, append=self.calls.height)

    @cached_property
    def trips(self) -> pl.Series:
        """Each trip's place in feed["trips"], null where there is no such trip."""
        return self.calls.get_column("trip_index").gather(self.first)

    def times(self, column: str) -> Integers:
        """A column of seconds; `BLANK` where there is none."""
        return self.calls.get_column(column).fill_null(BLANK).to_numpy()

    def indexes(self, column: str) -> Positions:
        """A column of indexes into another table; `BLANK` where there is none."""
        return self.calls.get_column(column).cast(pl.Int64).fill_null(BLANK).to_numpy()

    def floats(self, column: str) -> Floats:
        """A column of numbers; NaN where there is none."""
        return self.calls.get_column(column).fill_null(np.nan).to_numpy()

    def before(self, is_wanted: Flags) -> Positions:
        """For each call, the position of the last wanted one before it in its trip, or `BLANK`."""
        earlier = np.arange(BLANK, is_wanted.size - 1, dtype=np.int64)
        if is_wanted.all():
            earlier[self.first] = BLANK
            return earlier
        earlier[1:][~is_wanted[:-1]] = BLANK
        np.maximum.accumulate(earlier, out=earlier)
        earlier[earlier < self.begin] = BLANK
        return earlier

    def found_at(self, broken: Positions, field: str) -> Found:
        """The calls at these positions, as a rule yields them."""
        return found("stop_times", self.calls.select(ROW, field)[broken], field)

    def found(self, is_broken: Flags, field: str) -> Found:
        """The calls that break a rule, as it yields them."""
        return self.found_at(np.flatnonzero(is_broken), field)


def calls_where(feed: Feed, is_broken: pl.Expr, field: str) -> Found:
    """The calls that break a rule by their own fields alone, as it yields them."""
    broken = feed.calls.lazy().filter(is_broken).select(ROW, field).collect()
    return found("stop_times", broken, field)


@once
def runs_of(feed: Feed) -> Runs:
    """The runs of the feed's part of stop_times."""
    calls = feed.calls
    if calls.get_column("trip_id").null_count():
        calls = calls.filter(pl.col("trip_id").is_not_null())
    is_first = calls.get_column("is_first").to_numpy()
    return Runs(calls, np.flatnonzero(is_first))
