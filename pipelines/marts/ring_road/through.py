"""Through traffic: the matched trips within their limits, and the ring stations on their way.

**Ends of a block of days.** Not every day is delivered. An entry is counted only if the limit of
its pair and hour ends within the days delivered without a gap; else slow trips would be lost at
each end. A trip belongs to the local day on which it entered.

Trips beyond the limit stayed in the city and are counted as visits. Left out: how long.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.marts.matched_trips import ALL, ANY, BAND_HOURS, BIN_WIDTH, THROUGH
from pipelines.marts.ring_road.limits import limits, trip_cells
from pipelines.marts.ring_road.matching import PAIR

HOURS_A_DAY = 24
_HOUR = ("month_date", "vehicle_class", *PAIR, "entry_hour")


@dataclass(frozen=True)
class Through:
    """Through trips as counts.

    `trips`: month_date, service_date, vehicle_class, entry_station_id, exit_station_id, entry_band,
    exit_band (local hour // 6), is_read_on_ring, trip_count, log_minutes (sum over the trips).
    `visits`: month_date, vehicle_class, pair, trip_count beyond the limit. `ring_readings`:
    month_date, pair, station_id (of the ring), trip_count. `limits` as `ring_road.limits` says.
    """

    trips: pl.DataFrame
    visits: pl.DataFrame
    ring_readings: pl.DataFrame
    limits: pl.DataFrame


def through_traffic(matched: pl.DataFrame, delivered: pl.Series) -> Through:
    """Through trips of `marts.matched_trips`; `delivered` are the local days with passages."""
    cells = trip_cells(matched)
    longest = limits(cells)
    ends = _block_ends(delivered)
    counted = _counted(cells, longest, ends)
    is_within = pl.col("minutes_bin") <= pl.col("limit_bin")
    band = (pl.col("entry_hour") // BAND_HOURS).cast(pl.Int32)
    keys = ("month_date", "service_date", "vehicle_class", *PAIR, "entry_band", "exit_band")
    log_minutes = (pl.col("minutes_bin") + 0.5) * BIN_WIDTH * pl.col("trip_count")
    trips = (
        counted.filter(is_within)
        .with_columns(entry_band=band, log_minutes=log_minutes)
        .group_by(*keys, "is_read_on_ring")
        .agg(pl.col("trip_count", "log_minutes").sum())
        .sort(*keys, "is_read_on_ring")
    )
    visits = (
        counted.filter(~is_within)
        .group_by("month_date", "vehicle_class", *PAIR)
        .agg(pl.col("trip_count").sum())
    )
    read = matched.filter(
        pl.col("directions") == THROUGH, ~pl.col("reader").is_in([ALL, ANY])
    ).with_columns(month_date=pl.col("service_date").dt.month_start())
    ring_readings = (
        _counted(read, longest, ends)
        .filter(is_within)
        .group_by("month_date", *PAIR, station_id="reader")
        .agg(pl.col("trip_count").sum())
    )
    return Through(trips, visits, ring_readings, longest)


def _counted(cells: pl.DataFrame, longest: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """Cells with their limit, those whose limit ends within their block of days."""
    limit_hours = ((pl.col("limit_bin") + 1) * BIN_WIDTH).exp() / 60
    return (
        cells.join(longest, on=_HOUR)
        .join(ends, on="service_date")
        .filter(pl.col("entry_hour") + 1 + limit_hours <= HOURS_A_DAY * pl.col("days_left"))
    )


def _block_ends(delivered: pl.Series) -> pl.DataFrame:
    """Days from each delivered day to the end of its unbroken block, itself included."""
    days = pl.DataFrame({"service_date": delivered.sort()})
    is_first = (pl.col("service_date").diff() != pl.duration(days=1)).fill_null(value=True)
    left = pl.col("service_date").max().over("block") - pl.col("service_date")
    return days.with_columns(block=is_first.cum_sum()).select(
        "service_date", days_left=left.dt.total_days() + 1
    )
