"""Diversion share: from matched trips and read rates to a share with its 95 % interval, by month.

A trip is matched only if both ends read it, so it stands for 1 / (r_in r_out) trips. Of the trips
on the ring, only r_g are also read there. With w the weight, g = 1 for trips read on the ring:

    denominator = sum w,   numerator = sum w g / r_g,   share = numerator / denominator

**Interval.** Days are what is sampled (weather, closures and weekdays move all of a day's trips
together), so with at least `FEWEST_DAYS` the sampling error is that of a ratio over days (delta
method, days as clusters, Student's t). With fewer days it is Wilson's interval at the effective
number of trips (sum w)^2 / sum w^2, which knows nothing of how days differ (so also where no
trip, or every trip, was read on the ring). The audits' binomial error of the ring's rates is added
in quadrature; that of the weights is left out, since they only shift the balance of pairs.
Intervals end at 0 and 1.

Without audits there is no share, but a range: every reader read everything, or the ring read as
little as one reader may. Wilson's interval is widened by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import sqrt

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import stdtrit

from pipelines.marts.ring_road.read_rates import PAIR

Z_95 = 1.959964
FEWEST_DAYS = 7
# Ours, for want of a published rate: readers on open roads are commonly reported to read 80 to
# 95 % of plates, and 70 % leaves room for dirt and snow. One reader on the way is the worst case.
LOWEST_PLAUSIBLE_RATE = 0.70

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MonthShare:
    """Diversion in one month (or any set of entry days). Shares and rates are 0..1.

    `numerator` and `denominator` are numbers of trips on the ring and of all through trips on the
    days delivered, corrected for what wasn't read; null without audits, like `share`.
    """

    month_date: date
    matched_count: int
    matched_ring_count: int
    naive_share: float
    numerator: float | None
    denominator: float | None
    share: float | None
    low: float
    high: float
    read_rate_cordon: float | None
    read_rate_ring: float | None


def month_shares(
    trips: pl.DataFrame, rates: pl.DataFrame | None, ring: pl.DataFrame | None
) -> list[MonthShare]:
    """The months in which trips entered, in order; `rates` and `ring` are null without audits.

    Frames as `match_through_trips`, `audited_rates` and `ring_rates` give them.
    """
    if rates is None or ring is None:
        cells = _counted(trips)
        return [_range(month, rows) for month, rows in _by_month(cells)]
    cells = _weighted(_counted(trips), rates, ring)
    variances = dict(_audit_variance(cells, ring).iter_rows())
    return [_estimate(month, rows, variances.get(month, 0.0)) for month, rows in _by_month(cells)]


def corrected_share(
    matched: Floats, on_ring: npt.NDArray[np.bool_], weight: Floats, ring_rate: Floats
) -> tuple[float, float]:
    """Numerator and denominator of the share from cells of `matched` trips each (see above)."""
    corrected = matched * weight
    return float((corrected[on_ring] / ring_rate[on_ring]).sum()), float(corrected.sum())


def wilson_interval(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count` independent trials."""
    centre = (share + Z_95**2 / (2 * count)) / (1 + Z_95**2 / count)
    spread = sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    half = Z_95 * spread / (1 + Z_95**2 / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def day_clustered_half_width(numerators: Floats, denominators: Floats) -> float:
    """Half the 95 % interval of a ratio of sums over days: delta method, Student's t."""
    days = len(numerators)
    deviations = numerators - numerators.sum() / denominators.sum() * denominators
    variance = days / (days - 1) * float((deviations**2).sum()) / float(denominators.sum()) ** 2
    return float(stdtrit(days - 1, 0.975)) * sqrt(variance)


def _counted(trips: pl.DataFrame) -> pl.DataFrame:
    """Trips by month, day, pair, bands and way: whole numbers, whatever the order of the rows."""
    month = pl.col("entry_date").dt.month_start().alias("month_date")
    keys = (month, "entry_date", *PAIR, "entry_band", "exit_band", "is_read_on_ring")
    return trips.group_by(*keys).agg(trip_count=pl.len()).sort(pl.all())


def _weighted(cells: pl.DataFrame, rates: pl.DataFrame, ring: pl.DataFrame) -> pl.DataFrame:
    ends = [
        rates.select(
            pl.col("station_id").alias(f"{end}_station_id"),
            pl.col("band").alias(f"{end}_band"),
            pl.col("read_rate").alias(f"{end}_rate"),
        )
        for end in ("entry", "exit")
    ]
    way = [*PAIR, "entry_band"]
    return (
        cells.join(ends[0], on=["entry_station_id", "entry_band"], how="left")
        .join(ends[1], on=["exit_station_id", "exit_band"], how="left")
        .join(ring.select(*way, "ring_rate").unique(), on=way, how="left")
        .with_columns(weight=1 / (pl.col("entry_rate") * pl.col("exit_rate")))
        .sort(cells.columns)
    )


def _by_month(cells: pl.DataFrame) -> list[tuple[date, pl.DataFrame]]:
    parts = cells.partition_by("month_date", as_dict=True)
    return [(month, rows) for (month,), rows in sorted(parts.items())]


def _audit_variance(cells: pl.DataFrame, ring: pl.DataFrame) -> pl.DataFrame:
    """Variance of each month's numerator that comes from the audits of ring stations."""
    way = [*PAIR, "entry_band"]
    corrected = pl.col("trip_count") * pl.col("weight")
    by_station = (
        cells.filter("is_read_on_ring")
        .drop("ring_rate")
        .join(ring, on=way)
        .with_columns(effect=corrected * pl.col("slope") / pl.col("ring_rate") ** 2)
        .sort("month_date", "station_id", *way, "entry_date", "exit_band")
        .group_by("month_date", "station_id", "entry_band", maintain_order=True)
        .agg(pl.col("effect").sum(), pl.col("rate_variance").first())
    )
    variance = (pl.col("effect") ** 2 * pl.col("rate_variance")).sum()
    return by_station.group_by("month_date", maintain_order=True).agg(variance=variance)


def _estimate(month: date, cells: pl.DataFrame, audit_variance: float) -> MonthShare:
    matched = cells.get_column("trip_count").cast(pl.Float64).to_numpy()
    on_ring = cells.get_column("is_read_on_ring").to_numpy()
    weight = cells.get_column("weight").to_numpy()
    # A pair that the ring never read has no rate there, and needs none.
    ring_rate = cells.get_column("ring_rate").fill_null(1.0).to_numpy()
    numerator, denominator = corrected_share(matched, on_ring, weight, ring_rate)
    share = numerator / denominator
    corrected = matched * weight
    read_there = float(corrected[on_ring].sum())
    rate = read_there / numerator if numerator else None
    half = _half_widths(cells, share, rate, corrected, float((matched * weight**2).sum()))
    audit = Z_95 * sqrt(audit_variance) / denominator
    count, ring_count = int(matched.sum()), int(matched[on_ring].sum())
    return MonthShare(
        month_date=month,
        matched_count=count,
        matched_ring_count=ring_count,
        naive_share=ring_count / count,
        numerator=numerator,
        denominator=denominator,
        share=min(1.0, share),
        low=min(1.0, max(0.0, share - sqrt(half[0] ** 2 + audit**2))),
        high=min(1.0, share + sqrt(half[1] ** 2 + audit**2)),
        read_rate_cordon=sqrt(count / denominator),
        read_rate_ring=rate,
    )


def _half_widths(
    cells: pl.DataFrame, share: float, rate: float | None, corrected: Floats, squares: float
) -> tuple[float, float]:
    """Sampling error below and above the share."""
    days, day_number = np.unique(cells.get_column("entry_date").to_numpy(), return_inverse=True)
    read = cells.get_column("is_read_on_ring").to_numpy()
    # Days that all agree on "none" or "all" show no spread, which is no certainty.
    if len(days) >= FEWEST_DAYS and read.any() and not read.all():
        ring_rate = cells.get_column("ring_rate").fill_null(1.0).to_numpy()
        on_ring = np.where(read, corrected / ring_rate, 0.0)
        numerators, denominators = (
            np.bincount(day_number, weights=values).astype(np.float64)
            for values in (on_ring, corrected)
        )
        half = day_clustered_half_width(numerators, denominators)
        return half, half
    scale = rate or LOWEST_PLAUSIBLE_RATE
    low, high = wilson_interval(min(1.0, share * scale), float(corrected.sum()) ** 2 / squares)
    return share - low / scale, high / scale - share


def _range(month: date, cells: pl.DataFrame) -> MonthShare:
    count = int(cells.get_column("trip_count").sum())
    ring_count = int(cells.filter("is_read_on_ring").get_column("trip_count").sum())
    low, high = wilson_interval(ring_count / count, count)
    return MonthShare(
        month_date=month,
        matched_count=count,
        matched_ring_count=ring_count,
        naive_share=ring_count / count,
        numerator=None,
        denominator=None,
        share=None,
        low=low,
        high=min(1.0, high / LOWEST_PLAUSIBLE_RATE),
        read_rate_cordon=None,
        read_rate_ring=None,
    )
