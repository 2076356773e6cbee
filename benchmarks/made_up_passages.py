"""Passages made up with a seed on the sample city's stations, a Parquet file for each local day.

Each journey takes one of the sample's paths (through the city or round it, in, out, on the ring)
at any minute of the day; some that arrive leave again hours later. Some readings are repeated, some
have no plate. Plates are hashed under a key for each of two months; readings of the first day of
the second carry both hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from datetime import time as clock
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample.paths import path_numbers, paths
from pipelines.sample.stations import READERS

TIME_ZONE = "Asia/Almaty"
SEED = 20_230_616
PLATES = 600_000
# Of those that arrive, how many leave again, and after how long.
VISIT_SHARE, STAY_HOURS, STAY_SPREAD, LONGEST_STAY_HOURS = 0.45, 5.0, 0.5, 14.0
UNREAD_SHARE, REPEAT_SHARE, REPEAT_MS = 0.12, 0.01, (2_000, 60_000)
TIME_SPREAD = 0.15
DAY_MS = 86_400_000

Integers = npt.NDArray[np.int64]
Readings = dict[str, Integers]  # station, is_in, at_ms, plate


def make_days(folder: Path, days: Sequence[date], daily_readings: int) -> int:
    """Write a Parquet file of passages for each local day; the number of their rows."""
    rng = np.random.default_rng(SEED)
    plates = [_hashes(rng) for _ in range(2)]  # under the keys of two months
    late: Readings = {}
    rows = 0
    for day in days:
        begin = _start_ms(day)
        made = _entered(rng, begin, daily_readings)
        every = {
            name: np.concatenate([late.get(name, made[name][:0]), made[name]]) for name in made
        }
        is_now = every["at_ms"] < begin + DAY_MS
        late = {name: values[~is_now] for name, values in every.items()}
        today = {name: values[is_now] for name, values in every.items()}
        passages = _passages(rng, day, today, plates, is_next_month=day.month != days[0].month)
        passages.write_parquet(file_of(folder, day))
        rows += passages.height
    return rows


def file_of(folder: Path, day: date) -> Path:
    """The file of a local day's passages."""
    return folder / f"passages_{day:%Y-%m-%d}.parquet"


def _start_ms(day: date) -> int:
    local = datetime.combine(day, clock(), ZoneInfo(TIME_ZONE))
    return int(local.astimezone(UTC).timestamp() * 1000)


def _hashes(rng: np.random.Generator) -> pl.Series:
    """A hash of 32 hex digits for each plate."""
    drawn = rng.bytes(16 * PLATES)
    raw = [drawn[place : place + 16] for place in range(0, len(drawn), 16)]
    return pl.Series(raw, dtype=pl.Binary).bin.encode("hex")


def _entered(rng: np.random.Generator, begin: int, daily_readings: int) -> Readings:
    """Readings of the journeys that begin on a day, plates unhashed."""
    lengths = np.array([len(path.stations) for path in paths()])
    arriving, leaving = (np.array(list(path_numbers(k).values())) for k in ("arrive", "leave"))
    back = VISIT_SHARE * len(arriving) / len(lengths) * lengths[leaving].mean()
    count = round(daily_readings / (1 + REPEAT_SHARE) / float(lengths.mean() + back))
    number = rng.integers(0, len(lengths), count)
    start = begin + rng.integers(0, DAY_MS, count)
    plate = rng.integers(0, PLATES, count)
    delay = np.exp(TIME_SPREAD * rng.standard_normal(count))
    # Some leave the city again, hours after they arrived.
    visits = np.flatnonzero(np.isin(number, arriving) & (rng.random(count) < VISIT_SHARE))
    stay = STAY_HOURS * np.exp(STAY_SPREAD * rng.standard_normal(len(visits)))
    out = start[visits] + (np.minimum(stay, LONGEST_STAY_HOURS) * 3_600_000).astype(np.int64)
    return _along(
        np.concatenate([number, leaving[rng.integers(0, len(leaving), len(visits))]]),
        np.concatenate([start, out]),
        np.concatenate([plate, plate[visits]]),
        np.concatenate([delay, delay[visits]]),
    )


def _along(
    number: Integers, start: Integers, plate: Integers, delay: npt.NDArray[np.float64]
) -> Readings:
    """A reading of each station of each journey's path."""
    lengths = np.array([len(path.stations) for path in paths()])
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    stations, directions, minutes = (
        np.concatenate([getattr(path, name) for path in paths()])
        for name in ("stations", "directions", "minutes")
    )
    journey = np.repeat(np.arange(len(number)), lengths[number])
    begun = np.cumsum(lengths[number]) - lengths[number]
    at = first[number][journey] + np.arange(len(journey)) - begun[journey]
    return {
        "station": stations[at],
        "is_in": (directions[at] == 0).astype(np.int64),
        "at_ms": start[journey] + (minutes[at] * delay[journey] * 60_000).astype(np.int64),
        "plate": plate[journey],
    }


def _passages(
    rng: np.random.Generator,
    day: date,
    readings: Readings,
    plates: Sequence[pl.Series],
    *,
    is_next_month: bool,
) -> pl.DataFrame:
    """The day's readings as staging has them, some repeated, some without a plate."""
    again = np.flatnonzero(rng.random(len(readings["plate"])) < REPEAT_SHARE)
    rows = np.concatenate([np.arange(len(readings["plate"])), again])
    later = np.concatenate([np.zeros(len(rows) - len(again)), rng.integers(*REPEAT_MS, len(again))])
    at_ms = np.minimum(
        readings["at_ms"][rows] + later.astype(np.int64), _start_ms(day) + DAY_MS - 1
    )
    is_read = pl.Series(rng.random(len(rows)) >= UNREAD_SHARE)
    plate = pl.Series(readings["plate"][rows])
    names = pl.Series([station.station_id for station in READERS])
    is_overlap = is_next_month and day.day == 1
    return pl.DataFrame(
        {
            "station_id": names.gather(pl.Series(readings["station"][rows])),
            "passed_at": pl.Series(at_ms).cast(pl.Datetime("ms", "UTC")),
            "direction": pl.Series(["out", "in"]).gather(pl.Series(readings["is_in"][rows])),
            "plate": plates[is_next_month].gather(plate),
            "overlap": plates[0].gather(plate),
            "is_read": is_read,
        }
    ).select(
        pl.lit("passages").alias("source_id"),
        pl.lit(f"{day:%Y-%m-%d}").alias("version_id"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("passage_number"),
        "station_id",
        "passed_at",
        "direction",
        pl.lit("heavy").alias("vehicle_class"),
        plate_hash=pl.when("is_read").then("plate"),
        overlap_hash=pl.when(pl.col("is_read") & is_overlap).then("overlap"),
    )
