"""Vehicles counted per station, hour and class since 2022-01-01, both ways together.

Level of a day = published or assumed level x trend x season x effect of the ring's opening
(`truth`) x day noise, which is autocorrelated and partly shared by all stations. An hour's mean
is the day's level by class, day of the week and hourly profile; its count is negative binomial.
As in real counts, hours are missing (rows absent, or rows without a count) and one station once
repeated the same count for four days. Ring gantries count from their opening on.

An archive month and the days of the current month come from the same draws: a month's file holds
the rows of its days' files. Days are local days, `hour_at` is UTC.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample.days import (
    day_type,
    days_between,
    local_hours,
    month_days,
    month_start,
    start_ms,
)
from pipelines.sample.facts import (
    RING_DAILY_VEHICLES_2025_12,
    RING_DAILY_VEHICLES_AT_OPENING,
    RING_DAILY_VEHICLES_LATER,
    RING_OPENED_DATE,
)
from pipelines.sample.seeds import generator
from pipelines.sample.stations import STATION_INDEX, STATIONS
from pipelines.sample.truth import TRUTH

Floats = npt.NDArray[np.float64]

FIRST_DATE = date(2022, 1, 1)
CLASSES = ("light", "medium", "heavy")
MS_PER_HOUR = 3_600_000

# Ours: yearly growth, and the summer's height above the year's mean.
TREND_PER_YEAR = 0.015
SEASON_HEIGHT = 0.05
# Ours: the published "later" level of the ring is undated; it is put at the end of 2024.
RING_ANCHORS = (
    (RING_OPENED_DATE, RING_DAILY_VEHICLES_AT_OPENING),
    (date(2024, 12, 15), RING_DAILY_VEHICLES_LATER),
    (date(2025, 12, 15), RING_DAILY_VEHICLES_2025_12),
)
# Ours: day noise is AR(1) in the logs, one part shared by all stations and one of each station's.
NOISE_MEMORY = 0.6
SHARED_NOISE, OWN_NOISE = 0.015, 0.02
NOISE_FROM = date(2021, 10, 1)
# Ours: mean of each is 1 over a week; public holidays count as Sundays.
WEEKDAY_FACTORS = np.array(
    [
        [1.02, 1.03, 1.03, 1.04, 1.08, 0.95, 0.85],
        [1.08, 1.10, 1.10, 1.10, 1.08, 0.85, 0.69],
        [1.05, 1.10, 1.12, 1.12, 1.08, 0.85, 0.68],
    ]
)
# Ours: relative flow by clock hour. A working day, then a day off, for light and medium and heavy.
_COMMUTE = [
    5, 3, 2, 2, 4, 12, 32, 62, 74, 62, 54, 53,
    54, 54, 55, 58, 65, 74, 76, 60, 44, 32, 21, 11,
]  # fmt: skip
_LEISURE = [
    9, 6, 4, 3, 4, 8, 16, 26, 38, 50, 58, 62,
    63, 62, 61, 60, 61, 62, 60, 54, 45, 35, 25, 15,
]  # fmt: skip
_FREIGHT = [
    26, 23, 22, 23, 28, 36, 42, 46, 52, 58, 60, 60,
    58, 57, 57, 56, 54, 50, 46, 43, 40, 37, 33, 29,
]  # fmt: skip
# Ours: chances a day that a station falls silent from some hour on, and that an hour has no count.
OUTAGE_CHANCE, LONGEST_OUTAGE_HOURS = 0.015, 24
NULL_CHANCE = 0.004
STUCK_STATION, STUCK_DAYS = "control-17", (date(2025, 9, 10), date(2025, 9, 13))


def _profile(weights: list[int]) -> Floats:
    profile: Floats = np.array(weights) / sum(weights)
    return profile


WORKING_PROFILES = np.stack([_profile(_COMMUTE), _profile(_FREIGHT), _profile(_FREIGHT)])
FREE_PROFILES = np.stack([_profile(_LEISURE), _profile(_LEISURE), _profile(_FREIGHT)])
_STATION_IDS = pl.Series([station.station_id for station in STATIONS])
_IS_RING = np.array([station.role == "ring" for station in STATIONS])
_LEVELS = np.array([station.daily_vehicles for station in STATIONS])
_OPENED = np.array([station.opened_date.toordinal() for station in STATIONS])
_MEDIUM = np.array([station.medium_share for station in STATIONS])
_HEAVY = np.array([station.heavy_share for station in STATIONS])
_SHARES = np.stack([1 - _MEDIUM - _HEAVY, _MEDIUM, _HEAVY], axis=1)


def _effects() -> Floats:
    """Opening effect by station and class; 1 on the ring, whose anchors hold it already."""
    rows = []
    for station in STATIONS:
        effect = TRUTH.opening_effects.get(station.station_id)
        if effect is None:
            rows.append([1.0, 1.0, 1.0])
        else:
            others = effect.others(station.heavy_share)
            rows.append([others, others, effect.heavy])
    return np.array(rows)


_EFFECTS = _effects()


def _season(day: date) -> float:
    """Factor of the time of year, 1 at the ring's opening."""
    phases = 2 * np.pi * (np.array([day.toordinal(), RING_OPENED_DATE.toordinal()]) - 182) / 365.25
    heights = 1 + SEASON_HEIGHT * np.cos(phases)
    return float(heights[0] / heights[1])


