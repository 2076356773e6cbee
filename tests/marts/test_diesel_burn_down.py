"""Diesel burn-down: a toy register month by month, where it begins, and what has no series."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from benchmarks.fleet_history import FIRST_DAY, burn_down, differences, made_up_register
from pipelines.marts.diesel_burn_down import DieselBurnDown
from pipelines.staging.fleet import RegisterVersions
from pipelines.warehouse.sql_maker import run_sql_mart
from tests.marts.toy_registers import a_history, night

SQL = Path(__file__).parents[2] / "sql" / "marts" / "diesel_burn_down.sql"
TODAY = date(2020, 4, 10)


def computed(history: pl.DataFrame, *, has_register: bool = True) -> pl.DataFrame:
    versions = pl.DataFrame(
        [("fleet", "r", TODAY, None, "v1", 0)] if has_register else [],
        schema={name: column.dtype for name, column in RegisterVersions.columns().items()},
        orient="row",
    )
    frames = {"marts.vehicle_history": history, "told.register_versions": versions}
    return DieselBurnDown.validate(run_sql_mart(SQL, night(TODAY), frames))


def series(rows: pl.DataFrame, status_scope: str) -> list[tuple[object, ...]]:
    columns = ("as_of_date", "diesel_count", "fleet_count", "entered_count", "left_count")
    return rows.filter(status_scope=status_scope).select(columns).rows()


def test_a_toy_register_month_by_month() -> None:
    serves = {"status": "in_service"}
    left_in_february = {"valid_to_date": date(2020, 2, 20)}
    rows = computed(
        a_history(
            {**serves, "valid_to_date": date(2020, 1, 15)},  # the first that the register lost
            {**serves, **left_in_february},
            serves,
            {
                "status": "reserve",
                "vehicle_id": "R",
                "valid_to_date": date(2020, 3, 5),
                "closed_by": "change",
            },
            {
                **serves,
                "vehicle_id": "R",
                "valid_from_date": date(2020, 3, 5),
                "opened_by": "change",
            },
            {**serves, "vehicle_id": "F", "valid_to_date": date(2020, 4, 2), "closed_by": "change"},
            {
                **serves,
                "vehicle_id": "F",
                "valid_from_date": date(2020, 4, 2),
                "fuel_type": "cng",
                "opened_by": "change",
            },
            {**serves, "valid_from_date": date(2020, 3, 31), "fuel_type": "electric"},
            known=TODAY,
        )
    )
    assert series(rows, "with reserve") == [
        (date(2020, 1, 31), 4, 4, None, None),
        (date(2020, 2, 29), 3, 3, 0, 1),
        (date(2020, 3, 31), 3, 4, 0, 0),
        (TODAY, 2, 4, 0, 1),  # one runs on gas now
    ]
    assert series(rows, "in service") == [
        (date(2020, 1, 31), 3, 3, None, None),
        (date(2020, 2, 29), 2, 2, 0, 1),
        (date(2020, 3, 31), 3, 4, 1, 0),  # out of the reserve
        (TODAY, 2, 4, 0, 1),
    ]
    last = rows.filter(as_of_date=TODAY, status_scope="in service").row(0, named=True)
    shares = [last[name] for name in ("diesel_share", "clean_share", "zero_emission_share")]
    assert shares == [0.5, 0.5, 0.25]


@pytest.mark.slow
def test_survivors_alone_make_no_series() -> None:
    rows = computed(a_history({"status": "in_service"}, {"status": "reserve"}, known=TODAY))
    assert series(rows, "with reserve") == [(TODAY, 2, 2, None, None)]


@pytest.mark.slow
def test_without_states_there_is_no_series_in_service_but_the_reason() -> None:
    rows = computed(a_history({}, {"valid_to_date": date(2020, 2, 20)}, known=TODAY))
    assert series(rows, "in service") == [(TODAY, None, None, None, None)]
    assert "reserve" in rows.filter(status_scope="in service").item(0, "reason")
    assert [row[1] for row in series(rows, "with reserve")] == [1, 1, 1]


@pytest.mark.slow
def test_without_a_register_there_is_the_reason() -> None:
    rows = computed(a_history().clear(), has_register=False)
    assert rows.height == 2
    assert rows.get_column("reason").unique().to_list() == ["no fleet register was delivered"]


@pytest.mark.slow
def test_daily_snapshots_in_one_file_become_changes_and_their_own_count() -> None:
    days, vehicles = 420, 300
    payload, known = made_up_register(days, vehicles)
    history, series = burn_down(payload, FIRST_DAY + timedelta(days=days - 1))
    assert differences(series, known) == 0
    assert series.filter(status_scope="with reserve").height >= days // 31
    copies = int(known.get_column("fleet_count").sum())
    assert vehicles < history.height < copies / 100
    # Three places in a hundred lapse after 400 days, for three days each.
    returned = history.filter(opened_by="return")
    assert returned.get_column("vehicle_id").n_unique() == len(range(0, vehicles, 97))
