"""Nights of a city that has a fleet register alone: what was known when, and forecasts kept."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import run
from pipelines.errors import QalaError
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.publish import PublishedTable, build_file
from tests.toy_city import run_night

pytestmark = [pytest.mark.slow, pytest.mark.long]

CITY = """\
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"
figures = ["diesel_phase_out", "forecast_skill"]

[sources.fleet]
kind = "fleet"
address = "fleet.csv"
format = "csv"
mark = "measured"
"""
FLEET = """\
vehicle_id,operator_name,fuel_type,in_service_date,status
1,Green,diesel,2015-01-01,in_service
2,Green,diesel,2016-01-01,in_service
3,Green,cng,2020-01-01,in_service
"""
FIRST, SECOND, THIRD = "2026-11-18", "2026-11-19", "2026-11-20"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.toml").write_text(CITY)
    (tmp_path / "fleet.csv").write_text(FLEET)
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    return tmp_path


def outcomes(key: str) -> dict[str, str]:
    told = run_night(key)
    assert not [error for error in told.values() if isinstance(error, QalaError)]
    return {
        step: report["outcome"]
        for step, report in told.items()
        if not isinstance(report, QalaError)
    }


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    file = folder / "data" / "toy" / "publish" / "toy.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def all_rows(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in the order in which they lie there."""
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = connection.sql("SELECT table_name FROM meta.tables").fetchall()
        return {name: connection.sql(f"FROM {name}").fetchall() for (name,) in tables}


DIESELS = (
    "SELECT vehicle_count FROM marts.diesel_phase_out WHERE fuel_type = 'diesel'"
    " AND operator_name = 'all' AND status_scope = 'in service' AND service_date = '{}'"
)
HISTORY = (
    "SELECT vehicle_id, valid_from_date, known_from_date, known_to_date"
    " FROM marts.vehicle_history ORDER BY ALL"
)


def test_a_changed_past_row_is_known_from_its_night_and_earlier_nights_stay(folder: Path) -> None:
    assert outcomes(FIRST)["build marts.vehicle_history"] == "done"
    assert outcomes(SECOND)["build marts.vehicle_history"] == "unchanged"
    (folder / "fleet.csv").write_text(FLEET.replace("2016-01-01", "2026-11-20"))
    assert outcomes(THIRD)["build marts.vehicle_history"] == "done"

    third = date(2026, 11, 20)
    first = date(2026, 11, 18)
    assert ask(folder, HISTORY) == [
        ("1", date(2015, 1, 1), first, None),
        ("2", date(2016, 1, 1), first, third),
        ("2", third, third, None),
        ("3", date(2020, 1, 1), first, None),
    ]
    assert [ask(folder, DIESELS.format(day)) for day in (FIRST, SECOND, THIRD)] == [[(2,)]] * 3

    # A night that is run again knows what it knew.
    (folder / "fleet.csv").write_text(FLEET)
    again = outcomes(FIRST)
    assert again["build marts.diesel_phase_out"] in ("done", "unchanged")
    assert ask(folder, DIESELS.format(FIRST)) == [(2,)]
    assert ask(folder, HISTORY)[1] == ("2", date(2016, 1, 1), first, third)


def test_the_file_is_the_same_whether_or_not_it_is_made_from_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "data" / "toy" / "publish" / "toy.duckdb"
    taken: list[int] = []

    def built(lake: Lake, target: Path, tables: list[PublishedTable], *others: Any) -> Path:
        taken.append(sum(len(p.keys) for t in tables for p in t.portions if p.is_out))
        return build_file(lake, target, tables, *others)

    monkeypatch.setattr("pipelines.publication.build_file", built)
    outcomes(FIRST)
    outcomes(SECOND)
    (folder / "fleet.csv").write_text(FLEET.replace("2016-01-01", "2026-11-20"))
    outcomes(THIRD)
    outcomes(FIRST)  # goes out again as the last of all
    assert taken[0] == 0
    assert min(taken[1:]) > 0
    rows, whole = all_rows(file), file.read_bytes()
    file.unlink()
    for lost in (b"", b"not a database", whole[: len(whole) // 2]):
        if lost:
            file.write_bytes(lost)
        assert run.publish(FIRST, "once more")["outcome"] == "done"
        assert taken[-1] == 0
        assert all_rows(file) == rows
        file.chmod(0o644)


def test_a_figure_that_is_no_longer_asked_for_goes_out_no_more(folder: Path) -> None:
    outcomes(FIRST)
    city = folder / "toy.toml"
    city.write_text(CITY.replace(', "forecast_skill"', ""))
    outcomes(SECOND)
    assert ask(folder, DIESELS.format(FIRST)) == [(2,)]
    with pytest.raises(duckdb.CatalogException, match="forecast_skill"):
        ask(folder, "FROM marts.forecast_skill")
    city.write_text(CITY)
    outcomes(THIRD)
    days = "SELECT DISTINCT service_date::VARCHAR FROM marts.diesel_forecast ORDER BY 1"
    assert ask(folder, days) == [(FIRST,), (THIRD,)]


def test_forecasts_of_earlier_nights_are_kept_and_looked_at(folder: Path) -> None:
    outcomes("2026-08-10")
    outcomes(FIRST)
    kept = "SELECT DISTINCT service_date FROM marts.diesel_forecast ORDER BY 1"
    assert ask(folder, kept) == [(date(2026, 8, 10),), (date(2026, 11, 18),)]
    # One register, nothing lost yet: every method refuses, so no forecast counts.
    skill = "SELECT DISTINCT forecast_count, held_share FROM marts.forecast_skill"
    assert ask(folder, skill) == [(0, None)]
