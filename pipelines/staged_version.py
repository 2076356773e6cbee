"""One version of one source on its way from raw frames into the lake's staging tables.

Rows are written as files of the lake as they are made; the catalog learns of them when the whole
version is committed. A version that fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dataframely as dy

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.canonical import in_key_order
from pipelines.errors import ContractError
from pipelines.night import SourceVersion
from pipelines.staging.sift import Quarantine, Staged
from pipelines.warehouse.lake import Lake, Partition
from pipelines.warehouse.parts import INSERTED_ROWS, PartWriter, two_threads
from pipelines.warehouse.state import Stand, finished


@dataclass
class TableWriter:
    """Rows of one staging table of one version, and the rows it refused."""

    table: flow.Table
    rows: PartWriter
    refused: PartWriter
    refused_count: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    sample: str = ""

    def add(self, staged: Staged, *, is_ordered: bool) -> None:
        """Write what a maker made. `is_ordered`: rows are in key order, after those before."""
        rows, contract = staged.rows, self.rows.contract
        self.rows.add(rows if is_ordered else in_key_order(rows, contract, same=self.rows.key))
        if staged.quarantine.height:
            self.refused.add(staged.quarantine)
            self.refused_count += staged.refused
            for rule, count in staged.quarantine.group_by("rule").len().iter_rows():
                self.rules[rule] = self.rules.get(rule, 0) + count
            if not self.sample:
                first = staged.quarantine.row(0, named=True)
                self.sample = f"row {first['row_number']} is {first['row_json']:.200}"

    def check(self, source_id: str, limit: float) -> None:
        """Raise ContractError where more than this share of the rows is refused."""
        total = self.rows.row_count + self.refused_count
        if self.refused_count <= limit * total:
            return
        worst = sorted(self.rules.items(), key=lambda item: (-item[1], item[0]))
        named = [f"{rule} ({count:,})" for rule, count in worst[:3]]
        raise ContractError(
            f"{self.table.name}: {self.refused_count:,} of {total:,} rows of {source_id} break "
            f"rules: {', '.join(named)}; {self.sample}.",
            f"At most {limit:.1%} may: ask the source's owner, or raise `max_quarantine_share`.",
        )


def stage_version(
    lake: Lake,
    raw: Any,  # what the kind's parser gives
    version: SourceVersion,
    key: Mapping[str, object],
    tables: Sequence[flow.Table],
) -> dict[str, TableWriter]:
    """Make some staging tables of a version, by their names; nothing is committed yet.

    Tables made in parts come first, part after part; the others when every part has passed.
    """
    with two_threads() as threads:

        def writer(name: str, contract: type[dy.Schema], table: flow.Table) -> PartWriter:
            # What the catalog itself holds can't be deleted from its file for good.
            most = 0 if table.personal else INSERTED_ROWS
            return PartWriter(lake.store, name, key, contract, threads, most)

        writers = {
            table.name: TableWriter(
                table,
                writer(table.name, load_contract(table), table),
                writer(f"quarantine.{table.short_name}", Quarantine, table),
            )
            for table in tables
        }
        try:
            _make(writers, raw, version)
        except BaseException:
            discard(writers.values())
            raise
    return writers


def _make(writers: Mapping[str, TableWriter], raw: Any, version: SourceVersion) -> None:
    """Make the rows of some tables of one kind of source; all of them are written at the end."""
    tables = [writer.table for writer in writers.values()]
    siblings = flow.staging_tables(tables[0].source)
    for part in raw.parts() if any(table.in_parts for table in siblings) else ():
        for table in (table for table in tables if table.in_parts):
            made = flow.load_function(table.maker_path)(part, version)
            writers[table.name].add(made, is_ordered=True)
    for table in (table for table in tables if not table.in_parts):
        made = flow.load_function(table.maker_path)(raw, version)
        writers[table.name].add(made, is_ordered=False)
    for writer in writers.values():
        writer.rows.wait()
        writer.refused.wait()


def partitions(
    lake: Lake, writer: TableWriter, *, input_hash: str, is_new: bool
) -> tuple[list[Partition], Stand]:
    """What replaces one staging table's partition, its quarantine included."""
    found, stand = finished(
        lake, writer.rows, input_hash=input_hash, refused_count=writer.refused_count, is_new=is_new
    )
    refused = writer.refused
    if refused.row_count or (not is_new and lake.exists(refused.table)):
        found.append(
            Partition(
                refused.table, refused.key, Quarantine, refused.rest, is_new, tuple(refused.files)
            )
        )
    return found, stand


def discard(writers: Iterable[TableWriter]) -> None:
    """Remove the files of tables that will not be committed."""
    for writer in writers:
        writer.rows.discard()
        writer.refused.discard()
