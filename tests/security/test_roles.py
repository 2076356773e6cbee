"""What each role may do in a lake's catalog on PostgreSQL, asked of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pipelines import flow
from pipelines.open_tables import open_tables_sql
from pipelines.settings import ROOT
from pipelines.tables import make_tables
from pipelines.warehouse.extensions import CONFIG, EXTENSIONS, load_extensions
from pipelines.warehouse.lake import Lake
from tests.postgres_server import PostgresServer, postgres_server

pytestmark = [pytest.mark.slow, pytest.mark.live]

Served = tuple[PostgresServer, Path]
OPEN, CLOSED = "staging.stops", "staging.passages"
ROLES = {"night": "qala_writer", "doctor": "qala_reader", "analyst": "qala_analyst"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a lake of empty tables and some rows, and one login of each role."""
    folder = tmp_path_factory.mktemp("roles")
    with postgres_server() as found:
        found.psql("postgres", "-c", "CREATE DATABASE lake", "-c", "CREATE DATABASE airflow")
        with lake_of((found, folder), "postgres") as lake:
            make_tables(lake)
            for table in (OPEN, CLOSED):
                insert_one(lake, table)
        for _ in range(2):  # twice is as once
            for name in ("open_tables", "lake"):
                found.psql("lake", "-f", str(ROOT / "sql" / "roles" / f"{name}.sql"))
        for login, role in ROLES.items():
            found.psql("lake", "-c", f"CREATE ROLE {login} LOGIN IN ROLE {role}")
        found.psql("lake", "-c", "ALTER ROLE night SET role = qala_writer")
        yield found, folder


@contextmanager
def lake_of(server: Served, user: str, *, read_only: bool = False) -> Iterator[Lake]:
    """The lake as a login opens it, in a DuckDB of its own that ends with the server."""
    found, folder = server
    with duckdb.connect(config=CONFIG) as connection:
        load_extensions(connection, EXTENSIONS)
        options = f"DATA_PATH '{folder}', DATA_INLINING_ROW_LIMIT 10"
        connection.execute(
            f"ATTACH 'ducklake:postgres:{found.words} user={user} dbname=lake' AS lake_{user}"
            f" ({options}{', READ_ONLY' if read_only else ''})"
        )
        yield Lake(connection, f"lake_{user}", "by hand", "", str(folder))


def insert_one(lake: Lake, table: str) -> None:
    """One row of nothing but nulls, which the catalog keeps itself."""
    columns = lake.query(f"DESCRIBE {lake.address(table)}").get_column("column_name")
    nulls = ", ".join("NULL" for _ in columns)
    lake.call(f"INSERT INTO {lake.address(table)} VALUES ({nulls})")


def count(lake: Lake, table: str) -> int:
    return int(lake.query(f"SELECT count(*) FROM {lake.address(table)}").item())


def test_the_list_of_open_tables_is_fresh_and_holds_no_single_vehicles() -> None:
    text = (ROOT / "sql" / "roles" / "open_tables.sql").read_text(encoding="utf-8")
    assert text == open_tables_sql(), "run make docs"
    named = [t for t in flow.TABLES if f"('{t.schema}', '{t.short_name}')" in text]
    assert {t.schema for t in named} == {"staging", "marts"}
    assert not [t.name for t in named if t.personal or t.lake_only]


def test_an_analyst_reads_what_is_listed_and_nothing_else(server: Served) -> None:
    with lake_of(server, "analyst", read_only=True) as lake:
        assert count(lake, OPEN) == 1
        seen = lake.query(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = ?",
            [lake.catalog],
        )
        listed = {table.name for table in flow.published_tables()}
        assert set(seen.to_series()) == listed
        with pytest.raises(duckdb.Error, match="does not exist"):
            count(lake, CLOSED)


@pytest.mark.parametrize("login", ["doctor", "analyst"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ducklake_snapshot SELECT * FROM ducklake_snapshot",
        "DELETE FROM ducklake_data_file",
        "UPDATE ducklake_metadata SET value = 'elsewhere'",
        "CREATE TABLE public.mine (x int)",
        "DROP TABLE ducklake_table",
        "DELETE FROM qala_access.open_tables",
        "SET ROLE qala_writer",
    ],
)
def test_readers_write_nothing(server: Served, login: str, statement: str) -> None:
    with pytest.raises(PermissionError, match=r"permission denied|must be owner"):
        server[0].psql("lake", "-c", statement, user=login)


def test_the_rows_behind_a_closed_table_can_not_be_asked_for(server: Served) -> None:
    ask = (
        "SELECT table_id FROM ducklake_table JOIN ducklake_schema USING (schema_id)"
        " WHERE schema_name || '.' || table_name = "
    )
    [open_id, closed_id] = (
        server[0].psql("lake", "-c", f"{ask} '{table}'") for table in (OPEN, CLOSED)
    )
    names = server[0].psql(
        "lake", "-c",
        "SELECT table_name FROM information_schema.tables WHERE table_name LIKE"
        " 'ducklake\\_inlined\\_data\\_%\\_%'",
    ).split()  # fmt: skip
    mine = [name for name in names if name.startswith(f"ducklake_inlined_data_{open_id}_")]
    closed = [name for name in names if name.startswith(f"ducklake_inlined_data_{closed_id}_")]
    assert mine
    assert closed
    assert server[0].psql("lake", "-c", f"SELECT count(*) FROM {mine[0]}", user="analyst") == "1"
    with pytest.raises(PermissionError, match="permission denied"):
        server[0].psql("lake", "-c", f"SELECT * FROM {closed[0]}", user="analyst")
    assert server[0].psql("lake", "-c", f"{ask} '{CLOSED}'", user="analyst") == ""
    assert server[0].psql("lake", "-c", f"{ask} '{CLOSED}'", user="doctor") == closed_id


def test_the_writer_writes_and_what_it_makes_can_be_read(server: Served) -> None:
    with lake_of(server, "night") as lake:
        insert_one(lake, "staging.calendar")
        # With another column its rows are kept in another table of the catalog.
        lake.call(f"ALTER TABLE {lake.address('staging.calendar')} ADD COLUMN later INTEGER")
        insert_one(lake, "staging.calendar")
        assert count(lake, "staging.calendar") == 2
    with lake_of(server, "doctor", read_only=True) as lake:
        assert count(lake, "staging.calendar") == 2


def test_no_role_gets_into_another_database(server: Served) -> None:
    server[0].psql("postgres", "-f", str(ROOT / "sql" / "roles" / "closed_database.sql"))
    for login in ROLES:
        with pytest.raises(PermissionError, match="permission denied for database"):
            server[0].psql("postgres", "-c", "SELECT 1", user=login)


def test_nobody_without_a_role_gets_in(server: Served) -> None:
    server[0].psql("lake", "-c", "CREATE ROLE stranger LOGIN")
    with pytest.raises(duckdb.Error), lake_of(server, "stranger", read_only=True):
        pass
