"""An effect where there is one to tell, and a refusal that says why where there is not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from math import log

import numpy as np
import polars as pl
import pytest

from pipelines.marts.ring_road.effect.diagnostics import (
    DID,
    INTERRUPTED,
    Checks,
    failures,
    is_agreeing,
)
from pipelines.marts.ring_road.effect.headline import Effect, Refusal, headlines
from pipelines.marts.ring_road.effect.panel import weekly_outcomes
from pipelines.marts.ring_road.effect.screening import jumps
from tests.marts.ring_road.effect.simulated import (
    OPENED_DATE,
    PLAN,
    TREATED,
    UNTOUCHED,
    control_ids,
    station_days,
)

pytestmark = pytest.mark.slow

EVENT = "opening and tolls"
RATIO = 0.84


def answer_of(
    days: pl.DataFrame, station_id: str = TREATED, controls: int = 40
) -> Effect | Refusal:
    (answer,) = headlines(
        weekly_outcomes(days),
        treated_ids=[station_id],
        control_ids=control_ids(controls),
        event_id=EVENT,
        plan=PLAN,
    )
    return answer


def scaled(days: pl.DataFrame, names: list[str], ratio: float, since: date) -> pl.DataFrame:
    """The days with some stations' counts multiplied from a date on."""
    is_meant = pl.col("station_id").is_in(names) & (pl.col("service_date") >= since)
    count = pl.col("vehicle_count")
    return days.with_columns(
        pl.when(is_meant).then((count * ratio).round().cast(pl.Int64)).otherwise(count)
    )


@pytest.fixture(scope="module")
def clean_days() -> pl.DataFrame:
    return station_days(1, {TREATED: RATIO})


@pytest.fixture(scope="module")
def effect(clean_days: pl.DataFrame) -> Effect:
    answer = answer_of(clean_days)
    assert isinstance(answer, Effect)
    return answer


def test_the_effect_is_told_with_its_doubt(effect: Effect) -> None:
    found = effect.headline
    assert found.low < RATIO < found.high
    assert found.high - found.low < 0.04
    assert found.claims_effect
    assert found.p_value < 0.001
    assert effect.rank_p_value == pytest.approx(1 / 41)
    assert found.change_percent == pytest.approx(100 * (found.ratio - 1))


def test_all_checks_stand_beside_it(effect: Effect) -> None:
    checks, basis = effect.checks, effect.basis
    assert checks.control_count == basis.control_count == 40
    assert set(checks.others) == {DID, "synthetic control", INTERRUPTED}
    for other in checks.others.values():
        assert other.ratio == pytest.approx(RATIO, abs=0.03)
    assert checks.disagreeing == ()
    assert len(checks.placebo_dates) == 4
    assert all(placebo.period_date < OPENED_DATE for placebo in checks.placebo_dates)
    assert max(abs(placebo.effect) for placebo in checks.placebo_dates) < 0.05
    assert 0.7 < checks.before_rmse_ratio < 1.4
    assert checks.before_rmse_share < 0.7
    assert checks.claiming_placebo_count <= 6
    assert basis.left_out == {}
    assert basis.plan_sha256 == PLAN.sha256()
    # Of 75 weeks before and 127 after, whole blocks of four.
    assert (basis.first_before_date, basis.before_count) == (date(2022, 1, 24), 72)
    assert basis.last_before_date == date(2023, 6, 5)
    assert (basis.first_after_date, basis.after_count) == (date(2023, 7, 24), 124)
    assert basis.last_after_date == date(2025, 12, 1)


def test_several_stations_are_measured_as_each_alone(
    clean_days: pl.DataFrame, effect: Effect
) -> None:
    street, screen = sorted(
        headlines(
            weekly_outcomes(clean_days),
            treated_ids=[UNTOUCHED, TREATED],
            control_ids=control_ids(),
            event_id=EVENT,
            plan=PLAN,
        ),
        key=lambda answer: answer.station_id != UNTOUCHED,
    )
    assert isinstance(screen, Effect)
    assert screen.headline == effect.headline
    assert isinstance(street, Effect)
    assert not street.headline.claims_effect


def test_few_contaminated_controls_are_left_out_and_named(clean_days: pl.DataFrame) -> None:
    parallel = ["control-03", "control-11", "control-29", "control-30"]
    answer = answer_of(scaled(clean_days, parallel, 1.06, OPENED_DATE))
    assert isinstance(answer, Effect)
    assert sorted(answer.basis.left_out) == parallel
    assert all("at the event itself" in told for told in answer.basis.left_out.values())
    assert answer.basis.control_count == 36
    assert answer.headline.low < RATIO < answer.headline.high


def test_many_contaminated_controls_refuse(clean_days: pl.DataFrame) -> None:
    answer = answer_of(scaled(clean_days, control_ids()[:16], 1.06, OPENED_DATE))
    assert isinstance(answer, Refusal)
    assert answer.reasons == ("16 of 40 controls changed at the event themselves",)


