"""Toll transactions at the ring's gantries: one file per local day, on the days of the passages.

Every heavy vehicle that passes a gantry pays there, by transponder or at a booth; that reads nearly
every plate, and independently of the gantry's camera. Plates leave as the same keyed hashes as
those of the passages. The gantry's clock and the camera's differ by seconds.
"""

from __future__ import annotations

import io
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from pipelines.sample.days import passage_days, start_ms
from pipelines.sample.passages import DIRECTIONS, passings_on, plates_hashed
from pipelines.sample.seeds import generator
from pipelines.sample.stations import READER_OPENED, READERS

PLATE_KNOWN_SHARE = 0.97  # ours
CLOCK_DIFFERENCE_MS = 3_000  # ours: at most, either way


def toll_transactions_parquet(day: date, seed: int) -> bytes:
    """Parquet of the day's transactions, by instant, station and plate hash."""
    true = passings_on(day, seed)
    is_ring = np.array([reader.role == "ring" for reader in READERS])
    paying = is_ring[true.station] & (READER_OPENED[true.station] <= day.toordinal())
    rows = np.flatnonzero(paying)
    rng = generator(seed, "tolls", day.toordinal())
    is_known = pl.Series(rng.random(len(rows)) < PLATE_KNOWN_SHARE)
    difference = rng.integers(-CLOCK_DIFFERENCE_MS, CLOCK_DIFFERENCE_MS + 1, len(rows))
    begin, end = start_ms(day), start_ms(day + timedelta(days=1))
    paid_ms = np.clip(true.passed_ms[rows] + difference, begin, end - 1)
    stations = pl.Series([reader.station_id for reader in READERS])
    table = (
        pl.DataFrame(
            {
                "station_id": stations.gather(pl.Series(true.station[rows])),
                "paid_at": pl.Series(paid_ms).cast(pl.Datetime("ms", "UTC")),
                "vehicle_class": ["heavy"] * len(rows),
                "direction": pl.Series(DIRECTIONS).gather(pl.Series(true.direction[rows])),
                **plates_hashed(true.plate[rows], day, seed),
            }
        )
        .with_columns(pl.when(is_known).then(pl.col("plate_hash", "overlap_hash")))
        .sort("paid_at", "station_id", "plate_hash", "direction")
        .rechunk()
    )
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", row_group_size=len(table) or 1)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def toll_objects(service_date: date) -> dict[str, date]:
    """Name and local day of every file."""
    return {f"toll_transactions_{day:%Y-%m-%d}.parquet": day for day in passage_days(service_date)}
