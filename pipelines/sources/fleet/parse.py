"""Fleet register: one row per vehicle, as an operator's system exports it (CSV, XLSX, Parquet).

The city file's `columns` map the register's headings to the columns of `staging.vehicles`, its
`terms` map the register's words (fuels, states, yes and no) to ours. Columns that the register
has beyond those are left out when rows are staged.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.table import read_table, require_columns

REQUIRED_COLUMNS = ("vehicle_id", "fuel_type")


def parse_fleet(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `vehicles`, one row per row of the register.

    SourceError where the register can't be read or lacks a vehicle's number or fuel.
    """
    vehicles = read_table(payload, source)
    require_columns(vehicles, source, REQUIRED_COLUMNS)
    return {"vehicles": vehicles}
