"""On which dates each service runs, for rules: the weekly calendar and its exceptions expanded.

A service runs on a date when calendar has the date in its period and the weekday marked, or
calendar_dates adds it (exception_type 1), unless calendar_dates takes it off (2). Rows in which
service, date, period or exception can't be read say nothing.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.specification.timetable import WEEKDAYS

Integers = NDArray[np.int64]

ADDED, REMOVED = 1, 2  # calendar_dates.exception_type
# Days that weekly patterns may have in all before they are cut (160 MB while they are expanded):
# a national feed of 50,000 services for a year fits, the year 9999 entered by mistake may not.
MOST_PATTERN_DAYS = 20_000_000
# A service's place and a date as one number: dates of the years 1 to 9999 take 22 bits.
_DATE_BITS = 22
_FIRST_DAY = -719_162  # 0001-01-01, counted from 1970-01-01
_MONDAY = 3  # 1970-01-01 was a Thursday: day + 3 is 0 modulo 7 on Mondays


@once
def service_days(feed: Feed) -> pl.DataFrame:
    """One row per service and date on which it runs: service_id, date; sorted by both.

    Where patterns have more than `MOST_PATTERN_DAYS` days in all, the longest periods are cut to
    one length each: they keep days at their beginning and at their end.
    """
    calendar, exceptions = feed["calendar"], feed["calendar_dates"]
    ids = pl.concat([calendar.get_column("service_id"), exceptions.get_column("service_id")])
    services = ids.drop_nulls().unique().sort()
    place = pl.col("service_id").replace_strict(
        services, pl.int_range(services.len(), dtype=pl.Int64, eager=True), return_dtype=pl.Int64
    )
    dated = exceptions.select(place, "exception_type", pl.col("date").to_physical()).drop_nulls()
    kind, given = dated.get_column("exception_type"), _keys(dated, "date")
    added, removed = given[kind.to_numpy() == ADDED], given[kind.to_numpy() == REMOVED]
    running = np.sort(np.concatenate([_pattern_keys(calendar.with_columns(place)), added]))
    is_kept = np.append(True, running[1:] != running[:-1])[: running.size]
    at = np.searchsorted(running, removed)
    at_end = np.searchsorted(running, removed, side="right")
    is_kept[at[at < at_end]] = False
    running = running[is_kept]
    days = (running & ((1 << _DATE_BITS) - 1)) + _FIRST_DAY
    return pl.DataFrame(
        {
            "service_id": services.gather(running >> _DATE_BITS),
            "date": pl.Series(days.astype(np.int32)).cast(pl.Date),
        },
        schema={"service_id": pl.String, "date": pl.Date},
    )


def _keys(rows: pl.DataFrame, date_column: str) -> Integers:
    service = rows.get_column("service_id").to_numpy().astype(np.int64)
    day = rows.get_column(date_column).to_numpy().astype(np.int64)
    return (service << _DATE_BITS) + (day - _FIRST_DAY)


def _pattern_keys(calendar: pl.DataFrame) -> Integers:
    """Services (their places) and dates of the weekly patterns, as `_keys`."""
    rows = calendar.select(
        "service_id",
        *(pl.col(day).fill_null(0) == 1 for day in WEEKDAYS),
        start=pl.col("start_date").to_physical().cast(pl.Int64),
        end=pl.col("end_date").to_physical().cast(pl.Int64),
    ).drop_nulls()
    start, end = rows.get_column("start").to_numpy(), rows.get_column("end").to_numpy()
    lengths = np.maximum(end - start + 1, 0)
    kept = np.minimum(lengths, _longest_kept(lengths))
    row = np.repeat(np.arange(rows.height), kept)
    offset = np.arange(row.size) - np.repeat(np.cumsum(kept) - kept, kept)
    is_late = offset >= (kept - kept // 2)[row]
    day = start[row] + offset + np.where(is_late, (lengths - kept)[row], 0)
    runs = rows.select(WEEKDAYS).to_numpy()[row, (day + _MONDAY) % len(WEEKDAYS)]
    service = rows.get_column("service_id").to_numpy()
    return np.asarray((service[row[runs]] << _DATE_BITS) + (day[runs] - _FIRST_DAY))


def _longest_kept(lengths: Integers) -> int:
    """The largest length to which periods may be cut without passing `MOST_PATTERN_DAYS` in all."""
    if lengths.sum() <= MOST_PATTERN_DAYS:
        return int(lengths.max(initial=0))
    low, high = 0, int(lengths.max())
    while high - low > 1:
        middle = (low + high) // 2
        fits = np.minimum(lengths, middle).sum() <= MOST_PATTERN_DAYS
        low, high = (middle, high) if fits else (low, middle)
    return low
