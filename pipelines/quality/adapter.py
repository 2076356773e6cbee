"""Great Expectations over DuckDB: the one place that imports it, and what it takes to make it run.

GX knows neither DuckDB nor Polars. It talks to DuckDB through SQLAlchemy and `duckdb-engine`, and
needs some things for that, all of them here:

- It gives a connection back before it reads the answer, and DuckDB's answers live only on their
  connection: every answer is read at once (`_buffer_answer`), or most metrics fail.
- It finds the columns of a table by running the table's whole SELECT and looking at the heading:
  that one statement is sent with LIMIT 0 (`_only_heading`).
- The tables checked are views in the caller's own connection: the engine borrows it and never
  closes it (`_Borrowed`).
- It makes an expectation's configuration anew whenever it looks at it: `_configuration` keeps it.
- It tries each value of a metric's key against every type of NumPy: `_as_json` knows plain ones.
- Temporary tables, progress bars, usage statistics and 200 log lines a run are turned off; the
  context is ephemeral and writes no file.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import duckdb_engine
from sqlalchemy import event
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.pool import StaticPool

logging.getLogger("great_expectations").setLevel(logging.WARNING)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports modules that Python calls deprecated
    import great_expectations as gx
    import great_expectations.expectations as _expectations
    from great_expectations.core import id_dict as _id_dict
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

__all__ = ["Auditor", "NothingFails", "gx", "gxe"]

gxe: Any = _expectations  # it declares none of its names as exported

# Counts, and no values: the sample of failing rows is our own, in a stable order.
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


_configure: Any = _expectations.Expectation.configuration.fget  # type: ignore[attr-defined]  # a property
_configured: dict[int, tuple[Any, Any]] = {}  # expectations of the suite at hand, and what they say


def _configuration(expectation: Any) -> Any:
    """An expectation's configuration, made once a suite.

    GX asks for it some seventy times a check and makes it from the model each time, which was half
    of an audit.
    """
    known = _configured.get(id(expectation))
    if known is None or known[0] is not expectation:
        known = (expectation, _configure(expectation))
        _configured[id(expectation)] = known
    return known[1]


_expectations.Expectation.configuration = property(_configuration)  # type: ignore[attr-defined,assignment]  # GX's own base


_PLAIN = frozenset({str, int, float, bool, type(None)})
_keys: Any = _id_dict  # it does not export what it uses
_convert: Any = _keys.convert_to_json_serializable


def _as_json(data: dict[str, Any]) -> Any:
    """What JSON can hold; most keys of metrics hold nothing else, which was a third of an audit."""
    return data if all(type(value) in _PLAIN for value in data.values()) else _convert(data=data)


_keys.convert_to_json_serializable = _as_json


class NothingFails(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]  # GX exports it untyped
    """That a query, which counts the failing rows of many checks, counts none for any of them.

    The query gives a row for each check: `check_name`, `failing_count`, `element_count`. They are
    the result's `observed_value`.
    """

    metric_dependencies = ("unexpected_rows_query.table",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: Any = None,  # noqa: ARG002  # GX's signature
        execution_engine: Any = None,  # noqa: ARG002  # GX's signature
    ) -> dict[str, Any]:
        counts = metrics["unexpected_rows_query.table"]
        passed = all(row["failing_count"] == 0 for row in counts)
        return {"success": passed, "result": {"observed_value": counts}}


class _Borrowed(duckdb_engine.ConnectionWrapper):
    """A connection that belongs to the caller: SQLAlchemy may use it and not close it."""

    def close(self) -> None:
        """Leave the caller's connection open."""


class Auditor:
    """Great Expectations on one open DuckDB connection, which must not be in a transaction."""

    def __init__(self, connection: Any) -> None:
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        )
        self._context = gx.get_context(mode="ephemeral", project_config=config)
        sources: Any = self._context.data_sources  # its type leaves out `kwargs`
        self._source = sources.add_sql(
            name="night",
            connection_string="duckdb:///:memory:",
            create_temp_table=False,
            kwargs={"creator": lambda: _Borrowed(connection), "poolclass": StaticPool},
        )
        engine = self._source.get_execution_engine().engine
        event.listen(engine, "before_cursor_execute", self._only_heading, retval=True)
        event.listen(engine, "after_cursor_execute", _buffer_answer)
        self._selects: set[str] = set()

    def validate(self, name: str, relation: str, expectations: Sequence[Any]) -> list[Any]:
        """GX's results of the expectations about one relation (SQL after FROM), in any order."""
        select = f"SELECT * FROM {relation}"  # noqa: S608  # a quoted address
        self._selects.add(select)
        if name not in self._source.get_asset_names():
            self._source.add_query_asset(name=name, query=select)
        asset = self._source.get_asset(name)
        batch = asset.get_batch(asset.build_batch_request())
        suite = gx.ExpectationSuite(name=name, expectations=list(expectations))
        try:
            return list(batch.validate(suite, result_format=RESULT_FORMAT).results)
        finally:
            _configured.clear()

    def _only_heading(
        self,
        _connection: Any,
        _cursor: Any,
        statement: str,
        parameters: Any,
        _context: Any,
        _many: bool,  # noqa: FBT001  # SQLAlchemy's signature
    ) -> tuple[str, Any]:
        whole_table = statement.strip() in self._selects
        return (f"{statement} LIMIT 0" if whole_table else statement), parameters


def _buffer_answer(
    _connection: Any,
    cursor: Any,
    _statement: str,
    _parameters: Any,
    context: Any,
    _many: bool,  # noqa: FBT001  # SQLAlchemy's signature
) -> None:
    if context is not None and cursor.description is not None:
        context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
            cursor, initial_buffer=cursor.fetchall()
        )
