"""On which dates a service runs: the weekly calendar, its exceptions, and both expanded.

A service runs on a date when calendar.txt has the date in its period and the weekday marked, or
calendar_dates.txt adds it (exception_type 1), unless calendar_dates.txt takes it off (2).
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.rows import staged
from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.fields import CALENDARS
from pipelines.staging.gtfs.rules.service_days import service_days
from pipelines.staging.gtfs.specification.timetable import WEEKDAYS
from pipelines.staging.gtfs.validation import Validation
from pipelines.staging.sift import Quarantine, Staged


class Calendar(Versioned):
    """One row per service with a weekly pattern."""

    service_id = dy.String(primary_key=True, description="Set of dates that trips run on.")
    monday = dy.Bool(description="Runs on Mondays.")
    tuesday = dy.Bool(description="Runs on Tuesdays.")
    wednesday = dy.Bool(description="Runs on Wednesdays.")
    thursday = dy.Bool(description="Runs on Thursdays.")
    friday = dy.Bool(description="Runs on Fridays.")
    saturday = dy.Bool(description="Runs on Saturdays.")
    sunday = dy.Bool(description="Runs on Sundays.")
    start_date = dy.Date(description="First date of the pattern.")
    end_date = dy.Date(description="Last date of the pattern, included.")

    @dy.rule()
    def end_not_before_start(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The period has at least one day."""
        return pl.col("end_date") >= pl.col("start_date")


class CalendarDates(Versioned):
    """One row per service and date on which it departs from its pattern."""

    service_id = dy.String(primary_key=True, description="Set of dates that trips run on.")
    date = dy.Date(primary_key=True, description="Service date of the exception.")
    exception_type = dy.Int32(min=1, max=2, description="1 runs besides, 2 does not run.")


class ServiceDates(Versioned):
    """One row per service and date on which it runs."""

    service_id = dy.String(primary_key=True, description="Set of dates that trips run on.")
    service_date = dy.Date(primary_key=True, description="Local service date it runs on.")


def stage_calendar(feed: Validation, source: SourceVersion) -> Staged:
    """Weekly patterns."""
    runs = {day: pl.col(day) == 1 for day in WEEKDAYS}
    return staged(Calendar, feed.files.get("calendar"), source, **runs)


def stage_calendar_dates(feed: Validation, source: SourceVersion) -> Staged:
    """Exceptions; they may name services that have no weekly pattern."""
    return staged(CalendarDates, feed.files.get("calendar_dates"), source)


def service_days_of(feed: Validation) -> pl.DataFrame:
    """One row per service and date on which it runs, of the rows that were not refused."""
    usable = {name: feed.files[name].kept for name in CALENDARS if name in feed.files}
    return service_days(Feed(usable, dict.fromkeys(usable, frozenset())))


def stage_service_dates(feed: Validation, source: SourceVersion) -> Staged:
    """Dates of service by the module's definition; rows refused above are quarantined there."""
    dates = service_days_of(feed).select(
        pl.lit(source.source_id).alias("source_id"),
        pl.lit(source.version_id).alias("version_id"),
        "service_id",
        pl.col("date").alias("service_date"),
    )
    return Staged(ServiceDates.validate(dates), Quarantine.create_empty())
