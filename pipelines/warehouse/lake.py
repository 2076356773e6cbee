"""The lake: DuckLake tables behind one door. Whole partitions are replaced in one transaction.

Embedded, the catalog is a SQLite file and objects lie in a folder; in production the catalog is
PostgreSQL and objects lie in S3: the same code, two settings. Each commit is a snapshot whose
message names the run and the code. A commit that meets a locked catalog is tried again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count
from math import prod
from pathlib import Path
from typing import TypeVar

import dataframely as dy
import duckdb
import polars as pl

from pipelines.contracts.ddl import comment_sql, create_table_sql, quoted, quoted_text, sql_type
from pipelines.errors import LakeError
from pipelines.settings import Settings
from pipelines.warehouse.attach import (
    COMMIT_TRIES,
    FIRST_PAUSE_SECONDS,
    attached,
    detach,
    instance,
    is_locked,
    wait,
)
from pipelines.warehouse.store import Store

COPIED_ROWS = 2_000_000  # tables up to this size are copied into memory for the audit
PARTITIONED = ("staging", "marts")  # one file or more for each partition; the rest is small
_FULL = ("no space left", "disk is full")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Partition:
    """One partition of one table: the columns that select it, and the rows that replace it.

    Rows that were written as files of the lake already (`PartWriter`) are named by `files`.
    """

    table: str
    key: Mapping[str, object]
    contract: type[dy.Schema]
    rows: pl.DataFrame
    is_new: bool = False  # nothing to delete first: deleting costs a look at the table's files
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Added:
    """Rows for a table that only grows (attempts, steps)."""

    table: str
    contract: type[dy.Schema]
    rows: pl.DataFrame


_Writes = tuple[Sequence[Partition], Sequence[Added]]


@dataclass(frozen=True)
class NewTable:
    """A table to be made: its contract, and the columns of a partition's key."""

    name: str
    contract: type[dy.Schema]
    key: Sequence[str] = ()


@dataclass(frozen=True)
class Selection:
    """Some partitions of a table; without keys, or before it was ever written, it is empty.

    So it is without rows: of a table that never had any DuckLake asks its catalog for each column.
    One that `is_whole` selects every partition that has rows, and none need be looked for.
    """

    table: str
    contract: type[dy.Schema]
    keys: Sequence[Mapping[str, object]]
    row_count: int
    is_whole: bool = False


