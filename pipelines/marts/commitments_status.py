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

A value decides as it stands: its interval doesn't. Where the figure is a range and no value, its
end that is farther from the target decides, and the value stays null with the figure's reason.

The forecast is the day on which the target is met, at the address that the commitment gives, with
its interval. It decides nothing. Left out: targets announced at other times, which are in
`marts.commitment_targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.commitments.address import Address
from pipelines.marts.commitments.judging import judge, worse_end
from pipelines.night import WHOLE_DAY, Night
from pipelines.staging.commitments import COMPARISONS, DIRECTIONS, Commitments

STATUSES = ("met", "on track", "behind", "overdue", "direction only", "no data")
# A commitment alone, without a measure, is a statement that somebody published.
STATEMENT_MARK = "published"
NO_MEASURE = "no measure"

NO_FORECAST = "no forecast is made of it"


class CommitmentsStatus(Figure):
    """One row per service date and commitment."""

    commitment_id = dy.String(primary_key=True, description="Short name of the commitment.")
    rank = dy.Int32(min=1, description="Place in the list.")
    source_name = dy.String(description="Speech or programme that it is from.")
    sentence = dy.String(description="What was said, word for word.")
    indicator = dy.String(description="What would show that it is kept.")
    status = one_of(*STATUSES, description="Where it stands; see the method.")
    measured_value = dy.Float64(
        nullable=True, description="Value of the indicator; null where there is none or a range."
    )
    measured_low = dy.Float64(nullable=True, description="The least that it may be, where told.")
    measured_high = dy.Float64(nullable=True, description="The most that it may be, where told.")
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
    forecast_date = dy.Date(nullable=True, description="Day on which it is forecast to be met.")
    forecast_date_low = dy.Date(nullable=True, description="Earliest day of the interval.")
    forecast_date_high = dy.Date(nullable=True, description="Latest day of the interval.")
    forecast_method = dy.String(nullable=True, description="Method of the forecast.")
    forecast_reason = dy.String(nullable=True, description="Why no day is forecast.")

    @dy.rule()
    def no_data_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Without a value there is a reason; without a value or a range there is no verdict."""
        has_no_data = pl.col("status") == "no data"
        no_value = pl.col("measured_value").is_null()
        no_range = pl.col("measured_low").is_null() | pl.col("measured_high").is_null()
        return (has_no_data == (no_value & no_range)) & (no_value == pl.col("reason").is_not_null())

    @dy.rule()
    def no_forecast_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # as above
        """A day is forecast, or a reason says why none is."""
        return pl.col("forecast_date").is_null() == pl.col("forecast_reason").is_not_null()


def compute_commitments_status(
    night: Night, *, commitments: dy.DataFrame[Commitments], **figures: pl.DataFrame
) -> dy.DataFrame[CommitmentsStatus]:
    """One row per commitment. ContractError where one names a mart, column or rows amiss.

    `figures` are the marts that commitments may name, by their short names.
    """
    tonight = {
        f"marts.{name}": rows.filter(pl.col("service_date") == night.service_date)
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


def _row(commitment: dict[str, Any], tonight: Mapping[str, pl.DataFrame]) -> dict[str, object]:
    row: dict[str, object] = {name: commitment[name] for name in _FROM_LIST}
    row |= _forecast(commitment, tonight)
    address = Address.of(commitment, "figure")
    if address is None:
        return row | _no_data(f"not measured yet: needs {commitment['needed_input']}")
    figure = address.row(tonight)
    if figure is None:
        return row | _no_data(f"{address.table} has no row for it on this date")
    carried = {name: figure[name] for name in ("departure_window", "method", "mark")}
    value, low, high, share = (
        _at(figure, commitment[f"figure_{name}"])
        for name in ("column", "low_column", "high_column", "share_column")
    )
    has_range = low is not None and high is not None
    if value is None and not has_range:
        return row | _no_data(figure["reason"] or "the figure is null on this date") | carried
    decides = value if value is not None else worse_end(low, high, commitment["target_comparison"])
    baseline = (commitment["baseline_value"], commitment["baseline_date"])
    latest = commitment["figure_latest_column"]
    measured: dict[str, object] = {
        "status": judge(
            decides,
            figure["service_date"],
            target=commitment["target_value"],
            comparison=commitment["target_comparison"],
            deadline=commitment["deadline_date"],
            baseline=baseline if baseline[0] is not None else None,
        ),
        "reason": None if value is not None else figure["reason"] or "the figure is a range",
        "measured_value": None if value is None else float(value),
        "measured_low": float(low) if has_range else None,
        "measured_high": float(high) if has_range else None,
        "measured_unit": commitment["unit"],
        "measured_share": share,
        "measured_scope": commitment["figure_scope"],
        "measured_date": figure[latest or "service_date"],
    }
    return row | carried | measured


def _at(row: dict[str, Any], column: str | None) -> Any:
    return row[column] if column else None


def _no_data(reason: str) -> dict[str, object]:
    return {
        "departure_window": WHOLE_DAY,
        "method": NO_MEASURE,
        "mark": STATEMENT_MARK,
        "status": "no data",
        "reason": reason,
    }


def _forecast(commitment: dict[str, Any], tonight: Mapping[str, pl.DataFrame]) -> dict[str, object]:
    """The day on which the commitment is forecast to be met, or why none is."""
    address = Address.of(commitment, "forecast")
    if address is None:
        return {"forecast_reason": NO_FORECAST}
    row = address.row(tonight)
    if row is None:
        return {"forecast_reason": f"{address.table} has no row for it on this date"}
    day = _at(row, commitment["forecast_column"])
    told = row["reason"] or "the forecast is null on this date"
    return {
        "forecast_date": day,
        "forecast_date_low": _at(row, commitment["forecast_low_column"]),
        "forecast_date_high": _at(row, commitment["forecast_high_column"]),
        "forecast_method": row.get("forecast_method", row["method"]),
        "forecast_reason": told if day is None else None,
    }