def test_controls_that_move_apart_refuse(clean_days: pl.DataFrame) -> None:
    # Each too little to be called changed, and half of them either way.
    apart = scaled(clean_days, control_ids()[:20], 1.014, OPENED_DATE)
    answer = answer_of(scaled(apart, control_ids()[20:], 0.986, OPENED_DATE))
    assert isinstance(answer, Refusal)
    assert "controls moved apart at the event" in answer.reasons[0]


def test_controls_that_all_changed_are_found_by_the_series_without_controls(
    clean_days: pl.DataFrame,
) -> None:
    answer = answer_of(scaled(clean_days, control_ids(), 1.2, OPENED_DATE), UNTOUCHED)
    assert isinstance(answer, Refusal)
    assert f"sign: {INTERRUPTED} against the estimate" in answer.reasons


def test_a_broken_control_is_left_out_and_named(clean_days: pl.DataFrame) -> None:
    answer = answer_of(scaled(clean_days, ["control-07"], 0.6, date(2024, 9, 2)))
    assert isinstance(answer, Effect)
    (told,) = answer.basis.left_out.values()
    assert re.fullmatch(r"level jumps by -(39|40|41) % at 2024-09-02, which no event .*", told)
    assert answer.headline.low < RATIO < answer.headline.high


def test_a_broken_station_has_no_number(clean_days: pl.DataFrame) -> None:
    answer = answer_of(scaled(clean_days, [TREATED], 0.75, date(2022, 9, 5)))
    assert isinstance(answer, Refusal)
    (told,) = answer.reasons
    assert told.startswith("the station: level jumps by -2")
    assert told.endswith("at 2022-09-05, which no event explains")


def test_a_stuck_station_has_no_number(clean_days: pl.DataFrame) -> None:
    is_stuck = (pl.col("station_id") == TREATED) & (pl.col("service_date") >= date(2024, 11, 1))
    stuck = clean_days.with_columns(
        pl.when(is_stuck)
        .then(pl.lit(51_234))
        .otherwise(pl.col("vehicle_count"))
        .alias("vehicle_count")
    )
    answer = answer_of(stuck)
    assert isinstance(answer, Refusal)
    assert "counts stuck on 4" in answer.reasons[0]


def test_a_station_that_went_its_own_way_before_has_no_number(clean_days: pl.DataFrame) -> None:
    # A quarter lost over the year before the opening, too slowly for a jump.
    begun, months = date(2022, 7, 1), (pl.col("service_date") - date(2022, 7, 1)).dt.total_days()
    share = pl.max_horizontal(pl.min_horizontal(months / 350, 1.0), 0.0) * 0.25
    own_way = clean_days.with_columns(
        pl.when(pl.col("station_id") == TREATED)
        .then((pl.col("vehicle_count") * (1 - share)).round().cast(pl.Int64))
        .otherwise(pl.col("vehicle_count"))
        .alias("vehicle_count")
    )
    assert own_way.filter(pl.col("service_date") < begun).equals(
        clean_days.filter(pl.col("service_date") < begun)
    )
    answer = answer_of(own_way)
    assert isinstance(answer, Refusal)
    told = " ".join(answer.reasons)
    assert "fit before the event" in told
    assert "effect at a date at which nothing happened" in told


def test_too_few_controls_refuse() -> None:
    answer = answer_of(station_days(2, {TREATED: RATIO}, controls=15), controls=15)
    assert isinstance(answer, Refusal)
    assert answer.reasons == ("15 clean controls, of 20 needed",)


def test_no_controls_refuse(clean_days: pl.DataFrame) -> None:
    answer = answer_of(clean_days.filter(pl.col("station_id") == TREATED))
    assert isinstance(answer, Refusal)
    assert answer.reasons == ("no control has enough outcomes",)


def test_an_event_that_is_yet_to_come_refuses(clean_days: pl.DataFrame) -> None:
    (answer,) = headlines(
        weekly_outcomes(clean_days),
        treated_ids=[TREATED],
        control_ids=control_ids(),
        event_id="tariff change",
        plan=PLAN,
    )
    assert isinstance(answer, Refusal)
    assert answer.reasons == ("0 periods after the event, of 8 needed",)
    assert answer.basis.first_after_date is None
    early = clean_days.filter(pl.col("service_date") >= date(2022, 9, 5))
    short = answer_of(early)
    assert isinstance(short, Refusal)
    assert short.reasons == ("40 periods before the event, of 52 needed",)


def test_a_station_without_counts_refuses_alone(clean_days: pl.DataFrame) -> None:
    nowhere, screen = headlines(
        weekly_outcomes(clean_days),
        treated_ids=["nowhere", TREATED],
        control_ids=control_ids(),
        event_id=EVENT,
        plan=PLAN,
    )
    assert isinstance(screen, Effect)
    assert isinstance(nowhere, Refusal)
    assert nowhere.reasons == ("the station: no outcome in any period before or after the event",)
    assert screen.basis.left_out == {}