@dataclass
class Lake:
    """An open lake. Use `open_lake`.

    `read` and `query` see one snapshot until the next write: that of the first of them.
    """

    connection: duckdb.DuckDBPyConnection
    catalog: str  # the name under which the catalog is attached
    run_id: str
    code_version: str
    store: Store  # where its files lie
    _made: dict[str, frozenset[str]] = field(default_factory=dict)  # made or changed, uncommitted
    _has_looked: bool = False
    _is_reading: bool = False  # within a transaction, for which DuckLake reads its catalog once
    _is_holding: bool = False
    _held: _Writes = ((), ())  # partitions and added rows

    @property
    def objects(self) -> str:
        """Where its files lie: a folder, or an address of a bucket."""
        return self.store.objects

    def write(self, partitions: Sequence[Partition] = (), added: Sequence[Added] = ()) -> None:
        """Replace whole partitions and add rows in one transaction: all of it, or nothing.

        What was held (`holding_last_write`) goes with it.
        """
        if self._is_holding:
            self._flush()
            self._held = (partitions, added)
            return
        held, self._held = self._held, ((), ())
        self._write([*held[0], *partitions], [*held[1], *added])

    @contextmanager
    def holding_last_write(self) -> Iterator[None]:
        """Within, the last write waits for the next one, to be committed with it.

        Each commit costs as much as a small step. Whatever looks at the lake sees it written.
        """
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False

    def _flush(self) -> None:
        held, self._held = self._held, ((), ())
        self._write(*held)

    def _write(self, partitions: Sequence[Partition], added: Sequence[Added]) -> None:
        if not partitions and not any(rows.rows.height for rows in added):
            return

        def write_all() -> None:
            last = {(one.table, *one.key.values()): one for one in partitions}
            self._delete([one for one in last.values() if not one.is_new])
            for partition in last.values():
                self._add_files(partition)
            for rows in _by_table([*last.values(), *added]):
                self._insert(rows.table, rows.contract, rows.rows)

        self._commit(write_all)

    def create(self, tables: Sequence[NewTable]) -> None:
        """Make tables that are not there yet, in one transaction."""

        self._flush()

        def create_all() -> None:
            for table in tables:
                self._ensure(table)

        self._commit(create_all)

    def read(
        self,
        table: str,
        contract: type[dy.Schema],
        where: str = "true",
        parameters: Sequence[object] = (),
    ) -> pl.DataFrame:
        """Rows of a table, columns and types as in the contract; empty where there is no table."""
        if not self.exists(table):
            return contract.create_empty()
        columns = ", ".join(self._columns(table, contract))
        rows = self.query(
            f"SELECT {columns} FROM {self.address(table)} WHERE {where}",  # noqa: S608  # quoted names
            parameters,
        )
        return rows.cast({name: c.dtype for name, c in contract.columns().items()})

    def read_partitions(
        self, table: str, contract: type[dy.Schema], keys: Sequence[Mapping[str, object]]
    ) -> pl.DataFrame:
        """The rows of some partitions, in no order that may be relied on."""
        if not keys:
            return contract.create_empty()
        return self.read(table, contract, selection(keys))

    def snapshot_id(self) -> int:
        """Number of the latest snapshot."""
        latest = f"SELECT max(snapshot_id) FROM {self.catalog}.snapshots()"  # noqa: S608  # our own name
        return int(self.query(latest).item())

    @contextmanager
    def views(self, selections: Sequence[Selection]) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in which each table's name shows the selected partitions alone.

        Small tables are copied into memory, since each query on the lake costs a look at its
        catalog; large ones are views.
        """
        self._flush()
        name = f"views_{next(_names)}"
        connection = self.connection.cursor()
        connection.execute(f"ATTACH ':memory:' AS {name}")
        try:
            connection.execute(f"USE {name}")
            self._show(connection, selections)
            yield connection
        finally:
            connection.execute("USE memory")
            connection.execute(f"DETACH {name}")
            connection.close()

    def _show(self, connection: duckdb.DuckDBPyConnection, selections: Sequence[Selection]) -> None:
        """Make the tables and views of `views`, all from one snapshot."""
        connection.begin()
        try:
            for item in selections:
                schema, _, short = item.table.partition(".")
                kind = "TABLE" if item.row_count <= COPIED_ROWS else "VIEW"
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                connection.execute(
                    f"CREATE {kind} {quoted(schema)}.{quoted(short)} AS " + self._select(item)
                )
        except duckdb.Error:
            connection.rollback()  # else nothing more could be asked of the connection
            raise
        connection.commit()

    def _select(self, item: Selection) -> str:
        columns = item.contract.columns().items()
        if not item.keys or not item.row_count or not self.exists(item.table):
            empty = (f"NULL::{sql_type(column)} AS {quoted(name)}" for name, column in columns)
            return f"SELECT {', '.join(empty)} WHERE false"
        names = ", ".join(self._columns(item.table, item.contract))
        where = "true" if item.is_whole else selection(item.keys)
        return f"SELECT {names} FROM {self.address(item.table)} WHERE {where}"  # noqa: S608  # quoted names

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """The answer to a query on the lake's connection."""
        self._flush()
        if not self._is_reading:
            self.connection.execute("BEGIN")
            self._is_reading = True
        try:
            return self.connection.execute(bound(sql, parameters)).pl()
        except duckdb.Error:
            self._roll_back()
            raise

    def call(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """What one of DuckLake's own procedures answers; a locked catalog is waited for."""
        self._flush()
        return self._commit(lambda: self.connection.execute(bound(sql, parameters)).pl())

    def exists(self, table: str) -> bool:
        """Whether the lake had the table at this connection's first look, or has made it since."""
        self._flush()
        known = _tables.setdefault(self.catalog, {})
        if table not in known and not self._has_looked:
            sql = (
                "SELECT schema_name || '.' || table_name, list(column_name) FROM duckdb_columns()"
                " WHERE database_name = ? GROUP BY ALL"
            )
            found = self.connection.execute(bound(sql, [self.catalog])).fetchall()
            known.update((name, frozenset(columns)) for name, columns in found)
            self._has_looked = True
        return table in known or table in self._made

    def _columns(self, table: str, contract: type[dy.Schema]) -> list[str]:
        """The contract's columns in SQL; null where the table is older than the column."""
        there = self._made.get(table) or _tables[self.catalog][table]
        return [
            quoted(name) if name in there else f"NULL::{sql_type(column)} AS {quoted(name)}"
            for name, column in contract.columns().items()
        ]

    def address(self, table: str) -> str:
        """The table's quoted address in SQL."""
        schema, _, name = table.partition(".")
        return f"{self.catalog}.{quoted(schema)}.{quoted(name)}"

    def _add_files(self, partition: Partition) -> None:
        self._ensure(NewTable(partition.table, partition.contract, list(partition.key)))
        schema, _, name = partition.table.partition(".")
        for file in partition.files:
            sql = "CALL ducklake_add_data_files(?, ?, ?, schema => ?, hive_partitioning => true)"
            self.connection.execute(bound(sql, [self.catalog, name, file, schema]))

    def _delete(self, partitions: Sequence[Partition]) -> None:
        """Delete partitions, a table's together: each deletion costs a look at its files."""
        keys: dict[tuple[str, ...], list[Mapping[str, object]]] = {}
        for one in partitions:
            if self.exists(one.table):
                keys.setdefault((one.table, *one.key), []).append(one.key)
        for (table, *_), chosen in keys.items():
            self.connection.execute(f"DELETE FROM {self.address(table)} WHERE {selection(chosen)}")  # noqa: S608  # quoted names

    def _insert(self, table: str, contract: type[dy.Schema], rows: pl.DataFrame) -> None:
        self._ensure(NewTable(table, contract))
        columns = ", ".join(quoted(name) for name in contract.column_names())
        with read_once(self.connection, rows.select(contract.column_names())) as name:
            self.connection.execute(
                f"INSERT INTO {self.address(table)} ({columns}) SELECT {columns} FROM {name}"  # noqa: S608  # quoted names
            )

    def _ensure(self, table: NewTable) -> None:
        name, contract = table.name, table.contract
        if self.exists(name):
            self._add_columns(name, contract)
            return
        schema = name.partition(".")[0]
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.catalog}.{quoted(schema)}")
        self.connection.execute(create_table_sql(self.address(name), contract))
        if table.key and schema in PARTITIONED:
            by = ", ".join(quoted(column) for column in table.key)
            self.connection.execute(f"ALTER TABLE {self.address(name)} SET PARTITIONED BY ({by})")
        for statement in comment_sql(self.address(name), contract):
            self.connection.execute(statement)
        self._made[name] = frozenset(contract.column_names())

    def _add_columns(self, table: str, contract: type[dy.Schema]) -> None:
        """Give a table the columns that its contract has got since; null in old rows."""
        there = self._made.get(table) or _tables[self.catalog][table]
        address = self.address(table)
        for name, column in contract.columns().items():
            if name not in there:
                added = f"{quoted(name)} {sql_type(column)}"
                self.connection.execute(f"ALTER TABLE {address} ADD COLUMN {added}")
        self._made[table] = there | set(contract.column_names())

    def _commit(self, write: Callable[[], Result]) -> Result:
        """Run `write` in a transaction; a locked catalog is waited for with back-off and jitter."""
        if self._is_reading:
            self._roll_back()
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, COMMIT_TRIES + 1):
            try:
                self.connection.execute("BEGIN")
                result = write()
                told = ["qala", self.run_id, json.dumps({"code_version": self.code_version})]
                message = f"CALL {self.catalog}.set_commit_message(?, ?, extra_info => ?)"
                self.connection.execute(bound(message, told))
                self.connection.execute("COMMIT")
            except duckdb.Error as error:
                self._roll_back()
                self._made.clear()
                if any(word in str(error).lower() for word in _FULL):
                    raise LakeError(
                        f"The disk of the lake is full: {self.objects}",
                        "Free space, then run the night again: what was published stays.",
                    ) from error
                self._has_looked = False  # another process may have made the same table
                if not is_locked(error):
                    raise
                if attempt == COMMIT_TRIES:
                    raise LakeError(
                        f"The lake stayed locked through {attempt} tries to commit.",
                        "Another process is writing: wait for it, or run one night at a time.",
                    ) from error
                pause = wait(pause)
            except BaseException:
                self._roll_back()
                raise
            else:
                _tables.setdefault(self.catalog, {}).update(self._made)
                self._made.clear()
                return result
        raise LakeError("The lake could not be written.", "See the log above.")

    def _roll_back(self) -> None:
        self._is_reading = False
        try:
            self.connection.execute("ROLLBACK")
        except duckdb.Error:
            return  # the failed statement had ended the transaction already


