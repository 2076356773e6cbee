"""Change against a year ago, and what it answers.

A change is the later value less the earlier one. Where both have an interval of their own and stand
on different counts, the interval of the change is found from theirs (the method of variance
estimates recovery: each end takes the root of the sum of squares of the distances that matter to
it). Reach at both dates stands on one population grid, whose error they share, and a register is
counted through: their changes have no interval.

Left out: significance. An interval that holds 0 is told as no clear change.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Literal

Verdict = Literal["better", "worse", "no_change", "no_comparison"]
# Ours: below half of the last digit that is shown, nothing has changed.
LEAST_SHARE = 0.0005


@dataclass(frozen=True)
class Estimate:
    """A value and its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Change:
    """The later value less the earlier one, in their unit; an interval where both had one."""

    value: float
    low: float | None = None
    high: float | None = None

    def verdict(self, *, rising_is_better: bool) -> Verdict:
        """Whether it is for the better; no change where the interval holds 0 or it is tiny."""
        if self.low is not None and self.high is not None and self.low <= 0 <= self.high:
            return "no_change"
        if abs(self.value) < LEAST_SHARE:
            return "no_change"
        return "better" if (self.value > 0) == rising_is_better else "worse"


def change_between(earlier: Estimate, later: Estimate) -> Change:
    """The change from the earlier estimate to the later one."""
    value = later.value - earlier.value
    ends = (earlier.low, earlier.high, later.low, later.high)
    if None in ends:
        return Change(value)
    earlier_low, earlier_high, later_low, later_high = (float(end or 0.0) for end in ends)
    down = hypot(later.value - later_low, earlier_high - earlier.value)
    up = hypot(later_high - later.value, earlier.value - earlier_low)
    return Change(value, value - down, value + up)
