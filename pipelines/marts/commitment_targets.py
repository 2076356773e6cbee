"""Commitment targets: every target ever announced, its deadline, and what was counted by then.

A promise whose deadline moves is told by all its deadlines. Beside each target stand the value that
was *published* nearest to its deadline, as published, with its day and scope, and the *measured*
one, by the figure that the target names: the last one up to its deadline, or to the service date
where that is earlier. Outcome, on the service date, first that applies:

- *not due*: the deadline hasn't passed.
- *met*, *missed*: a value meets the target or not. It must lie within 92 days of the deadline; the
  published one goes first, and the mark tells which of the two it was.
- *not known*: no value is known so near to the deadline; the reason says so.

A target announced after the service date has no row yet, and a value of a later day isn't told.
Left out: whether values have the target's scope, which the scope beside them shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.commitments.address import Address
from pipelines.marts.commitments.judging import COMPARE
from pipelines.night import MARKS, Night
from pipelines.staging.commitments import COMPARISONS, AnnouncedTargets

OUTCOMES = ("met", "missed", "not due", "not known")
# A quarter: fleets are counted a few times a year.
NEAR_DAYS = 92
# A target alone, without a value, is a statement that somebody published.
STATEMENT_MARK = "published"
METHOD = "values near the deadline"
NOT_KNOWN = f"no value is known within {NEAR_DAYS} days of the deadline"


class CommitmentTargets(Figure):
    """One row per service date and target announced by then."""

    target_id = dy.String(primary_key=True, description="Short name of the target.")
    commitment_id = dy.String(description="Commitment that it is about.")
    announced_date = dy.Date(
        nullable=True, description="Day of the announcement; null where the source tells none."
    )
    announced_text = dy.String(
        nullable=True, description="When it was announced, where no day is told."
    )
    source_name = dy.String(description="Who announced it.")
    source_address = dy.String(description="Where it was told.")
    statement = dy.String(description="What was announced, in our words.")
    indicator = dy.String(nullable=True, description="What the number is about.")
    unit = dy.String(nullable=True, description="Unit of the target and of the published value.")
    target_value = dy.Float64(description="Number to reach.")
    target_comparison = one_of(
        *COMPARISONS, description="How a value compares to the target that it meets."
    )
    deadline_date = dy.Date(description="Last day to reach it; a year alone is its last day.")
    outcome = one_of(*OUTCOMES, description="What became of it; see the method.")
    published_value = dy.Float64(
        nullable=True, description="Value published nearest to the deadline, as published."
    )
    published_date = dy.Date(nullable=True, description="Day that it is about.")
    published_after_days_count = dy.Int64(
        nullable=True,
        metadata={"unit": "day"},
        description="How long after the deadline that day is; negative before it.",
    )
    published_scope = dy.String(nullable=True, description="What it covers, as published.")
    published_address = dy.String(nullable=True, description="Where it was published.")
    measured_value = dy.Float64(
        nullable=True, description="Last value measured up to the deadline and the service date."
    )
    measured_date = dy.Date(nullable=True, description="Day that it is about.")
    measured_scope = dy.String(nullable=True, description="What it covers.")
    measured_mark = one_of(*MARKS, nullable=True, description="What it stands on.")

    @dy.rule()
    def not_known_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """An outcome that isn't known has a reason."""
        return (pl.col("outcome") == "not known") == pl.col("reason").is_not_null()


def compute_commitment_targets(
    night: Night, *, announced_targets: dy.DataFrame[AnnouncedTargets], **figures: pl.DataFrame
) -> dy.DataFrame[CommitmentTargets]:
    """Targets announced by the night's date, sorted by key.

    `figures` are the marts that targets may name, by their short names. ContractError where one
    names a mart, column or rows amiss.
    """
    today = night.service_date
    tonight = {
        f"marts.{name}": rows.filter(pl.col("service_date") == today)
        for name, rows in figures.items()
    }
    listed = announced_targets.sort("source_id", "version_id", "target_id")
    known = listed.unique("target_id", keep="first", maintain_order=True).filter(
        pl.col("announced_date").is_null() | (pl.col("announced_date") <= today)
    )
    rows = [_row(target, today, tonight) for target in known.iter_rows(named=True)]
    schema = {name: column.dtype for name, column in CommitmentTargets.columns().items()}
    given = {name: dtype for name, dtype in schema.items() if name not in _STAMPED}
    stamped = stamp(pl.DataFrame(rows, schema=given), night, method=METHOD)
    ordered = stamped.select(schema.keys()).sort(CommitmentTargets.primary_key())
    return CommitmentTargets.validate(ordered)


_STAMPED = ("service_date", "day_type", "departure_window", "method")
_PUBLISHED = ("published_value", "published_date", "published_scope", "published_address")


def _row(
    target: dict[str, Any], today: date, tonight: Mapping[str, pl.DataFrame]
) -> dict[str, Any]:
    names = CommitmentTargets.column_names()
    row = {name: value for name, value in target.items() if name in names}
    deadline = target["deadline_date"]
    if target["published_date"] is not None and target["published_date"] > today:
        row |= dict.fromkeys(_PUBLISHED)
    if row["published_date"] is not None:
        row["published_after_days_count"] = (row["published_date"] - deadline).days
    row |= _measured(target, min(today, deadline), tonight)
    # In the order in which they decide.
    counted = [
        (row["published_value"], row["published_date"], STATEMENT_MARK),
        (row["measured_value"], row["measured_date"], row["measured_mark"]),
    ]
    near = [
        (value, mark)
        for value, day, mark in counted
        if value is not None and abs((day - deadline).days) <= NEAR_DAYS
    ]
    value, mark = near[0] if near else (None, STATEMENT_MARK)
    outcome = "not due" if deadline >= today else _fate(target, value)
    return row | {
        "outcome": outcome,
        "mark": STATEMENT_MARK if outcome == "not due" else mark,
        "reason": NOT_KNOWN if outcome == "not known" else None,
    }


def _measured(
    target: dict[str, Any], until: date, tonight: Mapping[str, pl.DataFrame]
) -> dict[str, Any]:
    address = Address.of(target, "figure")
    row = address.row(tonight, until) if address else None
    value = row[target["figure_column"]] if row else None
    if row is None or value is None:
        return dict.fromkeys(("measured_value", "measured_date", "measured_scope", "measured_mark"))
    return {
        "measured_value": float(value),
        "measured_date": row[target["figure_latest_column"]],
        "measured_scope": target["figure_scope"],
        "measured_mark": row["mark"],
    }


def _fate(target: dict[str, Any], value: float | None) -> str:
    """What became of a target whose deadline has passed."""
    if value is None:
        return "not known"
    meets = COMPARE[target["target_comparison"]](value, target["target_value"])
    return "met" if meets else "missed"
