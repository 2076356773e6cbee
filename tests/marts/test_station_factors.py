"""Seasonal factors of stations: means of 1, the toy week's shape, and none without AADT."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from pipelines.marts.sensor_health import SensorHealth
from pipelines.marts.station_aadt import compute_station_aadt
from pipelines.marts.station_factors import compute_station_factors
from tests.marts.toy_counts import WEEKDAYS, counted, listed
from tests.toy_feeds import night_of

FIRST, NIGHT = date(2025, 4, 1), date(2026, 6, 30)
ROLES = {"a": "control", "b": "ring"}


def factors(days: Any) -> pl.DataFrame:
    stations: Any = listed(ROLES)
    night = night_of(NIGHT.isoformat())
    aadt = compute_station_aadt(
        night,
        count_stations=stations,
        count_station_days=days,
        sensor_health=SensorHealth.create_empty(),
    )
    return compute_station_factors(
        night, count_stations=stations, count_station_days=days, station_aadt=aadt
    )


def of(found: pl.DataFrame, station_id: str, kind: str) -> dict[int, float]:
    rows = found.filter(pl.col("station_id") == station_id, pl.col("factor_kind") == kind)
    return dict(rows.select("factor_number", "factor").iter_rows())


def test_weekdays_have_the_shape_of_the_week_and_months_none() -> None:
    found = factors(counted("a", FIRST, NIGHT, 10_000, noise=0))
    mean = sum(WEEKDAYS) / 7
    expected = {number: shape / mean for number, shape in enumerate(WEEKDAYS, start=1)}
    assert of(found, "a", "weekday") == pytest.approx(expected, abs=1e-4)
    assert of(found, "a", "month") == pytest.approx(dict.fromkeys(range(1, 13), 1.0), abs=1e-4)


def test_months_are_calendar_months_of_the_last_twelve() -> None:
    days = counted("a", FIRST, NIGHT, 10_000, noise=0).with_columns(
        pl.when(pl.col("service_date").dt.month_start() == date(2025, 9, 1))
        .then(pl.col("vehicle_count") * 2)
        .otherwise("vehicle_count")
    )
    months = of(factors(days), "a", "month")
    # One month of twice the level among twelve: 2 / (13 / 12).
    assert months[9] == pytest.approx(24 / 13, abs=1e-4)
    assert months[6] == pytest.approx(12 / 13, abs=1e-4)


def test_factors_have_a_mean_of_one() -> None:
    found = factors(counted("a", FIRST, NIGHT, 3_000, noise=0.2))
    for kind, count in (("month", 12), ("weekday", 7)):
        told = of(found, "a", kind)
        assert len(told) == count
        assert sum(told.values()) / count == pytest.approx(1, abs=1e-5)


def test_without_aadt_there_are_none() -> None:
    short = counted("b", date(2026, 1, 1), NIGHT, 3_000)
    nothing = counted("a", FIRST, NIGHT, 0)
    assert factors(pl.concat([short, nothing])).is_empty()
