"""How long the diesel vehicles of a register lasted, and how many of those there will stay."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from scipy.special import ndtri

from pipelines.marts.fleet.survival import Floats, Survival
from pipelines.marts.vehicle_history import seen_from

Counts = tuple[float, float, float]  # expected, low, high


def lives(history: pl.DataFrame, day: date) -> pl.DataFrame:
    """One row per diesel vehicle of known age that the register saw at work.

    Ages in days: `entry_age` when the register began to see it (`seen_from`), -1 at the earliest;
    `exit_age` when it ended, or on the day; `is_ended`. The loss from which on the register was
    seen at work is no evidence of how often it loses: it is left out.
    """
    born = pl.coalesce("in_service_date", "manufacture_date")
    ended = pl.col("valid_to_date").last() <= day
    diesels = history.filter(pl.col("fuel_type") == "diesel", pl.col("valid_from_date") <= day)
    return (
        diesels.sort("source_id", "vehicle_id", "valid_from_date")
        .group_by("source_id", "vehicle_id", maintain_order=True)
        .agg(
            born=born.last(),
            is_ended=ended.fill_null(value=False),
            until=pl.when(ended.fill_null(value=False))
            .then(pl.last("valid_to_date"))
            .otherwise(day),
        )
        .drop_nulls("born")
        .with_columns(
            exit_age=(pl.col("until") - pl.col("born")).dt.total_days(),
            entry_age=(pl.lit(seen_from(history), pl.Date) - pl.col("born"))
            .dt.total_days()
            .clip(lower_bound=-1),
        )
        .filter(pl.col("exit_age") > pl.col("entry_age"), pl.col("exit_age") >= 0)
    )


def staying_counts(
    curve: Survival, ages: Floats, days: float, scale: float, level: float
) -> Counts:
    """Vehicles of some ages that are still there after some days; `scale` counts each as more.

    The spread holds the doubt of the curve, the same for all, and the chance of each vehicle;
    `level` of such intervals should hold.
    """
    z = float(ndtri((1 + level) / 2))
    chance, lowest, highest = curve.staying(ages, ages + days, z)
    expected, low, high = (float(each.sum()) for each in (chance, lowest, highest))
    by_chance = z * float(np.sqrt((chance * (1 - chance)).sum()))
    below = float(np.hypot(expected - low, by_chance))
    above = float(np.hypot(high - expected, by_chance))
    return (
        scale * expected,
        scale * max(expected - below, 0.0),
        scale * min(expected + above, float(ages.size)),
    )
