"""Kaplan-Meier with right censoring and left truncation: how long vehicles last.

A life is seen from an age on (`entry`, when the register began to see) to an age at which it ended
or was still going on. At each age at which a life ends, those at risk are the lives that were seen
by then and had not ended; so vehicles that left before the register saw them do not make the rest
look immortal.

    S(t) = product over ages a <= t of (1 - d_a / n_a)
    H(t) = sum of d_a / n_a        Var H(t) = sum of d_a / (n_a (n_a - d_a))      (Greenwood)

Kaplan and Meier 1958; Greenwood 1926; left truncation as in Klein and Moeschberger, section 4.6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Survival:
    """The curve at the ages at which lives ended, in order."""

    ages: Floats
    survival: Floats
    greenwood: Floats  # sum of d / (n (n - d)) up to the age; infinite once all at risk have left
    at_risk: Floats
    ended: Floats

    @property
    def standard_error(self) -> Floats:
        """Greenwood's standard error of S; 0 where nothing is left."""
        with np.errstate(invalid="ignore"):
            error = self.survival * np.sqrt(self.greenwood)
        return np.where(self.survival == 0, 0.0, error)

    def staying(self, now: Floats, then: Floats, z: float) -> tuple[Floats, Floats, Floats]:
        """Chance to be there at an age, for one that is there at an age before; low, high bound.

        The bounds are `z` standard errors of the log away, within 0 to 1. Beyond the greatest age
        at which one was seen leaving, nobody is known to leave.
        """
        first, last = (np.searchsorted(self.ages, age, side="right") for age in (now, then))
        curve = np.concatenate([[1.0], self.survival])
        doubt = np.concatenate([[0.0], self.greenwood])
        with np.errstate(divide="ignore", invalid="ignore"):
            chance = np.nan_to_num(curve[last] / curve[first], nan=0.0)
            factor = np.exp(z * np.sqrt(doubt[last] - doubt[first]))
            low, high = chance / factor, np.minimum(chance * factor, 1.0)
        is_known = np.isfinite(factor)
        return chance, np.where(is_known, low, chance), np.where(is_known, high, chance)


def survival(exit_age: Floats, is_ended: npt.NDArray[np.bool_], entry_age: Floats) -> Survival:
    """The curve of lives seen from `entry_age` to `exit_age`; censored where they had not ended.

    A life is at risk after its entry and up to its exit, as in statsmodels' `SurvfuncRight`.
    """
    ages, ended = np.unique(exit_age[is_ended], return_counts=True)
    exits, entries = np.sort(exit_age), np.sort(entry_age)
    entered = np.searchsorted(entries, ages, side="left")  # entry < age
    gone = np.searchsorted(exits, ages, side="left")  # exit < age
    at_risk = (entered - gone).astype(np.float64)
    deaths = ended.astype(np.float64)
    with np.errstate(divide="ignore"):
        terms = deaths / (at_risk * (at_risk - deaths))
    return Survival(
        ages.astype(np.float64),
        np.cumprod(1.0 - deaths / at_risk).astype(np.float64),
        np.cumsum(terms).astype(np.float64),
        at_risk,
        deaths,
    )