def _by_table(rows: Sequence[Partition | Added]) -> Iterator[Added]:
    """Rows to insert, a table's together: an insert costs the same for one row or a thousand."""
    tables: dict[str, list[Partition | Added]] = {}
    for item in rows:
        if item.rows.height:
            tables.setdefault(item.table, []).append(item)
    for table, items in tables.items():
        contract = items[0].contract
        yield Added(
            table, contract, pl.concat(i.rows.select(contract.column_names()) for i in items)
        )


@contextmanager
def read_once(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> Iterator[str]:
    """The name under which DuckDB reads these rows, once.

    They are handed over as an Arrow stream: to take an object it doesn't know, DuckDB imports
    pandas first, which costs each process that writes half a second.
    """
    name = "incoming_rows"
    connection.register(name, rows.to_arrow().__arrow_c_stream__())
    try:
        yield name
    finally:
        connection.unregister(name)


def selection(keys: Sequence[Mapping[str, object]]) -> str:
    """SQL that selects partitions by their keys; each column alone first, so files are skipped.

    All columns together are compared only where some combination is not meant: that is slow.
    """
    columns = list(keys[0])
    values = [sorted({_literal(key[column]) for key in keys}) for column in columns]
    lists = [
        f"{quoted(column)} IN ({', '.join(some)})"
        for column, some in zip(columns, values, strict=True)
    ]
    rows = sorted({f"({', '.join(_literal(key[c]) for c in columns)})" for key in keys})
    if len(rows) != prod(map(len, values)):
        names = ", ".join(quoted(column) for column in columns)
        lists.append(f"({names}) IN ({', '.join(rows)})")
    return " AND ".join(lists)


def bound(sql: str, parameters: Sequence[object]) -> str:
    """A statement with its parameters in place of its question marks.

    DuckDB's own way of binding them imports pandas: 0.7 s of each process of a night.
    """
    if not parameters:
        return sql
    first, *rest = sql.split("?")
    told = zip(map(_literal, parameters), rest, strict=True)
    return first + "".join(f"{value}{text}" for value, text in told)


def _literal(value: object) -> str:
    match value:
        case None | bool() | int():
            return "NULL" if value is None else str(value)
        case float():
            return f"{value}::DOUBLE"
        case datetime():
            return f"{'TIMESTAMPTZ' if value.tzinfo else 'TIMESTAMP'} '{value.isoformat()}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case list() | tuple():
            return f"[{', '.join(map(_literal, value))}]"
        case _:
            return quoted_text(str(value))


@contextmanager
def open_lake(
    settings: Settings, *, run_id: str = "", code_version: str = "", read_only: bool = False
) -> Iterator[Lake]:
    """Open the city's lake; with `read_only` the lake must exist.

    Raises `LakeError` where the catalog can't be reached or does not exist.
    """
    if read_only and settings.is_on_one_machine and not Path(settings.catalog).exists():
        raise LakeError(
            f"There is no lake at {settings.catalog} yet.", "Run a night first: qala nightly."
        )
    name = attached(settings, read_only=read_only)
    connection = instance().cursor()
    try:
        store = Store(settings.objects, settings.access)
        yield Lake(connection, name, run_id, code_version, store)
    finally:
        connection.close()


def forget_lake(settings: Settings) -> None:
    """Let go of a lake that this process has opened, before its files are removed."""
    for name in detach(settings):
        _tables.pop(name, None)


# Columns of tables by catalog; tables are never dropped, and listing them costs 0.1 s.
_tables: dict[str, dict[str, frozenset[str]]] = {}
_names = count(1)
