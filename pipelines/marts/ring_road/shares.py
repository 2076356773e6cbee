"""Diversion share: from counted through trips and read rates to a share with its 95 % interval.

A trip is matched only if both ends read it, so it stands for 1 / (r_in r_out) trips. Of the trips
on the ring, only r_g are also read there. With w the weight, g = 1 for trips read on the ring:

    denominator = sum w,   numerator = sum w g / r_g,   share = numerator / denominator

**Interval.** Days are what is sampled (weather, closures and weekdays move all of a day's trips
together), so with at least `FEWEST_DAYS` the sampling error is that of a ratio over days (delta
method, days as clusters, Student's t). With fewer days it is Wilson's interval at the effective
number of trips (sum w)^2 / sum w^2, which knows nothing of how days differ (so also where no
trip, or every trip, was read on the ring). The audits' binomial error of the rates is added in
quadrature. Intervals end at 0 and 1.

Without audits there is no share, but a range: every reader read everything, or the ring read as
little as one reader may. Wilson's interval is widened by it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.ring_road.matching import PAIR

Z_95 = 1.959964
FEWEST_DAYS = 7
# Ours, for want of a published rate: readers on open roads are commonly reported to read 80 to
# 95 % of plates, and 70 % leaves room for dirt and snow. One reader on the way is the worst case.
LOWEST_PLAUSIBLE_RATE = 0.70

Floats = npt.NDArray[np.float64]
_WAY = ("month_date", *PAIR, "entry_band")


def shares(
    trips: pl.DataFrame,
    rates: pl.DataFrame | None,
    ring: pl.DataFrame | None,
    keys: Sequence[str],
) -> pl.DataFrame:
    """Shares by `keys` (the month among them); `rates` and `ring` are null without audits.

    Frames as `through_traffic`, `audited_rates` and `ring_rates` give them. A row per key with
    trips: matched_count, matched_ring_count, day_count; naive_share, share, low, high,
    read_rate_cordon, read_rate_ring (0..1); numerator, denominator (trips on the ring and all
    through trips on the days delivered, corrected for what wasn't read). Share, numerator,
    denominator and rates are null without audits, and low and high are a range then.
    """
    counted = _counted(trips, keys)
    if rates is None or ring is None:
        return _range(counted)
    cells = _weighted(trips, rates, ring, keys)
    sums = (
        _sums(cells, keys)
        .join(_audit_variance(cells, ring, keys), on=keys, how="left")
        .join(_cordon_variance(cells, keys), on=keys)
    )
    return _estimate(counted.join(sums, on=keys), _day_variance(cells, keys), keys)


def wilson_interval(share: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Wilson's 95 % interval of a share of `count` independent trials."""
    centre = (share + Z_95**2 / (2 * count)) / (1 + Z_95**2 / count)
    spread = np.sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    half = Z_95 * spread / (1 + Z_95**2 / count)
    return np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)


