"""Macros over tables small enough to check by eye, made by their contracts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from pipelines import analysts_file, flow
from pipelines.analysts_file import MACROS, file_macros
from pipelines.contracts import load_contract
from pipelines.contracts.ddl import create_table_sql
from pipelines.contracts.dictionary import dictionary_rows
from pipelines.contracts.meta import META
from pipelines.warehouse.publish import PublishedTable

CONTRACTS = {t.name: load_contract(t) for t in flow.published_tables()} | META
DAY, NEXT_DAY = date(2026, 11, 18), date(2026, 11, 19)


@pytest.fixture
def file() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every table of the file, empty, with its macros."""
    with duckdb.connect() as connection:
        for name, contract in CONTRACTS.items():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
            connection.execute(create_table_sql(name, contract))
        for statement in file_macros(PublishedTable(n, c) for n, c in CONTRACTS.items()):
            connection.execute(statement)
        yield connection


def insert(file: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    marks = ", ".join("?" for _ in values)
    file.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", [*values.values()])


def ask(file: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return file.execute(sql).fetchall()


def test_reach_at_is_the_nearest_cell_of_each_night(file: duckdb.DuckDBPyConnection) -> None:
    for day in (DAY, NEXT_DAY):
        for cell, latitude, walk in (("near", 43.2410, 100.0), ("far", 43.2420, 200.0)):
            insert(
                file,
                "marts.cell_access",
                service_date=day,
                source_id="people",
                cell_id=cell,
                latitude=latitude,
                longitude=76.9,
                metro_walk_m=walk,
            )
    columns = "service_date, cell_id, round(centre_distance_m), metro_walk_m"
    # 0.0001 degrees of latitude are 11 m.
    found = ask(file, f"SELECT {columns} FROM reach_at(43.2411, 76.9)")
    assert found == [(DAY, "near", 11.0, 100.0), (NEXT_DAY, "near", 11.0, 100.0)]
    # A degree of longitude is 81 km there: 0.012 degrees are 970 m, 0.013 are 1,050 m.
    assert len(ask(file, "FROM reach_at(43.2410, 76.912)")) == 2
    assert ask(file, "FROM reach_at(43.2410, 76.913)") == []


def test_fleet_asof_has_two_dates(file: duckdb.DuckDBPyConnection) -> None:
    def state(fuel: str, valid: tuple[int, int | None], known: tuple[int, int | None]) -> None:
        days = [None if day is None else date(2026, 11, day) for day in (*valid, *known)]
        names = ("valid_from_date", "valid_to_date", "known_from_date", "known_to_date")
        dates = dict(zip(names, days, strict=True))
        told = {"source_id": "fleet", "vehicle_id": "7", "fuel_type": fuel}
        insert(file, "marts.vehicle_history", **told, **dates)

    # Known from the 10th: diesel since the 1st. The night of the 20th knew: gas from the 15th on.
    state("diesel", (1, None), (10, 20))
    state("diesel", (1, 15), (20, None))
    state("cng", (15, None), (20, None))

    def fuel(on_day: int, known_day: int) -> list[tuple[Any, ...]]:
        days = f"'2026-11-{on_day:02}', '2026-11-{known_day:02}'"
        return ask(file, f"SELECT fuel_type FROM fleet_asof({days})")

    assert fuel(16, 19) == [("diesel",)]
    assert fuel(16, 20) == [("cng",)]
    assert fuel(14, 20) == [("diesel",)]
    assert fuel(16, 9) == []


def test_route_profile_by_number_or_id(file: duckdb.DuckDBPyConnection) -> None:
    for route, number in (("R1", "10"), ("R2", "11")):
        insert(
            file,
            "marts.route_stats",
            service_date=DAY,
            source_id="bus",
            route_id=route,
            route_short_name=number,
            start_seconds=19_980,
            end_seconds=88_260,
        )
    hours = "SELECT route_id, first_departure, last_arrival FROM route_profile"
    assert ask(file, f"{hours}('10')") == [("R1", "5:33", "24:31")]
    assert ask(file, f"{hours}('R2')") == [("R2", "5:33", "24:31")]
    assert ask(file, f"{hours}(10)") == [("R1", "5:33", "24:31")]


def test_diversion_is_told_night_by_night(file: duckdb.DuckDBPyConnection) -> None:
    for day, share in ((DAY, 0.6), (NEXT_DAY, 0.61)):
        for month in (10, 11):
            insert(
                file,
                "marts.ring_road_diversion",
                service_date=day,
                month_date=date(2026, month, 1),
                vehicle_class="heavy",
                diversion_share=share,
            )
    shares = ask(file, "SELECT service_date, diversion_share FROM diversion('2026-10-17')")
    assert shares == [(DAY, 0.6), (NEXT_DAY, 0.61)]


def test_marts_changes_tells_added_removed_and_changed(file: duckdb.DuckDBPyConnection) -> None:
    rows = dictionary_rows({"marts.metro_reach": CONTRACTS["marts.metro_reach"]})
    file.register("rows", rows.to_arrow())
    file.execute("INSERT INTO meta.dictionary FROM rows")

    def reach(day: date, scope: str, share: float | None) -> None:
        told = {"service_date": day, "scope_type": "district", "scope_id": scope}
        insert(file, "marts.metro_reach", **told, reach_share=share)

    for day, scope, share in (
        (DAY, "same", 0.5),
        (NEXT_DAY, "same", 0.5),
        (DAY, "changed", 0.25),
        (NEXT_DAY, "changed", None),
        (DAY, "gone", 0.1),
        (NEXT_DAY, "come", 0.2),
    ):
        reach(day, scope, share)
    found = ask(file, f"FROM marts_changes('marts.metro_reach', '{DAY}', '{NEXT_DAY}')")
    key = "scope_type=district, scope_id="
    assert found == [
        ("changed", f"{key}changed", "reach_share", "0.25", None),
        ("added", f"{key}come", "reach_share", None, "0.2"),
        ("removed", f"{key}gone", "reach_share", "0.1", None),
    ]
    assert ask(file, f"FROM marts_changes('marts.metro_reach', '{DAY}', '{DAY}')") == []


def test_a_macro_without_its_tables_is_left_out() -> None:
    few = [PublishedTable(n, CONTRACTS[n]) for n in ("meta.dictionary", "marts.cell_access")]
    found = re.findall(r"CREATE OR REPLACE MACRO (\w+)", "\n".join(file_macros(few)))
    assert found == ["marts_changes", "reach_at"]


def test_every_macro_has_a_header_a_comment_and_its_file_s_name(
    file: duckdb.DuckDBPyConnection, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = dict(
        ask(file, "SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal")
    )
    assert set(told) == {path.stem for path in MACROS.glob("*.sql")}
    assert all(told.values())
    for path in MACROS.glob("*.sql"):
        assert re.match(r"-- Purpose: .+\n-- Grain:   .+\n-- Reads:   .+\n", path.read_text()), path
    (tmp_path / "silent.sql").write_text("CREATE MACRO silent() AS 1;")
    monkeypatch.setattr(analysts_file, "MACROS", tmp_path)
    with pytest.raises(ValueError, match="does not say what it reads"):
        file_macros([])
