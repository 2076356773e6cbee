"""Annual average daily traffic (AADT) of a station and class, by AASHTO's average of averages.

    AADT = 1/7 sum over weekday j of (1/12 sum over month i of MADW(i, j))

MADW(i, j) is the mean volume of the days of month i that fall on weekday j: 84 *cells*. Unlike a
mean of all days it takes no harm where days are missing unevenly. Only whole days enter; days on
which the sensor was broken don't.

**Empty cells** are filled by the station's own month factor times its weekday factor: the product
a(i) b(j) whose sums over the known cells of each month and of each weekday are the counted ones
(iterative proportional fitting, which is also the Poisson fit of the product). A month without any
known cell takes the mean of the months beside it, January being beside December. At most
`MOST_FILLED_CELLS` cells and `MOST_EMPTY_MONTHS` month may be filled; beyond these, or where a
weekday was never counted, there is no figure. These limits are ours.

Source: American Association of State Highway and Transportation Officials, *Guidelines for Traffic
Data Programs*; Federal Highway Administration, *Traffic Monitoring Guide*. Both want every month;
that a cell may be filled, and from what, is ours and told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MONTHS, WEEKDAYS = 12, 7
CELLS = MONTHS * WEEKDAYS
MOST_FILLED_CELLS = 12
MOST_EMPTY_MONTHS = 1
FIT_ROUNDS = 500
FIT_PRECISION = 1e-12

STATION_CLASS = ("station_id", "vehicle_class")
WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NO_DAYS = "no whole day was counted"


@dataclass(frozen=True)
class Year:
    """Twelve calendar months in a row."""

    from_date: date
    to_date: date

    def month_dates(self) -> list[date]:
        """First days of its months."""
        first = self.from_date.year * MONTHS + self.from_date.month - 1
        return [
            date(number // MONTHS, number % MONTHS + 1, 1)
            for number in range(first, first + MONTHS)
        ]


def last_year(service_date: date) -> Year:
    """The twelve calendar months that ended last, on the service date or before it."""
    following = service_date + timedelta(days=1)
    end = following.replace(day=1)
    return Year(end.replace(year=end.year - 1), end - timedelta(days=1))


def calendar_years(first_date: date, service_date: date) -> list[Year]:
    """The calendar years from that of `first_date` on that have ended."""
    ended = (service_date + timedelta(days=1)).year - 1
    return [
        Year(date(year, 1, 1), date(year, MONTHS, 31)) for year in range(first_date.year, ended + 1)
    ]


def month_cells(days: pl.DataFrame) -> pl.DataFrame:
    """Mean volume and days by station, class, month and weekday.

    `days` has whole days alone: station_id, service_date, vehicle_class, vehicle_count. The answer
    has month_date, weekday (1: Monday), mean_count, day_count.
    """
    day = pl.col("service_date")
    return days.group_by(
        *STATION_CLASS, month_date=day.dt.month_start(), weekday=day.dt.weekday()
    ).agg(mean_count=pl.col("vehicle_count").mean(), day_count=pl.len().cast(pl.Int64))


@dataclass(frozen=True, eq=False)
class YearCells:
    """A year's cells of some stations and classes: arrays of station-class x month x weekday."""

    year: Year
    keys: pl.DataFrame  # STATION_CLASS, one row for each row of the arrays
    counted: Floats  # NaN where no day was counted
    filled: Floats  # NaN where a cell was neither counted nor filled
    day_counts: npt.NDArray[np.int64]  # counted days by station-class
    reasons: tuple[str | None, ...]  # why there is no figure

    @property
    def aadt(self) -> Floats:
        """AADT by station-class; NaN where there is a reason."""
        means: Floats = self.filled.mean(axis=1).mean(axis=1)
        means[[reason is not None for reason in self.reasons]] = np.nan
        return means

    @property
    def counted_cell_counts(self) -> npt.NDArray[np.int64]:
        """Cells with a counted day, by station-class."""
        return np.asarray((~np.isnan(self.counted)).sum(axis=(1, 2)), dtype=np.int64)

    def month_ratios(self) -> Floats:
        """Each month's mean daily volume over AADT: station-class x month."""
        ratios: Floats = self.filled.mean(axis=2) / self.aadt[:, None]
        return ratios

    def weekday_ratios(self) -> Floats:
        """Each weekday's mean daily volume over AADT: station-class x weekday."""
        ratios: Floats = self.filled.mean(axis=1) / self.aadt[:, None]
        return ratios


