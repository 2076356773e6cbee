"""Independent second readings of plates: how many of the vehicles seen a reader had read.

A row per reader, audit day and audited clock hour, on the days that have passages: four hours a
day and reader, one in each quarter of the day. Vehicles seen follow the flow of heavy vehicles, so
that pooled shares weigh the hours as traffic does; plates read are binomial with the true read
rate, and none where the reader is silent that hour.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from pipelines.sample.counts import WORKING_PROFILES
from pipelines.sample.days import passage_days
from pipelines.sample.passages import silent_hours
from pipelines.sample.seeds import generator
from pipelines.sample.stations import READER_OPENED, READERS
from pipelines.sample.truth import TRUTH

VEHICLES_IN_A_MEAN_HOUR = 25.0


def _audits_of_day(day: date, seed: int) -> pl.DataFrame:
    rng = generator(seed, "audits", day.toordinal())
    hour = np.arange(4)[None, :] * 6 + rng.integers(0, 6, (len(READERS), 4))
    station = np.broadcast_to(np.arange(len(READERS))[:, None], hour.shape)
    mean = np.round(VEHICLES_IN_A_MEAN_HOUR * 24 * WORKING_PROFILES[2][hour], 6)
    seen = rng.poisson(mean)
    read = rng.binomial(seen, TRUTH.read_rates()[station, hour])
    read = np.where(silent_hours(day, seed)[station, hour], 0, read)
    names = np.array([reader.station_id for reader in READERS])
    audits = pl.DataFrame(
        {
            "station_id": names[station.ravel()],
            "audit_date": [day] * hour.size,
            "hour_of_day": hour.ravel(),
            "vehicles_seen_count": seen.ravel(),
            "plates_read_count": read.ravel(),
        }
    )
    return audits.filter(pl.Series((READER_OPENED[station] <= day.toordinal()).ravel()))


def make_read_audits(service_date: date, seed: int) -> bytes:
    """CSV of the audits, by day, reader and hour."""
    return (
        pl.concat([_audits_of_day(day, seed) for day in passage_days(service_date)])
        .sort("audit_date", "station_id", "hour_of_day")
        .write_csv()
        .encode()
    )
