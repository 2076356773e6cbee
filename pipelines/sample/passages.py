"""Heavy vehicles' plates as the readers saw them: one file per local day, 40 days.

The 28 days that end with the service date, and one day in each of the 12 months before the month
in which those 28 begin: its second Tuesday, a week later on a public holiday. A day's file holds
what was read on that local day, so a trip over midnight goes on in the next day's file.

Reading loses and adds what real readers do: read rates differ by station and hour (`truth`), a
station falls silent for some hours, some plates are misread (nearly always as a plate that nobody
has), some are read twice within seconds. Plates leave only as keyed hashes; the key changes with
the local month, so a trip over midnight at a month's end can't be followed. Plates are made up.
"""

from __future__ import annotations

import io
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample.days import day_hours, passage_days, start_ms
from pipelines.sample.seeds import generator
from pipelines.sample.stations import READER_OPENED, READERS
from pipelines.sample.trucks import (
    LOCAL_PLATES,
    LONG_HAUL_PLATES,
    MS_PER_HOUR,
    Passings,
    passings_entered,
)
from pipelines.sample.truth import TRUTH

# Ours: chance a day that a station falls silent, and for how many hours.
SILENCE_CHANCE, SILENCE_HOURS = 0.05, (2, 6)
MISREAD_SHARE = 0.02
MISREAD_AS_REAL_SHARE = 0.05  # of misreads: another truck's plate
DUPLICATE_SHARE, DUPLICATE_MS = 0.015, (800, 8_000)
_PLATE_LETTERS = "ABCDEFHKMNOPRSTUVXYZ"
DIRECTIONS = ("in", "out")


@lru_cache(maxsize=150_000)
def plate_text(number: int) -> str:
    """A made-up plate in the country's form; numbers beyond the pools are misreadings."""
    letters = len(_PLATE_LETTERS)
    series, digits = divmod(number, 999)
    first, rest = divmod(series, letters * letters)
    return (
        f"{digits + 1:03d}{_PLATE_LETTERS[first % letters]}{_PLATE_LETTERS[rest // letters]}"
        f"{_PLATE_LETTERS[rest % letters]}{first // letters + 2:02d}"
    )


def plate_hashes(plates: npt.NDArray[np.int64], day: date, seed: int) -> pl.Series:
    """Keyed hash (16 hex digits) of each plate, with the month's key."""
    key = f"sample {seed} {day:%Y-%m}".encode()
    different, where = np.unique(plates, return_inverse=True)
    hashes = pl.Series(
        [
            blake2b(plate_text(number).encode(), digest_size=8, key=key).hexdigest()
            for number in different.tolist()
        ]
    )
    return hashes.gather(pl.Series(where.ravel().astype(np.uint32)))


def plates_hashed(plates: npt.NDArray[np.int64], day: date, seed: int) -> dict[str, pl.Series]:
    """The columns of hashes that a file of a day has: under its month's key and the one before."""
    if day.day == 1:
        overlap = plate_hashes(plates, day - timedelta(days=1), seed)
    else:
        overlap = pl.Series([None] * len(plates), dtype=pl.String)
    return {"plate_hash": plate_hashes(plates, day, seed), "overlap_hash": overlap}


def passings_on(day: date, seed: int) -> Passings:
    """True passings of the local day, by instant, station and plate."""
    begin, end = start_ms(day), start_ms(day + timedelta(days=1))
    both = [passings_entered(entered, seed) for entered in (day - timedelta(days=1), day)]
    station, direction, passed_ms, plate = (
        np.concatenate([getattr(part, name) for part in both])
        for name in ("station", "direction", "passed_ms", "plate")
    )
    order = np.lexsort((plate, station, passed_ms))
    order = order[(passed_ms[order] >= begin) & (passed_ms[order] < end)]
    return Passings(station[order], direction[order], passed_ms[order], plate[order])


def silent_hours(day: date, seed: int) -> npt.NDArray[np.bool_]:
    """Whether a reader is silent: a row per reader, a column per hour of the day."""
    rng = generator(seed, "silence", day.toordinal())
    count, hours = len(READERS), day_hours(day)
    falls = rng.random(count) < SILENCE_CHANCE
    begin = rng.integers(0, hours, count)
    length = rng.integers(SILENCE_HOURS[0], SILENCE_HOURS[1] + 1, count)
    hour = np.arange(hours)[None, :]
    silent: npt.NDArray[np.bool_] = (
        falls[:, None] & (hour >= begin[:, None]) & (hour < (begin + length)[:, None])
    )
    return silent


def passages_parquet(day: date, seed: int) -> bytes:
    """Parquet of the day's readings, by instant, station and plate hash."""
    true = passings_on(day, seed)
    rng = generator(seed, "reads", day.toordinal())
    count = len(true.plate)
    hour = (true.passed_ms - start_ms(day)) // MS_PER_HOUR
    rates = TRUTH.read_rates()[true.station, np.minimum(hour, 23)]
    is_read = (rng.random(count) < rates) & ~silent_hours(day, seed)[true.station, hour]
    is_read &= READER_OPENED[true.station] <= day.toordinal()

    pools = LONG_HAUL_PLATES + LOCAL_PLATES
    lot = rng.random(count)
    nobodys = pools + rng.integers(0, 6_000_000, count)
    anothers = rng.integers(0, pools, count)
    plate = np.where(lot < MISREAD_SHARE, nobodys, true.plate)
    plate = np.where(lot < MISREAD_SHARE * MISREAD_AS_REAL_SHARE, anothers, plate)
    again = np.flatnonzero(is_read & (rng.random(count) < DUPLICATE_SHARE))
    later = rng.integers(*DUPLICATE_MS, len(again))
    # A second reading after midnight belongs to no file: it is dropped.
    within = true.passed_ms[again] + later < start_ms(day + timedelta(days=1))
    again, later = again[within], later[within]

    rows = np.concatenate([np.flatnonzero(is_read), again])
    moments = np.concatenate([true.passed_ms[is_read], true.passed_ms[again] + later])
    stations = pl.Series([station.station_id for station in READERS])
    table = (
        pl.DataFrame(
            {
                "station_id": stations.gather(pl.Series(true.station[rows])),
                "passed_at": pl.Series(moments).cast(pl.Datetime("ms", "UTC")),
                "direction": pl.Series(DIRECTIONS).gather(pl.Series(true.direction[rows])),
                "vehicle_class": ["heavy"] * len(rows),
                **plates_hashed(plate[rows], day, seed),
            }
        )
        .sort("passed_at", "station_id", "plate_hash", "direction")
        .rechunk()
    )
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", row_group_size=len(table) or 1)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def passage_objects(service_date: date) -> dict[str, date]:
    """Name and local day of every file."""
    return {f"passages_{day:%Y-%m-%d}.parquet": day for day in passage_days(service_date)}