def _counted(trips: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    count = pl.col("trip_count")
    return (
        trips.group_by(keys)
        .agg(
            matched_count=count.sum(),
            matched_ring_count=count.filter("is_read_on_ring").sum(),
            day_count=pl.col("service_date").n_unique().cast(pl.Int64),
        )
        .with_columns(naive_share=pl.col("matched_ring_count") / pl.col("matched_count"))
        .sort(keys)
    )


def _weighted(
    trips: pl.DataFrame, rates: pl.DataFrame, ring: pl.DataFrame, keys: Sequence[str]
) -> pl.DataFrame:
    """Trips with `corrected` (trips they stand for), squares, and what of it is on the ring."""
    ends = [
        rates.select(
            "month_date",
            pl.col("station_id").alias(f"{end}_station_id"),
            pl.col("band").alias(f"{end}_band"),
            pl.col("read_rate").alias(f"{end}_rate"),
            _binomial_variance().alias(f"{end}_variance"),
        )
        for end in ("entry", "exit")
    ]
    weight = 1 / (pl.col("entry_rate") * pl.col("exit_rate"))
    count, is_read = pl.col("trip_count"), pl.col("is_read_on_ring")
    # A way that the ring never read has no rate there, and needs none.
    ring_rate = pl.col("ring_rate").fill_null(1.0)
    columns = dict.fromkeys([*keys, "service_date", *_WAY, "exit_band", "is_read_on_ring"])
    ends_known = [f"{end}_{name}" for end in ("entry", "exit") for name in ("rate", "variance")]
    return (
        trips.join(ends[0], on=["month_date", "entry_station_id", "entry_band"], how="left")
        .join(ends[1], on=["month_date", "exit_station_id", "exit_band"], how="left")
        .join(ring.select(*_WAY, "ring_rate").unique(), on=_WAY, how="left")
        .select(
            *columns,
            *ends_known,
            corrected=count * weight,
            squares=count * weight**2,
            read=pl.when(is_read).then(count * weight).otherwise(0.0),
            on_ring=pl.when(is_read).then(count * weight / ring_rate).otherwise(0.0),
        )
        .sort(list(columns))
    )


def _sums(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return cells.group_by(keys, maintain_order=True).agg(
        numerator=pl.col("on_ring").sum(),
        denominator=pl.col("corrected").sum(),
        read=pl.col("read").sum(),
        squares=pl.col("squares").sum(),
    )


def _day_variance(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Variance of the share from how its days differ (delta method, days as clusters)."""
    days = cells.group_by(*keys, "service_date", maintain_order=True).agg(
        pl.col("on_ring", "corrected").sum()
    )
    on_ring, corrected, count = pl.col("on_ring"), pl.col("corrected"), pl.len()
    share = on_ring.sum() / corrected.sum()
    deviations = on_ring - share * corrected
    variance = count / (count - 1) * deviations.pow(2).sum() / corrected.sum().pow(2)
    return days.group_by(keys, maintain_order=True).agg(variance=pl.when(count > 1).then(variance))


def _audit_variance(cells: pl.DataFrame, ring: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Variance of each numerator that comes from the audits of ring stations."""
    by_station = (
        cells.filter("is_read_on_ring")
        .join(ring, on=_WAY)
        .with_columns(effect=pl.col("corrected") * pl.col("slope") / pl.col("ring_rate") ** 2)
        .sort(*keys, "station_id", *_WAY, "service_date", "exit_band")
        .group_by(*keys, "station_id", "entry_band", maintain_order=True)
        .agg(pl.col("effect").sum(), pl.col("rate_variance").first())
    )
    variance = (pl.col("effect") ** 2 * pl.col("rate_variance")).sum()
    return by_station.group_by(keys, maintain_order=True).agg(audit_variance=variance)


def _cordon_variance(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Variance of each numerator less share x denominator, from the audits of cordon stations.

    A rate weighs all trips that begin or end at its station, so it moves the share only as far as
    theirs differs from that of all.
    """
    on_ring, corrected = pl.col("on_ring"), pl.col("corrected")
    excess = on_ring - on_ring.sum().over(keys) / corrected.sum().over(keys) * corrected
    ends = [
        cells.select(
            *keys,
            pl.col(f"{end}_station_id").alias("station_id"),
            pl.col(f"{end}_band").alias("band"),
            effect=excess / pl.col(f"{end}_rate"),
            rate_variance=f"{end}_variance",
        )
        for end in ("entry", "exit")
    ]
    by_rate = (
        pl.concat(ends)
        .group_by(*keys, "station_id", "band", maintain_order=True)
        .agg(pl.col("effect").sum(), pl.col("rate_variance").first())
    )
    variance = (pl.col("effect") ** 2 * pl.col("rate_variance")).sum()
    return by_rate.group_by(keys, maintain_order=True).agg(cordon_variance=variance)


def _binomial_variance() -> pl.Expr:
    rate = pl.col("read_rate")
    return rate * (1 - rate) / pl.col("seen_count")


def _estimate(sums: pl.DataFrame, days: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    from scipy.special import stdtrit  # 0.2 s, which the reading of DAGs can do without

    rows = sums.join(days, on=keys).sort(keys)
    column = {
        name: rows.get_column(name).cast(pl.Float64).fill_null(0).to_numpy()
        for name in rows.columns
        if name not in keys
    }
    share = column["numerator"] / column["denominator"]
    is_read = column["read"] > 0
    rate = np.where(is_read, column["read"] / np.where(is_read, column["numerator"], 1.0), np.nan)
    # Few days, or days that all agree on "none" or "all", show no spread, which is no certainty.
    is_one_way = (column["matched_ring_count"] == 0) | (
        column["matched_ring_count"] == column["matched_count"]
    )
    many = (column["day_count"] >= FEWEST_DAYS) & ~is_one_way
    half = stdtrit(np.maximum(column["day_count"] - 1, 1), 0.975) * np.sqrt(column["variance"])
    scale = np.where(is_read, rate, LOWEST_PLAUSIBLE_RATE)
    low, high = wilson_interval(
        np.minimum(1.0, share * scale), column["denominator"] ** 2 / column["squares"]
    )
    audited = column["audit_variance"] + column["cordon_variance"]
    audit = Z_95 * np.sqrt(audited) / column["denominator"]
    below = np.hypot(np.where(many, half, share - low / scale), audit)
    above = np.hypot(np.where(many, half, high / scale - share), audit)
    told = {
        "share": np.minimum(1.0, share),
        "low": np.minimum(1.0, np.maximum(0.0, share - below)),
        "high": np.minimum(1.0, share + above),
        "read_rate_cordon": np.sqrt(column["matched_count"] / column["denominator"]),
        "read_rate_ring": rate,
    }
    return rows.drop(
        "read", "squares", "variance", "audit_variance", "cordon_variance"
    ).with_columns(pl.Series(name, values, nan_to_null=True) for name, values in told.items())


def _range(counted: pl.DataFrame) -> pl.DataFrame:
    low, high = wilson_interval(
        counted.get_column("naive_share").to_numpy(),
        counted.get_column("matched_count").cast(pl.Float64).to_numpy(),
    )
    unknown = ("numerator", "denominator", "share", "read_rate_cordon", "read_rate_ring")
    return counted.with_columns(
        *(pl.lit(None, pl.Float64).alias(name) for name in unknown),
        low=pl.Series(low),
        high=pl.Series(np.minimum(1.0, high / LOWEST_PLAUSIBLE_RATE)),
    )
