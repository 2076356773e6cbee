"""The lake kept small and fast, by DuckLake's own procedures; no row that counts is changed.

Rows that the catalog holds itself are written to files, small files beside each other become one,
and files most of whose rows were deleted are written anew. Snapshots that nothing stands on expire,
and then what only they needed is deleted, as are files that no commit ever named.

A snapshot is kept while it is young, and for ever where a published night or an edition stands on
it or where it records one: what was known on a past date stays known.

Tables of single vehicles are left as they were written: a file made anew would carry their columns'
least and greatest values into the catalog, where nothing could be forgotten (`forgetting`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from pipelines.warehouse.lake import Lake

LEAST_DELETED_SHARE = 0.5  # of a file's rows, for it to be written anew
# Of these every change is kept: what was published, sent and withdrawn, and when.
RECORDS = (
    "ops.publications",
    "ops.published_partitions",
    "ops.editions",
    "ops.withdrawals",
)
STOOD_ON = ("ops.published_partitions", "ops.editions")


@dataclass(frozen=True)
class LakeSize:
    """How much the lake holds."""

    snapshot_count: int
    file_count: int
    bytes_count: int


def lake_size(lake: Lake) -> LakeSize:
    """Snapshots, and data files of the present."""
    snapshots = lake.query(f"SELECT count(*) FROM {lake.catalog}.snapshots()").item()  # noqa: S608  # our own name
    files = lake.query("FROM ducklake_table_info(?)", [lake.catalog])
    counts = files.select(pl.sum("file_count", "file_size_bytes")).row(0)
    return LakeSize(snapshots, *(int(count or 0) for count in counts))


def compact(lake: Lake, but: Collection[str]) -> None:
    """Write inlined rows to files, rewrite those mostly deleted and merge small ones.

    `but` are tables to leave alone.
    """
    for table in sorted(but):
        if lake.exists(table):
            schema, _, name = table.partition(".")
            lake.call(
                "CALL ducklake_set_option(?, 'auto_compact', false, schema => ?, table_name => ?)",
                [lake.catalog, schema, name],
            )
    lake.call("CALL ducklake_flush_inlined_data(?)", [lake.catalog])
    lake.call(
        "CALL ducklake_rewrite_data_files(?, delete_threshold => ?)",
        [lake.catalog, LEAST_DELETED_SHARE],
    )
    lake.call("CALL ducklake_merge_adjacent_files(?)", [lake.catalog])


def tables(lake: Lake) -> list[str]:
    """All tables of the lake, by name."""
    sql = (
        "SELECT schema_name || '.' || table_name AS name FROM duckdb_tables()"
        " WHERE database_name = ? ORDER BY ALL"
    )
    return list(lake.query(sql, [lake.catalog]).get_column("name"))


def expirable(lake: Lake, before: datetime) -> list[int]:
    """Snapshots from before an instant that nothing stands on, without the latest one."""
    known = lake.query(
        f"SELECT snapshot_id, snapshot_time, changes FROM {lake.catalog}.snapshots()"  # noqa: S608  # our own name
        " ORDER BY snapshot_id"
    )
    kept = _kept(lake, known)
    return [
        row["snapshot_id"]
        for row in known[:-1].iter_rows(named=True)
        if row["snapshot_time"] < before and row["snapshot_id"] not in kept
    ]


def expire(lake: Lake, snapshots: Collection[int], unused_before: datetime) -> None:
    """Let snapshots go, and delete files unused since before an instant, committed or not."""
    if snapshots:
        sql = "CALL ducklake_expire_snapshots(?, versions => ?)"
        lake.call(sql, [lake.catalog, sorted(snapshots)])
    for procedure in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files"):
        lake.call(f"CALL {procedure}(?, older_than => ?)", [lake.catalog, unused_before])


def orphans(lake: Lake, before: datetime) -> list[str]:
    """Files in the lake's folder that no snapshot names, from before an instant."""
    sql = "CALL ducklake_delete_orphaned_files(?, older_than => ?, dry_run => true)"
    return [str(row[0]) for row in lake.call(sql, [lake.catalog, before]).rows()]


def live_files(lake: Lake) -> dict[str, int]:
    """Size of each data file of the present, by its path."""
    found: dict[str, int] = {}
    for table in tables(lake):
        schema, _, name = table.partition(".")
        files = lake.query(
            "SELECT data_file, data_file_size_bytes, delete_file, delete_file_size_bytes"
            " FROM ducklake_list_files(?, ?, schema => ?)",
            [lake.catalog, name, schema],
        )
        for data, size, deleted, deleted_size in files.iter_rows():
            found[data] = size
            if deleted:
                found[deleted] = deleted_size
    return found


def missing_files(lake: Lake) -> list[str]:
    """Files of a lake in a folder that the catalog names, and that are gone or of another size."""
    return [
        path
        for path, size in sorted(live_files(lake).items())
        if not Path(path).is_file() or Path(path).stat().st_size != size
    ]


def _kept(lake: Lake, snapshots: pl.DataFrame) -> set[int]:
    """Snapshots that a published night or an edition stands on, and those that record them."""
    kept: set[int] = set()
    for table in STOOD_ON:
        if lake.exists(table):
            sql = f"SELECT DISTINCT snapshot_id FROM {lake.address(table)}"  # noqa: S608  # quoted names
            kept.update(lake.query(sql).get_column("snapshot_id"))
    info = lake.query(
        "SELECT table_name, table_id::VARCHAR AS table_id FROM ducklake_table_info(?)",
        [lake.catalog],
    )
    names = [name.partition(".")[2] for name in RECORDS]
    ids = set(info.filter(pl.col("table_name").is_in(names)).get_column("table_id"))
    for row in snapshots.iter_rows(named=True):
        changes = dict(row["changes"])
        inserted = (changes.get(kind) or [] for kind in ("inlined_insert", "tables_inserted_into"))
        if ids & {table for found in inserted for table in found}:
            kept.add(row["snapshot_id"])
    return kept
