"""Residents by PTAL band, for the worked example's city of two homes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.marts.cell_access import compute_cell_access
from pipelines.marts.ptal import Ptal, compute_ptal
from tests.marts.reach.toy_city import RATES_READ, a_night, toy_city
from tests.marts.reach.worked_example import worked_city


@pytest.mark.slow
def test_residents_by_band() -> None:
    city = worked_city()
    cells = compute_cell_access(a_night(), **city)
    rows = compute_ptal(a_night(), cell_access=cells, districts=city["districts"])
    told = rows.select("ptal_band", "residents_count", "residents_low", "residents_share").rows()
    assert [band for band, *_ in told] == ["0", "1a", "1b", "2", "3", "4", "5", "6a", "6b"]
    assert [row for row in told if row[1]] == [
        ("0", 20.0, 10.0, 0.166667),
        ("2", 100.0, 80.0, 0.833333),
    ]


@pytest.mark.slow
def test_a_band_holds_on_any_day_of_the_week() -> None:
    city, night = worked_city(), replace(a_night(), day_type="holiday")
    cells = compute_cell_access(night, **city)
    rows = compute_ptal(night, cell_access=cells, districts=city["districts"])
    assert set(rows.get_column("reason")) == {None}


@pytest.mark.slow
def test_without_departures_in_the_hour_there_are_no_bands() -> None:
    city = toy_city(RATES_READ)
    cells = compute_cell_access(a_night(), **city)
    rows = compute_ptal(a_night(), cell_access=cells, districts=city["districts"])
    reason = "no index: no departures from 08:15 to 09:15 on 2026-11-18 in feeds 'feed1'"
    assert set(rows.get_column("reason")) == {reason}
    assert rows.get_column("residents_share").null_count() == rows.height == 3 * 9


def test_the_contract_is_one_row_per_scope_and_band() -> None:
    assert Ptal.primary_key() == ["service_date", "scope_type", "scope_id", "ptal_band"]
