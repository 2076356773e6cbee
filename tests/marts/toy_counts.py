"""A toy city's count stations, whose days are readable by eye: level x weekday x a little noise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.traffic import CountStations

# Sundays are quiet; no two days are alike, else a station without noise would be stuck.
WEEKDAYS = (1.0, 1.02, 1.03, 1.01, 1.1, 0.9, 0.6)


def dates(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def listed(roles: Mapping[str, str], opened: date | None = None) -> pl.DataFrame:
    """The list of stations."""
    return CountStations.validate(
        pl.DataFrame(
            [("stations", "s1", name, role, 43.2, 76.9, opened) for name, role in roles.items()],
            schema={
                "source_id": pl.String,
                "version_id": pl.String,
                "station_id": pl.String,
                "role": pl.String,
                "latitude": pl.Float64,
                "longitude": pl.Float64,
                "opened_date": pl.Date,
            },
            orient="row",
        ).with_columns(
            pl.lit(None, pl.String).alias(name)
            for name in ("station_name", "road_name", "direction")
        ),
        cast=True,
    )


def counted(
    station_id: str,
    first: date,
    last: date,
    level: float,
    *,
    noise: float = 0.02,
    vehicle_class: str = "all",
    seed: int = 0,
) -> pl.DataFrame:
    """Whole days of a station; logs of counts have a normal error, and so has the clock (3 min)."""
    days = dates(first, last)
    draws = np.random.default_rng([seed, *station_id.encode()]).standard_normal((2, len(days)))
    shape = np.array([WEEKDAYS[day.weekday()] for day in days])
    rows = pl.DataFrame(
        {
            "station_id": station_id,
            "service_date": days,
            "vehicle_class": vehicle_class,
            "vehicle_count": np.round(level * shape * np.exp(noise * draws[0])).astype(np.int64),
            "mean_clock_hour": 13 + 0.05 * draws[1],
        }
    )
    return staged(rows)


def staged(rows: pl.DataFrame, version_id: str = "v1") -> pl.DataFrame:
    """Rows of `staging.count_station_days`; what they don't say is that of a whole, sound day."""
    usual = {
        "source_id": pl.lit("counts"),
        "version_id": pl.lit(version_id),
        "vehicle_class": pl.lit("all"),
        "day_hour_count": pl.lit(24),
        "counted_hour_count": pl.lit(24),
        "null_hour_count": pl.lit(0),
        "zero_hour_count": pl.lit(0),
        "longest_equal_hour_count": pl.lit(1),
        "mean_clock_hour": pl.lit(13.0),
    }
    if "counted_hour_count" in rows.columns:
        usual["longest_equal_hour_count"] = pl.col("counted_hour_count").clip(0, 1)
    told = rows.with_columns(**{k: v for k, v in usual.items() if k not in rows.columns})
    return CountStationDays.validate(told.select(CountStationDays.column_names()), cast=True)
