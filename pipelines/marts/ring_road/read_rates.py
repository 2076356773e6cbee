"""Read rates: the chance that a station reads the plate of a vehicle that passes it.

They come from an independent second reading (capture-recapture): of the vehicles that it saw, the
share whose plates the station had read. Audited hours are pooled by station and quarter of the
day (night and low sun read worse) over the year up to the month that they are for; where a quarter
saw too few vehicles, by station; where a station did, over all stations of its role.

**Rate of the ring.** A vehicle on the ring passes several stations, and one reading is enough, so
on the way of a pair of cordon stations r = 1 - prod(1 - r_k). Which ring stations lie on that way
is read off the data: those that read at least a quarter as many of the pair's trips (both
directions together) as the one that read most. A map would need to know the ring's gaps and
ramps, and which of the two ways round is used; trucks know both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from pipelines.marts.matched_trips import BAND_HOURS
from pipelines.marts.ring_road.matching import PAIR

# Vehicles of a pool; below them the rate's standard error is above 0.06.
FEWEST_SEEN_COUNT = 40
MONTHS_OF_A_RATE = 12  # all seasons, and readers of that time
# A rate below this weighs a trip over fivefold at one end: it says the station is broken.
LOWEST_RATE = 0.2
# Keeps the slope finite where a station misses none (its rate's variance is zero there).
LOWEST_MISSED = 1e-9
ON_THE_WAY_SHARE = 0.25


def audited_rates(
    audits: pl.DataFrame, stations: pl.DataFrame, months: Sequence[date]
) -> pl.DataFrame:
    """Rate of each station of `stations` (station_id, role) in each month and band of the day.

    A month stands on the audits of the year that ends with it, so that what is audited later leaves
    it alone; only where they leave a role out, on all. Columns: month_date, station_id, role,
    band, read_rate, seen_count (vehicles that the rate stands on). A role of which nothing was
    audited has null rates.
    """
    if not months:
        pooled = _pooled_rates(audits, stations).clear()
        return pooled.select(pl.lit(None, pl.Date).alias("month_date"), pl.all())
    begun = audits.get_column("audit_date").dt.month_start()
    roles = stations.get_column("role").n_unique()
    by_month = []
    for month in months:
        year = begun.is_between(_months_before(month, MONTHS_OF_A_RATE - 1), month)
        of_year = audits.filter(year)
        told = stations.join(of_year, on="station_id", how="semi").get_column("role").n_unique()
        pooled = _pooled_rates(of_year if told == roles else audits, stations)
        by_month.append(pooled.select(pl.lit(month).alias("month_date"), pl.all()))
    return pl.concat(by_month)


def _months_before(month: date, count: int) -> date:
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


def _pooled_rates(audits: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Rates of stations and bands, all audits together."""
    seen, read = pl.col("vehicles_seen_count"), pl.col("plates_read_count")
    hours = audits.select(
        "station_id",
        band=(pl.col("hour_of_day") // BAND_HOURS).cast(pl.Int32),
        seen=seen.cast(pl.Int64),
        read=read.cast(pl.Int64),
    )
    bands = pl.DataFrame({"band": range(24 // BAND_HOURS)}, schema={"band": pl.Int32})
    grid = stations.select("station_id", "role").join(bands, how="cross")
    by_band = hours.group_by("station_id", "band").sum()
    every = grid.join(by_band, on=["station_id", "band"], how="left").with_columns(
        pl.col("seen", "read").fill_null(0)
    )
    pools = [
        (pl.col("seen"), pl.col("read")),
        (pl.col("seen").sum().over("station_id"), pl.col("read").sum().over("station_id")),
        (pl.col("seen").sum().over("role"), pl.col("read").sum().over("role")),
    ]
    least = (FEWEST_SEEN_COUNT, FEWEST_SEEN_COUNT, 1)
    enough = [pool[0] >= count for pool, count in zip(pools, least, strict=True)]
    rates = [pl.when(ok).then(read / seen) for ok, (seen, read) in zip(enough, pools, strict=True)]
    counts = [pl.when(ok).then(seen) for ok, (seen, _) in zip(enough, pools, strict=True)]
    return every.select(
        "station_id",
        "role",
        "band",
        read_rate=pl.coalesce(rates).clip(LOWEST_RATE, 1.0),
        seen_count=pl.coalesce(counts),
    ).sort("station_id", "band")


def stations_on_the_way(ring_readings: pl.DataFrame) -> pl.DataFrame:
    """Ring stations on the way of each ordered pair in each month.

    `ring_readings` as in `through.Through`. Columns: month_date, entry_, exit_station_id,
    station_id.
    """
    ends = [pl.col(name) for name in PAIR]
    either_way = {"one_end": pl.min_horizontal(ends), "other_end": pl.max_horizontal(ends)}
    both = ("month_date", "one_end", "other_end")
    read = ring_readings.with_columns(**either_way)
    counted = read.group_by(*both, "station_id").agg(pl.col("trip_count").sum())
    most = pl.col("trip_count").max().over(both)
    near = counted.filter(pl.col("trip_count") >= ON_THE_WAY_SHARE * most)
    return (
        read.select("month_date", *PAIR, "one_end", "other_end")
        .unique()
        .join(near, on=both)
        .select("month_date", *PAIR, "station_id")
        .sort("month_date", *PAIR, "station_id")
    )


def ring_rates(on_the_way: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Chance that at least one ring station reads a vehicle, by month, pair and band of entry.

    One row per month, pair, band and station on the way: month_date, entry_, exit_station_id,
    entry_band, station_id, ring_rate (the same for all stations of a way), slope (of ring_rate by
    the station's rate) and rate_variance (of the station's rate, binomial).
    """
    rate = pl.col("read_rate")
    missed = 1 - rate
    some_missed = missed.clip(LOWEST_MISSED, 1.0)
    way = ("month_date", *PAIR, "entry_band")
    return (
        on_the_way.join(rates.rename({"band": "entry_band"}), on=["month_date", "station_id"])
        .sort(*way, "station_id")
        .select(
            *way,
            "station_id",
            ring_rate=1 - missed.product().over(way),
            slope=some_missed.product().over(way) / some_missed,
            rate_variance=rate * (1 - rate) / pl.col("seen_count"),
        )
    )
