"""Traffic: where vehicles are counted, how many passed in each hour, who was read where and when.

Four kinds of files: the list of count stations with their role, station-hours by vehicle class,
passages (readings of hashed plates), and read audits (an independent second reading of the same
vehicles, from which read rates come).

Instants are UTC. A time that the file gives without an offset is local time of the source's time
zone; one that the clock showed twice or never (when clocks are moved) is refused as unparsable.

A null count is a station that didn't count, never a station that saw nothing. Passages may repeat
(one vehicle read twice within seconds) and are kept as delivered, numbered in the file's order.
Left out: speeds, lanes, axle weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

STATION_ROLES = ("cordon", "ring", "screenline", "control")
# "all" stands where a counter doesn't tell classes apart.
VEHICLE_CLASSES = ("light", "medium", "heavy", "all")
DIRECTIONS = ("in", "out")

_WITH_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
_LOCAL_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")


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


class Passages(Versioned):
    """One row per reading of a plate by a station, repeats included."""

    passage_number = dy.Int64(
        primary_key=True, min=1, description="Place of the reading in its file."
    )
    station_id = dy.String(description="Station that read the plate.")
    passed_at = dy.Datetime(time_zone="UTC", time_unit="ms", description="Moment of the reading.")
    direction = one_of(
        *DIRECTIONS,
        nullable=True,
        description="At the cordon: into it or out of it; null where it isn't told.",
    )
    vehicle_class = one_of(*VEHICLE_CLASSES, description="Class of the vehicle.")
    plate_hash = dy.String(
        nullable=True,
        min_length=16,
        description="Keyed hash of the plate; null where the plate wasn't read.",
    )


class ReadAudits(Versioned):
    """One row per station, day and hour in which a second reading was made."""

    station_id = dy.String(primary_key=True, description="Station that was audited.")
    audit_date = dy.Date(primary_key=True, description="Local day of the second reading.")
    hour_of_day = dy.Int32(
        primary_key=True,
        min=0,
        max=23,
        metadata={"unit": "h"},
        description="Local hour of the second reading.",
    )
    vehicles_seen_count = dy.Int32(
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles whose plates the second reading saw.",
    )
    plates_read_count = dy.Int32(
        min=0, metadata={"unit": "vehicles"}, description="Those of them that the station read."
    )

    @dy.rule()
    def read_not_above_seen(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The station reads none that the second reading didn't see."""
        return pl.col("plates_read_count") <= pl.col("vehicles_seen_count")


def stage_count_stations(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Stations under contract."""
    return sift(CountStations, raw["rows"], source)


def stage_count_station_hours(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Station-hours under contract."""
    rows = raw["rows"]
    return sift(CountStationHours, rows, source, {"hour_at": _instant("hour_at", rows, source)})


def stage_passages(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Readings under contract, in the file's order.

    A file without classes holds one class alone, which its owner hasn't named: all of it is "all".
    """
    rows = raw["rows"]
    parsed = {
        "passed_at": _instant("passed_at", rows, source),
        "passage_number": pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
    }
    if "vehicle_class" not in rows.columns:
        parsed["vehicle_class"] = pl.lit("all")
    return sift(Passages, rows, source, parsed)


def stage_read_audits(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Audited hours under contract."""
    return sift(ReadAudits, raw["rows"], source)


def _instant(name: str, rows: pl.DataFrame, source: SourceVersion) -> pl.Expr:
    """The column as UTC; without an offset it is local time of the source."""
    dtype, column = rows.schema[name], pl.col(name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return column.dt.convert_time_zone("UTC")
    if isinstance(dtype, pl.Datetime):
        return _from_local(column, source.time_zone)
    text = column.cast(pl.String).str.replace("T", " ", literal=True)
    zoned = text.str.replace("Z$", "+00:00").str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC"
    )
    local = pl.coalesce(
        text.str.to_datetime(layout, strict=False, time_unit="us") for layout in _LOCAL_FORMATS
    )
    has_offset = text.str.contains(_WITH_OFFSET)
    return pl.when(has_offset).then(zoned).otherwise(_from_local(local, source.time_zone))


def _from_local(column: pl.Expr, time_zone: str) -> pl.Expr:
    local = column.dt.replace_time_zone(time_zone, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")
