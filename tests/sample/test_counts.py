"""Counts have the published levels and what real counts have: noise, memory, gaps."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from pipelines.sample.counts import NOISE_FROM, _day_noise, expected_counts
from pipelines.sample.seeds import DEFAULT_SEED
from pipelines.sample.stations import STATION_INDEX
from pipelines.sample.truth import TRUTH

pytestmark = pytest.mark.slow


def daily(counts: pl.DataFrame) -> pl.DataFrame:
    """Vehicles by station and complete local day."""
    by_day = counts.group_by("station_id", "count_date").agg(
        pl.col("vehicle_count").sum().alias("vehicles"),
        pl.col("vehicle_count").count().alias("present"),
    )
    return by_day.filter(pl.col("present") == 72)


def mean_level(counts: pl.DataFrame, station: str, first: date, last: date) -> float:
    chosen = daily(counts).filter(
        pl.col("station_id").str.starts_with(station), pl.col("count_date").is_between(first, last)
    )
    level = chosen.group_by("station_id").agg(pl.col("vehicles").mean())["vehicles"].mean()
    assert isinstance(level, float)
    return level


@pytest.mark.parametrize(
    ("station", "first", "last", "published"),
    [
        ("screen-05", date(2023, 6, 1), date(2023, 6, 15), 74_000),  # Kuldzhinsky trakt
        ("screen-05", date(2023, 7, 16), date(2023, 7, 31), 48_000),
        ("screen-01", date(2023, 6, 1), date(2023, 6, 15), 172_000),  # Tashkentsky trakt
        ("screen-01", date(2023, 7, 16), date(2023, 7, 31), 116_000),
        ("ring-", date(2023, 6, 16), date(2023, 6, 30), 47_000),
        ("ring-", date(2024, 12, 1), date(2024, 12, 31), 75_000),
        ("ring-", date(2025, 12, 1), date(2025, 12, 31), 84_000),
    ],
)
def test_levels_are_published_ones(
    counts: pl.DataFrame, station: str, first: date, last: date, published: float
) -> None:
    assert mean_level(counts, station, first, last) == pytest.approx(published, rel=0.05)


def test_true_effects_are_in_the_counts() -> None:
    """Without noise, season and trend, levels change by exactly the true ratio."""
    before, after = date(2023, 6, 14), date(2023, 6, 21)  # both Wednesdays
    noise = _day_noise(DEFAULT_SEED, 2023)
    means = [
        expected_counts(day, DEFAULT_SEED).sum(axis=1)
        / np.exp(noise[(day - NOISE_FROM).days])[:, None]
        for day in (before, after)
    ]
    control = STATION_INDEX["control-01"]
    drift = means[1][control].sum() / means[0][control].sum()
    for station_id, effect in TRUTH.opening_effects.items():
        ratio = means[1][STATION_INDEX[station_id]] / means[0][STATION_INDEX[station_id]] / drift
        assert ratio[2] == pytest.approx(effect.heavy, rel=1e-6)
        # A Wednesday's mix of classes differs a little from the week's.
        total = (
            means[1][STATION_INDEX[station_id]].sum() / means[0][STATION_INDEX[station_id]].sum()
        )
        assert total / drift == pytest.approx(effect.all_vehicles, rel=0.01)


def test_controls_keep_their_level(counts: pl.DataFrame) -> None:
    before = mean_level(counts, "control-", date(2023, 6, 1), date(2023, 6, 15))
    after = mean_level(counts, "control-", date(2023, 7, 16), date(2023, 7, 31))
    assert after / before == pytest.approx(1.0, abs=0.04)


def test_hours_are_overdispersed(counts: pl.DataFrame) -> None:
    """Variance over mean of the same hour of working days is far above 1."""
    hours = counts.filter(
        pl.col("count_date").is_between(date(2024, 2, 5), date(2024, 2, 23)),
        pl.col("count_date").dt.weekday() <= 4,
        pl.col("vehicle_class") == "light",
        pl.col("station_id").str.starts_with("control-"),
    )
    spread = (
        hours.group_by("station_id", pl.col("hour_at").dt.hour().alias("hour"))
        .agg(
            pl.col("vehicle_count").mean().alias("mean"),
            pl.col("vehicle_count").var().alias("variance"),
        )
        .filter(pl.col("mean") > 50)
    )
    ratio = (spread["variance"] / spread["mean"]).median()
    assert isinstance(ratio, float)
    assert ratio > 1.5


def test_days_remember_the_day_before() -> None:
    noise = _day_noise(DEFAULT_SEED, 2025)
    lagged = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in noise.T]
    assert 0.5 < float(np.mean(lagged)) < 0.7
    # Stations share a part of it.
    assert 0.2 < float(np.mean(np.corrcoef(noise.T)[np.triu_indices(noise.shape[1], 1)])) < 0.6


def test_noise_does_not_depend_on_how_far_one_looks() -> None:
    short, long = _day_noise(DEFAULT_SEED, 2023), _day_noise(DEFAULT_SEED, 2026)
    assert np.array_equal(short, long[: len(short)])


def test_rows_are_station_hours_of_local_days(counts: pl.DataFrame) -> None:
    assert counts.schema["hour_at"] == pl.Datetime("ms", "UTC")
    assert counts.schema["vehicle_count"] == pl.Int32
    assert not counts.select("station_id", "hour_at", "vehicle_class").is_duplicated().any()
    long_day = counts.filter(pl.col("count_date") == date(2024, 2, 29))
    assert long_day["hour_at"].n_unique() == 25
    opening = counts.filter(pl.col("station_id").str.starts_with("ring"))["count_date"].min()
    assert opening == date(2023, 6, 16)


def test_hours_are_missing_in_both_ways(counts: pl.DataFrame) -> None:
    december = counts.filter(pl.col("count_date").dt.month() == 12)
    stations, days = december["station_id"].n_unique(), december["count_date"].n_unique()
    assert 0.002 < december["vehicle_count"].null_count() / len(december) < 0.008
    assert 0.97 < len(december) / (stations * days * 72) < 0.999


def test_one_station_is_stuck_for_four_days(counts: pl.DataFrame) -> None:
    stuck = counts.filter(
        pl.col("station_id") == "control-17",
        pl.col("vehicle_class") == "light",
        pl.col("count_date").dt.year() == 2025,
    )
    different = stuck.group_by("count_date").agg(pl.col("vehicle_count").drop_nulls().n_unique())
    frozen = different.filter(pl.col("vehicle_count") == 1)["count_date"].sort()
    assert frozen.to_list() == [date(2025, 9, day) for day in (10, 11, 12, 13)]
