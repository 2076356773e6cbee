"""Diesel forecast: the day on which the last diesel vehicle leaves, three ways, each with doubt.

- *gross replacements*: as many leave a month as did in the last months, and none enters;
- *net trend*: the count moves on as it did, entries included;
- *survival*: each vehicle stays as long as vehicles of its age did, by Kaplan and Meier with left
  truncation (`fleet.survival`). The curve is that of all diesel vehicles of the register, a life
  runs from entry into service (else manufacture), and none enters any more.

The first two take the monthly steps of `marts.diesel_burn_down` since TREND_MONTHS and treat them
as a random walk with drift (`fleet.drift`). In the third the spread holds the doubt of the curve
(Greenwood) and the chance of single vehicles; those of unknown age go like the rest.

The date is the day on which less than half a vehicle is expected; its interval runs from the day on
which the low count is there to the day of the high one. A date beyond HORIZON_YEARS is *not
reached*, which is an answer; a missing late end is one too. Too few comparable points *refuse* the
forecast. The counts in 3 and 12 months are there to be checked when these have passed
(`marts.forecast_skill`).

*Required rate* = (diesel vehicles - target) / years left to the deadline that the commitment names.
From the deadline on it is undefined: null with the reason, never zero.

None of them knows of purchases that were announced. Every night's forecast is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.diesel_burn_down import DieselBurnDown
from pipelines.marts.diesel_phase_out import STATUS_SCOPES
from pipelines.marts.fleet.drift import Drift
from pipelines.marts.fleet.leaving import Counts, lives, staying_counts
from pipelines.marts.fleet.survival import survival
from pipelines.marts.vehicle_history import VehicleHistory, fleet_on
from pipelines.night import Night, weakest_mark
from pipelines.staging.commitments import Commitments

FORECAST_METHODS = ("gross replacements", "net trend", "survival")
OUTCOMES = ("reached", "not reached", "refused", "no diesel left")
HORIZONS_MONTHS = (3, 12)
# Ours: what is looked back on, how little of it is too little, how far ahead, how sure.
TREND_MONTHS, LEAST_MONTHS, LEAST_LEAVINGS = 36, 12, 20
HORIZON_YEARS = 50
INTERVAL_LEVEL = 0.8
MONTH_DAYS, YEAR_DAYS = 365.25 / 12, 365.25
HALF_A_VEHICLE = 0.5
DECIMALS = 6
FIGURE_TABLE = "marts.diesel_phase_out"

NO_DIESEL = "no diesel vehicle is left"
NO_DEADLINE = "no deadline is told by a commitment"

_VEHICLES = {"unit": "vehicles"}


def _count(of: str, months: int) -> dy.Float64:
    told = f"Diesel vehicles in {months} months: {of}."
    return dy.Float64(nullable=True, min=0, metadata=_VEHICLES, description=told)


class DieselForecast(Figure):
    """One row per service date, status scope and forecast method."""

    status_scope = one_of(
        *STATUS_SCOPES,
        primary_key=True,
        description="Which vehicles count: those in service, or those in reserve as well.",
    )
    forecast_method = one_of(
        *FORECAST_METHODS, primary_key=True, description="How it is forecast; see the method."
    )
    outcome = one_of(*OUTCOMES, description="Whether a date is forecast.")
    diesel_count = dy.Int64(
        nullable=True, min=0, metadata=_VEHICLES, description="Diesel vehicles on the service date."
    )
    zero_date = dy.Date(nullable=True, description="Day on which the last diesel vehicle leaves.")
    zero_date_low = dy.Date(nullable=True, description="Earliest day of the interval.")
    zero_date_high = dy.Date(
        nullable=True, description="Latest day of the interval; null: not reached."
    )
    interval_level = dy.Float64(
        min=0, max=1, metadata={"unit": "share"}, description="Share of intervals that should hold."
    )
    point_count = dy.Int64(
        nullable=True, min=0, description="What it stands on: months, or lives seen ending."
    )
    rate_per_year = dy.Float64(
        nullable=True,
        metadata={"unit": "vehicles per year"},
        description="Change of the count a year, negative where it falls; null for survival.",
    )
    count_3_months = _count("expected", 3)
    count_3_months_low = _count("low", 3)
    count_3_months_high = _count("high", 3)
    count_12_months = _count("expected", 12)
    count_12_months_low = _count("low", 12)
    count_12_months_high = _count("high", 12)
    deadline_date = dy.Date(nullable=True, description="Deadline that a commitment names.")
    required_rate_per_year = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles per year"},
        description="Diesel vehicles that have to go each year to meet it.",
    )
    required_rate_reason = dy.String(nullable=True, description="Why no rate is required.")

    @dy.rule()
    def a_date_or_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """There is a date exactly where it is reached, and a reason where it isn't."""
        has_date = pl.col("zero_date").is_not_null()
        is_reached = pl.col("outcome") == "reached"
        return (has_date == is_reached) & (has_date == pl.col("reason").is_null())

    @dy.rule()
    def interval_in_order(cls) -> pl.Expr:  # noqa: N805  # as above
        """The date lies within its interval."""
        low, high = pl.col("zero_date_low"), pl.col("zero_date_high")
        return (low <= pl.col("zero_date")) & (pl.col("zero_date") <= high)

    @dy.rule()
    def a_rate_or_a_reason(cls) -> pl.Expr:  # noqa: N805  # as above
        """A rate is required, or a reason says why none is."""
        return pl.col("required_rate_per_year").is_null() == (
            pl.col("required_rate_reason").is_not_null()
        )


