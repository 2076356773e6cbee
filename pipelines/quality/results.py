"""What the audit found: a row for every check of every table, published with the figures.

A check that could not run is *not run*, never passed: it counts as failed. Rows hold no wall
clock and no run's number, so the same night gives the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.check_results import CheckResults
from pipelines.contracts.checks import Severity
from pipelines.errors import AuditError, sample_text

OF_CONTRACT = "contract: "  # how the names of a contract's checks begin


@dataclass(frozen=True)
class CheckResult:
    """What one check of one table found; the columns of `CheckResults`."""

    service_date: date
    table_name: str
    check_name: str
    severity: Severity
    is_passed: bool
    is_run: bool
    observed_value: str | None
    unexpected_count: int | None
    element_count: int | None
    sample_rows: str | None
    not_run_reason: str | None
    description: str


def results_frame(results: Sequence[CheckResult]) -> dy.DataFrame[CheckResults]:
    """Results as rows under contract, sorted by key."""
    found = [asdict(result) for result in results]
    rows = pl.DataFrame(found, schema=CheckResults.create_empty().schema)
    return CheckResults.validate(rows.sort(CheckResults.primary_key()))


def critical_failures(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The critical checks that failed or could not run: with any of them nothing is published."""
    return [r for r in results if r.severity == "critical" and not r.is_passed]


def require_passed(results: Sequence[CheckResult]) -> None:
    """Raise `AuditError` naming the critical checks that failed, if any did."""
    failed = critical_failures(results)
    if not failed:
        return
    names = [f"{r.table_name}: {r.check_name}" for r in failed]
    raise AuditError(
        f"{len(failed)} of {len(results)} checks are critical and failed: {sample_text(names)}.",
        "The last good night stays published. See quality.check_results or the page of checks.",
    )
