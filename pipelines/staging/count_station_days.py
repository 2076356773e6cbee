"""Count station days: what each station counted on each local day, by vehicle class.

The days of both kinds of counts files: of those by the hour, the hours are summed by the local day
on which they begin; those by the day (`count_date`) bring their sums. So that no figure reads
millions of hours, each day also keeps what tells a sound sensor from a broken one: how many hours
were counted, how many of them were zero, how long one number repeats, and at which hour of the
clock the day's traffic lies in the mean.

A null count is a day without any counted hour, never a day without vehicles. The sum of a day of
which hours are missing is what was counted; whoever asks for the day's volume looks at
`counted_hour_count`. Rows that are refused as hours are in no day; they stand in the quarantine of
`staging.count_station_hours`, those of files by the day in this table's own.

Left out: directions and lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Quarantine, Staged
from pipelines.staging.traffic import (
    VEHICLE_CLASSES,
    is_by_day,
    sift_counts,
    stage_count_station_hours,
)

DAY = ("station_id", "service_date", "vehicle_class")
HOURS_OF_CLOCK = 24
MINUTES_OF_HOUR = 60
# Shorter than this part of the counts, their mean vector points nowhere.
LEAST_RESULTANT_SHARE = 1e-6
CLOCK_DECIMALS = 6


def _hours(description: str) -> dy.Int32:
    return dy.Int32(min=0, metadata={"unit": "h"}, description=description)


class CountStationDays(Versioned):
    """One row per station, local day and vehicle class of a version of the counts."""

    station_id = dy.String(primary_key=True, description="Station that counted.")
    service_date = dy.Date(primary_key=True, description="Local day of the source's time zone.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES,
        primary_key=True,
        description="Class of vehicle; 'all' where the station doesn't tell classes apart.",
    )
    vehicle_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles in the counted hours, both directions; null where none was counted.",
    )
    day_hour_count = _hours("Full hours that the local day has: 23 to 25 where clocks are moved.")
    counted_hour_count = _hours("Hours with a count; all of them in a file by the day.")
    null_hour_count = _hours("Hours with a row and no count; other missing hours have no row.")
    zero_hour_count = _hours("Counted hours without a vehicle; 0 in a file by the day.")
    longest_equal_hour_count = _hours(
        "Longest run of the same count above zero in counted hours that follow each other."
    )
    mean_clock_hour = dy.Float64(
        nullable=True,
        min=0,
        max=HOURS_OF_CLOCK,
        metadata={"unit": "h"},
        description="Circular mean of the local clock at the middle of the hours, weighted by "
        "counts; null in a file by the day, and where no vehicle was counted.",
    )

    @dy.rule()
    def null_where_nothing_counted(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The count is null exactly where no hour was counted."""
        return pl.col("vehicle_count").is_null() == (pl.col("counted_hour_count") == 0)

    @dy.rule()
    def hours_within_counted(cls) -> pl.Expr:  # noqa: N805  # as above
        """Hours without a vehicle, and hours of one count, are counted hours."""
        return pl.max_horizontal("zero_hour_count", "longest_equal_hour_count") <= pl.col(
            "counted_hour_count"
        )


class DailyCounts(Versioned):
    """One row per station, local day and vehicle class of a file that counts by the day."""

    station_id = dy.String(primary_key=True, description="Station that counted.")
    count_date = dy.Date(primary_key=True, description="Local day.")
    vehicle_class = one_of(*VEHICLE_CLASSES, primary_key=True, description="Class of vehicle.")
    vehicle_count = dy.Int64(
        nullable=True, min=0, metadata={"unit": "vehicles"}, description="Vehicles on the day."
    )


