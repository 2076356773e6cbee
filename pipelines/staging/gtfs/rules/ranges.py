"""Ranges that end before they begin, or at once; the rule of phone numbers, which waits."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import ERROR, Found, found, rule

# Start and end by file. stop_times has its own, asked of each part.
RANGES = (
    ("calendar", "start_date", "end_date"),
    ("feed_info", "feed_start_date", "feed_end_date"),
    ("frequencies", "start_time", "end_time"),
    ("timeframes", "start_time", "end_time"),
)
# A day or a call may begin and end at one moment, a span of time may not.
SPANS = ("frequencies", "timeframes")


@rule("start_and_end_range_out_of_order", ERROR)
def range_out_of_order(feed: Feed) -> Iterator[Found]:
    """A date or time that ends a range lies before the one that begins it."""
    for file, start, end in RANGES:
        yield out_of_order(feed[file], file, start, end)


def out_of_order(rows: pl.DataFrame, file: str, start: str, end: str) -> Found:
    """Rows of a file whose range ends before it begins."""
    return found(file, rows.filter(pl.col(end) < pl.col(start)), end)


@rule("start_and_end_range_equal", ERROR)
def range_of_no_length(feed: Feed) -> Iterator[Found]:
    """A span of time ends as it begins."""
    for file, start, end in RANGES:
        if file in SPANS:
            yield found(file, feed[file].filter(pl.col(end) == pl.col(start)), end)


@rule("invalid_phone_number", ERROR, "agency", waits="no country is told to judge numbers by")
def impossible_phone_number(_feed: Feed) -> Iterator[Found]:
    """A phone number that is not possible in the feed's country."""
    yield from ()
