"""Vehicle history: toy registers night after night, corrected pasts, snapshots, events, lapses."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.vehicle_history import as_known, fleet_asof, seen_from
from tests.marts.toy_registers import HEADINGS, Brought, history, register


def night(number: int) -> date:
    return date(2026, 11, number)


def rows(found: pl.DataFrame, vehicle_id: str) -> list[tuple[object, ...]]:
    """Valid from and to, known from and to, why, fuel: of one vehicle."""
    columns = ("valid_from_date", "valid_to_date", "known_from_date", "known_to_date", "opened_by",
               "closed_by", "fuel_type")  # fmt: skip
    return found.filter(vehicle_id=vehicle_id).select(columns).rows()


ENTRY = date(2015, 1, 1)


def test_a_register_that_stays_the_same_is_known_once() -> None:
    text = register("1,Green,diesel,2015-01-01,,,", "2,Green,cng,,,,")
    found = history([(night(n), {"r": text}) for n in (1, 2, 3)])
    assert rows(found, "1") == [(ENTRY, None, night(1), None, "entry", None, "diesel")]
    # Without a date it is there from the first night that listed it.
    assert rows(found, "2") == [(night(1), None, night(1), None, "first seen", None, "cng")]


def test_another_fuel_operator_and_plate_are_changes_from_the_night_that_saw_them() -> None:
    found = history(
        [
            (night(1), {"r": register("1,Green,diesel,2015-01-01,,,A1")}),
            (night(5), {"r": register("1,Green,cng,2015-01-01,,,A1")}),
            (night(8), {"r": register("1,Blue,cng,2015-01-01,,,A2")}),
        ]
    )
    assert rows(found, "1") == [
        (ENTRY, None, night(1), night(5), "entry", None, "diesel"),
        (ENTRY, night(5), night(5), None, "entry", "change", "diesel"),
        (night(5), None, night(5), night(8), "change", None, "cng"),
        (night(5), night(8), night(8), None, "change", "change", "cng"),
        (night(8), None, night(8), None, "change", None, "cng"),
    ]
    changed = found.sort("valid_from_date", "known_from_date").get_column("changed_columns")
    assert changed.to_list()[2:] == ["fuel_type", "fuel_type", "operator_name, plate_check"]


def test_a_corrected_past_changes_that_vehicle_alone_and_was_known_otherwise() -> None:
    before = register("1,Green,diesel,2015-01-01,,,", "2,Green,diesel,2014-01-01,2025-06-30,,")
    after = before.replace("2014-01-01", "2016-01-01")
    found = history([(night(1), {"r": before}), (night(5), {"r": after})])
    assert rows(found, "1") == [(ENTRY, None, night(1), None, "entry", None, "diesel")]
    left, early, late = date(2025, 6, 30), date(2014, 1, 1), date(2016, 1, 1)
    assert rows(found, "2") == [
        (early, left, night(1), night(5), "entry", "retirement", "diesel"),
        (late, left, night(5), None, "entry", "retirement", "diesel"),
    ]
    asked = date(2015, 6, 1)
    assert fleet_asof(found, asked, night(4)).get_column("vehicle_id").to_list() == ["1", "2"]
    assert fleet_asof(found, asked, night(5)).get_column("vehicle_id").to_list() == ["1"]
    assert fleet_asof(found, asked, date(2026, 10, 31)).is_empty()  # nothing was known yet


def test_a_vehicle_that_vanishes_is_out_until_it_returns() -> None:
    both, one = register("1,,cng,,,,", "2,,cng,,,,"), register("1,,cng,,,,")
    found = history([(night(1), {"r": both}), (night(3), {"r": one}), (night(7), {"r": both})])
    assert rows(found, "2") == [
        (night(1), None, night(1), night(3), "first seen", None, "cng"),
        (night(1), night(3), night(3), None, "first seen", "absence", "cng"),
        (night(7), None, night(7), None, "return", None, "cng"),
    ]


def test_a_retired_vehicle_that_the_register_drops_stays_retired() -> None:
    listed = register("1,,cng,2015-01-01,2020-01-01,,", "2,,cng,,,,")
    found = history([(night(1), {"r": listed}), (night(2), {"r": register("2,,cng,,,,")})])
    assert rows(found, "1") == [
        (ENTRY, date(2020, 1, 1), night(1), None, "entry", "retirement", "cng")
    ]


def test_a_retirement_that_becomes_known_ends_the_life() -> None:
    found = history(
        [
            (night(1), {"r": register("1,,diesel,2015-01-01,,,")}),
            (night(2), {"r": register("1,,diesel,2015-01-01,2026-11-02,,")}),
        ]
    )
    assert rows(found, "1") == [
        (ENTRY, None, night(1), night(2), "entry", None, "diesel"),
        (ENTRY, night(2), night(2), None, "entry", "retirement", "diesel"),
    ]


def test_a_vehicle_retired_before_it_could_serve_never_counts() -> None:
    # Dates by year alone may cross: entered in May, retired in the year.
    assert history([(night(1), {"r": register("1,,cng,2019-05-01,2019,,")})]).is_empty()


def test_a_register_of_two_files_is_one_register() -> None:
    one, two = register("1,,cng,,,,", "3,,diesel,,,,"), register("2,,cng,,,,", "3,,cng,,,,")
    found = history([(night(1), {"a": one, "b": two}), (night(2), {"a": one})])
    assert rows(found, "2") == [
        (night(1), None, night(1), night(2), "first seen", None, "cng"),
        (night(1), night(2), night(2), None, "first seen", "absence", "cng"),
    ]
    # Of two rows of one vehicle that of the first file holds.
    assert rows(found, "3") == [(night(1), None, night(1), None, "first seen", None, "diesel")]


def snapshots(*days: tuple[int, str]) -> str:
    lines = [f"2026-01-{number:02d},{row}" for number, rows in days for row in rows.split(";")]
    return "\n".join([f"snapshot_date,{HEADINGS}", *lines]) + "\n"


FIRST = (1, "1,,diesel,,,,;2,,cng,,,,")
SECOND = (2, "1,,diesel,,,,;2,,cng,,,,")
THIRD = (3, "1,,cng,,,,")


def day(number: int) -> date:
    return date(2026, 1, number)


ONE_BY_ONE: Brought = [
    (night(1), {"s": snapshots(FIRST)}),
    (night(2), {"s": snapshots(SECOND)}),
    (night(3), {"s": snapshots(THIRD)}),
]
GROWING: Brought = [
    (night(1), {"s": snapshots(FIRST)}),
    (night(2), {"s": snapshots(FIRST, SECOND)}),
    (night(3), {"s": snapshots(FIRST, SECOND, THIRD)}),
]
FOLDER: Brought = [
    (night(1), {"1": snapshots(FIRST)}),
    (night(2), {"1": snapshots(FIRST), "2": snapshots(SECOND)}),
    (night(3), {"1": snapshots(FIRST), "2": snapshots(SECOND), "3": snapshots(THIRD)}),
]


@pytest.mark.slow
@pytest.mark.parametrize("brought", [ONE_BY_ONE, GROWING, FOLDER], ids=("one", "growing", "folder"))
def test_snapshots_make_one_history_however_they_come(brought: Brought) -> None:
    found = history(brought)
    assert rows(found, "1") == [
        (day(1), None, night(1), night(3), "first seen", None, "diesel"),
        (day(1), day(3), night(3), None, "first seen", "change", "diesel"),
        (day(3), None, night(3), None, "change", None, "cng"),
    ]
    assert rows(found, "2") == [
        (day(1), None, night(1), night(3), "first seen", None, "cng"),
        (day(1), day(3), night(3), None, "first seen", "absence", "cng"),
    ]


@pytest.mark.slow
def test_one_changed_row_of_a_past_snapshot_is_a_restatement_of_that_day() -> None:
    days = (FIRST, SECOND, (3, SECOND[1]))
    mended = (FIRST, (2, "1,,diesel,,,,;2,,electric,,,,"), (3, SECOND[1]))
    found = history([(night(1), {"s": snapshots(*days)}), (night(2), {"s": snapshots(*mended)})])
    assert rows(found, "1") == [(day(1), None, night(1), None, "first seen", None, "diesel")]
    assert rows(found, "2") == [
        (day(1), None, night(1), night(2), "first seen", None, "cng"),
        (day(1), day(2), night(2), None, "first seen", "change", "cng"),
        (day(2), day(3), night(2), None, "change", "change", "electric"),
        (day(3), None, night(2), None, "change", None, "cng"),
    ]


def test_events_name_vehicles_and_say_nothing_of_others() -> None:
    head = "event_date,event_type,vehicle_id,fuel_type\n"
    january = head + "2026-01-01,entered,1,diesel\n2026-01-01,entered,2,diesel\n"
    february = head + "2026-02-01,changed,1,cng\n"
    found = history([(night(1), {"a": january}), (night(2), {"a": january, "b": february})])
    assert rows(found, "2") == [(day(1), None, night(1), None, "entry", None, "diesel")]
    february_first = date(2026, 2, 1)
    assert [row[:2] + row[6:] for row in rows(as_known(found, night(2)), "1")] == [
        (day(1), february_first, "diesel"),
        (february_first, None, "cng"),
    ]


def test_a_number_that_comes_back_on_another_vehicle_is_another_life() -> None:
    found = history(
        [
            (
                night(1),
                {
                    "e": "event_date,event_type,vehicle_id,fuel_type\n2015-01-01,entered,1,diesel\n"
                    "2020-01-01,left,1,\n2022-01-01,entered,1,electric\n"
                },
            )
        ]
    )
    assert [row[:2] + row[4:] for row in rows(found, "1")] == [
        (ENTRY, date(2020, 1, 1), "entry", "retirement", "diesel"),
        (date(2022, 1, 1), None, "return", None, "electric"),
    ]


@pytest.mark.slow
def test_a_register_is_seen_from_its_first_loss_or_the_night_that_brought_it() -> None:
    survivors = history([(night(1), {"r": register("1,,cng,2015-01-01,,,")})])
    assert seen_from(survivors) == night(1)
    with_loss = register("1,,cng,2015-01-01,,,", "2,,cng,2010-01-01,2018-03-04,,")
    assert seen_from(history([(night(1), {"r": with_loss})])) == date(2018, 3, 4)
    assert seen_from(survivors.clear()) is None


STATES = st.sampled_from(["cng", "diesel", None])
NIGHTS = st.lists(st.tuples(STATES, STATES, STATES), min_size=1, max_size=8)


@pytest.mark.slow
@given(NIGHTS)
@settings(max_examples=40, deadline=None)
def test_every_night_is_found_again_whatever_came_later(
    fleets: list[tuple[str | None, ...]],
) -> None:
    texts = [
        register(
            *(f"{number},,{fuel},,,," for number, fuel in enumerate(fleet) if fuel), "9,,cng,,,,"
        )
        for fleet in fleets
    ]
    found = history([(night(n), {"r": text}) for n, text in enumerate(texts, start=1)])
    for known, _ in enumerate(fleets, start=1):
        for asked, fleet in enumerate(fleets[:known], start=1):
            there = fleet_asof(found, night(asked), night(known))
            assert dict(there.select("vehicle_id", "fuel_type").rows()) == {
                **{str(number): fuel for number, fuel in enumerate(fleet) if fuel},
                "9": "cng",
            }
        # Nothing is known of days to come but that the fleet goes on.
        last = fleet_asof(found, night(known), night(known))
        later = fleet_asof(found, night(known) + timedelta(days=90), night(known))
        assert later.equals(last)
