"""The published file: built aside, checked, swapped in by rename. Readers never see half of it.

A plain DuckDB file without extensions, read-only to everybody: one schema a room, comments on
every table and column. A reader in mid-query keeps the old file.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dataframely as dy
import duckdb
import polars as pl

from pipelines.contracts.ddl import comment_sql, create_table_sql, quoted, quoted_text
from pipelines.errors import PublishError
from pipelines.warehouse.extensions import CONFIG, load_extensions
from pipelines.warehouse.lake import Lake, read_once, selection

Connection = duckdb.DuckDBPyConnection
STORAGE_VERSION = "v1.0.0"  # opens in every DuckDB 1.x and 2.x


@dataclass(frozen=True)
class Portion:
    """Partitions of a table that go out, as they stood in one snapshot (None: as they are now).

    Those that are `is_out` are taken from the file that is out now, if it has the table.
    """

    keys: Sequence[Mapping[str, object]]
    snapshot_id: int | None = None
    is_out: bool = False


@dataclass(frozen=True)
class PublishedTable:
    """A table of the published file: its contract, and portions of the lake or rows at hand."""

    name: str
    contract: type[dy.Schema]
    portions: Sequence[Portion] = ()
    rows: pl.DataFrame | None = None
    row_count: int = 0


def build_file(
    lake: Lake, target: Path, tables: Sequence[PublishedTable], macros: Sequence[str] = ()
) -> Path:
    """Build the file beside its target, check it and return its path; swap it with `swap_file`.

    `macros` are statements that make macros over the tables. Portions that are out are taken from
    the file in the target's place.

    Raises `PublishError` where it can't be built, or does not hold what it should.
    """
    building = target.with_name(f".{target.stem}.building-{os.getpid()}.duckdb")
    building.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f"publishing_{os.getpid()}"
    connection = lake.connection.cursor()
    try:
        connection.execute(
            f"ATTACH {quoted_text(str(building))} AS {name} (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
        try:
            with _files(connection, name, target, tables) as files:
                connection.execute(f"USE {name}")  # what macros name is found wherever the file is
                _fill(connection, lake, files, tables, macros)
            connection.execute(f"CHECKPOINT {name}")
        finally:
            connection.execute("USE memory")
            connection.execute(f"DETACH {name}")
        _check_file(building, tables)
    except (duckdb.Error, OSError) as error:
        building.unlink(missing_ok=True)
        raise PublishError(
            f"{target.name} could not be built: {error}", "The last published file stays."
        ) from error
    except PublishError:
        building.unlink(missing_ok=True)
        raise
    finally:
        connection.close()
    with building.open("rb") as file:
        os.fsync(file.fileno())
    building.chmod(0o444)
    return building


@dataclass(frozen=True)
class _Files:
    """The names under which the file to be filled and the one that is out now are attached, and
    the tables that may be taken from the latter."""

    new: str
    old: str
    old_tables: frozenset[tuple[str, str]] = frozenset()


@contextmanager
def _files(
    connection: Connection, new: str, target: Path, tables: Sequence[PublishedTable]
) -> Iterator[_Files]:
    """Both files; the one in the target's place is attached where anything is taken from it."""
    old = f"published_{os.getpid()}"
    if not any(portion.is_out for table in tables for portion in table.portions):
        yield _Files(new, old)
        return
    connection.execute(f"ATTACH {quoted_text(str(target))} AS {old} (READ_ONLY)")
    try:
        sql = f"SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = '{old}'"  # noqa: S608  # our own name
        yield _Files(new, old, frozenset(connection.execute(sql).fetchall()))
    finally:
        connection.execute(f"DETACH {old}")


def swap_file(building: Path, target: Path) -> None:
    """Put a built file in its target's place in one step."""
    building.replace(target)


def swap_folder(building: Path, target: Path) -> None:
    """Put a built folder in its target's place, in one step where the system can exchange names."""
    if not target.exists():
        building.replace(target)
        return
    if not _exchange(building, target):
        old = target.with_name(f".{target.name}.old-{os.getpid()}")
        target.replace(old)
        building.replace(target)
        building = old
    shutil.rmtree(building)


