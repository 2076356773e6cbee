"""Publication: what goes out of an audited night, built aside, checked and swapped in.

What goes out of a night: `<city>.duckdb` for analysts, `extracts/<service date>/` with a manifest,
`checks/<service date>.html`, and, last of all, `status.json`. All but the last hold no wall-clock
time, so a night published twice is the same. When a step fails, what was published stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.audit import CHECKS, NightTables, as_results, read_results
from pipelines.build import INPUTS_ID, Key
from pipelines.contracts import grain, load_contract
from pipelines.contracts.dictionary import Dictionary, dictionary_rows
from pipelines.contracts.meta import Sources, Tables
from pipelines.errors import QalaError
from pipelines.extracts.files import canonical_json, extract_files
from pipelines.fingerprint import code_version, digest
from pipelines.locks import exclusive
from pipelines.quality.page import render_checks_page
from pipelines.quality.results import CheckResults, require_passed
from pipelines.settings import City, Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, Partition
from pipelines.warehouse.publish import (
    Portion,
    PublishedTable,
    build_file,
    swap_file,
    swap_folder,
)
from pipelines.warehouse.state import (
    Governing,
    date_key,
    governing,
    key_text,
    version_key,
)

MANIFEST_VERSION = 1
LOCK_SECONDS = 600.0  # how long a publication waits for another one


def publish_night(
    lake: Lake, settings: Settings, city: City, service_date: date
) -> tuple[str, int | None, str]:
    """Publish an audited night: extracts, page of checks and the analysts' file.

    Everything is built aside and checked first. What is already out with the same contents is left
    alone. Raises `AuditError` for a night whose critical checks failed, `PublishError` where the
    file can't be built.
    """
    with exclusive(settings.publish / ".lock", "A publication", wait_seconds=LOCK_SECONDS):
        publication = Publication(lake, settings, city, service_date)
        publication.require_audit()
        if publication.is_out():
            return "unchanged", publication.row_count, str(settings.publish)
        remove_leftovers(settings.publish)
        publication.build()
        return "done", publication.row_count, str(settings.publish)


def remove_leftovers(folder: Path) -> None:
    """Remove what publications that were killed half-way have left beside their targets."""
    for path in [*folder.rglob(".*.building-*"), *folder.rglob(".*.old-*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@dataclass
class Publication:
    """What goes out of one night."""

    lake: Lake
    settings: Settings
    city: City
    service_date: date

    @cached_property
    def night(self) -> NightTables:
        """The night that is published."""
        return NightTables(self.lake, self.city, self.service_date)

    @cached_property
    def checks(self) -> pl.DataFrame:
        """What the audit of the night found."""
        return read_results(self.lake, self.service_date)

    @property
    def file(self) -> Path:
        """The analysts' file."""
        return self.settings.publish / f"{self.city.city.id}.duckdb"

    @property
    def extracts(self) -> Path:
        """The night's extracts."""
        return self.settings.publish / "extracts" / self.service_date.isoformat()

    @property
    def page(self) -> Path:
        """The night's page of checks."""
        return self.settings.publish / "checks" / f"{self.service_date.isoformat()}.html"

    @cached_property
    def row_count(self) -> int:
        """Rows of the night's figures."""
        here = key_text(date_key(self.service_date))
        return sum(rows for _, text, _, rows in self.night.contents if text == here)

    def require_audit(self) -> None:
        """Raise `AuditError` unless every critical check of the night ran and passed."""
        if self.checks.is_empty():
            raise QalaError(f"The night of {self.service_date} was not audited.", "Run its audit.")
        require_passed(as_results(self.checks))

    def is_out(self) -> bool:
        """Whether exactly this is published, every file of it in its place and unchanged."""
        rows = self.lake.read(
            "ops.publications", ops.Publications, "service_date = ?", [self.service_date]
        )
        if rows.is_empty() or rows.item(0, "fingerprint") != self.fingerprint:
            return False
        manifest = self.extracts / "manifest.json"
        expected = {
            self.file: rows.item(0, "file_sha256"),
            self.page: rows.item(0, "page_sha256"),
            manifest: rows.item(0, "manifest_sha256"),
        }
        if any(file_sha256(path) != sha256 for path, sha256 in expected.items()):
            return False
        listed = json.loads(manifest.read_bytes())["files"]
        return all(file_sha256(self.extracts / item["file"]) == item["sha256"] for item in listed)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that goes out, and of the code that writes it."""
        return digest(
            self.night.contents,
            self.night.stands[CHECKS][key_text(date_key(self.service_date))].content_hash,
            self.others.select("table_name", "partition_key", "content_hash").rows(),
            self._source_rows.rows(),
            code_version(),
        )

    @cached_property
    def others(self) -> pl.DataFrame:
        """Partitions that other nights have published and this one does not hold, newest first."""
        rows = self.lake.read(
            "ops.published_partitions",
            ops.PublishedPartitions,
            "night_date <> ?",
            [self.service_date],
        )
        mine = [(name, text) for name, text, _, _ in self._contents_out if self._goes_out(name)]
        held = pl.DataFrame(mine, schema=["table_name", "partition_key"], orient="row")
        return (
            rows.join(held, on=["table_name", "partition_key"], how="anti")
            .sort("night_date", descending=True)
            .unique(["table_name", "partition_key"], keep="first", maintain_order=True)
            .sort("table_name", "partition_key")
        )

    @cached_property
    def latest_date(self) -> date:
        """The latest night that is published once this one is."""
        rows = self.lake.read("ops.publications", ops.Publications)
        dates: list[date] = rows.get_column("service_date").to_list()
        return max([self.service_date, *dates])

    def _goes_out(self, name: str) -> bool:
        """Whether the night's own partitions of a table go out: of one by date, and of the latest
        night all."""
        return _by_date(name) or self.service_date == self.latest_date

    @cached_property
    def _published(self) -> tuple[flow.Table, ...]:
        return flow.published_tables(self.city.city.marts)

    @cached_property
    def _contents_out(self) -> list[tuple[str, str, str, int]]:
        """The night's partitions of the tables that go out, its checks among them."""
        out = {table.name for table in self._published}
        here = key_text(date_key(self.service_date))
        checks = self.night.stands[CHECKS][here]
        return [
            *(part for part in self.night.contents if part[0] in out),
            (CHECKS, here, checks.content_hash, checks.row_count),
        ]

    @cached_property
    def _source_rows(self) -> pl.DataFrame:
        return sources_out(governing(self.lake, self.latest_date))

    def build(self) -> None:
        """Build everything aside, then swap it in, the analysts' file last."""
        manifest = self._build_extracts()
        page = self._build_page()
        tables = self._tables_out()
        building = build_file(self.lake, self.file, tables)
        file_hash = file_sha256(building)
        page_hash = file_sha256(page)
        swap_folder(manifest.parent, self.extracts)
        page.replace(self.page)
        swap_file(building, self.file)
        self._record(file_hash, page_hash)

    def _build_extracts(self) -> Path:
        folder = self.extracts.with_name(f".{self.extracts.name}.building-{os.getpid()}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        listed: list[dict[str, object]] = []
        for table in flow.extracts(self.city.city.marts):
            contract = load_contract(table)
            rows = self.lake.read_partitions(table.name, contract, [date_key(self.service_date)])
            stand = self.night.stands[table.name][key_text(date_key(self.service_date))]
            for name, payload in extract_files(
                table.short_name, rows, contract, self._notes(table)
            ).items():
                (folder / name).write_bytes(payload)
                listed.append(
                    {
                        "file": name,
                        "table": table.name,
                        "rows": stand.row_count,
                        "content_sha256": stand.content_hash,
                        "sha256": hashlib.sha256(payload).hexdigest(),
                        "bytes": len(payload),
                        "mark": _only(rows, "mark"),
                    }
                )
        manifest = folder / "manifest.json"
        manifest.write_bytes(canonical_json(self._manifest(listed)))
        return manifest

    def _notes(self, table: flow.Table) -> dict[str, str]:
        return {
            "table": table.name,
            "city": self.city.city.name,
            "service date": self.service_date.isoformat(),
            "code version": code_version(),
            "marks": "measured, modelled, published or synthetic, in the column 'mark' of each row",
        }

    def _manifest(self, listed: Sequence[dict[str, object]]) -> dict[str, object]:
        passed = int(self.checks.get_column("is_passed").sum())
        return {
            "manifest_version": MANIFEST_VERSION,
            "city": self.city.city.id,
            "service_date": self.service_date.isoformat(),
            "code_version": code_version(),
            "checks": {
                "verdict": "passed" if passed == self.checks.height else "passed with warnings",
                "passed": passed,
                "warnings": self.checks.height - passed,
            },
            "sources": sources_out(self.night.sources).to_dicts(),
            "files": sorted(listed, key=lambda item: str(item["file"])),
        }

    def _build_page(self) -> Path:
        building = self.page.with_name(f".{self.page.stem}.building-{os.getpid()}.html")
        building.parent.mkdir(parents=True, exist_ok=True)
        night = self.city.night(self.service_date, (s.source_id for s in self.night.sources))
        building.write_text(render_checks_page(self.checks, night), encoding="utf-8")
        return building

    def _tables_out(self) -> list[PublishedTable]:
        contracts: dict[str, type[dy.Schema]] = {
            table.name: load_contract(table) for table in self._published
        }
        contracts[CHECKS] = CheckResults
        parts = self._portions()
        tables = [
            PublishedTable(
                name,
                contract,
                parts[name][0],
                row_count=parts[name][1],
            )
            for name, contract in contracts.items()
        ]
        counts = {table.name: table.row_count for table in tables}
        return [
            *tables,
            PublishedTable("meta.dictionary", Dictionary, rows=dictionary_rows(self._published)),
            PublishedTable("meta.tables", Tables, rows=tables_out(self._published, counts)),
            PublishedTable("meta.sources", Sources, rows=self._source_rows),
        ]

    def _portions(self) -> dict[str, tuple[list[Portion], int]]:
        """For each table: what of the lake goes out, and how many rows that is.

        Of a table by version only the latest night's versions go out; of a table by date every
        published night, and where the lake has changed since, as it stood when it passed.
        """
        here = {key_text(key): key for keys in self.night.keys.values() for key in keys}
        here[key_text(date_key(self.service_date))] = date_key(self.service_date)
        chosen: dict[str, list[tuple[Key, int | None, int]]] = {}
        for name, text, _, rows in self._contents_out:
            if self._goes_out(name):
                chosen.setdefault(name, []).append((here[text], None, rows))
        for row in self.others.iter_rows(named=True):
            name, text = row["table_name"], row["partition_key"]
            if not _by_date(name) and row["night_date"] != self.latest_date:
                continue
            stand = self.night.stands[name].get(text)
            same = stand is not None and stand.content_hash == row["content_hash"]
            key = _key(name, text)
            snapshot = None if same else row["snapshot_id"]
            chosen.setdefault(name, []).append((key, snapshot, row["row_count"]))
        return {
            name: (_grouped(chosen.get(name, [])), sum(part[2] for part in chosen.get(name, [])))
            for name in (*(table.name for table in self._published), CHECKS)
        }

    def _record(self, file_hash: str, page_hash: str) -> None:
        snapshot = self.lake.snapshot_id()
        partitions = pl.DataFrame(
            [(self.service_date, *part, snapshot) for part in self._contents_out],
            schema={name: c.dtype for name, c in ops.PublishedPartitions.columns().items()},
            orient="row",
        )
        publication = pl.DataFrame(
            {
                "service_date": [self.service_date],
                "fingerprint": [self.fingerprint],
                "file_sha256": [file_hash],
                "page_sha256": [page_hash],
                "manifest_sha256": [file_sha256(self.extracts / "manifest.json")],
                "run_id": [self.lake.run_id],
                "published_at": [ops.now()],
            }
        )
        night = {"night_date": self.service_date}
        self.lake.write(
            [
                Partition("ops.published_partitions", night, ops.PublishedPartitions, partitions),
                Partition(
                    "ops.publications",
                    date_key(self.service_date),
                    ops.Publications,
                    publication,
                ),
            ]
        )


def sources_out(sources: Sequence[Governing]) -> pl.DataFrame:
    """Which version of which object a night stands on, as analysts and manifests see it."""
    rows = [
        {name: getattr(source, name) for name in Sources.column_names()}
        for source in sources
        if source.version_id
    ]
    types = {name: column.dtype for name, column in Sources.columns().items()}
    return Sources.validate(pl.DataFrame(rows, schema=types))


def tables_out(tables: Sequence[flow.Table], counts: Mapping[str, int]) -> pl.DataFrame:
    """What the tables of the published file are, and how many rows each has."""
    rows = [
        {
            "table_name": table.name,
            "grain": grain(load_contract(table)),
            "maker": table.maker_path,
            "reads": ", ".join(table.reads) or None,
            "is_extract": table.extract,
            "row_count": counts[table.name],
        }
        for table in tables
    ]
    types = {name: column.dtype for name, column in Tables.columns().items()}
    return Tables.validate(pl.DataFrame(rows, schema=types))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file; empty where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _by_date(name: str) -> bool:
    return name == CHECKS or flow.table(name).by == "service_date"


def _key(name: str, text: str) -> Key:
    if _by_date(name):
        return date_key(date.fromisoformat(text))
    if flow.table(name).by == "inputs":
        return {INPUTS_ID: text}
    if flow.table(name).by == "source":
        return {"source_id": text}
    return version_key(*text.split("/"))


def _grouped(parts: Sequence[tuple[Key, int | None, int]]) -> list[Portion]:
    snapshots = sorted({part[1] for part in parts}, key=lambda number: number or 0)
    return [
        Portion([key for key, number, _ in parts if number == snapshot], snapshot)
        for snapshot in snapshots
    ]


def _only(rows: pl.DataFrame, column: str) -> str:
    """The one value of a column, or its values in order, comma-separated."""
    return ", ".join(sorted(rows.get_column(column).unique().to_list()))
