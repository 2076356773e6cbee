"""Published compositions of a fleet: one row per statement, with its scope and source (a table).

Counts and shares as somebody published them, blank where not told. `as_of` is a day or a month.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.table import read_table, require_columns

REQUIRED_COLUMNS = ("snapshot_id", "as_of", "scope_text", "source_address")


def parse_fleet_snapshots(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `fleet_snapshots`, one row per row of the file.

    SourceError where the file can't be read or lacks a statement's name, date, scope or source.
    """
    snapshots = read_table(payload, source)
    require_columns(snapshots, source, REQUIRED_COLUMNS)
    return {"fleet_snapshots": snapshots}
