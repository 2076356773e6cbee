"""A table's suite: its contract's checks and its expectations file, as Great Expectations.

Columns' names and whole-table figures are asked in GX's own words. All other checks are about rows
that should not be there: one query a table counts them for every check, those on single rows in
one pass. A query or an expectation a check would take many times as long, and types, patterns,
lengths and NaN GX can't ask of DuckDB at all.

What a contract says of rows holds of a table where it holds of each of its partitions. Those that
were found clean before, and are the same now, are not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dataframely as dy

from pipelines.contracts import load_contract
from pipelines.contracts.checks import Check, Severity, contract_checks
from pipelines.contracts.ddl import quoted, quoted_text
from pipelines.errors import SettingsError
from pipelines.flow import Table
from pipelines.quality.adapter import NothingFails, gxe
from pipelines.quality.expectations import Expectation, load_expectations
from pipelines.quality.failing import broken_sql, failing_rows_sql, with_checked
from pipelines.quality.results import OF_CONTRACT

COUNTING = "counting"  # the name of the one expectation that counts for many checks
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")  # what SQLAlchemy takes for a named parameter


@dataclass(frozen=True)
class AuditTable:
    """A table to be checked: its name (``marts.metro_reach``), contract and expectations.

    `part_columns` select its partitions. `unclean` is the condition on the rows of those that were
    not found clean before by the checks of the contract; the others have `clean_count` rows.
    """

    name: str
    contract: type[dy.Schema]
    expectations: tuple[Expectation, ...] = ()
    part_columns: tuple[str, ...] = ()
    unclean: str = "true"
    clean_count: int = 0

    @property
    def relation(self) -> str:
        """The table's quoted address."""
        return ".".join(quoted(part) for part in self.name.split(".", maxsplit=1))

    def holds_by_parts(self, check: Check | None) -> bool:
        """Whether a check holds of the table where it holds of each of its partitions."""
        if check is None or check.kind in ("columns", "types"):
            return False
        return check.kind != "unique" or set(self.part_columns).issubset(check.columns)


@dataclass(frozen=True)
class SuiteItem:
    """One check of a suite: what it is called, which rows of `checked` break it, or what GX is
    asked of the whole table."""

    name: str
    severity: Severity
    description: str
    rows_sql: str | None = None
    check: Check | None = None
    asked: Any = None  # an instance of a GX expectation; None where its rows are counted


def audit_tables(
    tables: Sequence[Table], folder: Path, source_kinds: frozenset[str], made: Collection[str]
) -> list[AuditTable]:
    """The tables of the flow with their contracts and those expectations that apply tonight.

    `source_kinds` are the kinds for which the city has a good version, `made` the names of the
    tables that the night has: an expectation that looks at others is left out.
    """
    return [
        AuditTable(
            table.name,
            load_contract(table),
            tuple(
                expectation
                for expectation in load_expectations(folder, table.name)
                if expectation.applies(source_kinds, made)
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
        name = f"{OF_CONTRACT}{check.name}"
        asked = None
        if check.kind == "columns":
            asked = gxe.ExpectTableColumnsToMatchSet(
                column_set=list(check.columns),
                exact_match=True,
                severity=check.severity,
                meta={"name": name},
            )
        rows = failing_rows_sql(check, key)
        yield SuiteItem(name, check.severity, check.description, rows, check, asked)


def _of_file(table: AuditTable, service_date: date) -> Iterator[SuiteItem]:
    tonight = f"DATE '{service_date.isoformat()}'"
    for one in table.expectations:
        if one.sql is None:
            asked = _whole_table(table, one)
            yield SuiteItem(one.name, one.severity, one.description, asked=asked)
        else:
            rows = one.sql.rstrip("; \n").replace("{service_date}", tonight)
            yield SuiteItem(one.name, one.severity, one.description, rows)


def _whole_table(table: AuditTable, expectation: Expectation) -> Any:
    kind = getattr(gxe, str(expectation.expectation))
    meta = {"name": expectation.name}
    try:
        return kind(**expectation.kwargs, severity=expectation.severity, meta=meta)
    except (TypeError, ValueError) as error:  # GX's own validation of the arguments
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"The expectation {expectation.name!r} of {table.name} has wrong kwargs: {reason}.",
            f"See {expectation.expectation} in the documentation of Great Expectations.",
        ) from None


def counting(table: AuditTable, items: Sequence[SuiteItem]) -> Any:
    """What GX is asked for the checks of a table that count failing rows: that there are none.

    GX formats the text and SQLAlchemy looks for parameters in it, so braces are doubled and colons
    before a word escaped.
    """
    query = " UNION ALL\n".join(_counts(table, items))
    escaped = _PARAMETER.sub(r"\\:", query).replace("{", "{{").replace("}", "}}")
    return NothingFails(
        unexpected_rows_query=with_checked("{batch}", escaped),
        severity="critical",
        meta={"name": COUNTING},
    )


def _counts(table: AuditTable, items: Sequence[SuiteItem]) -> Iterator[str]:
    """SELECTs of check_name, failing_count and element_count (null where rows aren't singled)."""
    unclean = f"(SELECT * FROM checked WHERE {table.unclean})"  # noqa: S608  # quoted names and texts
    single = []
    for item in items:
        name = quoted_text(item.name)
        broken = item.check and broken_sql(item.check)
        if broken:
            failing = f"count(*) FILTER (WHERE {broken})"
            single.append(
                f"struct_pack(check_name := {name}, failing_count := {failing},"
                f" element_count := count(*) + {table.clean_count})"
            )
        else:
            rows = item.rows_sql
            if table.holds_by_parts(item.check):
                rows = f"WITH checked AS NOT MATERIALIZED {unclean} {rows}"
            yield (
                f"SELECT {name} AS check_name, count(*) AS failing_count,"  # noqa: S608  # the project's own queries
                f" NULL::BIGINT AS element_count FROM (\n{rows}\n)"
            )
    if single:
        packed = ",\n".join(single)
        yield f"SELECT unnest([{packed}], recursive := true) FROM {unclean}"  # noqa: S608  # quoted names and texts
