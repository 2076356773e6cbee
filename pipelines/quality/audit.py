"""The audit itself: run every table's suite on the night's tables and say what was found.

A check that raises is *not run*. Many checks share a query, and GX computes a table's checks in one
graph, so that one that raises may stop others: those that did not run are asked again, each alone,
so that only the checks that truly can't run stay so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.quality.adapter import Auditor
from pipelines.quality.failing import Connection, sample_json, with_checked
from pipelines.quality.results import CheckResult
from pipelines.quality.suite import COUNTING, AuditTable, SuiteItem, build_suite, counting

LONGEST_REASON = 300  # characters
_QUOTED_VALUE = re.compile(r"'[^']*'")  # which value is named depends on which thread came first


@dataclass(frozen=True)
class Answer:
    """What was found for one check, or the complaint why it did not run."""

    is_passed: bool = False
    observed: Any = None
    failing_count: int | None = None
    element_count: int | None = None
    complaint: str | None = None


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
        if answer.complaint is not None and len(items) > 1:
            answer = _ask(auditor, table, [item])[item.name]
        yield _result(connection, table, item, answer, service_date)


def _ask(auditor: Auditor, table: AuditTable, items: Sequence[SuiteItem]) -> dict[str, Answer]:
    """What Great Expectations finds for each item."""
    counted = [item for item in items if item.asked is None]
    asked = [item.asked for item in items if item.asked is not None]
    if counted:
        asked.append(counting(table, counted))
    try:
        found = auditor.validate(table.name, table.relation, asked)
    except Exception as error:  # noqa: BLE001  # whatever stops a check, the check is not run
        stopped = Answer(complaint=_one_line(f"{type(error).__name__}: {error}"))
        return {item.name: stopped for item in items}
    lost = Answer(complaint="RuntimeError: Great Expectations gave no answer")
    answers = {item.name: lost for item in items}
    for one in found:
        name = one.expectation_config.meta["name"]
        if name == COUNTING:
            answers.update(_counts(one, counted))
        else:
            answers[name] = _answer(one)
    return answers


def _counts(found: Any, counted: Sequence[SuiteItem]) -> dict[str, Answer]:
    """The answers that one query counted."""
    complaint = _complaint(found)
    if complaint is not None:
        return {item.name: Answer(complaint=complaint) for item in counted}
    return {
        row["check_name"]: Answer(
            is_passed=row["failing_count"] == 0,
            failing_count=row["failing_count"],
            element_count=row["element_count"],
        )
        for row in found.result["observed_value"]
    }


def _answer(found: Any) -> Answer:
    """The answer of an expectation in GX's own words."""
    complaint = _complaint(found)
    if complaint is not None:
        return Answer(complaint=complaint)
    told = found.result
    return Answer(
        bool(found.success),
        told.get("observed_value"),
        told.get("unexpected_count"),
        told.get("element_count"),
    )


def _result(
    connection: Connection, table: AuditTable, item: SuiteItem, answer: Answer, service_date: date
) -> CheckResult:
    sample = None
    if answer.complaint is None and not answer.is_passed:
        sample = _sample(connection, table, item, answer)
    return CheckResult(
        service_date=service_date,
        table_name=table.name,
        check_name=item.name,
        severity=item.severity,
        is_passed=answer.is_passed,
        is_run=answer.complaint is None,
        observed_value=_text(answer.observed),
        unexpected_count=answer.failing_count,
        element_count=answer.element_count,
        sample_rows=sample,
        not_run_reason=answer.complaint,
        description=item.description,
    )


def _sample(
    connection: Connection, table: AuditTable, item: SuiteItem, answer: Answer
) -> str | None:
    if item.check is not None and item.check.kind == "columns":
        there, meant = set(answer.observed), set(item.check.columns)
        differing = {"missing": sorted(meant - there), "unexpected": sorted(there - meant)}
        return json.dumps(differing, ensure_ascii=False)
    if item.rows_sql is None:
        return None
    return sample_json(connection, with_checked(table.relation, item.rows_sql))


def _complaint(found: Any) -> str | None:
    """Why a check did not run, on one line and the same each time; None where it ran."""
    info = found.exception_info or {}
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
