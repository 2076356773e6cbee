"""How often each service of a timetable runs: on a date, and in a year like the days around it."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from pipelines.marts.service import FEED

# The dates that stand for a year lie at most so far from the service date.
HALF_YEAR_DAYS = 182
YEAR_DAYS = 365
BY_WEEKDAY = "year by the timetable's weekdays"
BY_DAY = "year as 365 such days"


def runs(service_dates: pl.DataFrame, service_date: date) -> tuple[pl.DataFrame, str]:
    """One row per feed version and service: runs on the date (`day_runs`) and in a year.

    `year_runs` is 365 / 7 times the sum, over the seven weekdays, of the mean runs on it between
    the feed's first and last date of service, at most half a year from the service date; holidays
    count as they lie. Where a feed tells less than a week, it is 365 times `day_runs` for all.
    Gives the rows and the method in words.
    """
    around = timedelta(days=HALF_YEAR_DAYS)
    near = service_dates.filter(
        pl.col("service_date").is_between(service_date - around, service_date + around)
    )
    weekday = pl.col("service_date").dt.weekday()
    span = near.group_by(FEED).agg(
        first_date=pl.min("service_date"), last_date=pl.max("service_date")
    )
    days = (
        span.with_columns(service_date=pl.date_ranges("first_date", "last_date"))
        .explode("service_date")
        .group_by(*FEED, weekday.alias("weekday"))
        .agg(weekday_count=pl.len())
    )
    counted = (
        near.group_by(*FEED, "service_id", weekday.alias("weekday"))
        .agg(run_count=pl.len(), day_runs=(pl.col("service_date") == service_date).sum())
        .join(days, on=[*FEED, "weekday"])
        .sort(*FEED, "service_id", "weekday")
    )
    mean = pl.col("run_count") / pl.col("weekday_count")
    told = counted.group_by(*FEED, "service_id", maintain_order=True).agg(
        pl.sum("day_runs").cast(pl.Float64), year_runs=mean.sum() * (YEAR_DAYS / 7)
    )
    is_week = days.group_by(FEED).agg(pl.len() == 7).get_column("len").all()
    if is_week:
        return told, BY_WEEKDAY
    return told.with_columns(year_runs=pl.col("day_runs") * YEAR_DAYS), BY_DAY
