"""Station-days like the sample city's, with an effect that is known, vectorised for many seeds.

Level x trend x season x weekday x log noise (AR(1) over days, one part shared by all stations, one
of each station's) x effect from the opening on; counts scatter more than Poisson's. Days are
missing here and there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.night import Event

FIRST_DATE, LAST_DATE = date(2022, 1, 3), date(2025, 12, 28)
OPENED_DATE = date(2023, 6, 16)
OPENING = Event("opening and tolls", OPENED_DATE, date(2023, 7, 21))
TARIFFS = Event("tariff change", date(2026, 1, 1), date(2026, 1, 1))
PLAN = Plan(events=(OPENING, TARIFFS))
TREATED, UNTOUCHED = "screen", "street"  # the second one is measured too, and has no effect
WEEKDAYS = np.array([1.02, 1.03, 1.03, 1.04, 1.07, 0.95, 0.86])
MEMORY, SHARED_NOISE, OWN_NOISE = 0.6, 0.015, 0.02
# A day's count is the sum of a day's hours and classes: its shape is much larger than an hour's.
DAY_SHAPE = 600.0
MISSING_CHANCE = 0.015


def control_ids(count: int = 40) -> list[str]:
    return [f"control-{number:02d}" for number in range(count)]


def station_days(
    seed: int, effects: Mapping[str, float] | None = None, *, controls: int = 40
) -> pl.DataFrame:
    """(station_id, service_date, vehicle_count) of TREATED, UNTOUCHED and the controls.

    `effects` are ratios from the opening on, by station id; 1 where none is given.
    """
    rng = np.random.default_rng(seed)
    names = [TREATED, UNTOUCHED, *control_ids(controls)]
    days = [FIRST_DATE + timedelta(n) for n in range((LAST_DATE - FIRST_DATE).days + 1)]
    place = np.array([day.toordinal() for day in days])
    years = (place - OPENED_DATE.toordinal()) / 365.25
    shared = 0.015 * years + np.log(1 + 0.05 * np.cos(2 * np.pi * (place - 182) / 365.25))
    levels = np.concatenate(
        [[60_000.0, 25_000.0], 4_000 + np.arange(1, controls + 1) * 7919 % 17 * 1_100]
    )
    ratios = np.array([(effects or {}).get(name, 1.0) for name in names])

    noise = rng.standard_normal((len(names) + 1, len(days)))
    noise[1:] *= OWN_NOISE * np.sqrt(1 - MEMORY**2)
    noise[0] *= SHARED_NOISE * np.sqrt(1 - MEMORY**2)
    for day in range(1, len(days)):
        noise[:, day] += MEMORY * noise[:, day - 1]
    weekday = WEEKDAYS[[day.weekday() for day in days]]
    is_after = place >= OPENED_DATE.toordinal()
    means = levels[:, None] * np.exp(shared + noise[1:] + noise[:1]) * weekday
    means *= np.where(is_after, ratios[:, None], 1.0)
    counts = rng.poisson(means * rng.gamma(DAY_SHAPE, 1 / DAY_SHAPE, means.shape))
    is_there = rng.random(means.shape) >= MISSING_CHANCE
    station, day = np.nonzero(is_there)
    return pl.DataFrame(
        {
            "station_id": pl.Series(names).gather(station),
            "service_date": pl.Series(days).gather(day),
            "vehicle_count": counts[is_there],
        }
    )
