"""A check that did not run has not passed, and says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import dataframely as dy
import pytest

from pipelines.errors import AuditError
from pipelines.quality.results import CheckResult, critical_failures, require_passed, results_frame

FINE = CheckResult(
    service_date=date(2026, 11, 20),
    table_name="marts.a",
    check_name="one",
    severity="critical",
    is_passed=True,
    is_run=True,
    observed_value=None,
    unexpected_count=0,
    element_count=3,
    sample_rows=None,
    not_run_reason=None,
    description="-",
)


@pytest.mark.parametrize(
    "change",
    [
        {"is_run": False, "not_run_reason": "x"},  # passed, yet not run
        {"is_run": False, "is_passed": False},  # not run, and no reason
        {"not_run_reason": "x"},  # a reason, yet run
        {"unexpected_count": -1},
        {"severity": "info"},
    ],
)
def test_impossible_results_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(dy.exc.ValidationError):
        results_frame([replace(FINE, **change)])


def test_rows_are_sorted_by_key() -> None:
    rows = results_frame([replace(FINE, check_name="two"), FINE, replace(FINE, table_name="a.b")])
    assert rows.get_column("check_name").to_list() == ["one", "one", "two"]
    assert rows.get_column("table_name").to_list() == ["a.b", "marts.a", "marts.a"]


def test_only_critical_checks_block() -> None:
    warning = replace(FINE, severity="warning", is_passed=False)
    not_run = replace(FINE, is_passed=False, is_run=False, not_run_reason="gone")
    require_passed([FINE, warning])
    assert critical_failures([FINE, warning, not_run]) == [not_run]
    with pytest.raises(AuditError, match=r"1 of 3 checks are critical and failed: 'marts.a: one'"):
        require_passed([FINE, warning, not_run])
