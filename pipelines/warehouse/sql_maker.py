"""Marts that are one SELECT: run over the frames they read, seen under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from pipelines.contracts.ddl import quoted
from pipelines.errors import ContractError
from pipelines.night import Night


def run_sql_mart(path: Path, night: Night, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of a mart's SELECT.

    `frames` are keyed by table name and seen as ``staging.vehicles`` etc.; the one-row table
    ``night`` holds city_id, city_name, service_date, day_type, departure_window and mark.
    Raises `ContractError` where the SQL fails.
    """
    connection = duckdb.connect()
    try:
        connection.register("night", _night_row(night).to_arrow())
        for number, (name, frame) in enumerate(sorted(frames.items())):
            schema, _, table = name.partition(".")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
            connection.register(f"frame_{number}", frame.to_arrow())
            connection.execute(
                f"CREATE VIEW {quoted(schema)}.{quoted(table)} AS FROM frame_{number}"
            )
        return connection.execute(path.read_text(encoding="utf-8")).pl()
    except duckdb.Error as error:
        raise ContractError(
            f"{path.name} failed for {night.service_date}: {error}", "Mend the SELECT."
        ) from error
    finally:
        connection.close()


def _night_row(night: Night) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "city_id": [night.city_id],
            "city_name": [night.city_name],
            "service_date": [night.service_date],
            "day_type": [night.day_type],
            "departure_window": [night.window.label],
            "mark": [night.mark],
        }
    )
