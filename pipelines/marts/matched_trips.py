"""Matched trips: how many vehicles went from one cordon station to another, by time taken.

For each local day on which they entered, counts of the matches of `ring_road.matching` by class,
pair of stations, hour and time taken, in bins 2.5 per cent wide. It is all that later figures need
of the passages: where trips end and visits begin is decided on the counts (`ring_road.limits`), so
a day is matched once, and its counts outlive its passages. No plate, hash or instant is kept.

`reader` makes three counts of one row's trips: '' counts all of them, 'any' those that some ring
station read in between, and a ring station's id those that this one read.

Matches whose directions are not "in out" are no trips through the city. Their counts tell whether
a station's directions are swapped.
"""

from __future__ import annotations

from math import log

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.marts.ring_road.matching import PAIR, match_day
from pipelines.night import Night
from pipelines.staging.passages import Passages
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations

BIN_WIDTH = 0.025  # of the log of minutes
BAND_HOURS = 6
ALL, ANY = "", "any"
THROUGH = "in out"
CELL = (
    "service_date",
    "vehicle_class",
    *PAIR,
    "directions",
    "entry_hour",
    "exit_band",
    "minutes_bin",
)


class MatchedTrips(dy.Schema):
    """One row per day of entry, class, pair, directions, hour, band of exit, time and reader."""

    service_date = dy.Date(primary_key=True, description="Local day of the first reading.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES, primary_key=True, description="Class that the first reading gave."
    )
    entry_station_id = dy.String(primary_key=True, description="Cordon station of the first.")
    exit_station_id = dy.String(primary_key=True, description="Cordon station of the next one.")
    directions = one_of(
        *("in out", "in in", "out out", "out in"),
        primary_key=True,
        description="Directions of the two readings; 'in out' went into the city and left it.",
    )
    entry_hour = dy.Int32(
        primary_key=True,
        min=0,
        max=23,
        metadata={"unit": "h"},
        description="Local hour of the first reading.",
    )
    exit_band = dy.Int32(
        primary_key=True,
        min=0,
        max=3,
        description="Local quarter of the day (hour // 6) of the second reading.",
    )
    minutes_bin = dy.Int32(
        primary_key=True,
        description="Time taken: the whole number in log(minutes) / 0.025.",
    )
    reader = dy.String(
        primary_key=True,
        description="Whose trips are counted: '' all, 'any' those read by a ring station in "
        "between, else the id of the ring station that read them.",
    )
    trip_count = dy.Int64(min=1, metadata={"unit": "trips"}, description="Number of the trips.")


def compute_matched_trips(
    night: Night,
    *,
    count_stations: dy.DataFrame[CountStations],
    passages: dy.DataFrame[Passages],
) -> dy.DataFrame[MatchedTrips]:
    """Counts of one local day of entry: `night.service_date`.

    `passages` are those of the day and of the days beside it; station ids are one vocabulary for
    both inputs, whatever source each comes from.
    """
    stations = reading_stations(count_stations)
    matches, ring = match_day(pl.DataFrame(passages), stations, night.time_zone, night.service_date)
    minutes = pl.col("seconds").clip(lower_bound=1) / 60
    hour = [
        pl.col(name).dt.convert_time_zone(night.time_zone).dt.hour().cast(pl.Int32)
        for name in ("entry_at", "exit_at")
    ]
    cells = matches.select(
        "match_id",
        "vehicle_class",
        *PAIR,
        "directions",
        service_date=pl.lit(night.service_date),
        entry_hour=hour[0],
        exit_band=hour[1] // BAND_HOURS,
        minutes_bin=(minutes.log() / BIN_WIDTH).floor().cast(pl.Int32),
    )
    read = cells.join(ring, on="match_id")
    readers = [
        cells.with_columns(reader=pl.lit(ALL)),
        cells.join(ring, on="match_id", how="semi").with_columns(reader=pl.lit(ANY)),
        read.rename({"station_id": "reader"}),
    ]
    counted = [
        rows.group_by(*CELL, "reader").agg(trip_count=pl.len().cast(pl.Int64)) for rows in readers
    ]
    return MatchedTrips.validate(pl.concat(counted).select(MatchedTrips.column_names()))


def reading_stations(count_stations: pl.DataFrame) -> pl.DataFrame:
    """The stations of cordon and ring, each once: that of the first source and version."""
    return (
        pl.DataFrame(count_stations)
        .filter(pl.col("role").is_in(["cordon", "ring"]))
        .sort("source_id", "version_id", "station_id")
        .unique("station_id", keep="first", maintain_order=True)
        .select("station_id", "role", "latitude", "longitude")
    )


def minutes(minutes_bin: pl.Expr) -> pl.Expr:
    """Middle of a bin in minutes."""
    return ((minutes_bin + 0.5) * BIN_WIDTH).exp()


def bin_of(minutes_taken: float) -> int:
    """The bin in which a time lies."""
    return int(log(minutes_taken) // BIN_WIDTH)
