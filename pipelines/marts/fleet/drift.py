"""A count that moves by steps: where it will be, and when it will be gone.

Monthly steps are taken as independent draws around one mean (a random walk with drift): after h
months the count is

    count + mean h  +-  t sqrt(variance (h^2 / n + h))

the first term of the root because the mean is estimated from n steps, the second because steps
scatter; t is Student's with n - 1 degrees of freedom. The count is gone when that reaches zero;
each bound has its own day, or none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from pipelines.marts.fleet.survival import Floats


@dataclass(frozen=True)
class Drift:
    """Mean and variance of a month's step, estimated from `n` of them."""

    mean: float
    variance: float
    n: int
    level: float  # share of intervals that should hold

    @staticmethod
    def of(steps: Floats, level: float) -> Drift:
        """From at least two steps."""
        return Drift(float(np.mean(steps)), float(np.var(steps, ddof=1)), len(steps), level)

    @property
    def quantile(self) -> float:
        """Student's t of the level."""
        return float(stdtrit(self.n - 1, (1 + self.level) / 2))

    def after(self, count: float, months: float) -> tuple[float, float, float]:
        """Count after some months: expected, low, high; never below zero."""
        expected = count + self.mean * months
        spread = self.quantile * math.sqrt(self.variance * (months**2 / self.n + months))
        return max(expected, 0.0), max(expected - spread, 0.0), max(expected + spread, 0.0)

    def months_to_zero(self, count: float) -> tuple[float | None, float | None, float | None]:
        """Months until the count is gone: expected, earliest, latest; None: not reached."""
        expected = -count / self.mean if self.mean < 0 else None
        return expected, self._crossing(count, -1), self._crossing(count, +1)

    def _crossing(self, count: float, side: int) -> float | None:
        """First h with count + mean h + side x spread(h) = 0.

        Squared, with s = t^2 variance: (mean^2 - s/n) h^2 + (2 count mean - s) h + count^2 = 0.
        """
        s = self.quantile**2 * self.variance
        if s == 0:
            return -count / self.mean if self.mean < 0 else None
        a, b, c = self.mean**2 - s / self.n, 2 * count * self.mean - s, count**2
        root = b**2 - 4 * a * c
        if root < 0:
            return None
        found = [-c / b] if a == 0 else [(-b - math.sqrt(root)) / (2 * a),
                                         (-b + math.sqrt(root)) / (2 * a)]  # fmt: skip
        # The side of the band whose square this is: below zero the band is above its middle.
        mine = [h for h in found if h > 0 and side * (count + self.mean * h) <= 1e-9 * count]
        return min(mine, default=None)
