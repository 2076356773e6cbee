"""gtfs-kit's statistics under our names and units, and a comparison with ours.

The mapping is the one that the docstrings of `marts.trip_stats`, `route_stats` and `stop_stats`
give; tests and benchmarks compare through it, so that "equal to gtfs-kit" means one thing.
"""

from __future__ import annotations

from typing import Any

import polars as pl

KM_PER_MILE = 1.609_344
# gtfs-kit keeps all digits of a length, the marts millimetres.
KM_TOLERANCE = 1e-5

RENAMED = {
    "num_stops": "stop_count",
    "num_trips": "trip_count",
    "num_routes": "route_count",
    "num_trip_starts": "trip_start_count",
    "num_trip_ends": "trip_end_count",
    "num_stop_patterns": "stop_pattern_count",
    "peak_num_trips": "peak_trip_count",
    "max_headway": "headway_max_minutes",
    "min_headway": "headway_min_minutes",
    "mean_headway": "headway_mean_minutes",
}
CLOCKS = ("start_time", "end_time", "peak_start_time", "peak_end_time")
HOURS = {
    "duration": "duration_seconds",
    "service_duration": "service_duration_seconds",
    "mean_trip_duration": "mean_trip_duration_seconds",
}
LENGTHS = {
    "distance": "distance_km",
    "speed": "speed_kmh",
    "service_distance": "service_distance_km",
    "service_speed": "service_speed_kmh",
    "mean_trip_distance": "mean_trip_distance_km",
}
FLAGS = ("is_loop", "is_bidirectional")


def under_our_names(theirs: Any, distance_unit: str = "km") -> pl.DataFrame:
    """A statistics table of gtfs-kit with our column names, seconds and kilometres."""
    rows: pl.DataFrame = pl.from_pandas(theirs.convert_dtypes())
    km = KM_PER_MILE if distance_unit in ("mi", "ft") else 1.0
    columns: list[pl.Expr] = []
    for name in rows.columns:
        column = pl.col(name)
        if name in CLOCKS:
            columns.append(_seconds(name).alias(name.replace("_time", "_seconds")))
        elif name in HOURS:
            columns.append((column.cast(pl.Float64) * 3600).alias(HOURS[name]))
        elif name in LENGTHS:
            length = column.cast(pl.Float64) * km
            columns.append(pl.when(length.is_finite()).then(length).alias(LENGTHS[name]))
        elif name in FLAGS:
            columns.append(column.cast(pl.Int64).cast(pl.Boolean))
        elif name != "date":
            columns.append(column.alias(RENAMED.get(name, name)))
    return rows.select(columns)


def _seconds(name: str) -> pl.Expr:
    parts = pl.col(name).cast(pl.String).str.split(":")
    hours, minutes, seconds = (parts.list.get(place).cast(pl.Int64) for place in range(3))
    return hours * 3600 + minutes * 60 + seconds


def differences(
    ours: pl.DataFrame, theirs: pl.DataFrame, key: str, *, relative: float = 1e-6
) -> dict[str, int]:
    """Columns of theirs that differ from ours, with the number of rows; empty means equal.

    Numbers are equal within `relative` or `KM_TOLERANCE`; rows of one side alone count as `key`.
    """
    alone = ours.join(theirs, on=key, how="anti").height
    alone += theirs.join(ours, on=key, how="anti").height
    found = {key: alone} if alone else {}
    both = ours.join(theirs, on=key, suffix="_theirs")
    for name in theirs.columns:
        if name == key:
            continue
        mine, other = both.get_column(name), both.get_column(f"{name}_theirs")
        if ours.schema[name].is_float() or theirs.schema[name].is_float():
            mine, other = mine.cast(pl.Float64), other.cast(pl.Float64)
            near = (mine - other).abs() <= KM_TOLERANCE + relative * other.abs()
            same = near.fill_null(value=False) | (mine.is_null() & other.is_null())
        else:
            # A column that is missing everywhere comes as numbers, whatever it holds elsewhere.
            same = mine.eq_missing(other.cast(mine.dtype))
        if not same.all():
            found[name] = int((~same).sum())
    return found
