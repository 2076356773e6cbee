"""A table's suite: its contract's checks and its expectations file, as Great Expectations.

Columns, words, ranges and whole-table figures are asked in GX's own words, which it bundles into
one query a table. The rest is a query that must return nothing: types, patterns, lengths and NaN
GX can't ask of DuckDB, nulls of all columns are one query instead of twenty expectations, and its
own search for repeated keys takes several times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dataframely as dy

from pipelines.contracts import load_contract
from pipelines.contracts.checks import Check, Severity, contract_checks
from pipelines.contracts.ddl import quoted
from pipelines.errors import SettingsError
from pipelines.flow import Table
from pipelines.quality.adapter import NoRows, gxe
from pipelines.quality.expectations import Expectation, load_expectations
from pipelines.quality.failing import failing_rows_sql, with_checked

_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")  # what SQLAlchemy takes for a named parameter


@dataclass(frozen=True)
class AuditTable:
    """A table to be checked: its name (``marts.metro_reach``), contract and expectations."""

    name: str
    contract: type[dy.Schema]
    expectations: tuple[Expectation, ...] = ()

    @property
    def relation(self) -> str:
        """The table's quoted address."""
        return ".".join(quoted(part) for part in self.name.split(".", maxsplit=1))


@dataclass(frozen=True)
class SuiteItem:
    """One check of a suite: what it is called, what GX is asked, and which rows break it."""

    name: str
    severity: Severity
    description: str
    asked: Any  # an instance of a GX expectation
    failing_sql: str | None
    check: Check | None = None


def audit_tables(
    tables: Sequence[Table], folder: Path, source_kinds: frozenset[str]
) -> list[AuditTable]:
    """The tables of the flow with their contracts and those expectations that apply tonight.

    `source_kinds` are the kinds for which the city has a good version: an expectation that names
    another kind in `if_sources` is left out.
    """
    return [
        AuditTable(
            table.name,
            load_contract(table),
            tuple(
                expectation
                for expectation in load_expectations(folder, table.name)
                if source_kinds.issuperset(expectation.if_sources)
            ),
        )
        for table in tables
    ]


def build_suite(table: AuditTable, service_date: date) -> list[SuiteItem]:
    """All checks of a table; names are unique. `SettingsError` where kwargs are wrong."""
    return [*_of_contract(table), *_of_file(table, service_date)]


def _of_contract(table: AuditTable) -> Iterator[SuiteItem]:
    key = table.contract.primary_key()
    for check in contract_checks(table.contract):
        rows = failing_rows_sql(check, key)
        sql = None if rows is None else with_checked(table.relation, rows)
        name = f"contract: {check.name}"
        meta = {"name": name}
        asked = _in_gx_words(check, meta)
        if asked is None and rows is not None:
            asked = _no_rows(rows, check.severity, meta)
        yield SuiteItem(name, check.severity, check.description, asked, sql, check)


def _of_file(table: AuditTable, service_date: date) -> Iterator[SuiteItem]:
    for expectation in table.expectations:
        meta = {"name": expectation.name}
        rows = None
        if expectation.sql is not None:
            tonight = f"DATE '{service_date.isoformat()}'"
            rows = expectation.sql.rstrip("; \n").replace("{service_date}", tonight)
            asked = _no_rows(rows, expectation.severity, meta)
        else:
            asked = _whole_table(table, expectation, meta)
        yield SuiteItem(
            expectation.name,
            expectation.severity,
            expectation.description,
            asked,
            None if rows is None else with_checked(table.relation, rows),
        )


def _whole_table(table: AuditTable, expectation: Expectation, meta: dict[str, str]) -> Any:
    kind = getattr(gxe, str(expectation.expectation))
    try:
        return kind(**expectation.kwargs, severity=expectation.severity, meta=meta)
    except (TypeError, ValueError) as error:  # GX's own validation of the arguments
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"The expectation {expectation.name!r} of {table.name} has wrong kwargs: {reason}.",
            f"See {expectation.expectation} in the documentation of Great Expectations.",
        ) from None


def _in_gx_words(check: Check, meta: dict[str, str]) -> Any:
    """The check as an expectation of GX's own; None where it has none that works over DuckDB."""
    column = check.columns[0]
    arguments: dict[str, Any]
    match check.kind:
        case "columns":
            kind = gxe.ExpectTableColumnsToMatchSet
            arguments = {"column_set": list(check.columns), "exact_match": True}
        case "words":
            kind = gxe.ExpectColumnValuesToBeInSet
            arguments = {"column": column, "value_set": list(check.words)}
        case "range":
            kind = gxe.ExpectColumnValuesToBeBetween
            arguments = {
                "column": column,
                "min_value": check.low,
                "max_value": check.high,
                "strict_min": check.open_low,
                "strict_max": check.open_high,
            }
        case _:
            return None
    return kind(**arguments, severity=check.severity, meta=meta)


def _no_rows(rows: str, severity: Severity, meta: dict[str, str]) -> Any:
    """GX is asked that a query returns nothing. It formats the text and SQLAlchemy looks for
    parameters in it, so braces are doubled and colons before a word escaped."""
    escaped = _PARAMETER.sub(r"\\:", rows).replace("{", "{{").replace("}", "}}")
    return NoRows(
        unexpected_rows_query=with_checked("{batch}", escaped), severity=severity, meta=meta
    )
