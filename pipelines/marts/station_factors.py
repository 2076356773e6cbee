"""Seasonal factors of each station and vehicle class: its months and weekdays against its year.

    month factor   = mean daily volume of the month / AADT       (mean over weekdays of its cells)
    weekday factor = mean daily volume of the weekday / AADT     (mean over months of its cells)

of the twelve calendar months that ended last, with the cells of `marts.station_aadt`, filled ones
included (`ring_road.aadt`). Months have a mean of 1, and so have weekdays. The factor that expands
a short count to a year's average is the inverse.

Source: Federal Highway Administration, *Traffic Monitoring Guide*, seasonal adjustment (there as
AADT over the month's or the weekday's mean).

Left out: stations and classes without AADT, or with none at all, and factors of road groups.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.marts.ring_road.aadt import STATION_CLASS, Floats, last_year, year_cells
from pipelines.marts.ring_road.sound_volumes import sound_volumes
from pipelines.marts.station_aadt import StationAadt
from pipelines.night import Night
from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations

MONTH, WEEKDAY = "month", "weekday"
_DIGITS = 6


class StationFactors(dy.Schema):
    """One row per service date, station, vehicle class and month or weekday."""

    service_date = dy.Date(primary_key=True, description="Local date that the row is about.")
    station_id = dy.String(primary_key=True, description="Station.")
    vehicle_class = one_of(*VEHICLE_CLASSES, primary_key=True, description="Class of vehicle.")
    factor_kind = one_of(
        MONTH, WEEKDAY, primary_key=True, description="Whether it is a month's or a weekday's."
    )
    factor_number = dy.Int32(
        primary_key=True, min=1, max=12, description="Calendar month, or weekday (1: Monday)."
    )
    factor = dy.Float64(min=0, description="Its mean daily volume / AADT.")


def compute_station_factors(
    night: Night,
    *,
    count_stations: dy.DataFrame[CountStations],
    count_station_days: dy.DataFrame[CountStationDays],
    station_aadt: dy.DataFrame[StationAadt],
) -> dy.DataFrame[StationFactors]:
    """The factors of the last twelve months of every station and class with vehicles in them."""
    year = last_year(night.service_date)
    keys = (
        station_aadt.filter(
            (pl.col("year_from_date") == year.from_date) & (pl.col("aadt_count") > 0)
        )
        .select(STATION_CLASS)
        .sort(STATION_CLASS)
    )
    listed = count_stations.get_column("station_id").unique().to_list()
    # Whole calendar years: sensors are judged by these.
    since = year.from_date.replace(month=1)
    known = count_station_days.filter(pl.col("service_date") >= since)
    volumes = sound_volumes(known, listed, night.service_date)
    found = year_cells(volumes.cells, keys, year)
    months = [month.month for month in year.month_dates()]
    rows = pl.concat(
        [
            _rows(keys, MONTH, months, found.month_ratios()),
            _rows(keys, WEEKDAY, list(range(1, 8)), found.weekday_ratios()),
        ]
    ).with_columns(service_date=pl.lit(night.service_date))
    return StationFactors.validate(
        rows.select(StationFactors.column_names()).sort(StationFactors.primary_key())
    )


def _rows(keys: pl.DataFrame, kind: str, numbers: list[int], ratios: Floats) -> pl.DataFrame:
    """A row for each station-class and number; `ratios` has these as rows and columns."""
    named = pl.DataFrame({"factor_number": numbers}, schema={"factor_number": pl.Int32})
    return keys.join(named, how="cross", maintain_order="left_right").with_columns(
        factor_kind=pl.lit(kind), factor=pl.Series(ratios.ravel(), dtype=pl.Float64).round(_DIGITS)
    )
