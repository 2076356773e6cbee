"""GTFS as a zip of text files whose bytes depend on their content alone.

Entries are stored without compression, in order of name, with one fixed date: deflate's output
differs between builds of zlib, so a compressed archive would not be the same bytes everywhere.
Times count from the service day's start and run past 24:00:00.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

TIME_ZONE_NAME = "Asia/Almaty"
LONGEST_DAY_HOURS = 30
_ENTRY_DATE = (2020, 1, 1, 0, 0, 0)
_EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def write_feed(tables: Mapping[str, pl.DataFrame]) -> bytes:
    """Zip of a feed's tables, each named without its `.txt`; nulls are empty fields."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(tables):
            entry = zipfile.ZipInfo(f"{name}.txt", date_time=_ENTRY_DATE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, tables[name].write_csv().encode())
    return buffer.getvalue()


@cache
def _clock_texts() -> pl.Series:
    seconds = np.arange(LONGEST_DAY_HOURS * 3600)
    return pl.Series([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in seconds.tolist()])


def clock_text(seconds: npt.NDArray[np.int64]) -> pl.Series:
    """`HH:MM:SS` of seconds since the service day's start, past 24:00:00 where they are."""
    return _clock_texts().gather(pl.Series(seconds))


def date_text(day: date) -> str:
    """`YYYYMMDD`."""
    return day.strftime("%Y%m%d")


def calendar_row(service_id: str, days: str, first: date, last: date) -> dict[str, Any]:
    """A row of calendar.txt; `days` holds seven 0 or 1, Monday first."""
    flags = dict(zip(_EVERY_DAY, (int(flag) for flag in days), strict=True))
    return {
        "service_id": service_id,
        **flags,
        "start_date": date_text(first),
        "end_date": date_text(last),
    }


def calendar_dates(rows: list[tuple[str, date, int]]) -> pl.DataFrame:
    """calendar_dates.txt of (service_id, day, exception type: 1 added, 2 removed)."""
    return pl.DataFrame(
        {
            "service_id": [row[0] for row in rows],
            "date": [date_text(row[1]) for row in rows],
            "exception_type": [row[2] for row in rows],
        },
        schema={"service_id": pl.String, "date": pl.String, "exception_type": pl.Int64},
    )


def agency(agency_id: str, name: str) -> pl.DataFrame:
    """agency.txt with its one row."""
    return pl.DataFrame(
        {
            "agency_id": [agency_id],
            "agency_name": [name],
            "agency_url": ["https://example.org/"],
            "agency_timezone": [TIME_ZONE_NAME],
            "agency_lang": ["ru"],
        }
    )


def feed_info(publisher: str, first: date, last: date) -> pl.DataFrame:
    """feed_info.txt with the days the feed covers; its version is its first day."""
    return pl.DataFrame(
        {
            "feed_publisher_name": [publisher],
            "feed_publisher_url": ["https://example.org/"],
            "feed_lang": ["ru"],
            "feed_start_date": [date_text(first)],
            "feed_end_date": [date_text(last)],
            "feed_version": [f"synthetic {date_text(first)}"],
        }
    )
