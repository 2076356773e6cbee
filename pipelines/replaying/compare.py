"""A replayed night beside the published one: the same, or the first difference.

Tables come first, in the flow's order: a figure that differs makes extracts and brief differ.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.canonical import in_key_order
from pipelines.contracts.check_results import CheckResults
from pipelines.contracts.meta import CHECKS
from pipelines.replaying.published import Published
from pipelines.verification import MANIFEST
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, selection
from pipelines.warehouse.snapshots import read_kept

_NOT_COMPARED = ("signature",)  # of a manifest: who replays need not have the key of then
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """What was compared, and the first difference in words, if there is one."""

    partition_count: int
    file_count: int
    difference: str


@dataclass(frozen=True)
class Comparison:
    """The lake of then and that of the replay, and what each has published."""

    old: Lake
    new: Lake
    published: Published
    old_publish: Path
    new_publish: Path
    has_forgotten: bool  # then checks count rows that are gone: they are not compared

    def run(self) -> Compared:
        """Compare all that both have."""
        day = self.published.service_date
        made = self.new.read(
            "ops.published_partitions", ops.PublishedPartitions, "night_date = ?", [day]
        )
        files = len(self._manifest(self.new_publish)["files"])
        difference = self._tables(made) or self._files() or self._pages()
        return Compared(self.published.partitions.height, files, difference)

    def _tables(self, made: pl.DataFrame) -> str:
        names = [*(table.name for table in flow.TABLES), CHECKS]
        order = {name: place for place, name in enumerate(names)}
        key = ["table_name", "partition_key"]
        both = self.published.partitions.select(*key, "content_hash").join(
            made.select(*key, again="content_hash"), on=key, how="full", coalesce=True
        )
        if self.has_forgotten:
            both = both.filter(pl.col("table_name") != CHECKS)
        differing = both.filter(~pl.col("content_hash").eq_missing(pl.col("again")))
        ranked = sorted(differing.rows(), key=lambda row: (order.get(row[0], len(order)), row[1]))
        if not ranked:
            return ""
        name, text, before, again = ranked[0]
        more = f" ({len(ranked)} partitions differ)" if len(ranked) > 1 else ""
        if before is None or again is None:
            where = "was published and is not made again" if before else "was not published"
            return f"{name} {text} {where}{more}."
        return f"{name} {text}: {self._first_row(name, text)}{more}."

    def _first_row(self, name: str, text: str) -> str:
        """The first row that differs in a partition: its key, the column, and both values."""
        table = None if name == CHECKS else flow.table(name)
        contract: type[dy.Schema] = CheckResults if table is None else load_contract(table)
        where = selection([_key_columns(text, table)])
        snapshot = self.published.snapshot_id
        old = in_key_order(read_kept(self.old, name, contract, snapshot, where), contract)
        new = in_key_order(self.new.read(name, contract, where), contract)
        return first_difference(old, new, contract.primary_key() or contract.column_names())

    def _manifest(self, publish: Path) -> Manifest:
        folder = publish / "extracts" / self.published.service_date.isoformat()
        manifest: Manifest = json.loads((folder / MANIFEST).read_bytes())
        return manifest

    def _files(self) -> str:
        """Bytes of extracts: those that the edition told, and where it still lies, its manifest."""
        new = self._manifest(self.new_publish)
        told: Manifest = self.published.edition.told
        path = self.old_publish / "extracts" / str(self.published.service_date) / MANIFEST
        is_there = path.is_file() and _sha256(path) == self.published.edition.manifest_sha256
        old = json.loads(path.read_bytes()) if is_there else told
        hashes = {item["file"]: item["sha256"] for item in new["files"]}
        for item in old["files"]:
            if hashes.get(item["file"]) != item["sha256"]:
                return f"the extract {item['file']} has other bytes."
        for fact in sorted(old.keys() - {"files", *_NOT_COMPARED}):
            if old[fact] != new.get(fact):
                return f"{MANIFEST} says of {fact} {old[fact]!r}, and now {new.get(fact)!r}."
        return ""

    def _pages(self) -> str:
        day = self.published.service_date.isoformat()
        for what, path, before in (
            ("brief", Path("brief") / day / "index.html", self.published.brief_sha256),
            ("page of checks", Path("checks") / f"{day}.html", self.published.page_sha256),
        ):
            if self.has_forgotten and path.parts[0] == "checks":
                continue
            if before is not None and _sha256(self.new_publish / path) != before:
                return f"the {what} has other bytes."
        return ""


def first_difference(old: pl.DataFrame, new: pl.DataFrame, key: list[str]) -> str:
    """The first row, in order of key, that is in one frame alone or has another value."""
    sides = [
        rows.with_columns(pl.lit(value=True).alias("is_there")).sort(key) for rows in (old, new)
    ]
    both = sides[0].join(
        sides[1], on=key, how="full", suffix=" again", coalesce=True, nulls_equal=True
    )
    for row in both.sort(key, nulls_last=True).iter_rows(named=True):
        named = ", ".join(f"{column} {row[column]}" for column in key)
        if row["is_there"] is None:
            return f"the row of {named} was not published"
        if row["is_there again"] is None:
            return f"the row of {named} is not made again"
        for column in old.columns:
            if column not in key and row[column] != row[f"{column} again"]:
                values = f"{row[column]!r} was published, and now it is {row[f'{column} again']!r}"
                return f"in the row of {named}, {column} {values}"
    return "the rows are the same, but not written alike"


def _key_columns(text: str, table: flow.Table | None) -> dict[str, object]:
    """The columns that select a partition, from its key as text."""
    by = "service_date" if table is None else table.by
    if by == "version":
        source_id, _, version_id = text.partition("/")
        return {"source_id": source_id, "version_id": version_id}
    return {{"source": "source_id", "inputs": "inputs_id"}.get(by, by): text}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
