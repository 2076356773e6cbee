"""Renamed stations: a station nobody listed begins where a listed one fell silent.

Suspected where it first counts on the last day of a listed station or within `RENAMED_DAYS` days
after that fell silent, and the median volume of its first four weeks is within a fifth of the
median of the other's last four weeks. Of several, the one nearest in level is told.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl

RENAMED_DAYS = 3
LEVEL_DAYS = 28
MOST_LEVEL_DIFFERENCE_SHARE = 0.2

RENAMED_TYPES = {"station_id": pl.String, "renamed_from_station_id": pl.String}


def find_renamed(main: pl.DataFrame, listed_ids: Collection[str], since: date) -> pl.DataFrame:
    """(station_id, renamed_from_station_id) of stations that began on `since` or later.

    `main` has one row per station and day with any counted hour: station_id, service_date,
    vehicle_count (null: the day was not counted whole).
    """
    day, count = pl.col("service_date"), pl.col("vehicle_count")
    is_listed = pl.col("station_id").is_in(list(listed_ids))
    new = (
        main.filter(~is_listed)
        .sort("service_date")
        .group_by("station_id")
        .agg(
            first_date=day.min(),
            level=count.filter(day < day.min() + pl.duration(days=LEVEL_DAYS)).median(),
        )
        .filter(pl.col("first_date") >= since)
    )
    old = (
        main.filter(is_listed)
        .group_by(renamed_from_station_id=pl.col("station_id"))
        .agg(
            last_date=day.max(),
            old_level=count.filter(day > day.max() - pl.duration(days=LEVEL_DAYS)).median(),
        )
    )
    gap_days = (pl.col("first_date") - pl.col("last_date")).dt.total_days()
    difference = (pl.col("level") / pl.col("old_level") - 1).abs()
    return (
        new.join(old, how="cross")
        .with_columns(difference=difference)
        .filter(
            gap_days.is_between(0, RENAMED_DAYS + 1)
            & (pl.col("difference") <= MOST_LEVEL_DIFFERENCE_SHARE)
        )
        .sort("station_id", "difference", "renamed_from_station_id")
        .unique("station_id", keep="first", maintain_order=True)
        .select(*RENAMED_TYPES)
    )
