"""What the lake knows of its own partitions and of the nights: read and written here alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.canonical import in_key_order
from pipelines.flow import Table
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, Partition
from pipelines.warehouse.night_sources import Governing
from pipelines.warehouse.parts import PartWriter

ROWS_AT_ONCE = 2_000_000  # hashed as text and written to a file of their own: some 200 MB


@dataclass(frozen=True)
class Stand:
    """How one partition of a table stands now."""

    input_hash: str
    content_hash: str
    row_count: int
    refused_count: int


def version_key(source_id: str, version_id: str) -> dict[str, object]:
    """The columns that select one version's partition."""
    return {"source_id": source_id, "version_id": version_id}


def version_keys(sources: Iterable[Governing], kinds: Iterable[str]) -> list[dict[str, object]]:
    """The partitions of the versions that govern, for some kinds of source, in a stable order."""
    wanted = set(kinds)
    pairs = {(s.source_id, s.version_id) for s in sources if s.version_id and s.kind in wanted}
    return [version_key(*pair) for pair in sorted(pairs)]


def date_key(service_date: date) -> dict[str, object]:
    """The column that selects one night's partition."""
    return {"service_date": service_date}


def key_text(key: Mapping[str, object]) -> str:
    """A partition's key as text: ``2026-11-21`` or ``bus/0f3a...``."""
    return "/".join(str(value) for value in key.values())


def filled(
    stands: Mapping[str, Stand], keys: Iterable[Mapping[str, object]]
) -> list[Mapping[str, object]]:
    """Those of some partitions that have rows: to ask a table that never had any takes long, since
    DuckLake asks its catalog for each column."""
    return [key for key in keys if (stand := stands.get(key_text(key))) and stand.row_count]


def stands(lake: Lake, tables: Iterable[str]) -> dict[str, dict[str, Stand]]:
    """How every partition of some tables stands: by table, then by its key as text."""
    found: dict[str, dict[str, Stand]] = {name: {} for name in tables}
    marks = ", ".join("?" for _ in found)
    rows = lake.read("ops.partitions", ops.Partitions, f"table_name IN ({marks})", list(found))
    for row in rows.iter_rows(named=True):
        found[row["table_name"]][row["partition_key"]] = Stand(
            row["input_hash"], row["content_hash"], row["row_count"], row["refused_count"]
        )
    return found


def written(
    lake: Lake,
    table: Table | str,
    key: dict[str, object],
    contract: type[dy.Schema],
    rows: pl.DataFrame,
    *,
    input_hash: str,
    refused_count: int = 0,
    is_new: bool = False,
) -> tuple[list[Partition], Stand]:
    """What replaces one partition, together with the row that says how it then stands.

    `is_new` says that the lake has never held the partition.
    """
    name = table if isinstance(table, str) else table.name
    writer = PartWriter(lake.store, name, key, contract)
    ordered = in_key_order(rows, contract, same=key)
    for at in range(0, max(1, ordered.height), ROWS_AT_ONCE):
        writer.add(ordered.slice(at, ROWS_AT_ONCE))
    return finished(lake, writer, input_hash=input_hash, refused_count=refused_count, is_new=is_new)


def finished(
    lake: Lake, writer: PartWriter, *, input_hash: str, refused_count: int = 0, is_new: bool = False
) -> tuple[list[Partition], Stand]:
    """As `written`, for a partition whose rows have all gone through a writer."""
    stand = Stand(input_hash, writer.content_hash, writer.row_count, refused_count)
    row = pl.DataFrame(
        {
            "table_name": [writer.table],
            "partition_key": [key_text(writer.key)],
            "input_hash": [stand.input_hash],
            "content_hash": [stand.content_hash],
            "row_count": [stand.row_count],
            "refused_count": [stand.refused_count],
            "run_id": [lake.run_id],
            "built_at": [ops.now()],
        }
    )
    stand_key = {"table_name": writer.table, "partition_key": key_text(writer.key)}
    rows = Partition(
        writer.table, writer.key, writer.contract, writer.rest, is_new, tuple(writer.files)
    )
    return [rows, Partition("ops.partitions", stand_key, ops.Partitions, row, is_new)], stand


def step_row(run_id: str, service_date: date, report: Mapping[str, Any]) -> Added:
    """What records that a step ended: step, outcome, rows, seconds and text of its report."""
    rows = pl.DataFrame(
        {
            "service_date": [service_date],
            "run_id": [run_id],
            "step": [report["step"]],
            "outcome": [report["outcome"]],
            "row_count": pl.Series([report["rows"]], dtype=pl.Int64),
            "duration_seconds": [report["seconds"]],
            "note": [report["text"]],
            "ended_at": [ops.now()],
        }
    )
    return Added("ops.steps", ops.Steps, rows)
