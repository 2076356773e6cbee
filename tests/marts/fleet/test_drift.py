"""A count that moves by steps: closed forms, and how often its intervals hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.marts.fleet.drift import Drift


def test_without_scatter_it_is_a_line() -> None:
    drift = Drift.of(np.full(12, -5.0), 0.8)
    assert drift.after(100, 12) == (40, 40, 40)
    assert drift.months_to_zero(100) == (20, 20, 20)
    assert drift.after(100, 30) == (0, 0, 0)


def test_the_bounds_are_those_of_the_formula() -> None:
    drift = Drift(mean=-10, variance=25, n=36, level=0.8)
    assert drift.quantile == pytest.approx(1.3062, abs=1e-4)  # Student's t, 35 degrees of freedom
    spread = drift.quantile * math.sqrt(25 * (12**2 / 36 + 12))
    assert drift.after(1000, 12) == pytest.approx((880, 880 - spread, 880 + spread))
    expected, earliest, latest = drift.months_to_zero(1000)
    assert expected == 100
    for side, months in ((-1, earliest), (1, latest)):
        assert months is not None
        spread = drift.quantile * math.sqrt(25 * (months**2 / 36 + months))
        assert 1000 - 10 * months + side * spread == pytest.approx(0, abs=1e-6)


def test_a_count_that_does_not_fall_is_never_gone_and_a_doubtful_one_perhaps() -> None:
    assert Drift(2, 0, 12, 0.8).months_to_zero(100) == (None, None, None)
    expected, earliest, latest = Drift(-1, 400, 12, 0.8).months_to_zero(1000)
    assert expected == 1000
    assert earliest is not None
    assert earliest < expected
    assert latest is None


def test_eight_of_ten_intervals_hold() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for steps in rng.normal(-8, 6, (2000, 36 + 12)):
        _, low, high = Drift.of(steps[:36], 0.8).after(1000, 12)
        held += low <= 1000 + steps[36:].sum() <= high
    assert held / 2000 == pytest.approx(0.8, abs=0.03)
