"""The audit itself: run every table's suite on the night's tables and say what was found.

A check that raises is *not run*. GX computes a table's checks in one graph, and one that raises
may stop others: those that did not run are asked again, each alone, so that only the checks that
truly can't run stay so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from pipelines.quality.adapter import Auditor
from pipelines.quality.failing import Connection, sample_json
from pipelines.quality.results import CheckResult
from pipelines.quality.suite import AuditTable, SuiteItem, build_suite

LONGEST_REASON = 300  # characters
_QUOTED_VALUE = re.compile(r"'[^']*'")  # which value is named depends on which thread came first


def run_checks(
    connection: Connection, tables: Sequence[AuditTable], service_date: date
) -> list[CheckResult]:
    """Run all checks of all tables, in the tables' order.

    `connection` is an open DuckDB connection in which the tables' addresses hold the rows that
    govern the night; it must not be in a transaction, stays open, and no table is changed.
    """
    auditor = Auditor(connection)
    return [
        result
        for table in tables
        for result in _check_table(auditor, connection, table, service_date)
    ]


def _check_table(
    auditor: Auditor, connection: Connection, table: AuditTable, service_date: date
) -> Iterator[CheckResult]:
    items = build_suite(table, service_date)
    answers = _ask(auditor, table, items)
    for item in items:
        answer = answers[item.name]
        if _complaint(answer) is not None and len(items) > 1:
            answer = _ask(auditor, table, [item])[item.name]
        yield _result(connection, table, item, answer, service_date)


def _ask(auditor: Auditor, table: AuditTable, items: Sequence[SuiteItem]) -> dict[str, Any]:
    """GX's answer to each item, or the exception that it died of."""
    try:
        found = auditor.validate(table.name, table.relation, [item.asked for item in items])
    except Exception as error:  # noqa: BLE001  # whatever stops a check, the check is not run
        return {item.name: error for item in items}
    answers = {answer.expectation_config.meta["name"]: answer for answer in found}
    lost = RuntimeError("Great Expectations gave no answer")
    return {item.name: answers.get(item.name, lost) for item in items}


def _result(
    connection: Connection, table: AuditTable, item: SuiteItem, answer: Any, service_date: date
) -> CheckResult:
    complaint = _complaint(answer)
    found: Mapping[str, Any] = {} if complaint is not None else answer.result
    is_passed = complaint is None and bool(answer.success)
    sample = None
    if complaint is None and not is_passed:
        sample = _sample(connection, item, found)
    observed, unexpected = found.get("observed_value"), found.get("unexpected_count")
    if item.failing_sql is not None and unexpected is None:
        observed, unexpected = None, observed  # GX gives a query's number of rows as observed
    return CheckResult(
        service_date=service_date,
        table_name=table.name,
        check_name=item.name,
        severity=item.severity,
        is_passed=is_passed,
        is_run=complaint is None,
        observed_value=_text(observed),
        unexpected_count=unexpected,
        element_count=found.get("element_count"),
        sample_rows=sample,
        not_run_reason=complaint,
        description=item.description,
    )


def _sample(connection: Connection, item: SuiteItem, found: Mapping[str, Any]) -> str | None:
    if item.check is not None and item.check.kind == "columns":
        there, meant = set(found["observed_value"]), set(item.check.columns)
        differing = {"missing": sorted(meant - there), "unexpected": sorted(there - meant)}
        return json.dumps(differing, ensure_ascii=False)
    return None if item.failing_sql is None else sample_json(connection, item.failing_sql)


def _complaint(answer: Any) -> str | None:
    """Why a check did not run, on one line and the same each time; None where it ran."""
    if isinstance(answer, Exception):
        return _one_line(f"{type(answer).__name__}: {answer}")
    info = answer.exception_info or {}
    if "raised_exception" in info:
        info = {"": info}  # one for the expectation; otherwise one for each metric that failed
    raised = {str(one["exception_message"]) for one in info.values() if one["raised_exception"]}
    return _one_line(min(raised)) if raised else None


def _one_line(message: str) -> str:
    first = next((line for line in message.splitlines() if line.strip()), "no message")
    return _QUOTED_VALUE.sub("'...'", first.strip())[:LONGEST_REASON]


def _text(value: object) -> str | None:
    """A value found, the same each time: sums of floats differ in their last digits."""
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list | set | tuple):
        return ", ".join(sorted(str(one) for one in value))
    return str(value)
