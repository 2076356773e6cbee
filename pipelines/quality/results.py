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

from pipelines.contracts.checks import Severity
from pipelines.contracts.figure import one_of
from pipelines.errors import AuditError, sample_text


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


class CheckResults(dy.Schema):
    """One row per service date, table and check."""

    service_date = dy.Date(primary_key=True, description="Service date whose tables were checked.")
    table_name = dy.String(primary_key=True, description="Table as `flow.py` names it.")
    check_name = dy.String(primary_key=True, description="Name of the check, unique in its table.")
    severity = one_of(
        "critical",
        "warning",
        description="A critical check that fails keeps last night's publication; a warning does"
        " not.",
    )
    is_passed = dy.Bool(description="Whether the check ran and found what it must.")
    is_run = dy.Bool(description="Whether the check could run; one that could not has not passed.")
    observed_value = dy.String(
        nullable=True, description="What was found, where the check looks at a whole table."
    )
    unexpected_count = dy.Int64(
        nullable=True, min=0, description="Rows or values that break the check; null if not run."
    )
    element_count = dy.Int64(
        nullable=True, min=0, description="Rows looked at; null where the check counts no rows."
    )
    sample_rows = dy.String(
        nullable=True, description="First failing rows in their order, as JSON; null if none."
    )
    not_run_reason = dy.String(nullable=True, description="Why the check could not run.")
    description = dy.String(description="What must hold, in one sentence.")

    @dy.rule()
    def only_checks_that_ran_have_passed(cls) -> pl.Expr:  # noqa: N805  # dataframely's rules are class methods
        return ~cls.is_passed.col | cls.is_run.col

    @dy.rule()
    def a_check_not_run_says_why(cls) -> pl.Expr:  # noqa: N805  # dataframely's rules are class methods
        return cls.is_run.col == cls.not_run_reason.col.is_null()


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
