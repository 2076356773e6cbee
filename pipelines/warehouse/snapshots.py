"""The lake as it stood once: the snapshot of an instant, and the rows that a table had in it."""

from __future__ import annotations

from datetime import datetime

import dataframely as dy
import duckdb
import polars as pl

from pipelines.contracts.ddl import quoted_text
from pipelines.warehouse.lake import Lake


def snapshot_at(lake: Lake, instant: datetime) -> int | None:
    """Number of the last snapshot up to an instant; None before the first."""
    last = f"SELECT max(snapshot_id) FROM {lake.catalog}.snapshots() WHERE snapshot_time <= ?"  # noqa: S608  # our own name
    found: int | None = lake.query(last, [instant]).item()
    return found


def read_at(
    lake: Lake, table: str, contract: type[dy.Schema], snapshot_id: int, where: str = "true"
) -> pl.DataFrame:
    """Rows that a table had in a snapshot, columns and types as in the contract.

    Columns that came later are null. The table must have been there.
    """
    names = ", ".join(quoted_text(name) for name in contract.column_names())
    rows = lake.query(
        f"SELECT COLUMNS(lambda name: name IN ({names}))"  # noqa: S608  # quoted names
        f" FROM {lake.address(table)} AT (VERSION => {snapshot_id}) WHERE {where}"
    )
    types = {name: column.dtype for name, column in contract.columns().items()}
    known = rows.cast({name: types[name] for name in rows.columns})
    return pl.concat([pl.DataFrame(schema=types), known], how="diagonal")


def read_kept(
    lake: Lake, table: str, contract: type[dy.Schema], snapshot_id: int, where: str = "true"
) -> pl.DataFrame:
    """As `read_at`; no rows of a table that was not there yet."""
    if not lake.exists(table):
        return contract.create_empty()
    try:
        return read_at(lake, table, contract, snapshot_id, where)
    except duckdb.CatalogException:
        return contract.create_empty()