@dataclass(frozen=True)
class _Forecast:
    """A method's answer: counts after months, and months to zero (expected, earliest, latest)."""

    point_count: int
    after: Callable[[float], Counts]
    months_to_zero: tuple[float | None, float | None, float | None]
    rate_per_year: float | None = None


def compute_diesel_forecast(
    night: Night,
    *,
    vehicle_history: dy.DataFrame[VehicleHistory],
    diesel_burn_down: dy.DataFrame[DieselBurnDown],
    commitments: dy.DataFrame[Commitments],
) -> dy.DataFrame[DieselForecast]:
    """Three forecasts for each status scope, sorted by key."""
    goal = _goal(commitments)
    rows = [
        _row(scope, method, night.service_date, vehicle_history, diesel_burn_down) | goal_of_scope
        for scope in STATUS_SCOPES
        for goal_of_scope in [_required(goal, _today(diesel_burn_down, scope), night.service_date)]
        for method in FORECAST_METHODS
    ]
    schema = {name: column.dtype for name, column in DieselForecast.columns().items()}
    own = {name: dtype for name, dtype in schema.items() if name not in _STAMPED}
    marked = pl.DataFrame(rows, schema=own).with_columns(
        mark=pl.lit(weakest_mark({night.mark, "modelled"}))
    )
    stamped = stamp(marked, night, method=f"steps of {TREND_MONTHS} months; Kaplan-Meier")
    return DieselForecast.validate(stamped.select(schema.keys()).sort(DieselForecast.primary_key()))


_STAMPED = ("service_date", "day_type", "departure_window", "method", "mark")


def _today(burn_down: pl.DataFrame, scope: str) -> dict[str, Any]:
    last = burn_down.filter(status_scope=scope).sort("as_of_date").tail(1)
    return last.row(0, named=True) if last.height else {"diesel_count": None, "reason": None}


def _row(
    scope: str, method: str, day: date, history: pl.DataFrame, burn_down: pl.DataFrame
) -> dict[str, object]:
    today = _today(burn_down, scope)
    count = today["diesel_count"]
    row: dict[str, object] = {
        "status_scope": scope,
        "forecast_method": method,
        "diesel_count": count,
        "interval_level": INTERVAL_LEVEL,
    }
    if count is None:
        return row | {"outcome": "refused", "reason": today["reason"] or "no burn-down was made"}
    if count == 0:
        return row | {"outcome": "no diesel left", "reason": NO_DIESEL}
    if method == "survival":
        made = _by_survival(history, scope, day)
    else:
        made = _by_steps(burn_down.filter(status_scope=scope), method, count)
    if isinstance(made, str):
        return row | {"outcome": "refused", "reason": made}
    expected, earliest, latest = (_date_after(day, months) for months in made.months_to_zero)
    is_reached = expected is not None
    counts = {
        f"count_{months}_months{bound}": round(value, DECIMALS)
        for months in HORIZONS_MONTHS
        for bound, value in zip(("", "_low", "_high"), made.after(months), strict=True)
    }
    rate = made.rate_per_year
    return row | counts | {
        "outcome": "reached" if is_reached else "not reached",
        "reason": None if is_reached else f"not reached within {HORIZON_YEARS} years",
        "zero_date": expected,
        "zero_date_low": earliest,
        "zero_date_high": latest,
        "point_count": made.point_count,
        "rate_per_year": None if rate is None else round(rate, DECIMALS),
    }  # fmt: skip