def year_cells(cells: pl.DataFrame, keys: pl.DataFrame, year: Year) -> YearCells:
    """The cells of a year, empty ones filled as far as they may be, for the station-classes asked.

    `cells` as from `month_cells`, `keys` has `STATION_CLASS`, each once.
    """
    months = pl.DataFrame({"month_date": year.month_dates(), "month": range(MONTHS)})
    placed = cells.join(keys.with_row_index("row"), on=STATION_CLASS).join(months, on="month_date")
    at = [placed.get_column(name).to_numpy() for name in ("row", "month", "weekday")]
    counted = np.full((keys.height, MONTHS, WEEKDAYS), np.nan)
    counted[at[0], at[1], at[2] - 1] = placed.get_column("mean_count").to_numpy()
    day_counts = np.zeros(keys.height, dtype=np.int64)
    np.add.at(day_counts, at[0], placed.get_column("day_count").to_numpy())
    is_known = ~np.isnan(counted)
    reasons = tuple(_reason(known) for known in is_known)
    filled = counted.copy()
    is_told = np.array([reason is None for reason in reasons], dtype=np.bool_)
    (gappy,) = np.nonzero(is_told & ~is_known.all(axis=(1, 2)))
    if gappy.size:
        filled[gappy] = np.where(is_known[gappy], counted[gappy], _products(counted[gappy]))
    return YearCells(year, keys, counted, filled, day_counts, reasons)


def _reason(is_known: Bools) -> str | None:
    """Why too little of a year was counted, None where it is enough."""
    if not is_known.any():
        return NO_DAYS
    empty_months = int((~is_known.any(axis=1)).sum())
    empty = int((~is_known).sum())
    if empty_months > MOST_EMPTY_MONTHS:
        return (
            f"{empty_months} of {MONTHS} months have no counted day: at most {MOST_EMPTY_MONTHS} "
            "is filled"
        )
    if not is_known.any(axis=0).all():
        weekday = WEEKDAY_NAMES[int(np.argmin(is_known.any(axis=0)))]
        return f"no {weekday} was counted"
    if empty > MOST_FILLED_CELLS:
        return (
            f"{empty} of {CELLS} cells of month and weekday have no counted day: at most "
            f"{MOST_FILLED_CELLS} are filled"
        )
    return None


def _products(counted: Floats) -> Floats:
    """Month factor x weekday factor in every cell, fitted to the known cells."""
    is_known = (~np.isnan(counted)).astype(np.float64)
    known = np.where(is_known > 0, counted, 0.0)
    by_month, by_weekday = known.sum(axis=2), known.sum(axis=1)
    weekday = np.ones_like(by_weekday)
    month = np.zeros_like(by_month)
    for _ in range(FIT_ROUNDS):
        before = month
        month = _ratio(by_month, (is_known * weekday[:, None, :]).sum(axis=2))
        weekday = _ratio(by_weekday, (is_known * month[:, :, None]).sum(axis=1))
        if np.abs(month - before).max() <= FIT_PRECISION * np.abs(month).max():
            break
    is_empty = is_known.sum(axis=2) == 0
    beside = (np.roll(month, 1, axis=1) + np.roll(month, -1, axis=1)) / 2
    month = np.where(is_empty, beside, month)
    products: Floats = month[:, :, None] * weekday[:, None, :]
    return products


def _ratio(sums: Floats, weights: Floats) -> Floats:
    return np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
