"""Synthetic control: a weighted mean of controls that ran like the treated station before.

Weights are never negative, sum to 1 and minimise the squared gap before the event (no covariates);
the effect is the mean gap after it. Source: Abadie, Diamond and Hainmueller, Journal of the
American Statistical Association 105 (2010).

There is no intercept: a treated station above all controls has no synthetic one. Stations of
different size are therefore compared after `centred`: each as a deviation from its mean before
the event (the demeaned synthetic control of Ferman and Pinto, Quantitative Economics 12, 2021).
"""

from __future__ import annotations

from pipelines.marts.ring_road.effect.placebo import Fit, before_rmse
from pipelines.marts.ring_road.effect.simplex import Floats, simplex_weights


def synthetic_control(treated: Floats, controls: Floats, before_count: int) -> Fit:
    """From outcomes by period of one treated station and by station and period of the controls."""
    weights = simplex_weights(controls[:, :before_count].T, treated[:before_count])
    gap = treated - weights @ controls
    return Fit(float(gap[before_count:].mean()), before_rmse(gap[:before_count], 0.0), weights)


def centred_synthetic_control(treated: Floats, controls: Floats, before_count: int) -> Fit:
    """The same of deviations from each station's mean before the event."""
    means = controls[:, :before_count].mean(axis=1, keepdims=True)
    return synthetic_control(
        treated - treated[:before_count].mean(), controls - means, before_count
    )
