"""Traffic: count stations, and counts by the hour or by the day (CSV, XLSX, Parquet)."""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.table import read_table, require_columns

_MOMENTS = ("hour_at", "count_date")


def parse_count_stations(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows`, one row per station.

    SourceError where the file can't be read or lacks a required column.
    """
    rows = read_table(payload, source)
    require_columns(rows, source, ("station_id", "role", "latitude", "longitude"))
    return {"rows": rows}


def parse_traffic_counts(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows`, one row per station, hour (or day) and class.

    SourceError where the file can't be read or lacks a required column; it tells either hours
    (`hour_at`) or days (`count_date`).
    """
    rows = read_table(payload, source)
    told = [name for name in _MOMENTS if name in rows.columns]
    moment = told[0] if told else " or ".join(_MOMENTS)
    require_columns(rows, source, ("station_id", moment, "vehicle_class", "vehicle_count"))
    return {"rows": rows}