def _exchange(one: Path, other: Path) -> bool:
    """Linux's renameat2(RENAME_EXCHANGE); False where system or file system lacks it."""
    current_folder, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE (linux/fs.h)
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    names = (os.fsencode(one), os.fsencode(other))
    failed: int = rename(current_folder, names[0], current_folder, names[1], exchange)
    return failed == 0


def _fill(
    connection: Connection,
    lake: Lake,
    files: _Files,
    tables: Sequence[PublishedTable],
    macros: Sequence[str],
) -> None:
    """Make all in one transaction, for which DuckLake reads its catalog once."""
    connection.begin()
    try:
        for table in tables:
            _write_table(connection, lake, files, table)
        for statement in macros:
            connection.execute(statement)
    except BaseException:
        connection.rollback()  # else the file could not be detached
        raise
    connection.commit()


def _write_table(connection: Connection, lake: Lake, files: _Files, table: PublishedTable) -> None:
    schema, _, name = table.name.partition(".")
    place = f"{quoted(schema)}.{quoted(name)}"
    address = f"{files.new}.{place}"
    is_there = (schema, name) in files.old_tables
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {files.new}.{quoted(schema)}")
    connection.execute(create_table_sql(address, table.contract, constraints=True))
    columns = ", ".join(quoted(column) for column in table.contract.column_names())
    order = ", ".join(quoted(column) for column in table.contract.primary_key()) or "ALL"
    if table.rows is not None:
        rows = table.rows.select(table.contract.column_names())
        with read_once(connection, rows) as name:
            connection.execute(
                f"INSERT INTO {address} SELECT {columns} FROM {name} ORDER BY {order}"  # noqa: S608  # quoted names
            )
    elif table.portions and table.row_count:
        # A table may be older than a column of its contract, all the more as it stood once.
        names = ", ".join(quoted_text(column) for column in table.contract.column_names())
        parts = " UNION ALL BY NAME ".join(
            f"SELECT COLUMNS(lambda name: name IN ({names})) FROM "  # noqa: S608  # quoted names
            + (f"{files.old}.{place}" if part.is_out and is_there else _in_lake(lake, table, part))
            + f" WHERE {selection(part.keys)}"
            for part in table.portions
        )
        connection.execute(f"INSERT INTO {address} BY NAME FROM ({parts}) ORDER BY {order}")
    connection.execute(";\n".join(comment_sql(address, table.contract)))


def _in_lake(lake: Lake, table: PublishedTable, portion: Portion) -> str:
    number = portion.snapshot_id
    return lake.address(table.name) + ("" if number is None else f" AT (VERSION => {number})")


def _check_file(path: Path, tables: Sequence[PublishedTable]) -> None:
    """Open the file as a reader would, and count."""
    with open_published(path) as connection:
        for table in tables:
            schema, _, name = table.name.partition(".")
            found = connection.execute(
                f"SELECT count(*) FROM {quoted(schema)}.{quoted(name)}"  # noqa: S608  # quoted names
            ).fetchone()
            expected = table.row_count if table.rows is None else table.rows.height
            if found is None or found[0] != expected:
                raise PublishError(
                    f"{table.name} has {found and found[0]} rows in the built file, not {expected}",
                    "The last published file stays; look for the cause in the log.",
                )


@contextmanager
def open_published(path: Path) -> Iterator[Connection]:
    """A reader's connection to a published file: read-only, `spatial` at hand, nothing outside it.

    Raises `PublishError` where there is no such file or it can't be opened.
    """
    if not path.is_file():
        raise PublishError(f"Nothing is published at {path} yet.", "Run a night: qala nightly.")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=CONFIG)
        load_extensions(connection, ("spatial",))
        connection.execute("SET enable_external_access = false")
    except duckdb.Error as error:
        raise PublishError(
            f"{path} can't be opened: {error}", "Publish again: qala nightly."
        ) from error
    try:
        yield connection
    finally:
        connection.close()
