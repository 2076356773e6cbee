"""Station steps: days on which a station's level or its clock moved away from its peers'.

Level: the log of the daily volume against the stations of the same role, or against all others
where fewer than three of the role counted; a step of a tenth and six robust errors (`steps`).
Clock: the mean clock hour against all other stations; a step of three quarters of an hour. A clock
set an hour wrong moves the mean hour by an hour, whatever the station counts; what moves traffic
that far in the day moves it at more than one station. Where all clocks move at once no station
stands out: that is told of all of them, and of none alone.

Left out: clocks that were wrong all along, stations with fewer than three others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, pi

import numpy as np
import polars as pl

from pipelines.marts.ring_road.health.steps import (
    FEWEST_PEERS,
    Floats,
    Step,
    deviations,
    find_step,
    nan_median,
)
from pipelines.staging.count_station_days import HOURS_OF_CLOCK

LEAST_LOG_RATIO = log(1.1)
LEAST_CLOCK_HOURS = 0.75

STEP_TYPES = {
    "station_id": pl.String,
    "change_point_date": pl.Date,
    "change_point_ratio": pl.Float64,
    "clock_shift_hours": pl.Float64,
    "all_clocks_shift_hours": pl.Float64,
}


def find_station_steps(sound: pl.DataFrame, roles: Mapping[str, str]) -> pl.DataFrame:
    """One row per station of `sound`, with its steps (`STEP_TYPES`), null where there is none.

    `sound` has the whole, unbroken days of each station's main class: station_id, service_date,
    vehicle_count above zero, mean_clock_hour. `roles` of the stations that have one.
    """
    if sound.is_empty():
        return pl.DataFrame(schema=STEP_TYPES)
    logs = sound.with_columns(level=pl.col("vehicle_count").cast(pl.Float64).log())
    dates, names, levels = _matrix(logs, "level")
    _, _, hours = _matrix(sound, "mean_clock_hour")
    weekdays = dates.dt.weekday().to_numpy().astype(np.int64) - 1
    everybody = [range(len(names))] * len(names)
    level = deviations(levels, _peers(names, roles), weekdays)
    clocks = _around_noon(hours)
    clock = deviations(clocks, everybody, weekdays)
    together = _shared_step(clocks)
    rows = []
    for column, name in enumerate(names):
        change = find_step(level[:, column], LEAST_LOG_RATIO)
        shift = find_step(clock[:, column], LEAST_CLOCK_HOURS)
        has_clock = not np.isnan(clocks[:, column]).all()
        rows.append(
            (
                name,
                dates[change.row] if change else None,
                exp(change.size) if change else None,
                shift.size if shift else None,
                together.size if together and has_clock else None,
            )
        )
    return pl.DataFrame(rows, schema=STEP_TYPES, orient="row")


def _matrix(sound: pl.DataFrame, value: str) -> tuple[pl.Series, list[str], Floats]:
    """Days, stations, and the values by both; NaN where there is none."""
    wide = (
        sound.sort("station_id")
        .pivot("station_id", index="service_date", values=value)
        .sort("service_date")
    )
    values = wide.select(pl.exclude("service_date").cast(pl.Float64)).to_numpy()
    return wide.get_column("service_date"), wide.columns[1:], values.astype(np.float64)


def _peers(names: Sequence[str], roles: Mapping[str, str]) -> list[Sequence[int]]:
    """Columns of each station's peers, itself among them."""
    everybody = range(len(names))
    by_role = {
        role: [column for column in everybody if roles.get(names[column]) == role]
        for role in set(roles.values())
    }
    alike = [by_role.get(roles.get(name, ""), []) for name in names]
    return [own if len(own) > FEWEST_PEERS else everybody for own in alike]


def _around_noon(hours: Floats) -> Floats:
    """Hours of the clock as differences from each station's mean hour, from -12 to 12."""
    angles = np.exp(hours * (2j * pi / HOURS_OF_CLOCK))
    means = np.angle(np.nansum(angles, axis=0)) * (HOURS_OF_CLOCK / (2 * pi))
    half = HOURS_OF_CLOCK / 2
    return np.asarray((hours - means + half) % HOURS_OF_CLOCK - half, dtype=np.float64)


def _shared_step(clocks: Floats) -> Step | None:
    """The step of the median of all clocks, where there are enough of them."""
    is_told = ~np.isnan(clocks).all(axis=0)
    if is_told.sum() <= FEWEST_PEERS:
        return None
    return find_step(nan_median(clocks, axis=1), LEAST_CLOCK_HOURS)
