"""A contract's DDL runs in DuckDB, its comments come back, its checks and dictionary follow it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace

import dataframely as dy
import duckdb
import polars as pl
import pytest

from pipelines import flow
from pipelines.contracts import allowed_words, grain, load_contract, personal_columns, unit
from pipelines.contracts.checks import Check, contract_checks
from pipelines.contracts.ddl import comment_sql, create_table_sql, quoted, quoted_text, sql_type
from pipelines.contracts.dictionary import dictionary_rows, lineage_rows
from pipelines.contracts.figure import one_of


class Toys(dy.Schema):
    """One row per toy's "kind"; it's short.

    What follows is no grain.
    """

    toy_id = dy.String(primary_key=True, regex="^t", max_length=9, description="The toy's id.")
    made_date = dy.Date(primary_key=True, description="Day.")
    kind = one_of("car", "doll", nullable=True, description="Kind.")
    seen_at = dy.Datetime(time_zone="UTC", nullable=True, description="Instant.")
    local_time = dy.Datetime(nullable=True, description="Clock on the wall.")
    weight = dy.Float64(min_exclusive=0, metadata={"unit": "kg"}, description="Weight.")
    free = dy.Float64(allow_nan=True, allow_inf=True, nullable=True, description="Anything.")
    piece_count = dy.Int32(nullable=True, min=1, max=10, unique=True, description="Pieces.")
    total_count = dy.Int64(nullable=True, description="Total.")
    is_new = dy.Bool(description="New.")
    picture = dy.Binary(nullable=True, description="Bytes.")
    odd = dy.String(alias='"; DROP TABLE x; --', nullable=True, description="It's odd; -- \\ {x}")


class Inherits(Toys):
    more = dy.Int8(nullable=True)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def test_the_grain_is_the_docstring_s_first_line() -> None:
    assert grain(Toys) == "One row per toy's \"kind\"; it's short."
    assert grain(Inherits) == ""  # a parent's grain is not the child's


def test_units_and_words() -> None:
    columns = Toys.columns()
    assert (unit(columns["weight"]), unit(columns["kind"])) == ("kg", None)
    assert allowed_words(columns["kind"]) == ("car", "doll")
    assert allowed_words(columns["weight"]) == ()


def test_tables_of_single_vehicles_and_no_others_have_personal_columns() -> None:
    found = {
        table.name: personal_columns(load_contract(table))
        for table in flow.TABLES
        if table.name.startswith("staging")
    }
    hashes = {"plate_hash", "overlap_hash"}
    personal = {table.name for table in flow.TABLES if table.personal}
    assert {name: columns for name, columns in found.items() if columns} == dict.fromkeys(
        personal, hashes
    )


@pytest.mark.parametrize("constraints", [True, False])
def test_the_table_has_the_contract_s_columns(
    connection: duckdb.DuckDBPyConnection, constraints: bool
) -> None:
    connection.execute(create_table_sql("toys", Toys, constraints=constraints))
    connection.execute(create_table_sql("toys", Toys))  # it is there already: nothing happens
    described = connection.execute("DESCRIBE toys").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        (name, sql_type(column)) for name, column in Toys.columns().items()
    ]
    not_null = {name for name, _, nullable, *_ in described if nullable == "NO"}
    assert not_null == ({"toy_id", "made_date", "weight", "is_new"} if constraints else set())


def test_rows_come_back_as_they_went_in(connection: duckdb.DuckDBPyConnection) -> None:
    rows = pl.DataFrame(
        [
            (
                "t1",
                date(2026, 1, 1),
                "car",
                datetime(2026, 1, 1, 5, tzinfo=UTC),
                datetime(2026, 1, 1, 10),  # noqa: DTZ001  # a clock on a wall
                0.5,
                None,
                3,
                2**40,
                True,
                b"\x00\xff",
                "x",
            )
        ],
        schema=Toys.create_empty().schema,
        orient="row",
    )
    Toys.validate(rows)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(create_table_sql("toys", Toys, constraints=True))
    connection.register("toy_rows", rows)
    connection.execute("INSERT INTO toys SELECT * FROM toy_rows")
    assert connection.sql("SELECT * FROM toys").pl().equals(rows)


def test_comments_come_back(connection: duckdb.DuckDBPyConnection) -> None:
    address = 's."a ""table"""'
    connection.execute("CREATE SCHEMA s")
    connection.execute(create_table_sql(address, Toys))
    for statement in comment_sql(address, Toys):
        connection.execute(statement)
    assert connection.execute("SELECT comment FROM duckdb_tables()").fetchall() == [(grain(Toys),)]
    comments = dict(
        connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = 's'"
        ).fetchall()
    )
    assert comments["weight"] == "Weight. [kg]"
    assert comments['"; DROP TABLE x; --'] == "It's odd; -- \\ {x}"
    assert set(comments) == set(Toys.column_names())


