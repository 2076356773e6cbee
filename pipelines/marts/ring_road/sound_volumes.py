"""Sound volumes: the whole days of all stations, less those on which their sensors were broken.

What averages stand on: means by month and weekday, and how many days each month was left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipelines.marts.ring_road.aadt import STATION_CLASS, month_cells
from pipelines.marts.ring_road.health.broken_days import broken_days
from pipelines.marts.ring_road.station_days import station_days


@dataclass(frozen=True, eq=False)
class SoundVolumes:
    """Days as from `station_days`, cells as from `month_cells`, and days left out.

    `left_out` has station_id, vehicle_class, month_date, day_count.
    """

    days: pl.DataFrame
    cells: pl.DataFrame
    left_out: pl.DataFrame


def sound_volumes(
    count_station_days: pl.DataFrame, listed_ids: Collection[str], last_date: date
) -> SoundVolumes:
    """The volumes of all local days up to `last_date`; `listed_ids` are stations of the list."""
    days = station_days(count_station_days, last_date)
    broken = broken_days(days, listed_ids)
    whole = days.filter(pl.col("vehicle_count").is_not_null())
    key = ["station_id", "service_date"]
    left_out = (
        whole.join(broken, on=key)
        .group_by(*STATION_CLASS, month_date=pl.col("service_date").dt.month_start())
        .agg(day_count=pl.len().cast(pl.Int64))
    )
    return SoundVolumes(days, month_cells(whole.join(broken, on=key, how="anti")), left_out)
