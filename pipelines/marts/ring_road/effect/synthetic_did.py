"""Synthetic difference in differences, after Arkhangelsky and others (American Economic Review
111, 2021), for one treated station.

    effect = mean gap after - sum over periods before of lambda_t gap_t,
    gap = treated - sum over controls of omega_i control_i

- omega: on the simplex, with an intercept, closest to the treated station before the event, plus a
  ridge zeta^2 T0 |omega|^2; zeta = T1^(1/4) x sd of the controls' first differences before it;
- lambda: on the simplex, with an intercept, such that the weighted periods before come closest to
  the mean after it, over controls; its ridge (1e-6 sd)^2 N0 only makes it unique.

T0 and T1 are the numbers of periods before and after, N0 that of the controls. The intercepts make
it blind to stations' levels; the ridge keeps it from leaning on few controls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.marts.ring_road.effect.placebo import Fit, before_rmse
from pipelines.marts.ring_road.effect.simplex import Floats, simplex_weights

# Source: the paper's section 2; the number is that of its authors' program.
TIME_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Donors:
    """The controls of a fit, with what they tell for whichever station is treated."""

    controls: Floats  # stations x periods
    before_count: int
    zeta: float
    time_weights: Floats


def donors_of(controls: Floats, before_count: int) -> Donors:
    """At least two controls and three periods before."""
    before, after = controls[:, :before_count], controls[:, before_count:]
    noise = float(np.diff(before, axis=1).std(ddof=1))
    times = time_weights(before, after.mean(axis=1), TIME_RIDGE * noise)
    return Donors(controls, before_count, after.shape[1] ** 0.25 * noise, times)


def synthetic_did(treated: Floats, controls: Floats, before_count: int) -> Fit:
    """From outcomes by period of one treated station and by station and period of the controls."""
    return fit_to(treated, donors_of(controls, before_count))


def fit_to(treated: Floats, donors: Donors) -> Fit:
    """The same by controls that several stations share."""
    count = donors.before_count
    units = unit_weights(treated[:count], donors.controls[:, :count], donors.zeta)
    gap = treated - units @ donors.controls
    gap_before = gap[:count]
    effect = float(gap[count:].mean() - donors.time_weights @ gap_before)
    return Fit(effect, before_rmse(gap_before, gap_before.mean()), units, donors.time_weights)


def unit_weights(treated: Floats, controls: Floats, zeta: float) -> Floats:
    """Weights of the controls, from outcomes before the event alone."""
    deviations = controls - controls.mean(axis=1, keepdims=True)
    return simplex_weights(deviations.T, treated - treated.mean(), zeta**2)


def time_weights(before: Floats, mean_after: Floats, zeta: float) -> Floats:
    """Weights of the periods before the event, from the controls alone."""
    deviations = before - before.mean(axis=0)
    return simplex_weights(deviations, mean_after - mean_after.mean(), zeta**2)
