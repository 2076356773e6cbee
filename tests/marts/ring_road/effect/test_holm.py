"""p-values for who reads many places: by hand, and as an independent program has them."""

from __future__ import annotations

import polars as pl
import pytest
from statsmodels.stats.multitest import multipletests

from pipelines.marts.ring_road.effect.holm import with_adjusted_p_values


def adjusted(rows: pl.DataFrame) -> pl.DataFrame:
    return with_adjusted_p_values(rows, ["event_id", "vehicle_class"])


def p_values(*told: float | None) -> pl.DataFrame:
    return pl.DataFrame({"event_id": "e", "vehicle_class": "all", "p_value": list(told)}).cast(
        {"p_value": pl.Float64}
    )


def test_p_values_for_who_reads_the_whole_table_by_hand() -> None:
    found = adjusted(p_values(0.03, 0.01, None, 0.04, 0.02)).sort("p_value", nulls_last=True)
    # 4 x 0.01, 3 x 0.02, then 2 x 0.03 and 1 x 0.04, which are no less than the one before.
    assert found.get_column("p_value_adjusted").to_list() == [
        pytest.approx(0.04),
        pytest.approx(0.06),
        pytest.approx(0.06),
        pytest.approx(0.06),
        None,
    ]
    assert set(found.get_column("tested_place_count")) == {4}


@pytest.mark.parametrize("told", [(0.2, 0.2, 0.001), (0.9, 0.4, 0.6), (0.05,), (0.01,) * 7])
def test_p_values_are_those_of_an_independent_computation(told: tuple[float, ...]) -> None:
    found = adjusted(p_values(*told)).sort("p_value")
    expected = sorted(multipletests(told, method="holm")[1])
    assert found.get_column("p_value_adjusted").to_list() == pytest.approx(expected)


def test_tests_of_another_event_or_class_are_others() -> None:
    two = pl.concat([p_values(0.03), p_values(0.03).with_columns(vehicle_class=pl.lit("heavy"))])
    assert adjusted(two).get_column("p_value_adjusted").to_list() == [0.03, 0.03]
