"""Forecast skill: which past forecasts are looked at, and whether their intervals held."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from pipelines.marts.diesel_forecast import DieselForecast
from pipelines.marts.forecast_skill import NONE_IS_OLD_ENOUGH, compute_forecast_skill
from tests.marts.toy_registers import a_history, night

TODAY = date(2026, 11, 15)
# Three diesels until September, two from then on; one of them in reserve.
HISTORY = a_history(
    {"status": "in_service"},
    {"status": "reserve"},
    {"status": "in_service", "valid_to_date": date(2026, 9, 1)},
    {"status": "in_service", "fuel_type": "cng"},
)


def told(day: date, low: float, expected: float, high: float, **other: object) -> dict[str, object]:
    """A forecast of three months; what it says of twelve is the same."""
    return {
        "service_date": day, "day_type": "weekday", "departure_window": "whole day",
        "method": "toy", "mark": "modelled", "status_scope": "with reserve",
        "forecast_method": "net trend", "outcome": "not reached", "reason": "toy",
        "interval_level": 0.8, "required_rate_reason": "none",
        "count_3_months": expected, "count_3_months_low": low, "count_3_months_high": high,
        "count_12_months": expected, "count_12_months_low": low, "count_12_months_high": high,
    } | other  # fmt: skip


def skill(*forecasts: dict[str, object]) -> dict[tuple[str, str, int], dict[str, Any]]:
    types = {name: column.dtype for name, column in DieselForecast.columns().items()}
    past = DieselForecast.validate(pl.DataFrame(list(forecasts), schema=types))
    rows = compute_forecast_skill(night(TODAY), vehicle_history=HISTORY, past_diesel_forecast=past)  # type: ignore[arg-type]  # toy rows
    assert rows.height == 12
    return {
        (r["status_scope"], r["forecast_method"], r["horizon_months"]): r
        for r in rows.iter_rows(named=True)
    }


def test_an_interval_holds_when_the_count_lies_in_it() -> None:
    rows = skill(
        told(date(2026, 5, 3), 3, 3.5, 4),  # three on the 3rd of August: held, end included
        told(date(2026, 7, 3), 2.1, 2.5, 3),  # two on the 3rd of October: not
        told(date(2026, 8, 15), 1, 2, 3),  # two today: held
        told(date(2026, 8, 16), 0, 0, 0),  # a second one of the month, and its day has not come
        told(date(2025, 11, 15), 2, 2, 2),  # a year ago
    )
    row = rows["with reserve", "net trend", 3]
    assert (row["forecast_count"], row["held_count"], row["held_share"]) == (4, 2, 0.5)
    # Foretold less found: 0.5, 0.5, 0, and -1 in February.
    assert row["mean_error_count"] == 0
    assert (row["first_forecast_date"], row["last_forecast_date"]) == (
        date(2025, 11, 15),
        date(2026, 8, 15),
    )
    year = rows["with reserve", "net trend", 12]
    assert (year["forecast_count"], year["held_count"], year["held_share"]) == (1, 1, 1.0)


def test_one_forecast_a_month_counts_and_scopes_have_their_own_counts() -> None:
    rows = skill(
        *(told(date(2026, 6, day), 1, 1, 1, status_scope="in service") for day in range(5, 25)),
        *(told(date(2026, 6, day), 2, 2, 2) for day in range(5, 25)),
    )
    # The first is of the 5th of June; on the 5th of September one serves and one stands in reserve.
    for scope in ("in service", "with reserve"):
        row = rows[scope, "net trend", 3]
        assert (row["forecast_count"], row["held_count"]) == (1, 1)


def test_without_an_old_forecast_there_is_no_share_but_the_reason() -> None:
    refused = told(
        date(2026, 1, 1), 0, 0, 0, outcome="refused",
        count_3_months=None, count_12_months=None,
    )  # fmt: skip
    for rows in (skill(), skill(refused), skill(told(TODAY, 1, 1, 1))):
        assert {(r["held_share"], r["reason"], r["forecast_count"]) for r in rows.values()} == {
            (None, NONE_IS_OLD_ENOUGH, 0)
        }
