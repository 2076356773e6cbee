"""The contract of what the audit found: `quality.check_results`, published with the figures."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of


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
