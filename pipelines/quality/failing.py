"""Which rows break a check: one SELECT for each kind of check, and the first of its rows as JSON.

Great Expectations asks how many; the sample is our own, in the order of the rows' values, so that
the same night shows the same sample whatever the thread count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from pipelines import flow
from pipelines.contracts import load_contract, personal_columns
from pipelines.contracts.checks import Check
from pipelines.contracts.ddl import quoted, quoted_text

SAMPLE_ROWS = 3
LONGEST_TEXT = 80  # characters of a value that a sample shows


class Connection(Protocol):
    """What the audit needs of a DuckDB connection."""

    @property
    def description(self) -> Any:
        """Columns of the last answer."""

    def execute(self, query: str, /) -> Any:
        """Run one statement."""

    def fetchall(self) -> list[Any]:
        """All rows of the last answer."""


def with_checked(relation: str, query: str) -> str:
    """A query in which `checked` stands for the rows of `relation` (SQL after FROM)."""
    rows = f"SELECT * FROM {relation}"  # noqa: S608  # relation is quoted
    return f"WITH checked AS NOT MATERIALIZED ({rows}) SELECT * FROM (\n{query}\n) AS failing"  # noqa: S608  # the query is the project's own


def failing_rows_sql(check: Check, key: Sequence[str]) -> str | None:
    """SELECT of the rows of `checked` that break a check; None for a check of columns' names.

    Rows show the table's key and the columns that the check is about.
    """
    columns = [quoted(name) for name in check.columns]
    if check.kind == "columns":
        return None
    if check.kind == "types":
        expected = ", ".join(
            f"({quoted_text(name)}, {quoted_text(str(kind))})"
            for name, kind in zip(check.columns, check.words, strict=True)
        )
        return (
            "SELECT column_name, column_type, expected_type FROM (DESCRIBE SELECT * FROM checked)\n"  # noqa: S608  # quoted texts
            f"JOIN (VALUES {expected}) AS contract(column_name, expected_type)"
            " USING (column_name) WHERE column_type <> expected_type"
        )
    if check.kind == "unique":
        named = ", ".join(columns)
        given = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        # Grouping by a number is several times faster than by text; only repeated ones are
        # grouped by the values themselves.
        return (
            f"SELECT {named}, count(*) AS row_count FROM checked WHERE {given} AND hash({named}) IN"  # noqa: S608  # quoted names
            f" (SELECT hash({named}) FROM checked GROUP BY ALL HAVING count(*) > 1)"
            f" GROUP BY {named} HAVING count(*) > 1"
        )
    shown = ", ".join(dict.fromkeys([*(quoted(name) for name in key), *columns]))
    return f"SELECT {shown} FROM checked WHERE {broken_sql(check)}"  # noqa: S608  # quoted names and texts


def broken_sql(check: Check) -> str | None:
    """The condition on which one row of `checked` breaks a check; None where it takes more."""
    if check.kind in ("columns", "types", "unique"):
        return None
    return " OR ".join(_broken(check, quoted(name)) for name in check.columns)


def _broken(check: Check, column: str) -> str:
    if check.kind == "not_null":
        return f"{column} IS NULL"
    if check.kind == "finite":
        return f"NOT isfinite({column})"
    if check.kind == "pattern":
        return f"NOT regexp_matches({column}, {quoted_text(check.pattern)})"
    if check.kind == "words":
        return f"{column} NOT IN ({', '.join(_literal(word) for word in check.words)})"
    value = f"strlen({column})" if check.kind == "length" else column
    limits = []
    if check.low is not None:
        limits.append(f"{value} {'<=' if check.open_low else '<'} {_literal(check.low)}")
    if check.high is not None:
        limits.append(f"{value} {'>=' if check.open_high else '>'} {_literal(check.high)}")
    return " OR ".join(limits)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return repr(value) if isinstance(value, int | float) else quoted_text(str(value))


def sample_json(connection: Connection, query: str) -> str | None:
    """The first rows of a query in the order of all their values, as JSON; None for no rows."""
    connection.execute(f"SELECT * FROM ({query}) ORDER BY ALL LIMIT {SAMPLE_ROWS}")  # noqa: S608  # the project's own query
    names = [column[0] for column in connection.description]
    withheld = _personal_names()
    rows = [
        {
            name: "withheld" if name in withheld else _shown(value)
            for name, value in zip(names, row, strict=True)
        }
        for row in connection.fetchall()
    ]
    return json.dumps(rows, ensure_ascii=False) if rows else None


@cache
def _personal_names() -> frozenset[str]:
    """Columns of any table that are never shown; a check of one table may read another."""
    tables = (table for table in flow.TABLES if table.personal)
    return frozenset().union(*(personal_columns(load_contract(table)) for table in tables))


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.9g}") if value - value == 0 else str(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)  # DuckDB hands it out in the machine's time zone
    text = str(value)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