def test_quoting() -> None:
    assert quoted('a"b') == '"a""b"'
    assert quoted_text("it's") == "'it''s'"


def test_a_type_that_contracts_do_not_use_is_refused() -> None:
    class Nested(dy.Schema):
        """One row."""

        many = dy.List(dy.String())

    with pytest.raises(TypeError, match="'many' has type List"):
        create_table_sql("nested", Nested)


def test_checks_follow_the_contract() -> None:
    checks = {check.name: check for check in contract_checks(Toys)}
    assert list(checks) == [
        "columns",
        "types",
        "not_null",
        "key",
        "finite",
        "toy_id|pattern",
        "toy_id|length",
        "kind|words",
        "weight|range",
        "piece_count|unique",
        "piece_count|range",
    ]
    assert checks["not_null"].columns == ("toy_id", "made_date", "weight", "is_new")
    assert checks["key"].columns == ("toy_id", "made_date")
    assert checks["finite"].columns == ("weight",)
    assert checks["kind|words"].words == ("car", "doll")
    weight = checks["weight|range"]
    assert (weight.low, weight.open_low, weight.high, weight.open_high) == (0, True, None, False)
    pieces = checks["piece_count|range"]
    assert (pieces.low, pieces.open_low, pieces.high, pieces.open_high) == (1, False, 10, False)
    assert pieces.description == "piece_count is at least 1 and at most 10."
    assert {check.severity for check in checks.values()} == {"critical"}


def test_a_contract_without_key_or_bounds_has_few_checks() -> None:
    class Loose(dy.Schema):
        """One row per anything."""

        anything = dy.String(nullable=True)

    assert [check.name for check in contract_checks(Loose)] == ["columns", "types"]
    assert isinstance(contract_checks(Loose)[0], Check)


def test_the_dictionary_has_a_row_per_column() -> None:
    table = flow.table("marts.diesel_vehicle_km")
    contract = load_contract(table)
    rows = dictionary_rows({table.name: contract})
    assert rows.get_column("column_name").to_list() == contract.column_names()
    fuel = rows.row(by_predicate=pl.col("column_name") == "fuel_type", named=True)
    words = fuel.pop("allowed"), fuel.pop("allowed_kk"), fuel.pop("allowed_ru")
    assert words[0].startswith("diesel, cng")
    assert [len(words[0].split(", ")), *(len(told.split("; ")) for told in words[1:])] == [9, 9, 9]
    assert fuel == {
        "table_name": "marts.diesel_vehicle_km",
        "column_name": "fuel_type",
        "position": contract.column_names().index("fuel_type") + 1,
        "data_type": "VARCHAR",
        "unit": None,
        "is_key": True,
        "is_nullable": False,
        "description": "Fuel.",
        "label_en": "Fuel",
        "label_kk": "Отын түрі",
        "label_ru": "Вид топлива",
    }
    km = rows.row(by_predicate=pl.col("column_name") == "vehicle_km", named=True)
    assert (km["unit"], km["allowed"], km["allowed_ru"]) == ("km", None, None)


def test_lineage_names_tables_and_kinds_of_source() -> None:
    stops, skill = flow.table("staging.stops"), flow.table("marts.forecast_skill")
    rows = lineage_rows({stops: "stage", skill: "compute"}, {"staging.stops"})
    assert rows.rows() == [
        ("staging.stops", "gtfs", True, "stage", True),
        ("marts.forecast_skill", "marts.vehicle_history", False, "compute", False),
        ("marts.forecast_skill", "marts.diesel_forecast", False, "compute", False),
    ]


def test_what_is_no_contract_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Words=str)
    monkeypatch.setattr("pipelines.contracts.import_module", lambda _: module)
    with pytest.raises(TypeError, match="not a dataframely schema"):
        load_contract(flow.Table("marts.words"))
