"""Placebo inference: how large an effect a method finds where there is none.

Each control is treated in turn as if the event had been its own, against the other controls. What
comes out is what the method errs by, autocorrelation, overdispersion and poor fit included, as long
as the treated station is one like them (the checks ask whether it is). With n of them:

    standard error = standard deviation of the placebo effects (n - 1 in the denominator)
                     x how much worse the station's fit before the event is than the median
                     control's (its RMSE over theirs, at least 1): a noisier station has more doubt
    interval       = effect +- Student's t (n - k degrees of freedom) x standard error
    p-value        = of effect / standard error by the same t: below 0.05 where the 95 % interval
                     leaves out no effect
    rank p-value   = (1 + number of placebo effects, as much larger, that reach it) / (1 + n)

k is 1, for the mean; a method that fits time weights to the same controls has used one for each
period with a weight, since all placebo effects share them. The rank needs no distribution but
can't go below 1 / (1 + n); both are told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
from scipy.special import stdtr, stdtrit

from pipelines.marts.ring_road.effect.ratio import Ratio
from pipelines.marts.ring_road.effect.simplex import Floats


def _none() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Fit:
    """What a method makes of one station: effect, fit before the event, weights if it has any."""

    effect: float
    before_rmse: float
    unit_weights: Floats = field(default_factory=_none)
    time_weights: Floats = field(default_factory=_none)


# treated by period, controls by station and period, number of periods before the event
Method = Callable[[Floats, Floats, int], Fit]


@dataclass(frozen=True)
class Estimate:
    """An effect in the outcome's unit, with what placebo stations say about its doubt.

    `placebo_error` is the standard deviation of their effects, `widening` what it is multiplied by.
    """

    effect: float
    placebo_error: float
    widening: float
    low: float
    high: float
    p_value: float
    rank_p_value: float

    @property
    def standard_error(self) -> float:
        """Standard error of the effect."""
        return self.placebo_error * self.widening

    def as_ratio(self) -> Ratio:
        """The same of logs as a ratio."""
        low, high = float(np.exp(self.low)), float(np.exp(self.high))
        return Ratio(float(np.exp(self.effect)), low, high, self.p_value)


def before_rmse(gap: Floats, centre: float) -> float:
    """Root of the mean squared gap before the event, around `centre`."""
    return float(np.sqrt(np.mean((gap - centre) ** 2)))


def placebo_fits(method: Method, controls: Floats, before_count: int) -> list[Fit]:
    """The method's fit of each control against the others, in order; needs three controls."""
    return [
        method(controls[row], np.delete(controls, row, axis=0), before_count)
        for row in range(len(controls))
    ]


def placebo_effects(fits: Sequence[Fit]) -> Floats:
    """Effects of placebo fits as an array."""
    return np.array([fit.effect for fit in fits])


def fit_ratio(fit: Fit, placebos: Sequence[Fit]) -> float:
    """Error of a fit before the event as a multiple of the median placebo's."""
    typical = float(np.median([placebo.before_rmse for placebo in placebos]))
    if typical > 0:
        return fit.before_rmse / typical
    return inf if fit.before_rmse > 0 else 1.0


def estimate(fit: Fit, placebos: Sequence[Fit], level: float = 0.95) -> Estimate:
    """A fit's effect with its doubt, from at least two placebo fits by the same method.

    Raises `ValueError` where fewer are given.
    """
    count, size = len(placebos), abs(fit.effect)
    if count < 2:
        message = f"placebo inference needs at least two placebo fits, got {count}"
        raise ValueError(message)
    effects = placebo_effects(placebos)
    spread, widening = float(effects.std(ddof=1)), max(1.0, fit_ratio(fit, placebos))
    error = spread * widening if spread > 0 else 0.0
    freedom = max(1, count - max(1, int(np.count_nonzero(fit.time_weights))))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    # Placebo effects that are all alike leave no doubt to measure by.
    p_value = 2 * float(stdtr(freedom, -size / error)) if error > 0 else 1.0
    rank = 1 + int((np.abs(effects) >= size / widening).sum())
    return Estimate(
        effect=fit.effect,
        placebo_error=spread,
        widening=widening,
        low=fit.effect - half,
        high=fit.effect + half,
        p_value=p_value,
        rank_p_value=rank / (1 + count),
    )
