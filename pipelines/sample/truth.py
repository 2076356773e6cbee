"""What is known to be true of the sample, for tests that ask whether a measure finds it.

- `opening_effects`: ratio of a station's daily level after the ring's opening to what it would
  have been without it, permanent from 2023-06-16 on, for all vehicles and for heavy ones; light and
  medium vehicles share one ratio, such that all vehicles have theirs. The tolls of 2023-07-21 and
  the tariffs of 2026-01-01 have no effect here.
- `diversion_share(month)`: share of heavy through trips that take the ring, exact (to one trip) on
  every day of the month by day of entry: CEILING - GAP * exp(-m / 36), m months since 2023-06.
- `read_rates()`: chance that a reader reads the plate of a heavy vehicle that passes, by hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from pipelines.sample.facts import (
    KULDZHINSKY_AFTER,
    KULDZHINSKY_BEFORE,
    RING_OPENED_DATE,
    TASHKENTSKY_AFTER,
    TASHKENTSKY_BEFORE,
)
from pipelines.sample.stations import READERS, STATIONS, Station

DIVERSION_CEILING_SHARE = 0.70
DIVERSION_GAP_SHARE = 0.30
DIVERSION_MONTHS = 36
LOWEST_READ_RATE, HIGHEST_READ_RATE = 0.75, 0.95


@dataclass(frozen=True)
class OpeningEffect:
    """Ratio of the level after the opening to the level without it."""

    all_vehicles: float
    heavy: float

    def others(self, heavy_share: float) -> float:
        """Ratio for light and medium vehicles, given the heavy share before the opening."""
        return (self.all_vehicles - heavy_share * self.heavy) / (1 - heavy_share)


@dataclass(frozen=True)
class Truth:
    """See the module's docstring."""

    opening_effects: Mapping[str, OpeningEffect]
    overdispersion: Mapping[str, float]

    def diversion_share(self, month: date) -> float:
        """True share of through trips on the ring in the month of the given day; 0 before it."""
        if month < RING_OPENED_DATE:
            return 0.0
        opened = RING_OPENED_DATE
        months = (month.year - opened.year) * 12 + month.month - opened.month
        gap = DIVERSION_GAP_SHARE * math.exp(-months / DIVERSION_MONTHS)
        return round(DIVERSION_CEILING_SHARE - gap, 4)

    def read_rates(self) -> npt.NDArray[np.float64]:
        """True read rates: a row per reader in order of READERS, a column per clock hour."""
        number = np.arange(len(READERS))[:, None]
        hour = np.arange(24)[None, :]
        by_day = 0.82 + 0.13 * (number * 0.618 % 1.0)
        night_loss = 0.02 + 0.06 * (number * 0.414 % 1.0)
        is_dark = (hour < 6) | (hour >= 20)
        is_dazzled = (hour >= 17) & (hour < 20)
        rates = by_day - night_loss * is_dark - 0.5 * night_loss * is_dazzled
        clipped: npt.NDArray[np.float64] = np.round(
            np.clip(rates, LOWEST_READ_RATE, HIGHEST_READ_RATE), 4
        )
        return clipped


# Ours, except the two that follow from published levels.
_EFFECTS = {
    "screen-01": OpeningEffect(TASHKENTSKY_AFTER / TASHKENTSKY_BEFORE, 0.45),
    "screen-02": OpeningEffect(0.88, 0.60),
    "screen-03": OpeningEffect(0.80, 0.50),
    "screen-04": OpeningEffect(0.84, 0.52),
    "screen-05": OpeningEffect(KULDZHINSKY_AFTER / KULDZHINSKY_BEFORE, 0.42),
    "screen-06": OpeningEffect(0.90, 0.70),
    "screen-07": OpeningEffect(0.86, 0.55),
    "screen-08": OpeningEffect(0.94, 0.80),
    "screen-09": OpeningEffect(1.04, 1.0),
    "screen-10": OpeningEffect(1.05, 1.0),
    "screen-11": OpeningEffect(0.95, 0.85),
    "screen-12": OpeningEffect(1.03, 1.0),
}
_BY_ROLE = {"cordon": OpeningEffect(1.03, 1.04), "control": OpeningEffect(1.0, 1.0)}


def _effect(station: Station) -> OpeningEffect:
    return _EFFECTS.get(station.station_id) or _BY_ROLE[station.role]


TRUTH = Truth(
    # The ring has no level before its opening, so it has no effect.
    opening_effects=MappingProxyType(
        {station.station_id: _effect(station) for station in STATIONS if station.role != "ring"}
    ),
    # Shape k of the negative binomial of an hour's count: variance = mean + mean^2 / k.
    overdispersion=MappingProxyType({"light": 40.0, "medium": 25.0, "heavy": 15.0}),
)