def _by_steps(burn_down: pl.DataFrame, method: str, count: int) -> _Forecast | str:
    """The forecast from monthly steps, or why there is none."""
    is_month = pl.col("as_of_date") == pl.col("as_of_date").dt.month_end()
    months = burn_down.filter(is_month).sort("as_of_date").tail(TREND_MONTHS)
    left, entered = months.get_column("left_count"), months.get_column("entered_count")
    steps = (-left if method == "gross replacements" else entered - left).drop_nulls()
    if steps.len() < LEAST_MONTHS:
        return f"{steps.len()} whole months are known, {LEAST_MONTHS} are needed"
    drift = Drift.of(steps.to_numpy().astype(np.float64), INTERVAL_LEVEL)
    # Gone is less than half a vehicle.
    to_zero = drift.months_to_zero(count - HALF_A_VEHICLE)
    return _Forecast(
        steps.len(), lambda h: drift.after(count, h), to_zero, rate_per_year=12 * drift.mean
    )


def _by_survival(history: pl.DataFrame, scope: str, day: date) -> _Forecast | str:
    """The forecast from the ages of those that are there, or why there is none."""
    seen = lives(history, day)
    ended = int(seen.get_column("is_ended").sum())
    if ended < LEAST_LEAVINGS:
        return f"{ended} diesel vehicles were seen leaving, {LEAST_LEAVINGS} are needed"
    exits, entries = (seen.get_column(n).to_numpy().astype(np.float64) for n in _AGES)
    curve = survival(exits, seen.get_column("is_ended").to_numpy(), entries)
    there = fleet_on(history, day).filter(pl.col("fuel_type") == "diesel")
    if scope == "in service":
        there = there.filter(pl.col("status").fill_null("in_service") == "in_service")
    age_days = pl.lit(day) - pl.coalesce("in_service_date", "manufacture_date")
    ages = there.select(age=age_days.dt.total_days()).get_column("age").drop_nulls().sort()
    known = ages.to_numpy().astype(np.float64)
    if not known.size:
        return "the age of no diesel vehicle is known"
    scale = there.height / known.size

    def after(months: float) -> Counts:
        return staying_counts(curve, known, months * MONTH_DAYS, scale, INTERVAL_LEVEL)

    first: list[int | None] = [None, None, None]
    for month in range(1, HORIZON_YEARS * 12 + 1):
        for place, value in enumerate(after(month)):
            if first[place] is None and value < HALF_A_VEHICLE:
                first[place] = month
        if None not in first:
            break
    return _Forecast(ended, after, (first[0], first[1], first[2]))


_AGES = ("exit_age", "entry_age")


def _date_after(day: date, months: float | None) -> date | None:
    """The day some months later; None for never, or beyond the horizon."""
    if months is None or months > 12 * HORIZON_YEARS:
        return None
    return day + timedelta(days=round(months * MONTH_DAYS))


def _goal(commitments: pl.DataFrame) -> tuple[float, date] | None:
    """Target and deadline of the first commitment that counts diesel vehicles down."""
    told = commitments.filter(
        pl.col("figure_table") == FIGURE_TABLE,
        pl.col("figure_column") == "vehicle_count",
        pl.col("target_value").is_not_null(),
        pl.col("deadline_date").is_not_null(),
    )
    for row in told.sort("rank", "commitment_id").iter_rows(named=True):
        where = json.loads(row["figure_where_json"] or "{}")
        if where.get("fuel_type") == "diesel":
            return float(row["target_value"]), row["deadline_date"]
    return None


def _required(
    goal: tuple[float, date] | None, today: dict[str, Any], day: date
) -> dict[str, object]:
    """The required rate of a scope, or why there is none."""
    if goal is None:
        return {"required_rate_reason": NO_DEADLINE}
    target, deadline = goal
    told: dict[str, object] = {"deadline_date": deadline}
    if today["diesel_count"] is None:
        return told | {"required_rate_reason": today["reason"] or "no burn-down was made"}
    if day >= deadline:
        return told | {"required_rate_reason": f"the deadline of {deadline} has come"}
    years = (deadline - day).days / YEAR_DAYS
    left = max(today["diesel_count"] - target, 0.0)
    return told | {"required_rate_per_year": round(left / years, DECIMALS)}
