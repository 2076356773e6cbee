"""Effective headway: twice the mean wait of who comes at any time."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.marts.service import effective_headway, headways


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([10] * 6, 10.0),
        ([10, 15, 5, 10, 10, 10], 10.8333),
        ([10, 10, 10, 28, 1, 1], 18.1),
        ([0, 0], 0.0),
        # Twelve hours in seconds, squared, is more than 32 bits hold.
        ([43_200, 43_200], 43_200.0),
    ],
)
def test_published_vectors(gaps: list[int], expected: float) -> None:
    frame = pl.DataFrame({"gap": gaps}, schema={"gap": pl.Int32})
    assert frame.select(effective_headway(pl.col("gap"))).item() == pytest.approx(
        expected, abs=5e-5
    )


def test_a_stop_with_bunched_departures_has_a_longer_one_than_the_mean() -> None:
    minutes = [0, 10, 25, 30, 40, 50, 60]  # the second vector, from 07:00 on
    departures = pl.DataFrame({"stop": "A", "at": [7 * 3600 + 60 * minute for minute in minutes]})
    row = headways(departures, "at", along=["stop"], by=["stop"]).row(0, named=True)
    assert row["headway_mean_minutes"] == 10
    assert row["headway_effective_minutes"] == pytest.approx(65 / 6)
