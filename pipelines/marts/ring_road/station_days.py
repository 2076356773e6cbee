"""Station days: one row per station, local day and vehicle class, whichever files it came from.

A station's day may come more than once: as a day's file and in its month's archive, or in two files
that part the day at midnight UTC. A part that repeats another one in every number is left out;
parts that together have no more counted hours than the day are summed; of others the one with the
most counted hours stands (ties: the highest version id). The volume of a day is known only where
all of its hours were counted.

Class `all` is what the station says; where it tells classes and no `all`, it is their sum, known
where every class that the station tells in that month was counted all day. Stations that tell no
light vehicles have no `all`: what they tell is a part. Of such a sum, counted hours, zero hours and
equal hours are the fewest of any class, missing ones the most, and the mean clock hour is that of
the classes' means, weighted by their counts.

Left out: days after the last date asked for.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.staging.count_station_days import mean_clock
from pipelines.staging.traffic import ALL

DAY = ("station_id", "service_date", "vehicle_class")
COLUMNS = (
    *DAY,
    "vehicle_count",
    "day_hour_count",
    "counted_hour_count",
    "null_hour_count",
    "zero_hour_count",
    "longest_equal_hour_count",
    "mean_clock_hour",
)


def station_days(count_station_days: pl.DataFrame, last_date: date) -> pl.DataFrame:
    """One row per station, local day and class up to `last_date`, in no order.

    `count_station_days` as in `staging.count_station_days`. The answer has `COLUMNS`;
    `vehicle_count` is null unless the whole day was counted.
    """
    rows = count_station_days.filter(pl.col("service_date") <= last_date)
    told = _whole_days(_one_per_day(rows))
    return pl.concat([told, _sums(told)])


def main_class_days(days: pl.DataFrame) -> pl.DataFrame:
    """The rows of the class that tells most of each station: `all`, or else the busiest one."""
    volume = pl.col("vehicle_count").sum()
    is_all = (pl.col("vehicle_class") == ALL).first()
    classes = days.group_by("station_id", "vehicle_class").agg(volume=volume, is_all=is_all)
    main = classes.sort(
        "station_id", "is_all", "volume", "vehicle_class", descending=[False, True, True, False]
    ).unique("station_id", keep="first", maintain_order=True)
    return days.join(main.select("station_id", "vehicle_class"), on=["station_id", "vehicle_class"])


def _one_per_day(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what several files tell of one day made one."""
    is_repeated = rows.select(DAY).is_duplicated()
    once, parts = rows.filter(~is_repeated).select(COLUMNS), rows.filter(is_repeated)
    if parts.is_empty():
        return once
    fullest = ["counted_hour_count", "version_id", "source_id"]
    different = parts.sort(*DAY, *fullest, descending=[False] * len(DAY) + [True] * 3).unique(
        COLUMNS, keep="first", maintain_order=True
    )
    count, counted = pl.col("vehicle_count"), pl.col("counted_hour_count")
    day = pl.col("day_hour_count").first()
    fits = counted.sum() <= day
    missing = pl.min_horizontal(pl.col("null_hour_count").sum(), day - counted.sum())
    clock = mean_clock(pl.col("mean_clock_hour"), count)
    together = {
        "vehicle_count": pl.when(count.count() > 0).then(count.sum()),
        "counted_hour_count": counted.sum(),
        "null_hour_count": missing,
        "zero_hour_count": pl.col("zero_hour_count").sum(),
        "longest_equal_hour_count": pl.col("longest_equal_hour_count").max(),
        "mean_clock_hour": pl.when(pl.len() > 1).then(clock).otherwise(_first("mean_clock_hour")),
    }
    whole = different.group_by(DAY, maintain_order=True).agg(
        day_hour_count=day,
        **{
            name: pl.when(fits).then(summed).otherwise(_first(name))
            for name, summed in together.items()
        },
    )
    types = {name: dtype for name, dtype in rows.schema.items() if name in COLUMNS}
    return pl.concat([once, whole.select(COLUMNS).cast(types)])  # type: ignore[arg-type]  # names to types


def _first(name: str) -> pl.Expr:
    return pl.col(name).first()


def _whole_days(rows: pl.DataFrame) -> pl.DataFrame:
    is_whole = pl.col("counted_hour_count") >= pl.col("day_hour_count")
    return rows.with_columns(pl.when(is_whole).then(pl.col("vehicle_count")))


def _sums(told: pl.DataFrame) -> pl.DataFrame:
    """Class `all` of the station-days that tell light vehicles and no `all`."""
    month = pl.col("service_date").dt.month_start()
    name, count = pl.col("vehicle_class"), pl.col("vehicle_count")
    classes = (
        told.filter(name != ALL)
        .group_by("station_id", month_date=month)
        .agg(class_count=name.n_unique())
    )
    summed = (
        told.with_columns(month_date=month)
        .join(classes, on=["station_id", "month_date"])
        .group_by("station_id", "service_date")
        .agg(
            pl.lit(ALL).alias("vehicle_class"),
            pl.when(count.count() == pl.col("class_count").first()).then(count.sum()),
            pl.col("day_hour_count").first(),
            pl.col("counted_hour_count").min(),
            pl.col("null_hour_count").max(),
            pl.col("zero_hour_count").min(),
            pl.col("longest_equal_hour_count").min(),
            mean_clock_hour=mean_clock(pl.col("mean_clock_hour"), count),
            tells_all=(name == ALL).any(),
            tells_light=(name == "light").any(),
        )
    )
    return summed.filter(~pl.col("tells_all") & pl.col("tells_light")).select(COLUMNS)
