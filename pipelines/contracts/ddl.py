"""A contract as DuckDB's DDL: the table, and comments on it and on each of its columns.

Contracts keep to plain types that DuckDB, DuckLake, Parquet and a spreadsheet know alike. A type
outside `SQL_TYPES` is refused when the statement is made, not when a night has run for an hour.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts import grain, unit

# Names as DuckDB itself gives them back (DESCRIBE), so that the audit can compare them.
SQL_TYPES: dict[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.Boolean(): "BOOLEAN",
    pl.Int8(): "TINYINT",
    pl.Int16(): "SMALLINT",
    pl.Int32(): "INTEGER",
    pl.Int64(): "BIGINT",
    pl.UInt8(): "UTINYINT",
    pl.UInt16(): "USMALLINT",
    pl.UInt32(): "UINTEGER",
    pl.UInt64(): "UBIGINT",
    pl.Float32(): "FLOAT",
    pl.Float64(): "DOUBLE",
    pl.Date(): "DATE",
    pl.Binary(): "BLOB",
}
UTC_INSTANT = "TIMESTAMP WITH TIME ZONE"  # kept in UTC, in microseconds
LOCAL_TIME = "TIMESTAMP"


def quoted(name: str) -> str:
    """An identifier in SQL, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """A text in SQL, whatever characters it has."""
    return "'" + text.replace("'", "''") + "'"


def sql_type(column: dy.Column) -> str:
    """DuckDB's type for a contract's column. TypeError where contracts don't use such a type."""
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        return LOCAL_TIME if dtype.time_zone is None else UTC_INSTANT
    if dtype not in SQL_TYPES:
        known = ", ".join(str(known) for known in SQL_TYPES)
        raise TypeError(
            f"Column {column.name!r} has type {dtype}, which contracts do not use. "
            f"Use one of {known}, or Datetime."
        )
    return SQL_TYPES[dtype]


def create_table_sql(
    qualified_name: str, contract: type[dy.Schema], *, constraints: bool = False
) -> str:
    """CREATE TABLE IF NOT EXISTS for a contract.

    `qualified_name` is SQL: each of its parts is quoted already. `constraints` adds NOT NULL. Keys
    are proved when rows are written and again by the audit: DuckLake knows none, and a file of
    today's DuckDB with a PRIMARY KEY does not open in DuckDB 1.0.
    """
    lines = [
        f"  {quoted(name)} {sql_type(column)}"
        + (" NOT NULL" if constraints and not column.nullable else "")
        for name, column in contract.columns().items()
    ]
    return f"CREATE TABLE IF NOT EXISTS {qualified_name} (\n" + ",\n".join(lines) + "\n)"


def comment_sql(qualified_name: str, contract: type[dy.Schema]) -> list[str]:
    """COMMENT statements: the grain on the table, description and unit on each column.

    `qualified_name` is SQL: each of its parts is quoted already.
    """
    statements = [f"COMMENT ON TABLE {qualified_name} IS {quoted_text(grain(contract))}"]
    statements.extend(
        f"COMMENT ON COLUMN {qualified_name}.{quoted(name)} IS {quoted_text(column_note(column))}"
        for name, column in contract.columns().items()
    )
    return statements


def column_note(column: dy.Column) -> str:
    """Description of a column with its unit in brackets, as a reader of the table sees it."""
    note, measure = column.description or "", unit(column)
    return f"{note} [{measure}]".strip() if measure else note
