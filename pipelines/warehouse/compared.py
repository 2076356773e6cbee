"""Which earlier nights a night is compared with, and what governed each of them.

- *latest before*: the latest earlier date with figures that is the same kind of day (weekday,
  Saturday, Sunday, holiday): a Sunday beside a Saturday would tell of the week, not of change.
- *year before*: of those about a year ago the one nearest to 364 days back, the same weekday.

Dates are those of nights, and the reference days that a city with history has figures for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.warehouse.night_sources import Governing

TONIGHT, LATEST_BEFORE, YEAR_BEFORE = "tonight", "latest before", "year before"
DAYS_A_YEAR = 364  # 52 weeks
ABOUT_A_YEAR_DAYS = 31


class ComparedNights(dy.Schema):
    """One row per compared date and source version that governs it."""

    compared_with = one_of(
        *(TONIGHT, LATEST_BEFORE, YEAR_BEFORE), primary_key=True, description="Which date it is."
    )
    night_date = dy.Date(description="The date.")
    source_id = dy.String(primary_key=True, description="Source.")
    version_id = dy.String(primary_key=True, description="Version that governs the date.")
    is_assumed = dy.Bool(description="Whether a feed's version bridges a day it does not cover.")


def compared_dates(
    dates: Iterable[date], service_date: date, day_type: Callable[[date], str]
) -> dict[str, date]:
    """The earlier dates to compare with, of those that have figures."""
    kind = day_type(service_date)
    earlier = sorted(day for day in dates if day < service_date and day_type(day) == kind)
    found = {LATEST_BEFORE: earlier[-1]} if earlier else {}

    def from_a_year(day: date) -> int:
        return abs((service_date - day).days - DAYS_A_YEAR)

    about = [day for day in earlier if from_a_year(day) <= ABOUT_A_YEAR_DAYS]
    return found | ({YEAR_BEFORE: min(about, key=from_a_year)} if about else {})


def compared_nights(
    governing: Mapping[tuple[str, date], Sequence[Governing]],
) -> dy.DataFrame[ComparedNights]:
    """What governs tonight and the dates it is compared with, by the name and date of each."""
    rows = [
        (name, day, source.source_id, source.version_id, source.is_assumed)
        for (name, day), sources in governing.items()
        for source in sources
        if source.version_id
    ]
    types = {name: column.dtype for name, column in ComparedNights.columns().items()}
    frame = pl.DataFrame(rows, schema=types, orient="row")
    return ComparedNights.validate(frame.unique().sort(ComparedNights.primary_key()))
