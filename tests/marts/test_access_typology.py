"""Residents by class of access, for the worked example's city of two homes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import shapely

from pipelines.marts.access_typology import AccessTypology, compute_access_typology
from pipelines.marts.cell_access import compute_cell_access
from pipelines.night import Night
from tests.marts.reach.toy_city import RATES_READ, a_night, districts, no_feed, population
from tests.marts.reach.worked_example import worked_city
from tests.toy_feeds import SUNDAY

HERE = {
    "district_name": "Here",
    "official_population": 150,
    "population_precision": "exact",
    "boundary": shapely.box(76.9, 43.2, 76.95, 43.28),
}
THERE = {
    "district_name": "There",
    "official_population": 10,
    "population_precision": "lower_bound",
    "boundary": shapely.box(76.95, 43.28, 77.05, 43.35),
}
PEOPLE = ("residents_count", "residents_low", "residents_high", "residents_share")


def typology(night: Night | None = None, **frames: Any) -> Any:
    night, city = night or a_night(), worked_city() | districts(HERE, THERE) | frames
    cells = compute_cell_access(night, **city)
    return compute_access_typology(night, cell_access=cells, districts=city["districts"])


@pytest.mark.slow
def test_residents_by_class() -> None:
    rows = typology().select("scope_id", "access_class", *PEOPLE, "residents_rescaled_count").rows()
    assert [row for row in rows if row[2]] == [
        ("toyville", "very high", 100.0, 80.0, 110.0, 0.833333, 150.0),
        ("toyville", "none", 20.0, 10.0, 40.0, 0.166667, 20.0),
        ("here", "very high", 100.0, 80.0, 110.0, 1.0, 150.0),
        ("there", "none", 20.0, 10.0, 40.0, 1.0, None),
    ]
    assert len(rows) == 3 * 5
    assert [row[1] for row in rows[:5]] == ["very high", "high", "medium", "low", "none"]


@pytest.mark.slow
def test_what_every_row_carries() -> None:
    row = typology().row(0, named=True)
    assert (row["method"], row["mark"], row["reason"]) == ("straight line x 1.3", "modelled", None)
    assert (row["scope_type"], row["scope_name"], row["day_type"]) == (
        *("city", "Toyville", "weekday"),
    )


@pytest.mark.slow
def test_on_a_sunday_there_are_no_classes() -> None:
    rows = typology(replace(a_night(SUNDAY), day_type="sunday"))
    assert set(rows.get_column("reason")) == {
        "no class of access: no departures from 06:00 to 20:00 on 2026-11-22 in feeds 'feed1'"
    }
    assert rows.get_column("residents_count").null_count() == 15
    holiday = typology(replace(a_night(), day_type="holiday"))
    assert set(holiday.get_column("reason")) == {
        "no class of access: it is defined for weekdays, and 2026-11-18 is a holiday"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (population(), "no population grid"),
        (no_feed(RATES_READ), "no class of access: no GTFS feed"),
    ],
)
def test_without_grid_or_feed_the_reason_is_given(frames: dict[str, Any], reason: str) -> None:
    rows = typology(**frames)
    assert set(rows.get_column("reason")) == {reason}
    assert rows.select(*PEOPLE).null_count().row(0) == (15,) * 4


@pytest.mark.slow
def test_one_estimate_gives_no_bounds() -> None:
    grid = population(("home", 43.24, 76.92, None, 100.0, None))
    rows = typology(**grid)
    best = rows.row(0, named=True)
    assert (best["residents_count"], best["residents_low"], best["residents_high"]) == (
        *(100.0, None, None),
    )
    assert best["reason"] == "no low and high estimates in the population grid"
    nobody = rows.row(-1, named=True)
    assert (nobody["residents_count"], nobody["residents_share"]) == (0.0, None)
    assert "no residents in the population grid" in nobody["reason"]


def test_the_contract_is_one_row_per_scope_and_class() -> None:
    key = ["service_date", "scope_type", "scope_id", "access_class"]
    assert AccessTypology.primary_key() == key
