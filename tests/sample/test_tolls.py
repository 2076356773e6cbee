"""Toll transactions: who passed a gantry paid there, whether or not its camera read it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.marts.ring_road.second_readings import second_readings
from pipelines.sample.facts import RING_OPENED_DATE
from pipelines.sample.passages import MISREAD_SHARE, passages_parquet, passings_on
from pipelines.sample.seeds import DEFAULT_SEED
from pipelines.sample.stations import READERS, RING
from pipelines.sample.tolls import PLATE_KNOWN_SHARE, toll_transactions_parquet
from pipelines.sample.truth import TRUTH

pytestmark = pytest.mark.slow

DAY = date(2026, 11, 1)


@pytest.fixture(scope="module")
def tolls() -> pl.DataFrame:
    return pl.read_parquet(toll_transactions_parquet(DAY, DEFAULT_SEED))


def test_every_passing_of_a_gantry_pays_and_nearly_every_plate_is_known(
    tolls: pl.DataFrame,
) -> None:
    true = passings_on(DAY, DEFAULT_SEED)
    is_ring = np.array([reader.role == "ring" for reader in READERS])[true.station]
    assert tolls.height == is_ring.sum() > 10_000
    assert set(tolls["station_id"]) == {station.station_id for station in RING}
    assert tolls.schema["paid_at"] == pl.Datetime("ms", "UTC")
    assert tolls["plate_hash"].is_not_null().mean() == pytest.approx(PLATE_KNOWN_SHARE, abs=0.005)
    assert tolls["plate_hash"].is_null().equals(tolls["overlap_hash"].is_null())
    midnight = datetime(2026, 10, 31, 19, tzinfo=UTC)
    within = pl.col("paid_at").is_between(midnight, midnight + timedelta(days=1), closed="left")
    assert tolls.filter(~within).is_empty()


def test_nobody_paid_before_the_ring_opened() -> None:
    before = toll_transactions_parquet(RING_OPENED_DATE - timedelta(days=2), DEFAULT_SEED)
    assert pl.read_parquet(before).is_empty()


def test_the_cameras_rates_are_found_in_them(tolls: pl.DataFrame) -> None:
    """Pooled by gantry; a misread plate counts as not read, and some gantry may be silent."""
    passages = pl.read_parquet(passages_parquet(DAY, DEFAULT_SEED))
    found = second_readings(tolls, passages, "Asia/Almaty")
    assert found["vehicles_seen_count"].sum() == tolls["plate_hash"].is_not_null().sum()
    errors = []
    for number, reader in enumerate(READERS):
        rows = found.filter(pl.col("station_id") == reader.station_id)
        if reader.role != "ring":
            assert rows.is_empty()
            continue
        busy = rows.filter(pl.col("plates_read_count") > 0)
        seen = busy["vehicles_seen_count"].to_numpy()
        rates = TRUTH.read_rates()[number, busy["hour_of_day"].to_numpy()]
        expected = (rates @ seen) / seen.sum() * (1 - MISREAD_SHARE)
        errors.append(busy["plates_read_count"].sum() / seen.sum() - expected)
    assert len(errors) == len(RING)
    assert np.abs(errors).max() < 0.03
    assert abs(np.mean(errors)) < 0.01