def _ring_growth(day: date) -> float:
    """Ring's level as a multiple of the one at opening: a line between the published anchors."""
    anchors = [anchor.toordinal() for anchor, _ in RING_ANCHORS]
    levels = [level / RING_ANCHORS[0][1] / _season(anchor) for anchor, level in RING_ANCHORS]
    years_after = max(0, day.toordinal() - anchors[-1]) / 365.25
    growth = float(np.interp(day.toordinal(), anchors, levels))
    return growth * (1 + TREND_PER_YEAR * years_after)


@lru_cache(maxsize=16)
def _day_noise(seed: int, year: int) -> Floats:
    """Log noise by day since NOISE_FROM and station, to the end of the year."""
    days = (date(year, 12, 31) - NOISE_FROM).days + 1
    draws = generator(seed, "count noise").standard_normal((days, len(STATIONS) + 1))
    steps = np.concatenate([OWN_NOISE * draws[:, 1:], SHARED_NOISE * draws[:, :1]], axis=1)
    steps *= np.sqrt(1 - NOISE_MEMORY**2)
    for day in range(1, days):
        steps[day] += NOISE_MEMORY * steps[day - 1]
    noise: Floats = steps[:, :-1] + steps[:, -1:]
    return noise


def expected_counts(day: date, seed: int) -> Floats:
    """Mean count by station, hour of the day and class."""
    years = (day - RING_OPENED_DATE).days / 365.25
    growth = np.where(_IS_RING, _ring_growth(day), 1 + TREND_PER_YEAR * years)
    noise = np.exp(_day_noise(seed, day.year)[(day - NOISE_FROM).days])
    level = _LEVELS * growth * _season(day) * noise
    effect = _EFFECTS if day >= RING_OPENED_DATE else np.ones_like(_EFFECTS)
    weekday = 6 if day_type(day) == 2 else day.weekday()
    by_class = level[:, None] * _SHARES * effect * WEEKDAY_FACTORS[:, weekday][None, :]
    profiles = WORKING_PROFILES if day_type(day) == 0 else FREE_PROFILES
    means = by_class[:, None, :] * profiles[:, local_hours(day)].T[None, :, :]
    rounded: Floats = np.round(means, 6)
    return rounded


@dataclass(frozen=True)
class _Day:
    """One local day: counts by station, hour and class; by station and hour what is missing."""

    counts: npt.NDArray[np.int64]
    hour_ms: npt.NDArray[np.int64]
    has_rows: npt.NDArray[np.bool_]
    is_null: npt.NDArray[np.bool_]


def _count_day(day: date, seed: int) -> _Day:
    rng = generator(seed, "counts", day.toordinal())
    means = expected_counts(day, seed)
    shape = np.array([TRUTH.overdispersion[name] for name in CLASSES])
    counts = rng.poisson(np.round(means * rng.gamma(shape, 1 / shape, means.shape), 6))
    stations, hours, _ = means.shape

    hour = np.arange(hours)
    has_outage = rng.random((stations, 1)) < OUTAGE_CHANCE
    outage_from = np.where(has_outage, rng.integers(0, hours, (stations, 1)), hours)
    outage_hours = rng.integers(2, LONGEST_OUTAGE_HOURS + 1, (stations, 1))
    is_silent = (hour >= outage_from) & (hour < outage_from + outage_hours)
    has_rows = ~is_silent & (day.toordinal() >= _OPENED)[:, None]
    is_null = rng.random((stations, hours)) < NULL_CHANCE
    if STUCK_DAYS[0] <= day <= STUCK_DAYS[1]:
        stuck = STATION_INDEX[STUCK_STATION]
        counts[stuck] = np.round(_LEVELS[stuck] * _SHARES[stuck] / 24).astype(np.int64)
    return _Day(counts, start_ms(day) + hour * MS_PER_HOUR, has_rows, is_null)


def counts_parquet(days: list[date], seed: int) -> bytes:
    """Parquet of the station-hours of some local days, in order of station, hour and class."""
    made = [_count_day(day, seed) for day in days]
    counts = np.concatenate([day.counts for day in made], axis=1)
    has_rows = np.concatenate([day.has_rows for day in made], axis=1)
    is_null = np.concatenate([day.is_null for day in made], axis=1)
    hour_ms = np.concatenate([day.hour_ms for day in made])

    station, hour = np.nonzero(has_rows)
    classes = len(CLASSES)
    table = pl.DataFrame(
        {
            "station_id": _STATION_IDS.gather(np.repeat(station, classes)),
            "hour_at": pl.Series(np.repeat(hour_ms[hour], classes)).cast(pl.Datetime("ms", "UTC")),
            "vehicle_class": pl.Series(CLASSES).gather(np.tile(np.arange(classes), len(hour))),
            "vehicle_count": pl.Series(counts[has_rows].ravel(), dtype=pl.Int32).set(
                pl.Series(np.repeat(is_null[has_rows], classes)), None
            ),
        }
    )
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", row_group_size=len(table) or 1)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def count_objects(service_date: date) -> dict[str, list[date]]:
    """Name and days of every file: complete months, then the current month day by day."""
    current = month_start(service_date)
    files: dict[str, list[date]] = {}
    first = FIRST_DATE
    while first < current:
        files[f"counts_{first:%Y-%m}.parquet"] = month_days(first)
        first = month_start(first, 1)
    for day in days_between(max(current, FIRST_DATE), service_date):
        files[f"counts_{day:%Y-%m-%d}.parquet"] = [day]
    return files
