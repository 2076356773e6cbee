"""Commitments status: where each promise stands on the service date, by the figure it names.

The value is read from the night's own marts, at the address that the commitment gives (mart,
column, rows), and keeps that figure's method, window, mark and reason. Status, first that applies:

- *no data*: nothing measures it yet, or the figure is null on this date; the reason says which.
- *direction only*: it is measured, but no target number was promised, only a direction.
- *met*: the value meets the target on the measured date.
- *overdue*: the deadline has passed and the target isn't met.
- *on track*: before the deadline, the value is on or ahead of the straight line from the baseline
  to the target at the deadline.
- *behind*: the target isn't met, and no such line shows that it will be; so always without a
  deadline or a baseline.

The value decides as it stands: its interval doesn't. Left out: targets announced later, and
forecasts of the day on which a target is crossed.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Collection, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

import dataframely as dy
import polars as pl
import polars.selectors as cs

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.errors import ContractError, sample_text
from pipelines.marts.bus_reach import BusReach
from pipelines.marts.diesel_phase_out import DieselPhaseOut
from pipelines.marts.metro_reach import MetroReach
from pipelines.marts.ring_road_diversion import RingRoadDiversion
from pipelines.night import WHOLE_DAY, Night
from pipelines.staging.commitments import COMPARISONS, DIRECTIONS, Commitments

STATUSES = ("met", "on track", "behind", "overdue", "direction only", "no data")
# A commitment alone, without a measure, is a statement that somebody published.
STATEMENT_MARK = "published"
NO_MEASURE = "no measure"

_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"at most": operator.le, "at least": operator.ge, "below": operator.lt, "above": operator.gt}
)


class CommitmentsStatus(Figure):
    """One row per service date and commitment."""

    commitment_id = dy.String(primary_key=True, description="Short name of the commitment.")
    rank = dy.Int32(min=1, description="Place in the list.")
    source_name = dy.String(description="Speech or programme that it is from.")
    sentence = dy.String(description="What was said, word for word.")
    indicator = dy.String(description="What would show that it is kept.")
    status = one_of(*STATUSES, description="Where it stands; see the method.")
    measured_value = dy.Float64(nullable=True, description="Value of the indicator.")
    measured_unit = dy.String(nullable=True, description="Unit of the value.")
    measured_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="The same as a share of the whole, where the figure has one.",
    )
    measured_scope = dy.String(nullable=True, description="What the value covers.")
    measured_date = dy.Date(
        nullable=True, description="Day, or first day of the month, that the value is about."
    )
    figure_table = dy.String(nullable=True, description="Mart that measures it.")
    direction = one_of(*DIRECTIONS, nullable=True, description="Which way is better.")
    target_value = dy.Float64(nullable=True, description="Target, in the unit of the indicator.")
    target_comparison = one_of(
        *COMPARISONS, nullable=True, description="How a value compares to a target that it meets."
    )
    target_text = dy.String(nullable=True, description="The target in words.")
    deadline_date = dy.Date(nullable=True, description="Last day to meet it.")

    @dy.rule()
    def no_data_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Without a value there is a reason and no verdict; with one there is a verdict."""
        has_no_data = pl.col("status") == "no data"
        no_value = pl.col("measured_value").is_null()
        return (has_no_data == no_value) & (no_value == pl.col("reason").is_not_null())


def compute_commitments_status(
    night: Night,
    *,
    commitments: dy.DataFrame[Commitments],
    metro_reach: dy.DataFrame[MetroReach],
    bus_reach: dy.DataFrame[BusReach],
    diesel_phase_out: dy.DataFrame[DieselPhaseOut],
    ring_road_diversion: dy.DataFrame[RingRoadDiversion],
) -> dy.DataFrame[CommitmentsStatus]:
    """One row per commitment. ContractError where one names a mart, column or rows amiss."""
    figures: dict[str, pl.DataFrame] = {
        "marts.metro_reach": metro_reach,
        "marts.bus_reach": bus_reach,
        "marts.diesel_phase_out": diesel_phase_out,
        "marts.ring_road_diversion": ring_road_diversion,
    }
    tonight = {
        name: rows.filter(pl.col("service_date") == night.service_date)
        for name, rows in figures.items()
    }
    listed = commitments.sort("source_id", "version_id", "rank", "commitment_id")
    once = listed.unique("commitment_id", keep="first", maintain_order=True)
    rows = [_row(commitment, tonight) for commitment in once.iter_rows(named=True)]
    schema = {name: column.dtype for name, column in CommitmentsStatus.columns().items()}
    dated = {name: dtype for name, dtype in schema.items() if name not in _DATED}
    stamped = stamp(pl.DataFrame(rows, schema=dated), night, method=NO_MEASURE)
    return CommitmentsStatus.validate(stamped.select(schema.keys()).sort("commitment_id"))


