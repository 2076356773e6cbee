"""Annual average daily traffic of each station and vehicle class, and what it stands on.

The definition is AASHTO's (`ring_road.aadt`): the mean over weekdays of the mean over months of the
mean volume of that weekday in that month. Years are the twelve calendar months that ended last, and
every calendar year before that of which something was counted. Both directions together.

Only whole days count. Days on which the sensor was broken (stuck, silent, another station's:
`ring_road.health.broken_days`) are left out and told, as are cells that had to be filled. Of the
last twelve months, a station that `marts.sensor_health` gives no weight has no figure: the reason
is what is wrong with it. What is wrong otherwise is told beside the figure.

Left out: axle factors, directions, and short counts: nothing here is expanded from a few days.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.ring_road.aadt import (
    CELLS,
    STATION_CLASS,
    Year,
    calendar_years,
    last_year,
    year_cells,
)
from pipelines.marts.ring_road.sound_volumes import SoundVolumes, sound_volumes
from pipelines.marts.sensor_health import SensorHealth, one_list
from pipelines.night import Night
from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.traffic import ALL, STATION_ROLES, VEHICLE_CLASSES, CountStations

METHOD = "AASHTO, every cell counted"
METHOD_FILLED = "AASHTO, empty cells filled by month and weekday factors"
NOT_TRUSTED = "its sensor can't be trusted: {}"
_DIGITS = 6


def _count(description: str, most: int | None = None) -> dy.Int64:
    return dy.Int64(min=0, max=most, description=description)


class StationAadt(Figure):
    """One row per service date, station, vehicle class and year."""

    station_id = dy.String(primary_key=True, description="Station.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES, primary_key=True, description="Class of vehicle; 'all' together."
    )
    year_from_date = dy.Date(primary_key=True, description="First day of the twelve months.")
    year_to_date = dy.Date(description="Last day of the twelve months.")
    role = one_of(*STATION_ROLES, nullable=True, description="Its role; null: it isn't listed.")
    aadt_count = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles a day"},
        description="Annual average daily traffic, both directions.",
    )
    counted_cell_count = _count(
        "Of 84 cells of month and weekday, those with a counted day.", CELLS
    )
    filled_cell_count = _count("Cells filled by the station's month and weekday factors.", CELLS)
    counted_day_count = _count("Whole, unbroken days that were counted.")
    left_out_day_count = _count("Whole days left out, since the sensor was broken.")
    health_weight = dy.Float64(
        nullable=True, min=0, max=1, description="The sensor's weight on the night."
    )
    sensor_findings = dy.String(
        nullable=True, description="What was wrong with the sensor on the night; null: nothing."
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The figure is null exactly where a reason says why."""
        return pl.col("aadt_count").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def every_cell_is_told(cls) -> pl.Expr:  # noqa: N805  # as above
        """Counted and filled cells are all of them where there is a figure."""
        cells = pl.col("counted_cell_count") + pl.col("filled_cell_count")
        return (cells == CELLS) | pl.col("aadt_count").is_null()


def compute_station_aadt(
    night: Night,
    *,
    count_stations: dy.DataFrame[CountStations],
    count_station_days: dy.DataFrame[CountStationDays],
    sensor_health: dy.DataFrame[SensorHealth],
) -> dy.DataFrame[StationAadt]:
    """The last twelve months of every station, and each calendar year of which it has days."""
    listed = one_list(count_stations)
    roles: dict[str, str] = dict(listed.select("station_id", "role").iter_rows())
    volumes = sound_volumes(count_station_days, roles, night.service_date)
    health = {row["station_id"]: row for row in sensor_health.iter_rows(named=True)}
    tonight = last_year(night.service_date)
    rows = _rows(_every_station(volumes.days, listed), volumes, tonight, health)
    if volumes.days.height:
        first = volumes.days.get_column("service_date").min()
        for year in calendar_years(first, night.service_date):  # type: ignore[arg-type]  # a date
            if year != tonight:
                counted = _in_year(volumes.days, year).select(STATION_CLASS).unique()
                rows += _rows(counted, volumes, year, {})
    types = {name: column.dtype for name, column in StationAadt.columns().items()}
    own = {name: dtype for name, dtype in types.items() if name not in _STAMPED}
    told = pl.DataFrame(rows, schema=own).with_columns(
        role=pl.col("station_id").replace_strict(roles, default=None, return_dtype=pl.String)
    )
    stamped = stamp(told, night, method=METHOD)
    return StationAadt.validate(stamped.select(*types).sort(StationAadt.primary_key()))


_STAMPED = ("service_date", "day_type", "departure_window", "mark")


def _in_year(days: pl.DataFrame, year: Year) -> pl.DataFrame:
    day = pl.col("service_date")
    return days.filter(
        day.is_between(year.from_date, year.to_date) & pl.col("vehicle_count").is_not_null()
    )


def _every_station(days: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Each station with the classes it ever told; a listed one that told none with `all`."""
    told = days.select(STATION_CLASS).unique()
    silent = listed.join(told, on="station_id", how="anti").select(
        "station_id", vehicle_class=pl.lit(ALL)
    )
    return pl.concat([told, silent])


def _rows(
    keys: pl.DataFrame, volumes: SoundVolumes, year: Year, health: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each station and class of a year."""
    found = year_cells(volumes.cells, keys.sort(STATION_CLASS), year)
    in_year = volumes.left_out.filter(pl.col("month_date").is_between(year.from_date, year.to_date))
    left_out = {
        (station_id, name): count
        for station_id, name, count in in_year.group_by(STATION_CLASS)
        .agg(pl.col("day_count").sum())
        .iter_rows()
    }
    told = zip(
        found.keys.iter_rows(),
        found.reasons,
        found.aadt.tolist(),
        found.counted_cell_counts.tolist(),
        found.day_counts.tolist(),
        strict=True,
    )
    return [
        {
            "station_id": key[0],
            "vehicle_class": key[1],
            "year_from_date": year.from_date,
            "year_to_date": year.to_date,
            "counted_cell_count": cells,
            "counted_day_count": days,
            "left_out_day_count": left_out.get(key, 0),
            **_value(aadt, reason, cells, health.get(key[0], {})),
        }
        for key, reason, aadt, cells, days in told
    ]


def _value(
    aadt: float, reason: str | None, counted_cells: int, health: Mapping[str, Any]
) -> dict[str, Any]:
    """The figure or why there is none, how it was made, and what is known of its sensor."""
    weight, findings = health.get("health_weight"), health.get("findings")
    if weight == 0:
        reason = NOT_TRUSTED.format(findings)
    filled = 0 if reason else CELLS - counted_cells
    return {
        "method": METHOD_FILLED if filled else METHOD,
        "reason": reason,
        "aadt_count": None if reason else round(aadt, _DIGITS),
        "filled_cell_count": filled,
        "health_weight": weight,
        "sensor_findings": findings,
    }
