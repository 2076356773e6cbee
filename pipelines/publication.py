"""Publication: what goes out of an audited night, built aside, checked and swapped in.

What goes out of a night: `<city>.duckdb` for analysts, `extracts/<service date>/`, signed,
`checks/<service date>.html`, `brief/<service date>/index.html`, and, last of all, `status.json`.
All but the last hold no wall-clock time, so a night published twice is the same. When a step fails,
what was published stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from pipelines import flow
from pipelines.analysts_file import (
    Part,
    feed_versions_out,
    file_macros,
    file_tables,
    is_by_date,
    parts_out,
)
from pipelines.audit import NightTables, as_results, read_results
from pipelines.briefing import about_night, read_material
from pipelines.city_file import City
from pipelines.contracts.meta import CHECKS, Sources
from pipelines.errors import QalaError
from pipelines.fingerprint import code_version, digest
from pipelines.locks import exclusive
from pipelines.night_extracts import NightExtracts
from pipelines.quality.page import render_checks_page
from pipelines.quality.results import require_passed
from pipelines.settings import Settings
from pipelines.signing import Signer
from pipelines.trusted_keys import load_signer
from pipelines.verification import MANIFEST, SIGNATURE
from pipelines.warehouse import ops
from pipelines.warehouse.editions import Edition, edition_partition
from pipelines.warehouse.lake import Lake, Partition
from pipelines.warehouse.night_sources import Governing, governing
from pipelines.warehouse.publish import PublishedTable, build_file, swap_file, swap_folder
from pipelines.warehouse.state import date_key, key_text
from pipelines.withdrawal import write_notices

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
        is_out = publication.is_out()
        if not is_out:
            remove_leftovers(settings.publish)
            publication.build()
        write_notices(lake, settings, city, publication.signer)
        outcome = "unchanged" if is_out else "done"
        return (
            outcome,
            publication.row_count,
            f"{settings.publish}; signed: {publication.signer.text}",
        )


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

    @property
    def brief(self) -> Path:
        """The night's brief."""
        return self.settings.publish / "brief" / self.service_date.isoformat() / "index.html"

    @cached_property
    def signer(self) -> Signer:
        """Whoever signs the extracts, if anybody does."""
        return load_signer(self.settings, self.service_date)

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
        manifest = self.extracts / MANIFEST
        expected = {
            self.file: rows.item(0, "file_sha256"),
            self.page: rows.item(0, "page_sha256"),
            self.brief: rows.item(0, "brief_sha256"),
            manifest: rows.item(0, "manifest_sha256"),
        }
        if any(file_sha256(path) != sha256 for path, sha256 in expected.items()):
            return False
        signature = self.signer.sign(manifest.read_bytes())
        expected_sha256 = hashlib.sha256(signature.file()).hexdigest() if signature else ""
        if file_sha256(self.extracts / SIGNATURE) != expected_sha256:
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
            self.signer.text,
            about_night(self.night),
            code_version(),
        )

    @cached_property
    def others(self) -> pl.DataFrame:
        """Partitions that other nights have published and this one does not hold, newest first."""
        mine = [(name, text) for name, text, _, _ in self._contents_out if self._goes_out(name)]
        held = pl.DataFrame(mine, schema=["table_name", "partition_key"], orient="row")
        return (
            self._other_nights.join(held, on=["table_name", "partition_key"], how="anti")
            .sort("night_date", descending=True)
            .unique(["table_name", "partition_key"], keep="first", maintain_order=True)
            .sort("table_name", "partition_key")
        )

    @cached_property
    def _partitions(self) -> pl.DataFrame:
        """The partitions of all nights, as they were published last, of the tables that go out."""
        rows = self.lake.read("ops.published_partitions", ops.PublishedPartitions)
        return rows.filter(pl.col("table_name").is_in([*self._published, CHECKS]))

    @cached_property
    def _other_nights(self) -> pl.DataFrame:
        return self._partitions.filter(pl.col("night_date") != self.service_date)

    @cached_property
    def _nights(self) -> pl.DataFrame:
        """All nights, as they were published last."""
        return self.lake.read("ops.publications", ops.Publications)

    @cached_property
    def latest_date(self) -> date:
        """The latest night that is published once this one is."""
        dates: list[date] = self._nights.get_column("service_date").to_list()
        return max([self.service_date, *dates])

    @cached_property
    def _in_file(self) -> frozenset[tuple[str, str, str]]:
        """Table, partition and content hash of all by date that the file that is out now holds.

        Of a file that is not the one which was published last nothing is known.
        """
        last = self._nights.sort("published_at").tail(1)
        if last.get_column("file_sha256").to_list() != [file_sha256(self.file)]:
            return frozenset()
        held = parts_out(self._nights, self._partitions)
        named = held.select("table_name", "partition_key", "content_hash").iter_rows()
        return frozenset(part for part in named if is_by_date(part[0]))

    def _goes_out(self, name: str) -> bool:
        """Whether the night's own partitions of a table go out: of one by date, and of the latest
        night all."""
        return is_by_date(name) or self.service_date == self.latest_date

    @cached_property
    def _published(self) -> frozenset[str]:
        return frozenset(table.name for table in flow.published_tables(self.city.city.marts))

    @cached_property
    def _contents_out(self) -> list[tuple[str, str, str, int]]:
        """The night's partitions of the tables that go out, its checks among them."""
        here = key_text(date_key(self.service_date))
        checks = self.night.stands[CHECKS][here]
        return [
            *(part for part in self.night.contents if part[0] in self._published),
            (CHECKS, here, checks.content_hash, checks.row_count),
        ]

    @cached_property
    def _source_rows(self) -> pl.DataFrame:
        return sources_out(governing(self.lake, self.latest_date))

    def build(self) -> None:
        """Build everything aside, then swap it in, the analysts' file last."""
        folder = self.extracts.with_name(f".{self.extracts.name}.building-{os.getpid()}")
        edition = self._build_extracts(folder)
        page = self._build_page()
        brief = self._build_brief()
        tables = self._tables_out()
        building = build_file(self.lake, self.file, tables, file_macros(tables))
        file_hash = file_sha256(building)
        page_hash, brief_hash = file_sha256(page), file_sha256(brief)
        swap_folder(folder, self.extracts)
        page.replace(self.page)
        brief.replace(self.brief)
        swap_file(building, self.file)
        self._record(file_hash, page_hash, brief_hash, edition)

    def _build_extracts(self, folder: Path) -> Edition:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        passed = int(self.checks.get_column("is_passed").sum())
        about = {
            "code_version": code_version(),
            "checks": {
                "verdict": "passed" if passed == self.checks.height else "passed with warnings",
                "passed": passed,
                "warnings": self.checks.height - passed,
            },
            "sources": sources_out(self.night.sources).to_dicts(),
        }
        extracts = NightExtracts(
            self.lake, self.city, self.service_date, self.night, self.signer, about
        )
        return extracts.build(folder)

    def _build_page(self) -> Path:
        building = self.page.with_name(f".{self.page.stem}.building-{os.getpid()}.html")
        building.parent.mkdir(parents=True, exist_ok=True)
        night = self.city.night(self.service_date, (s.source_id for s in self.night.sources))
        building.write_text(render_checks_page(self.checks, night), encoding="utf-8")
        return building

    def _build_brief(self) -> Path:
        from pipelines.brief.page import render_brief  # a second of libraries for charts

        building = self.brief.with_name(f".{self.brief.stem}.building-{os.getpid()}.html")
        building.parent.mkdir(parents=True, exist_ok=True)
        building.write_text(render_brief(read_material(self.night)), encoding="utf-8")
        return building

    def _tables_out(self) -> list[PublishedTable]:
        own = [(self.service_date, name, text) for name, text, _, _ in self._contents_out]
        columns = ["night_date", "table_name", "partition_key"]
        nights = self._other_nights.select(columns)
        here = pl.DataFrame(own, schema=nights.schema, orient="row")
        return file_tables(
            self.city.city.marts,
            self._parts(),
            self._source_rows,
            feed_versions_out(pl.concat([nights, here])),
        )

    def _parts(self) -> Iterator[Part]:
        """What of the lake goes out.

        Of a table by version only the latest night's versions go out; of a table by date every
        published night, and where the lake has changed since, as it stood when it passed.
        """
        for name, text, content_hash, row_count in self._contents_out:
            if self._goes_out(name):
                is_out = (name, text, content_hash) in self._in_file
                yield Part(name, text, None, row_count, is_out)
        for row in self.others.iter_rows(named=True):
            name, text = row["table_name"], row["partition_key"]
            if not is_by_date(name) and row["night_date"] != self.latest_date:
                continue
            stand = self.night.stands[name].get(text)
            same = stand is not None and stand.content_hash == row["content_hash"]
            snapshot = None if same else row["snapshot_id"]
            is_out = (name, text, row["content_hash"]) in self._in_file
            yield Part(name, text, snapshot, row["row_count"], is_out)

    def _record(self, file_hash: str, page_hash: str, brief_hash: str, edition: Edition) -> None:
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
                "brief_sha256": [brief_hash],
                "manifest_sha256": [edition.manifest_sha256],
                "run_id": [self.lake.run_id],
                "published_at": [ops.now()],
            }
        )
        night = {"night_date": self.service_date}
        if edition.snapshot_id is None:
            edition = replace(edition, snapshot_id=snapshot)
        self.lake.write(
            [
                edition_partition(self.lake, edition),
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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file; empty where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
