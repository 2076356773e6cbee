"""The estimators on published series and on panels derivable by hand."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marts.ring_road.effect.did import difference_in_differences
from pipelines.marts.ring_road.effect.interrupted import station_step, step_ratio
from pipelines.marts.ring_road.effect.panel import Panel, build_panel
from pipelines.marts.ring_road.effect.placebo import (
    Fit,
    estimate,
    placebo_fits,
)
from pipelines.marts.ring_road.effect.plan import PLAN, Window
from pipelines.marts.ring_road.effect.simplex import Floats, simplex_weights
from pipelines.marts.ring_road.effect.synthetic_control import (
    centred_synthetic_control,
    synthetic_control,
)
from pipelines.marts.ring_road.effect.synthetic_did import synthetic_did

pytestmark = pytest.mark.slow

TAXED = date(1989, 1, 1)


@pytest.fixture(scope="module")
def proposition_99(shared_data: Path) -> Panel:
    """Cigarette packs sold a head and year in 39 states; California taxed them from 1989 on."""
    sales = pl.read_csv(shared_data / "methods" / "prop99.csv", separator=";").select(
        station_id="State",
        period_date=pl.date(pl.col("Year"), 1, 1),
        outcome="PacksPerCapita",
    )
    states = set(sales.get_column("station_id")) - {"California"}
    window = Window(date.min, TAXED, TAXED, date.max)
    return build_panel(
        sales, treated_ids=["California"], control_ids=states, window=window, period_days=365
    )


def test_the_panel_of_proposition_99_is_whole(proposition_99: Panel) -> None:
    assert proposition_99.controls.shape == (38, 31)
    assert proposition_99.before_count == 19
    assert proposition_99.left_out == {}
    assert proposition_99.filled_counts == {}


def test_did_of_proposition_99(proposition_99: Panel) -> None:
    california = proposition_99.treated["California"]
    fit = difference_in_differences(california, proposition_99.controls, 19)
    assert fit.effect == pytest.approx(-27.3491, abs=5e-5)


def test_synthetic_control_of_proposition_99(proposition_99: Panel) -> None:
    california = proposition_99.treated["California"]
    fit = synthetic_control(california, proposition_99.controls, 19)
    assert fit.effect == pytest.approx(-19.52, abs=0.05)
    assert fit.before_rmse == pytest.approx(1.6564, abs=5e-4)
    weights = dict(zip(proposition_99.control_ids, fit.unit_weights, strict=True))
    published = {
        "Utah": 0.394,
        "Montana": 0.232,
        "Nevada": 0.205,
        "Connecticut": 0.109,
        "New Hampshire": 0.045,
        "Colorado": 0.015,
    }
    for state, weight in published.items():
        assert weights.pop(state) == pytest.approx(weight, abs=0.005)
    assert max(weights.values()) < 0.005


def test_synthetic_did_of_proposition_99(proposition_99: Panel) -> None:
    california = proposition_99.treated["California"]
    fit = synthetic_did(california, proposition_99.controls, 19)
    assert fit.effect == pytest.approx(-15.60, abs=0.05)
    placebos = placebo_fits(synthetic_did, proposition_99.controls, 19)
    found = estimate(fit, placebos)
    assert len(placebos) == 38
    assert found.placebo_error == pytest.approx(9, abs=0.75)
    assert found.low < fit.effect < found.high
    # 1986 to 1988 predict the years after; the paper's figure shows the same three.
    assert set(np.flatnonzero(fit.time_weights > 0.01) + 1970) == {1986, 1987, 1988}


def test_card_and_krueger() -> None:
    # Full-time jobs a store before and after: New Jersey, Pennsylvania.
    fit = difference_in_differences(np.array([20.44, 21.03]), np.array([[23.33, 21.17]]), 1)
    assert fit.effect == pytest.approx(2.76, abs=0.02)
    assert fit.effect == pytest.approx(2.75)


@pytest.fixture(scope="module")
def sicily(shared_data: Path) -> dict[str, Floats]:
    """Coronary events a month in Sicily; smoking was banned indoors in January 2005."""
    months = pl.read_csv(shared_data / "methods" / "its_sicily.csv")
    return {name: months.get_column(name).cast(pl.Float64).to_numpy() for name in months.columns}


def test_step_of_sicily_by_poisson(sicily: dict[str, Floats]) -> None:
    found = step_ratio(
        sicily["aces"],
        sicily["smokban"] == 1,
        sicily["time"],
        offset=np.log(sicily["stdpop"]),
        errors="Poisson",
    )
    assert found.ratio == pytest.approx(0.894377, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((0.86469, 0.92509), abs=5e-6)
    assert found.dispersion == pytest.approx(3.559, abs=5e-4)


def test_step_of_sicily_with_seasons_by_quasi_poisson(sicily: dict[str, Floats]) -> None:
    found = step_ratio(
        sicily["aces"],
        sicily["smokban"] == 1,
        sicily["time"],
        offset=np.log(sicily["stdpop"]),
        phase=sicily["month"] / 12,
        harmonic_pairs=2,
    )
    assert found.ratio == pytest.approx(0.885072, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((0.83940, 0.93323), abs=5e-6)
    assert found.claims_effect
    assert found.change_percent == pytest.approx(-11.4928, abs=1e-4)


def test_hac_errors_see_a_memory_that_dispersion_does_not() -> None:
    rng = np.random.default_rng(1)
    noise = 0.05 * rng.standard_normal(240)
    for place in range(1, 240):
        noise[place] += 0.7 * noise[place - 1]
    counts, places = 10_000 * np.exp(noise), np.arange(240.0)
    widths = {}
    for errors in ("Poisson", "quasi-Poisson", "HAC"):
        found = step_ratio(counts, places >= 120, places / 52, errors=errors)
        widths[errors] = found.high - found.low
    assert widths["Poisson"] < widths["quasi-Poisson"] < widths["HAC"]


def test_a_station_s_step_is_found_through_trend_and_season() -> None:
    days = [date.fromordinal(date(2022, 1, 3).toordinal() + 7 * week) for week in range(200)]
    place = np.array([day.toordinal() for day in days]) / 365.25
    outcomes = (
        10 + 0.02 * place + 0.05 * np.cos(2 * np.pi * place) + 0.03 * np.sin(4 * np.pi * place)
    )
    outcomes[80:] += np.log(0.9)
    found = station_step(outcomes, tuple(days), 80, PLAN)
    assert found.ratio == pytest.approx(0.9, abs=1e-6)


@given(
    st.integers(2, 12), st.integers(1, 15), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3])
)
def test_simplex_weights_are_the_best_there_are(
    count: int, rows: int, seed: int, ridge: float
) -> None:
    rng = np.random.default_rng(seed)
    columns, target = rng.standard_normal((rows, count)), rng.standard_normal(rows)
    weights = simplex_weights(columns, target, ridge)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    # At the optimum no weight gains by moving anywhere: the slope towards every column is the
    # same where there is weight, and not less where there is none.
    slopes = columns.T @ (columns @ weights - target) + ridge * rows * weights
    lowest = slopes @ weights
    assert slopes.min() >= lowest - 1e-6 * max(1.0, abs(lowest))


def test_weights_of_a_mixture_are_found_again() -> None:
    rng = np.random.default_rng(3)
    controls = rng.standard_normal((6, 30))
    truth = np.array([0.5, 0.3, 0.2, 0, 0, 0])
    treated = truth @ controls
    treated[20:] -= 2
    fit = synthetic_control(treated, controls, 20)
    assert fit.unit_weights == pytest.approx(truth, abs=1e-9)
    assert fit.effect == pytest.approx(-2)
    assert fit.before_rmse == pytest.approx(0, abs=1e-9)


def test_levels_of_stations_move_no_estimate_but_the_plain_synthetic_control_s() -> None:
    rng = np.random.default_rng(4)
    controls, treated = rng.standard_normal((12, 40)), rng.standard_normal(40)
    levels = 5 * rng.standard_normal((12, 1))
    for method in (difference_in_differences, centred_synthetic_control, synthetic_did):
        plain = method(treated, controls, 25).effect
        assert method(treated + 100, controls + levels, 25).effect == pytest.approx(plain)
    away = synthetic_control(treated + 100, controls + levels, 25)
    assert away.effect > 50


def test_an_effect_is_added_one_to_one() -> None:
    rng = np.random.default_rng(5)
    controls, treated = rng.standard_normal((12, 40)), rng.standard_normal(40)
    changed = treated.copy()
    changed[25:] += 0.7
    for method in (difference_in_differences, centred_synthetic_control, synthetic_did):
        plain = method(treated, controls, 25).effect
        assert method(changed, controls, 25).effect == pytest.approx(plain + 0.7)


PLACEBOS = [Fit(effect, 0.1) for effect in (-2.0, -1.0, 0.0, 1.0, 2.0)]


def test_the_doubt_is_that_of_the_placebo_effects() -> None:
    found = estimate(Fit(3.0, 0.1), PLACEBOS)
    assert found.standard_error == found.placebo_error == pytest.approx(1.5811, abs=1e-4)
    # Student's t with 4 degrees of freedom: 2.7764 at 97.5 %.
    assert (found.low, found.high) == pytest.approx((3 - 4.3899, 3 + 4.3899), abs=1e-3)
    assert found.p_value == pytest.approx(0.1306, abs=1e-3)
    assert found.rank_p_value == pytest.approx(1 / 6)
    assert estimate(Fit(-2.0, 0.1), PLACEBOS).rank_p_value == pytest.approx(3 / 6)
    as_ratio = found.as_ratio()
    assert as_ratio.ratio == pytest.approx(np.exp(3))
    assert not as_ratio.claims_effect


def test_a_station_that_fits_worse_has_more_doubt_and_one_that_fits_better_no_less() -> None:
    plain = estimate(Fit(3.0, 0.1), PLACEBOS)
    worse = estimate(Fit(3.0, 0.16), PLACEBOS)
    assert worse.widening == pytest.approx(1.6)
    assert worse.high - worse.low == pytest.approx(1.6 * (plain.high - plain.low))
    assert worse.rank_p_value == pytest.approx(3 / 6)
    assert estimate(Fit(3.0, 0.05), PLACEBOS) == plain
    # Controls without any error tell nothing of a station that has some.
    perfect = [Fit(fit.effect, 0.0) for fit in PLACEBOS]
    assert estimate(Fit(3.0, 0.1), perfect).low == -np.inf
    assert estimate(Fit(3.0, 0.0), perfect).high == plain.high


def test_periods_with_a_weight_use_degrees_of_freedom() -> None:
    fit = Fit(3.0, 0.1, time_weights=np.array([0.0, 0.5, 0.2, 0.3]))
    # Two of five are left: Student's t is 4.3027 at 97.5 %.
    assert estimate(fit, PLACEBOS).high == pytest.approx(3 + 4.3027 * 1.5811, abs=1e-3)
    # However many are used, one is left.
    greedy = estimate(Fit(3.0, 0.1, time_weights=np.full(9, 1 / 9)), PLACEBOS)
    assert greedy.high == pytest.approx(3 + 12.7062 * 1.5811, abs=1e-3)


def test_one_placebo_tells_no_doubt() -> None:
    with pytest.raises(ValueError, match="at least two placebo fits, got 1"):
        estimate(Fit(1.0, 0.1), PLACEBOS[:1])
    assert estimate(Fit(1.0, 0.1), [Fit(0.0, 0.1)] * 5).p_value == 1.0


def test_forty_placebos_take_no_time() -> None:
    rng = np.random.default_rng(6)
    controls = 0.02 * rng.standard_normal((40, 200)) + 0.02 * rng.standard_normal(200)
    placebo_fits(synthetic_did, controls[:3], 76)  # imports
    taken = []
    for _ in range(3):
        begun = time.process_time()
        placebo_fits(synthetic_did, controls, 76)
        taken.append(time.process_time() - begun)
    assert min(taken) < 1.0  # a tenth of a second where nothing else runs
