"""Diesel forecast: closed forms on toy registers, refusals, the required rate, and survival."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipelines.marts.diesel_burn_down import DieselBurnDown
from pipelines.marts.diesel_forecast import (
    LEAST_LEAVINGS,
    LEAST_MONTHS,
    MONTH_DAYS,
    TREND_MONTHS,
    compute_diesel_forecast,
)
from pipelines.marts.fleet.leaving import lives
from pipelines.staging.commitments import Commitments
from tests.marts.toy_registers import a_history, night

TODAY = date(2026, 11, 15)


def months_back(count: int) -> list[date]:
    """The last days of the months before, oldest first."""
    days = [TODAY.replace(day=1) - timedelta(days=1)]
    while len(days) < count:
        days.append(days[-1].replace(day=1) - timedelta(days=1))
    return days[::-1]


def a_burn_down(entered: Sequence[int], left: Sequence[int], count: int | None) -> pl.DataFrame:
    """A series of steps that ends today with a count, the same in both scopes."""
    days = [*months_back(len(left)), TODAY]
    rows: list[dict[str, object]] = []
    for scope in ("in service", "with reserve"):
        at = count
        for day, came, went in zip(days[::-1], [0, *entered[::-1]], [0, *left[::-1]], strict=True):
            is_first = day == days[0]
            rows.append(
                {
                    "service_date": TODAY, "day_type": "weekday", "departure_window": "whole day",
                    "method": "toy", "mark": "measured", "as_of_date": day, "status_scope": scope,
                    "diesel_count": at, "fleet_count": 5000 if at is not None else None,
                    "diesel_share": None if at is None else at / 5000,
                    "clean_share": None, "zero_emission_share": None,
                    "entered_count": None if is_first or at is None else came,
                    "left_count": None if is_first or at is None else went,
                    "reason": "no register" if at is None else None,
                }
            )  # fmt: skip
            at = None if at is None else at - came + went
    types = {name: column.dtype for name, column in DieselBurnDown.columns().items()}
    return DieselBurnDown.validate(pl.DataFrame(rows, schema=types))


def a_commitment(deadline: date | None, target: float = 0.0) -> pl.DataFrame:
    blank: dict[str, Any] = dict.fromkeys(Commitments.column_names())
    told = {
        "source_id": "promises", "version_id": "v1", "commitment_id": "no-diesel", "rank": 1,
        "figure_table": "marts.diesel_phase_out", "figure_column": "vehicle_count",
        "figure_where_json": '{"fuel_type": "diesel"}', "target_value": target,
        "target_comparison": "at most", "deadline_date": deadline,
    }  # fmt: skip
    types = {name: column.dtype for name, column in Commitments.columns().items()}
    return pl.DataFrame([blank | told], schema=types)


def forecast(
    burn_down: pl.DataFrame,
    history: pl.DataFrame | None = None,
    deadline: date | None = None,
    day: date = TODAY,
) -> dict[tuple[str, str], dict[str, Any]]:
    rows = compute_diesel_forecast(
        night(day),
        vehicle_history=a_history() if history is None else history,  # type: ignore[arg-type]
        diesel_burn_down=burn_down,  # type: ignore[arg-type]  # toy rows
        commitments=a_commitment(deadline),  # type: ignore[arg-type]
    )
    return {(r["status_scope"], r["forecast_method"]): r for r in rows.iter_rows(named=True)}


GROSS, NET = ("with reserve", "gross replacements"), ("with reserve", "net trend")
BY_AGE = ("with reserve", "survival")


def test_steady_steps_give_the_date_that_a_person_computes() -> None:
    # Ten leave a month and four enter: 300 are gone in 30 months, or in 50 with the entries.
    rows = forecast(a_burn_down([4] * 24, [10] * 24, 300))
    for method, step in ((GROSS, 10), (NET, 6)):
        row = rows[method]
        gone = TODAY + timedelta(days=round((300 - 0.5) / step * MONTH_DAYS))
        assert (row["outcome"], row["reason"], row["zero_date"]) == ("reached", None, gone)
        assert row["zero_date_low"] == row["zero_date_high"] == gone
        assert (row["point_count"], row["rate_per_year"]) == (23, -12 * step)
        assert (row["count_3_months"], row["count_12_months"]) == (300 - 3 * step, 300 - 12 * step)
    assert rows["in service", "net trend"]["zero_date"] == rows[NET]["zero_date"]


def test_only_the_last_months_count() -> None:
    left = [100] * 10 + [3] * TREND_MONTHS
    row = forecast(a_burn_down([0] * len(left), left, 90))[GROSS]
    assert (row["point_count"], row["rate_per_year"]) == (TREND_MONTHS, -36)


def test_scatter_widens_the_interval_around_the_date() -> None:
    row = forecast(a_burn_down([0] * 24, [5, 15] * 12, 300))[GROSS]
    assert row["zero_date_low"] < row["zero_date"] < row["zero_date_high"]
    assert row["count_3_months_low"] < row["count_3_months"] < row["count_3_months_high"]


def test_a_count_that_does_not_fall_is_not_reached_which_is_an_answer() -> None:
    row = forecast(a_burn_down([12] * 24, [10] * 24, 300))[NET]
    assert (row["outcome"], row["zero_date"]) == ("not reached", None)
    assert row["reason"] == "not reached within 50 years"
    assert row["count_12_months"] == 324


@pytest.mark.slow
def test_few_points_no_register_and_no_diesel_give_no_date_but_the_reason() -> None:
    few = LEAST_MONTHS  # one of them is the first, which has no step
    row = forecast(a_burn_down([0] * few, [9] * few, 300))[GROSS]
    assert (row["outcome"], row["zero_date"]) == ("refused", None)
    assert row["reason"] == f"{few - 1} whole months are known, {LEAST_MONTHS} are needed"
    assert {row["outcome"] for row in forecast(a_burn_down([0], [0], 0)).values()} == {
        "no diesel left"
    }
    none = forecast(a_burn_down([0], [0], None)).values()
    assert {(row["outcome"], row["reason"]) for row in none} == {("refused", "no register")}


@pytest.mark.slow
def test_the_required_rate_is_undefined_from_the_deadline_on() -> None:
    burn_down = a_burn_down([0] * 24, [10] * 24, 300)
    in_two_years = TODAY + timedelta(days=round(2 * 365.25))
    row = forecast(burn_down, deadline=in_two_years)[NET]
    assert row["required_rate_per_year"] == pytest.approx(150, rel=1e-3)
    for deadline in (TODAY, TODAY - timedelta(days=1)):
        row = forecast(burn_down, deadline=deadline)[NET]
        assert (row["required_rate_per_year"], row["deadline_date"]) == (None, deadline)
        assert row["required_rate_reason"] == f"the deadline of {deadline} has come"
    row = forecast(burn_down)[NET]
    assert row["required_rate_reason"] == "no deadline is told by a commitment"


def days_ago(days: float) -> date:
    return TODAY - timedelta(days=round(days))


@pytest.mark.slow
def test_vehicles_that_all_left_at_ten_years_let_the_rest_go_at_ten() -> None:
    life = 3650
    gone = [
        {"in_service_date": days_ago(since + life), "valid_from_date": days_ago(since + life),
         "valid_to_date": days_ago(since)}
        for since in range(100, 100 + 20 * (LEAST_LEAVINGS + 1), 20)
    ]  # fmt: skip
    there = [
        {"in_service_date": days_ago(age), "valid_from_date": days_ago(age)}
        for age in (0, 1000, 3000)
    ]
    history = a_history(*gone, *there, known=TODAY)
    row = forecast(a_burn_down([0], [0], 3), history)[BY_AGE]
    assert row["point_count"] == LEAST_LEAVINGS  # the first is when the register began to see
    # The youngest is ten years old in ten years; months are whole, and nobody is in doubt.
    expected = TODAY + timedelta(days=round(120 * MONTH_DAYS))
    assert row["zero_date"] == row["zero_date_low"] == row["zero_date_high"] == expected
    assert (row["count_12_months"], row["rate_per_year"]) == (3, None)
    fewer = a_history(*gone[1:], *there, known=TODAY)
    refused = forecast(a_burn_down([0], [0], 3), fewer)[BY_AGE]
    assert refused["reason"] == "19 diesel vehicles were seen leaving, 20 are needed"


def test_a_life_is_seen_from_when_the_register_began_to_see() -> None:
    since, left = days_ago(400), days_ago(100)
    history = a_history(
        {"in_service_date": days_ago(5000), "valid_to_date": since},  # the first that was lost
        {"in_service_date": days_ago(4000), "valid_to_date": left},
        {"in_service_date": days_ago(200), "valid_from_date": days_ago(200)},
        {"valid_from_date": days_ago(10)},  # of unknown age
        {"in_service_date": days_ago(900), "valid_to_date": left, "closed_by": "change"},
        {"fuel_type": "cng", "in_service_date": days_ago(900), "valid_to_date": left},
        known=TODAY,
    )
    found = lives(history, TODAY).select("entry_age", "exit_age", "is_ended")
    assert found.rows() == [
        (3600, 3900, True),
        (-1, 200, False),
        (500, 800, True),  # to another fuel
    ]


@pytest.mark.slow
def test_left_truncation_matters_to_the_date() -> None:
    # Vehicles are bought every month for forty years and last about twelve. The register begins
    # when the first are long gone; it shows few short lives of those bought early.
    rng = np.random.default_rng(11)
    bought = np.arange(0, 480) * 30.4
    life = rng.normal(12 * 365.25, 900, (480, 4)).clip(365)
    begin, today = 480 * 30.4 - 8 * 365.25, 480 * 30.4
    rows = []
    for birth, spans in zip(bought, life, strict=True):
        for span in spans:
            if birth + span > begin:
                born = days_ago(today - birth)
                end = days_ago(today - birth - span) if birth + span <= today else None
                rows.append(
                    {"in_service_date": born, "valid_from_date": born, "valid_to_date": end}
                )
    history = a_history(*rows, known=TODAY)
    there = sum(row["valid_to_date"] is None for row in rows)
    row = forecast(a_burn_down([0], [0], there), history)[BY_AGE]
    # Of the youngest the last is expected gone when it is about as old as vehicles get.
    years = (row["zero_date"] - TODAY).days / 365.25
    assert 15 < years < 22
    # A year on, one in twelve is about to have left.
    assert row["count_12_months"] == pytest.approx(there * 11 / 12, rel=0.04)
    assert row["count_12_months_low"] < row["count_12_months"] < row["count_12_months_high"]