_DATED = ("service_date", "day_type")
_FROM_LIST = (
    "commitment_id",
    "rank",
    "source_name",
    "sentence",
    "indicator",
    "figure_table",
    "direction",
    "target_value",
    "target_comparison",
    "target_text",
    "deadline_date",
)


def judge(
    value: float,
    on: date,
    *,
    target: float | None,
    comparison: str | None,
    deadline: date | None = None,
    baseline: tuple[float, date] | None = None,
) -> str:
    """Status of a measured value on a service date (rules in the module's docstring)."""
    if target is None or comparison is None:
        return "direction only"
    meets = _COMPARE[comparison]
    if meets(value, target):
        return "met"
    if deadline is None:
        return "behind"
    if on > deadline:
        return "overdue"
    if baseline is None or baseline[1] >= deadline:
        return "behind"
    start, since = baseline
    elapsed_share = (on - since) / (deadline - since)
    expected = start + (target - start) * elapsed_share
    is_ahead = value >= expected if target > start else value <= expected
    return "on track" if is_ahead else "behind"


def _row(commitment: dict[str, Any], tonight: Mapping[str, pl.DataFrame]) -> dict[str, object]:
    row: dict[str, object] = {name: commitment[name] for name in _FROM_LIST}
    if not commitment["figure_table"]:
        needs = f"not measured yet: needs {commitment['needed_input']}"
        return row | _no_data(needs)
    figure = _figure_row(commitment, tonight)
    if figure is None:
        return row | _no_data(f"{commitment['figure_table']} has no row for it on this date")
    carried = {name: figure[name] for name in ("departure_window", "method", "mark")}
    value = figure[commitment["figure_column"]]
    if value is None:
        return row | _no_data(figure["reason"] or "the figure is null on this date") | carried
    share, latest = commitment["figure_share_column"], commitment["figure_latest_column"]
    baseline = (commitment["baseline_value"], commitment["baseline_date"])
    measured: dict[str, object] = {
        "status": judge(
            value,
            figure["service_date"],
            target=commitment["target_value"],
            comparison=commitment["target_comparison"],
            deadline=commitment["deadline_date"],
            baseline=baseline if baseline[0] is not None else None,
        ),
        "reason": None,
        "measured_value": float(value),
        "measured_unit": commitment["unit"],
        "measured_share": figure[share] if share else None,
        "measured_scope": commitment["figure_scope"],
        "measured_date": figure[latest or "service_date"],
    }
    return row | carried | measured


def _no_data(reason: str) -> dict[str, object]:
    return {
        "departure_window": WHOLE_DAY,
        "method": NO_MEASURE,
        "mark": STATEMENT_MARK,
        "status": "no data",
        "reason": reason,
    }


def _figure_row(
    commitment: dict[str, Any], tonight: Mapping[str, pl.DataFrame]
) -> dict[str, Any] | None:
    """The row of the mart that measures the commitment; null where the mart has none tonight."""
    name, table = commitment["commitment_id"], commitment["figure_table"]
    where: dict[str, str] = json.loads(commitment["figure_where_json"] or "{}")
    latest = commitment["figure_latest_column"]
    _refuse(name, "the mart", [table], tonight)
    numbers = [commitment["figure_column"], commitment["figure_share_column"]]
    numeric = tonight[table].select(cs.numeric()).columns
    _refuse(name, f"of {table} the value", [column for column in numbers if column], numeric)
    others = [*where, *([latest] if latest else [])]
    _refuse(name, f"of {table} the column", others, tonight[table].columns)
    conditions = (pl.col(column).cast(pl.String) == value for column, value in where.items())
    rows = tonight[table].filter(pl.lit(True), *conditions)
    if latest:
        told = rows.filter(pl.col(commitment["figure_column"]).is_not_null())
        rows = (told if told.height else rows).sort(latest).tail(1)
    if rows.height > 1:
        raise ContractError(
            f"The commitment {name!r} is measured by {rows.height} rows of {table}.",
            "Name in its `where` what tells them apart.",
        )
    return rows.row(0, named=True) if rows.height else None


def _refuse(name: str, what: str, named: Collection[str], known: Collection[str]) -> None:
    unknown = [word for word in named if word not in known]
    if unknown:
        raise ContractError(
            f"The commitment {name!r} names {what} {sample_text(unknown)}, which there is not.",
            f"Name one of {', '.join(known)}.",
        )