def test_a_sum_of_stations_is_measured_beside_them(clean_days: pl.DataFrame) -> None:
    screen, street, both = answers_with_sum(clean_days)
    assert isinstance(street, Effect)
    assert isinstance(screen, Effect)
    assert isinstance(both, Effect)
    assert both.station_id == "both"
    # 60,000 vehicles that became RATIO times as many, and 25,000 that stayed.
    assert both.headline.low < (60 * RATIO + 25) / 85 < both.headline.high
    assert screen.headline.ratio < both.headline.ratio < street.headline.ratio


def test_a_sum_without_one_of_its_stations_has_no_number(clean_days: pl.DataFrame) -> None:
    screen, _, both = answers_with_sum(clean_days, unfit={UNTOUCHED: "sensor health: stuck"})
    assert isinstance(screen, Effect)
    assert isinstance(both, Refusal)
    assert both.reasons == (
        "the station: 1 of the 2 summed can't be used: street (sensor health: stuck)",
    )


def answers_with_sum(
    days: pl.DataFrame, unfit: dict[str, str] | None = None
) -> list[Effect | Refusal]:
    return headlines(
        weekly_outcomes(days),
        treated_ids=[TREATED, UNTOUCHED],
        control_ids=control_ids(),
        event_id=EVENT,
        plan=PLAN,
        sums={"both": [TREATED, UNTOUCHED]},
        unfit=unfit or {},
    )


def test_unfit_stations_are_refused_or_left_out_and_named(clean_days: pl.DataFrame) -> None:
    (answer,) = headlines(
        weekly_outcomes(clean_days),
        treated_ids=[TREATED],
        control_ids=control_ids(),
        event_id=EVENT,
        plan=PLAN,
        unfit={TREATED: "clock an hour off", "control-07": "twin of 08", "elsewhere": "stuck"},
    )
    assert isinstance(answer, Refusal)
    assert answer.reasons == ("the station: clock an hour off",)
    assert answer.basis.left_out == {"control-07": "twin of 08"}
    assert answer.basis.control_count == 39


def test_no_refusal_holds_a_ratio(clean_days: pl.DataFrame) -> None:
    answer = answer_of(scaled(clean_days, control_ids(), 1.2, OPENED_DATE), UNTOUCHED)
    assert isinstance(answer, Refusal)
    assert not hasattr(answer, "headline")
    assert not hasattr(answer, "checks")


BROKEN_CHECKS = {
    "before_rmse_share": 1.01,
    "before_rmse_ratio": 2.01,
    "leave_one_out_errors": 2.01,
    "disagreeing": (DID,),
}


@pytest.mark.parametrize("name", BROKEN_CHECKS)
def test_each_limit_is_a_reason(effect: Effect, name: str) -> None:
    checks: Checks = effect.checks
    assert failures(checks, PLAN) == ()
    assert len(failures(replace(checks, **{name: BROKEN_CHECKS[name]}), PLAN)) == 1


def test_placebo_dates_are_a_reason(effect: Effect) -> None:
    first, *rest = effect.checks.placebo_dates
    checks = replace(effect.checks, placebo_dates=(replace(first, effect_in_errors=-4.1), *rest))
    assert failures(checks, PLAN) == (
        "effect at a date at which nothing happened, in standard errors: 4.10 (limit 4)",
    )


@pytest.mark.parametrize(
    ("other", "agrees"),
    [(0.80, True), (0.95, True), (0.98, False), (1.0, False), (1.05, False)],
)
def test_methods_agree_or_do_not(other: float, agrees: bool) -> None:
    assert is_agreeing(log(0.86), log(other), PLAN) is agrees
    assert is_agreeing(log(1.05), log(other), PLAN) is (other >= 1.05)


def test_two_estimates_next_to_none_agree_whatever_their_signs() -> None:
    assert is_agreeing(0.002, -0.02, PLAN)
    assert not is_agreeing(0.002, -0.04, PLAN)


def test_a_jump_is_neither_an_odd_week_nor_a_season() -> None:
    weeks = np.arange(80)
    flat = np.zeros(80)
    odd, lasting = flat.copy(), flat.copy()
    odd[40] = -0.7
    lasting[40:] = -0.3
    season = 0.15 * np.sin(2 * np.pi * weeks / 52)
    found = jumps(np.stack([flat, odd, lasting, season]), 8)
    assert found.shape == (4, 80 - 16 + 1)
    assert np.abs(found[[0, 1]]).max() == pytest.approx(0, abs=1e-12)
    assert found[2].min() == pytest.approx(-0.3)
    assert found[2].argmin() + 8 == 40
    assert np.abs(found[3]).max() < 0.05
    assert jumps(np.zeros((3, 15)), 8).shape == (3, 0)
