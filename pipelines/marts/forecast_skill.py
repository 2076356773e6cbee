"""Forecast skill: how often the intervals of past forecasts held.

Every night's `marts.diesel_forecast` is kept. The first of each calendar month is looked at once
its 3 or 12 months have passed: the count that it foretold against the diesel vehicles that the
register has on that day, as known tonight. Nights of one month say nearly the same and would count
one forecast thirty times. An interval holds when the count lies in it, ends included.

Left out: dates of zero, which have not passed, and refused forecasts, which foretold nothing.
"""

from __future__ import annotations

from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.diesel_forecast import (
    FORECAST_METHODS,
    HORIZONS_MONTHS,
    INTERVAL_LEVEL,
    DieselForecast,
)
from pipelines.marts.diesel_phase_out import STATUS_SCOPES
from pipelines.marts.vehicle_history import VehicleHistory, fleet_on
from pipelines.night import Night, weakest_mark

NONE_IS_OLD_ENOUGH = "no forecast of the kind is old enough to be checked"
DECIMALS = 6


class ForecastSkill(Figure):
    """One row per service date, status scope, forecast method and horizon."""

    status_scope = one_of(
        *STATUS_SCOPES, primary_key=True, description="Which vehicles were forecast."
    )
    forecast_method = one_of(
        *FORECAST_METHODS, primary_key=True, description="How they were forecast."
    )
    horizon_months = dy.Int32(
        primary_key=True,
        metadata={"unit": "months"},
        description="How far ahead the count was foretold.",
    )
    forecast_count = dy.Int64(min=0, description="Forecasts whose day has come, one a month.")
    held_count = dy.Int64(nullable=True, min=0, description="Of these, those whose interval held.")
    held_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="held_count / forecast_count.",
    )
    interval_level = dy.Float64(
        min=0, max=1, metadata={"unit": "share"}, description="Share of intervals that should hold."
    )
    mean_error_count = dy.Float64(
        nullable=True,
        metadata={"unit": "vehicles"},
        description="Foretold less found, mean; positive: the forecast saw too many.",
    )
    first_forecast_date = dy.Date(nullable=True, description="Night of the first that counts.")
    last_forecast_date = dy.Date(nullable=True, description="Night of the last that counts.")

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A share is null exactly where a reason says why."""
        return pl.col("held_share").is_null() == pl.col("reason").is_not_null()


def compute_forecast_skill(
    night: Night,
    *,
    vehicle_history: dy.DataFrame[VehicleHistory],
    past_diesel_forecast: dy.DataFrame[DieselForecast],
) -> dy.DataFrame[ForecastSkill]:
    """A row for every kind of forecast, sorted by key."""
    checked = pl.concat(
        [_checked(past_diesel_forecast, months, night.service_date) for months in HORIZONS_MONTHS]
    )
    found = checked.join(
        _found(vehicle_history, checked), on=["status_scope", "target_date"], how="left"
    ).with_columns(pl.col("found").fill_null(0))
    held = (pl.col("found") >= pl.col("low")) & (pl.col("found") <= pl.col("high"))
    error = (pl.col("expected") - pl.col("found")).sort_by("service_date").mean()
    kind = ("status_scope", "forecast_method", "horizon_months")
    told = found.group_by(kind).agg(
        count=pl.len().cast(pl.Int64),
        held_count=held.sum().cast(pl.Int64),
        mean_error_count=error.round(DECIMALS),
        first_forecast_date=pl.min("service_date"),
        last_forecast_date=pl.max("service_date"),
    )
    rows = (
        _kinds()
        .join(told, on=kind, how="left")
        .with_columns(
            forecast_count=pl.col("count").fill_null(0),
            held_share=pl.col("held_count") / pl.col("count"),
            interval_level=pl.lit(INTERVAL_LEVEL),
            reason=pl.when(pl.col("count").is_null()).then(pl.lit(NONE_IS_OLD_ENOUGH)),
            mark=pl.lit(weakest_mark({night.mark, "modelled"})),
        )
    )
    stamped = stamp(rows, night, method="first forecast of each month")
    return ForecastSkill.validate(
        stamped.select(ForecastSkill.column_names()).sort(ForecastSkill.primary_key())
    )


def _checked(forecasts: pl.DataFrame, months: int, day: date) -> pl.DataFrame:
    """The first forecast of each month and kind whose day has come by now."""
    foretold = f"count_{months}_months"
    kind = ("status_scope", "forecast_method")
    return (
        forecasts.filter(pl.col(foretold).is_not_null(), pl.col("service_date") < day)
        .sort("service_date")
        .with_columns(month=pl.col("service_date").dt.month_start())
        .unique([*kind, "month"], keep="first", maintain_order=True)
        .select(
            *kind,
            "service_date",
            horizon_months=pl.lit(months, pl.Int32),
            target_date=pl.col("service_date").dt.offset_by(f"{months}mo"),
            expected=foretold,
            low=f"{foretold}_low",
            high=f"{foretold}_high",
        )
        .filter(pl.col("target_date") <= day)
    )


def _found(history: pl.DataFrame, checked: pl.DataFrame) -> pl.DataFrame:
    """Diesel vehicles by scope on each day that was forecast."""
    diesels = history.filter(pl.col("fuel_type") == "diesel")
    is_in_service = pl.col("status").fill_null("in_service") == "in_service"
    rows = []
    for day in checked.get_column("target_date").unique().sort():
        there = fleet_on(diesels, day)
        counts = (there.filter(is_in_service).height, there.height)
        rows += [(scope, day, count) for scope, count in zip(STATUS_SCOPES, counts, strict=True)]
    schema = {"status_scope": pl.String, "target_date": pl.Date, "found": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _kinds() -> pl.DataFrame:
    return (
        pl.DataFrame({"status_scope": STATUS_SCOPES})
        .join(pl.DataFrame({"forecast_method": FORECAST_METHODS}), how="cross")
        .join(
            pl.DataFrame({"horizon_months": pl.Series(HORIZONS_MONTHS, dtype=pl.Int32)}),
            how="cross",
        )
    )
