"""Kaplan-Meier: published vectors, left truncation with a known answer, bounds of staying."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.marts.fleet.survival import survival

# Leukaemia remission in weeks (Freireich et al. 1963): 6-MP arm, the first nine ended.
SIX_MP = (6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
CONTROL = (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
FROM_THE_START = np.full(21, -1.0)


def test_the_published_curve_with_greenwood_s_errors() -> None:
    ended = np.arange(21) < 9
    curve = survival(np.array(SIX_MP, dtype=float), ended, FROM_THE_START)
    assert curve.ages.tolist() == [6, 7, 10, 13, 16, 22, 23]
    printed = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert curve.survival.round(4).tolist() == printed
    errors = [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]
    assert curve.standard_error.round(4).tolist() == errors


def test_the_control_arm_without_censoring_is_the_share_that_is_left() -> None:
    curve = survival(np.array(CONTROL, dtype=float), np.ones(21, dtype=bool), FROM_THE_START)
    at_ten = np.searchsorted(curve.ages, 10, side="right") - 1
    assert curve.survival[at_ten] == pytest.approx(8 / 21)
    assert round(float(curve.standard_error[at_ten]), 3) == 0.106
    assert (curve.survival[-1], curve.standard_error[-1]) == (0.0, 0.0)


def test_lives_that_were_seen_late_were_not_at_risk_before() -> None:
    # Four are seen from birth and end at 1, 2, 3 and 4; four more are seen from age 2 on only.
    exits = np.array([1.0, 2, 3, 4, 3, 4, 4, 4])
    entries = np.array([-1.0, -1, -1, -1, 2, 2, 2, 2])
    ended = np.ones(8, dtype=bool)
    curve = survival(exits, ended, entries)
    assert curve.at_risk.tolist() == [4, 3, 6, 4]
    assert curve.survival.tolist() == pytest.approx([3 / 4, 2 / 4, 2 / 4 * 4 / 6, 0])
    # As if all had been seen from birth, survivors would make the young look immortal.
    naive = survival(exits, ended, np.full(8, -1.0))
    assert naive.survival.tolist() == pytest.approx([7 / 8, 6 / 8, 4 / 8, 0])


def test_truncated_lives_of_a_known_hazard() -> None:
    # Half of those there leave each year, for ever; the register begins when they are of any age.
    rng = np.random.default_rng(3)
    exits = rng.geometric(0.5, 40_000).astype(float)
    entries = rng.integers(0, 6, 40_000).astype(float)
    seen = exits > entries
    curve = survival(exits[seen], np.ones(int(seen.sum()), dtype=bool), entries[seen])
    assert curve.survival[:5].tolist() == pytest.approx([0.5**k for k in range(1, 6)], abs=0.02)
    naive = survival(exits[seen], np.ones(int(seen.sum()), dtype=bool), -np.ones(int(seen.sum())))
    assert naive.survival[0] > 0.6


def test_the_chance_to_stay_has_bounds_around_it() -> None:
    ended = np.arange(21) < 9
    curve = survival(np.array(SIX_MP, dtype=float), ended, FROM_THE_START)
    now, then = np.array([0.0, 8.0, 30.0]), np.array([6.5, 14.0, 90.0])
    chance, low, high = curve.staying(now, then, z=1.2816)
    assert chance.tolist() == pytest.approx([0.857143, 0.690196 / 0.806723, 1.0], rel=1e-5)
    assert ((low <= chance) & (chance <= high) & (high <= 1)).all()
    # Nobody was seen leaving past 23: nothing is known to happen there.
    assert (low[2], high[2]) == (1.0, 1.0)
