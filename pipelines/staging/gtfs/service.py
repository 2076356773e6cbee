"""On which dates a service runs: the weekly calendar, its exceptions, and both expanded.

A service runs on a date when calendar.txt has the date in its period and the weekday marked, or
calendar_dates.txt adds it (exception_type 1), unless calendar_dates.txt takes it off (2).
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Quarantine, Staged, sift

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ADDED, REMOVED = 1, 2


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


def stage_calendar(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Weekly patterns."""
    return sift(Calendar, raw["calendar"], source)


def stage_calendar_dates(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Exceptions; they may name services that have no weekly pattern."""
    return sift(CalendarDates, raw["calendar_dates"], source)


def stage_service_dates(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Dates of service by the module's definition; rows refused above are quarantined there."""
    weekly = stage_calendar(raw, source).rows.lazy()
    exceptions = stage_calendar_dates(raw, source).rows.lazy().rename({"date": "service_date"})
    keys = ("source_id", "version_id", "service_id", "service_date")
    runs_that_day = pl.concat_list(WEEKDAYS).list.get(pl.col("service_date").dt.weekday() - 1)
    patterned = (
        weekly.with_columns(service_date=pl.date_ranges("start_date", "end_date"))
        .explode("service_date")
        .filter(runs_that_day)
        .select(keys)
    )
    added = exceptions.filter(pl.col("exception_type") == ADDED).select(keys)
    removed = exceptions.filter(pl.col("exception_type") == REMOVED).select(keys)
    dates = pl.concat([patterned, added]).unique().join(removed, on=keys, how="anti").sort(keys)
    return Staged(ServiceDates.validate(dates.collect()), Quarantine.create_empty())


def known_services(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> pl.Series:
    """Every service that calendar.txt or calendar_dates.txt names, whether it ever runs or not."""
    tables = (stage_calendar(raw, source), stage_calendar_dates(raw, source))
    return pl.concat([table.rows.get_column("service_id") for table in tables]).unique()
