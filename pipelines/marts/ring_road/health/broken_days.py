"""Days on which a sensor said numbers that no traffic makes: stuck, silent, or another station's.

- *stuck*: one count above zero repeats for more hours than chance allows in any class, or one
  daily count of the main class (`station_days.main_class_days`) for `Plan.stuck_days` days.
- *silent*: it says zero vehicles for more hours than chance allows, and for more than is usual for
  the station. Hours without a count are missing and no zeros; they are not meant here.
- *duplicate*: in a calendar month at least half of its daily counts, and seven, are those of
  another station, to a thousandth or one vehicle.

**Chance.** With m vehicles expected in an hour, two Poisson counts are equal with a chance of about
1 / sqrt(4 pi m), and one is zero with exp(-m). A run is more than chance where it is expected less
than `CHANCE` times a day. The hours of the night, in which runs are likely, are taken to have a
tenth of the mean, which is that of the station's median whole day of that class and calendar year.

Sources of the checks: Federal Highway Administration, *Traffic Monitoring Guide*, quality control
of volume data (equal hourly counts in a row, zero hours); the detector diagnostics of California's
Performance Measurement System (PeMS: *stuck*, *constant*, *no data* apart from zero). Both use
fixed limits for busy roads; that limits follow from the level is ours.

Left out: sensors that lose a part of the traffic, which a step of the level tells (`steps`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import log, pi

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.ring_road.effect.plan import PLAN
from pipelines.marts.ring_road.station_days import main_class_days

STUCK, SILENT, DUPLICATE = "stuck", "silent", "duplicate"

# One false day in a million station-days of a class.
CHANCE = 1e-6
NIGHT_LEVEL_SHARE = 0.1
HOURS = 24
FEWEST_SILENT_HOURS = 3
# Below this daily level, equal counts come by chance.
LEAST_DAILY_COUNT = 100
FEWEST_EQUAL_DAYS = 7
LEAST_EQUAL_SHARE = 0.5
EQUAL_TOLERANCE_COUNT, EQUAL_TOLERANCE_SHARE = 1.0, 0.001

DAY_TYPES = {"station_id": pl.String, "service_date": pl.Date, "finding": pl.String}
TWIN_TYPES = {"station_id": pl.String, "twin_id": pl.String, "equal_share": pl.Float64}


def broken_days(days: pl.DataFrame, listed_ids: Collection[str]) -> pl.DataFrame:
    """(station_id, service_date, finding) of broken days, each with the first finding that applies.

    `days` as from `station_days`, `listed_ids` as in `equal_stations`. Sorted by station and date.
    """
    main = main_class_days(days)
    found = pl.concat(
        [
            pl.DataFrame(schema=DAY_TYPES),
            _told(days.filter(_repeats_hours()), STUCK),
            _told(_of_equal_days(main), STUCK),
            _told(main.filter(_is_silent()), SILENT),
        ]
    )
    others = main.join(found, on=["station_id", "service_date"], how="anti")
    copied = _copied_months(others, listed_ids)
    return (
        pl.concat([found, copied])
        .unique(["station_id", "service_date"], keep="first", maintain_order=True)
        .sort("station_id", "service_date")
    )


def _told(rows: pl.DataFrame, finding: str) -> pl.DataFrame:
    return rows.select("station_id", "service_date", finding=pl.lit(finding))


def _night_count() -> pl.Expr:
    """Vehicles expected in an hour of the night, of the station and class."""
    typical = pl.col("vehicle_count").filter(pl.col("vehicle_count") > 0).median()
    level = typical.over("station_id", "vehicle_class", pl.col("service_date").dt.year())
    return level / HOURS * NIGHT_LEVEL_SHARE


def _repeats_hours() -> pl.Expr:
    """Whether one count above zero repeats for longer than chance allows."""
    chances_log = (4 * pi * _night_count()).log() / 2
    needed = 1 + log(HOURS / CHANCE) / chances_log
    return (chances_log > 0) & (pl.col("longest_equal_hour_count") >= needed)


def _is_silent() -> pl.Expr:
    """Whether more hours are zero than chance allows and than is usual for the station."""
    zeros, night = pl.col("zero_hour_count"), _night_count()
    usual = zeros.median().over("station_id", pl.col("service_date").dt.year())
    least = pl.max_horizontal(pl.lit(FEWEST_SILENT_HOURS), log(HOURS / CHANCE) / night)
    # A file by the day tells no hours.
    is_busy = night >= LEAST_DAILY_COUNT / HOURS * NIGHT_LEVEL_SHARE
    is_empty_day = (pl.col("vehicle_count") == 0) & is_busy
    return (zeros >= least + 2 * usual) | is_empty_day


def _of_equal_days(main: pl.DataFrame) -> pl.DataFrame:
    """The rows whose daily count is one of a row of equal ones."""
    count = pl.col("vehicle_count")
    runs = main.sort("station_id", "service_date").with_columns(
        run=count.rle_id().over("station_id")
    )
    is_long = pl.len().over("station_id", "run") >= PLAN.stuck_days
    return runs.filter((count >= LEAST_DAILY_COUNT) & is_long)


def _copied_months(main: pl.DataFrame, listed_ids: Collection[str]) -> pl.DataFrame:
    months = main.with_columns(month_date=pl.col("service_date").dt.month_start())
    found = [pl.DataFrame(schema=DAY_TYPES)]
    for _, month in months.group_by("month_date", maintain_order=True):
        twins = equal_stations(month, listed_ids)
        if twins.height:
            found.append(_told(month.join(twins, on="station_id", how="semi"), DUPLICATE))
    return pl.concat(found)


def equal_stations(main: pl.DataFrame, listed_ids: Collection[str]) -> pl.DataFrame:
    """(station_id, twin_id, equal_share) of stations most of whose daily counts are another's.

    `main` has one row per station and day. The twin is the station with the largest share of equal
    counts among the days that both have, ties: the first by name. Both stations of a pair are told:
    nothing in the counts says whose they are. A station of the list is no copy of one that isn't.
    """
    busy = main.filter(pl.col("vehicle_count") >= LEAST_DAILY_COUNT)
    wide = busy.sort("station_id").pivot("station_id", index="service_date", values="vehicle_count")
    names = wide.columns[1:]
    counts = wide.select(pl.exclude("service_date").cast(pl.Float64)).to_numpy()
    is_listed = np.array([name in listed_ids for name in names], dtype=np.bool_)
    rows = [(names[own], names[twin], share) for own, twin, share in _twins(counts, is_listed)]
    return pl.DataFrame(rows, schema=TWIN_TYPES, orient="row")


def _twins(
    counts: npt.NDArray[np.float64], is_listed: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, int, float]]:
    """Column, the column most like it, and the share of equal days, where that is large."""
    is_known = (~np.isnan(counts)).astype(np.float64)
    both = is_known.T @ is_known
    for own in range(counts.shape[1]):
        mine = counts[:, own, None]
        tolerance = np.maximum(EQUAL_TOLERANCE_COUNT, EQUAL_TOLERANCE_SHARE * mine)
        equal = (np.abs(counts - mine) <= tolerance).sum(axis=0).astype(np.float64)
        share = np.divide(equal, both[own], out=np.zeros_like(equal), where=both[own] > 0)
        share[equal < FEWEST_EQUAL_DAYS] = 0
        share[own] = 0
        if is_listed[own]:
            share[~is_listed] = 0
        twin = int(np.argmax(share))
        if share[twin] >= LEAST_EQUAL_SHARE:
            yield own, twin, float(share[twin])