def stage_count_station_days(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Station-days under contract."""
    rows = raw["rows"]
    if is_by_day(rows):
        none = pl.lit(None, pl.String)
        staged = sift_counts(
            DailyCounts, rows, source, "count_date", moment=_local_date(rows), refused=none
        )
        days, quarantine = staged.rows.rename({"count_date": "service_date"}), staged.quarantine
        made = _told_by_day(_with_day_hours(days, source.time_zone))
    else:
        hours = stage_count_station_hours(raw, source).rows
        made = _with_day_hours(_days_of_hours(hours, source.time_zone), source.time_zone)
        quarantine = Quarantine.create_empty()
    named = made.with_columns(
        source_id=pl.lit(source.source_id), version_id=pl.lit(source.version_id)
    ).select(CountStationDays.column_names())
    return Staged(CountStationDays.validate(named, cast=True), quarantine)


def _local_date(rows: pl.DataFrame) -> pl.Expr:
    """The column `count_date` as a day; null where it is none."""
    column = pl.col("count_date")
    if rows.schema["count_date"] != pl.String:
        return column.cast(pl.Date, strict=False)
    return pl.coalesce(column.str.to_date(form, strict=False) for form in ("%Y-%m-%d", "%Y%m%d"))


def _told_by_day(days: pl.DataFrame) -> pl.DataFrame:
    """Days of a file by the day: a day's count stands for all of its hours."""
    is_counted, none = pl.col("vehicle_count").is_not_null(), pl.lit(0, pl.Int32)
    return days.with_columns(
        counted_hour_count=pl.when(is_counted).then("day_hour_count").otherwise(none),
        null_hour_count=pl.when(is_counted).then(none).otherwise("day_hour_count"),
        zero_hour_count=none,
        longest_equal_hour_count=none,
        mean_clock_hour=pl.lit(None, pl.Float64),
    )


def _days_of_hours(hours: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Sums of hours by station, local day and class, in no order."""
    count = pl.col("vehicle_count").cast(pl.Int64)
    # Zeros are no run: each is told apart from the next.
    run_value = pl.when(count == 0).then(-1 - pl.int_range(pl.len())).otherwise(count)
    is_counted = count.is_not_null()
    runs = pl.col("run_value").filter(is_counted).sort_by(pl.col("hour_at").filter(is_counted))
    longest = runs.rle().struct.field("len").max()
    return (
        hours.join(_clock_hours(hours, time_zone), on="hour_at")
        .with_columns(run_value=run_value)
        .group_by(DAY)
        .agg(
            pl.when(count.count() > 0).then(count.sum()),
            counted_hour_count=count.count(),
            null_hour_count=count.null_count(),
            zero_hour_count=(count == 0).sum(),
            longest_equal_hour_count=pl.when(count.sum() > 0).then(longest).otherwise(0),
            mean_clock_hour=mean_clock(pl.col("clock_hour"), count),
        )
    )


def _clock_hours(hours: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Of each hour its local day, and what the local clock says in its middle."""
    local = pl.col("hour_at").dt.convert_time_zone(time_zone)
    clock_hour = local.dt.hour() + local.dt.minute() / MINUTES_OF_HOUR + 0.5
    return hours.select(pl.col("hour_at").unique()).with_columns(
        service_date=local.dt.date(), clock_hour=clock_hour
    )


def mean_clock(clock_hour: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """Circular mean of hours of the clock; null where they point nowhere."""
    angle = clock_hour * (2 * pi / HOURS_OF_CLOCK)
    east, north = (weight * angle.sin()).sum(), (weight * angle.cos()).sum()
    resultant = (east.pow(2) + north.pow(2)).sqrt()
    hour = pl.arctan2(east, north) * (HOURS_OF_CLOCK / (2 * pi))
    points = resultant > LEAST_RESULTANT_SHARE * weight.sum()
    # Just below zero, the remainder of a rounded sum would be 24 itself.
    return pl.when(points).then((hour.round(CLOCK_DECIMALS) + HOURS_OF_CLOCK) % HOURS_OF_CLOCK)


def _with_day_hours(days: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """The days with day_hour_count: full hours from local midnight to the next."""
    day = pl.col("service_date")
    begins, ends = _begins_at(day, time_zone), _begins_at(day.dt.offset_by("1d"), time_zone)
    hours = (ends - begins).dt.total_minutes() // MINUTES_OF_HOUR
    lengths = days.select(day.unique()).with_columns(
        day_hour_count=hours.fill_null(HOURS_OF_CLOCK).cast(pl.Int32)
    )
    return days.join(lengths, on="service_date")


def _begins_at(day: pl.Expr, time_zone: str) -> pl.Expr:
    """The instant at which a local day begins, one o'clock where clocks skip its midnight."""
    starts = (
        day.cast(pl.Datetime("us"))
        .dt.offset_by(offset)
        .dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
        for offset in ("0h", "1h")
    )
    return pl.coalesce(starts).dt.convert_time_zone("UTC")
