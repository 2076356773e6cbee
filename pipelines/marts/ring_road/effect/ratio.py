"""A ratio with its doubt: volume as a multiple of the one without the event."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Point, 95 % interval (or the plan's level) and p-value; 1 is no effect."""

    ratio: float
    low: float
    high: float
    p_value: float

    @property
    def change_percent(self) -> float:
        """The same as a change in per cent."""
        return 100 * (self.ratio - 1)

    @property
    def claims_effect(self) -> bool:
        """Whether the interval leaves out no effect."""
        return self.low > 1 or self.high < 1
