"""Local days of Almaty as instants in UTC, public holidays, and the windows the objects span.

A local day begins at local midnight. Kazakhstan moved from UTC+6 to UTC+5 when 2024-03-01 began:
clocks went back from 00:00 to 23:00, so 2024-02-29 had 25 hours. The change is written here
rather than read from the machine's time zone files, which may be older than it.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from pipelines.sample.facts import FIXED_HOLIDAYS, HOLIDAYS_BY_DATE

# Source: Kazakhstan's single time zone (UTC+5), in force from 2024-03-01; IANA tzdata 2024a.
SINGLE_ZONE_DATE = date(2024, 3, 1)

PASSAGE_DAYS = 28
PASSAGE_MONTHS_BEFORE = 12
CALENDAR_MONTHS_BEFORE = 13
CALENDAR_MONTHS_AFTER = 3


def day_start(day: date) -> datetime:
    """Instant (UTC) at which the local day begins."""
    offset_hours = 6 if day < SINGLE_ZONE_DATE else 5
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=offset_hours)


def day_hours(day: date) -> int:
    """Hours in the local day: 24, once 25."""
    return round((day_start(day + timedelta(days=1)) - day_start(day)).total_seconds() / 3600)


def local_hours(day: date) -> npt.NDArray[np.int64]:
    """Clock hour (0-23) of every hour of the day, in order; 23 comes twice in a 25-hour day."""
    hours: npt.NDArray[np.int64] = np.minimum(np.arange(day_hours(day)), 23)
    return hours


def start_ms(day: date) -> int:
    """Beginning of the local day in milliseconds since 1970-01-01 UTC."""
    return int(day_start(day).timestamp()) * 1000


def is_holiday(day: date) -> bool:
    """Whether the day is a public holiday, or a day off moved beside one, as published."""
    return (day.month, day.day) in FIXED_HOLIDAYS or day in HOLIDAYS_BY_DATE


def day_type(day: date) -> int:
    """0 working day, 1 Saturday, 2 Sunday or public holiday."""
    if is_holiday(day) or day.weekday() == 6:
        return 2
    return 1 if day.weekday() == 5 else 0


def month_start(day: date, months: int = 0) -> date:
    """First day of the month that lies `months` after the day's month (before, if negative)."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def month_days(first: date) -> list[date]:
    """All days of the month that begins with `first`."""
    return [first + timedelta(days=k) for k in range(monthrange(first.year, first.month)[1])]


def calendar_window(service_date: date) -> tuple[date, date]:
    """First and last day that a feed delivered on the service date covers: whole months."""
    first = month_start(service_date, -CALENDAR_MONTHS_BEFORE)
    last = month_start(service_date, CALENDAR_MONTHS_AFTER + 1) - timedelta(days=1)
    return first, last


def days_between(first: date, last: date) -> list[date]:
    """Days from first to last, both included."""
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]


def second_tuesday(first: date) -> date:
    """Second Tuesday of the month that begins with `first`, a week later on a public holiday."""
    day = first + timedelta(days=(1 - first.weekday()) % 7 + 7)
    while is_holiday(day):
        day += timedelta(days=7)
    return day


def passage_days(service_date: date) -> list[date]:
    """The 40 days of passages: one in each of 12 months, then 28 days to the service date."""
    block_first = service_date - timedelta(days=PASSAGE_DAYS - 1)
    singles = [
        second_tuesday(month_start(block_first, -months))
        for months in range(PASSAGE_MONTHS_BEFORE, 0, -1)
    ]
    return [*singles, *days_between(block_first, service_date)]
