"""Traffic: where vehicles are counted, and how many passed in each hour.

Two kinds of files: the list of count stations with their role, and counts by vehicle class, by the
hour or by the day (`pipelines.staging.count_station_days` has the days of both).

Instants are UTC, as `pipelines.staging.instants` says. A null count is a station that didn't count,
never a station that saw nothing. Left out: speeds, lanes, axle weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.instants import instant, lacks_offset
from pipelines.staging.sift import Quarantine, Staged, sift

STATION_ROLES = ("cordon", "ring", "screenline", "control")
# "all" stands where a counter doesn't tell classes apart.
ALL = "all"
VEHICLE_CLASSES = ("light", "medium", "heavy", ALL)
NO_HOUR = "hour_at|not the start of an hour"
NOT_ADDING_UP = "classes that don't add up"
# Ours: counters round, and some count a vehicle in all that they can't class.
SUM_TOLERANCE_COUNT, SUM_TOLERANCE_SHARE = 1, 0.02


class CountStations(Versioned):
    """One row per count station of a version of the list."""

    station_id = dy.String(primary_key=True, description="Station's code, as counts name it.")
    station_name = dy.String(nullable=True, description="Station's name.")
    road_name = dy.String(nullable=True, description="Road that it stands on.")
    role = one_of(
        *STATION_ROLES,
        description="What it counts: the cordon round the city, the ring road inside the cordon, "
        "a screenline in the city, or a control far from all three.",
    )
    direction = dy.String(nullable=True, description="What its directions mean, in words.")
    latitude = dy.Float64(
        min=-90, max=90, metadata={"unit": "degrees"}, description="Latitude, WGS 84."
    )
    longitude = dy.Float64(
        min=-180, max=180, metadata={"unit": "degrees"}, description="Longitude, WGS 84."
    )
    opened_date = dy.Date(nullable=True, description="First local day on which it counted.")


class CountStationHours(Versioned):
    """One row per station, hour and vehicle class of a version of the counts."""

    station_id = dy.String(primary_key=True, description="Station that counted.")
    hour_at = dy.Datetime(
        time_zone="UTC", time_unit="us", primary_key=True, description="Start of the hour."
    )
    vehicle_class = one_of(
        *VEHICLE_CLASSES,
        primary_key=True,
        description="Class of vehicle; 'all' where the station doesn't tell classes apart.",
    )
    vehicle_count = dy.Int32(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles in the hour, both directions; null where it didn't count.",
    )


def stage_count_stations(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Stations under contract."""
    return sift(CountStations, raw["rows"], source)


def stage_count_station_hours(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Station-hours under contract; none of a file that counts by the day."""
    rows = raw["rows"]
    if is_by_day(rows):
        return Staged(CountStationHours.create_empty(), Quarantine.create_empty())
    return sift_counts(
        CountStationHours,
        rows,
        source,
        "hour_at",
        moment=instant("hour_at", rows, source),
        refused=lacks_offset("hour_at", rows),
    )


def is_by_day(rows: pl.DataFrame) -> bool:
    """Whether a counts file tells days (`count_date`) and no hours."""
    return "hour_at" not in rows.columns


def sift_counts(
    contract: type[dy.Schema],
    rows: pl.DataFrame,
    source: SourceVersion,
    when: str,
    *,
    moment: pl.Expr,
    refused: pl.Expr,
) -> Staged:
    """Counts under `contract`, whose column `when` the expression `moment` reads from raw rows.

    Refused is also what begins within an hour. Where `all` stands beside classes that don't add up
    to it, nobody knows which of them is wrong: all rows of that station and moment are refused.
    """
    staged = sift(contract, rows, source, {when: moment}, refused=refused)
    odd = _not_adding_up(staged.rows, when)
    if isinstance(staged.rows.schema[when], pl.Datetime):
        odd = pl.concat([odd, _within_hours(staged.rows, when, source.time_zone)])
    if odd.is_empty():
        return staged
    key = ["station_id", when]
    placed = rows.select(
        pl.col("station_id").cast(pl.String), moment.cast(staged.rows.schema[when]).alias(when)
    )
    rule = placed.join(
        odd.unique(key, keep="first", maintain_order=True),
        on=key,
        how="left",
        maintain_order="left",
    ).get_column("rule")
    every = pl.coalesce(refused, pl.lit(rule))
    return sift(contract, rows, source, {when: moment}, refused=every)


def _within_hours(hours: pl.DataFrame, when: str, time_zone: str) -> pl.DataFrame:
    """(station_id, `when`, rule) of what begins on no full hour of the local clock.

    Where the offset is no whole hour and the file counts by hours of UTC, those it is.
    """
    utc, local = (pl.col(when).dt.convert_time_zone(zone) for zone in ("UTC", time_zone))
    is_local, is_utc = (
        (clock.dt.minute() == 0) & (clock.dt.second() == 0) & (clock.dt.nanosecond() == 0)
        for clock in (local, utc)
    )
    is_hour = pl.when(is_local.any()).then(is_local).otherwise(is_utc)
    odd = hours.select(pl.col(when).unique()).filter(~is_hour)
    told = hours.join(odd, on=when, how="semi")
    return told.select("station_id", when, rule=pl.lit(NO_HOUR))


def _not_adding_up(counts: pl.DataFrame, when: str) -> pl.DataFrame:
    """(station_id, `when`, rule) where the classes' sum is not what `all` says.

    It may never be above; it is below only where a station that tells light vehicles and others,
    and so all classes there are, counted every class that it tells anywhere in the file.
    """
    is_all = pl.col("vehicle_class") == ALL
    if not counts.select(is_all.any() & ~is_all.all()).item():
        return counts.select("station_id", when, rule=pl.lit(NOT_ADDING_UP)).clear()
    count = pl.col("vehicle_count").cast(pl.Int64)
    told = (
        counts.filter(~is_all)
        .group_by("station_id")
        .agg(
            class_count=pl.col("vehicle_class").n_unique(),
            tells_light=(pl.col("vehicle_class") == "light").any(),
        )
    )
    sums = counts.group_by("station_id", when).agg(
        whole=count.filter(is_all).first(),
        parts=count.filter(~is_all).sum(),
        part_count=count.filter(~is_all).count(),
    )
    tolerance = pl.max_horizontal(
        pl.lit(SUM_TOLERANCE_COUNT), SUM_TOLERANCE_SHARE * pl.col("whole")
    )
    tells_classes = pl.col("tells_light") & (pl.col("class_count") > 1)
    is_whole = tells_classes & (pl.col("part_count") == pl.col("class_count"))
    excess = pl.col("parts") - pl.col("whole")
    return (
        sums.join(told, on="station_id")
        .filter((excess > tolerance) | (is_whole & (excess < -tolerance)))
        .select("station_id", when, rule=pl.lit(NOT_ADDING_UP))
    )
