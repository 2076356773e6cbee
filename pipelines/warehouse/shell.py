"""A small SQL shell on the published file."""

from __future__ import annotations

import contextlib
import sys
from typing import BinaryIO

import duckdb

from pipelines.errors import QueryError
from pipelines.warehouse.answers import AnswerFormat, write_answer

BANNER = "Published figures, read-only. End a query with ;  Leave with .quit or Ctrl-D."


def run_query(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Run one or more statements and print each answer. Raises `QueryError` for wrong SQL."""
    try:
        for statement in connection.extract_statements(query):
            relation = connection.sql(statement.query)
            if relation is not None:
                relation.show(max_width=200, max_rows=1_000)
    except duckdb.Error as error:
        raise _wrong(error) from None


def write_query(
    connection: duckdb.DuckDBPyConnection, query: str, form: AnswerFormat, target: BinaryIO
) -> None:
    """Write the answer of one query. Raises `QueryError` for wrong SQL, or several answers."""
    try:
        statements = connection.extract_statements(query)
        relation = connection.sql(statements[0].query) if len(statements) == 1 else None
        if relation is None:
            raise QueryError(f"As {form} goes one query with an answer.", "Ask one at a time.")
        write_answer(relation, form, target)
    except duckdb.Error as error:
        raise _wrong(error) from None


def _wrong(error: duckdb.Error) -> QueryError:
    return QueryError(
        f"The query failed: {str(error).strip()}", "SHOW ALL TABLES lists what there is."
    )


def open_shell(connection: duckdb.DuckDBPyConnection) -> None:
    """Read queries from the terminal until the end of input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # gives `input` its history and editing

    sys.stdout.write(BANNER + "\n")
    waiting = ""
    while True:
        try:
            line = input("   ...> " if waiting else "qala> ")
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            return
        if not waiting and line.strip() in (".quit", ".exit", "quit", "exit"):
            return
        waiting += line + "\n"
        if waiting.rstrip().endswith(";"):
            try:
                run_query(connection, waiting)
            except QueryError as error:
                sys.stdout.write(f"{error}\n")
            waiting = ""
