"""A night's extracts as a folder: every figure as files, restatements, a manifest, a signature.

The manifest says of each file its SHA-256, rows, table, definition and schema, and of the night
its edition, sources, code and checks. An edition is what was sent for a service date: publishing
the same contents again gives the same edition and the same bytes, other contents give the next one,
which names the one that it replaces and tells in `restatements.json` what has changed and why.

Left out: which nights are published, and when (`pipelines.publication`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.audit import NightTables
from pipelines.city_file import City
from pipelines.contracts import load_contract
from pipelines.contracts.translations import column_labels, table_words
from pipelines.extracts.canonical_json import canonical_json
from pipelines.extracts.files import ExtractFile, extract_files
from pipelines.extracts.open_data import SPLIT_RULE, Telling
from pipelines.extracts.restatements import NOT_COMPARED, causes, changed_rows
from pipelines.extracts.schemas import schema_versions
from pipelines.fingerprint import ROOT, code_version, definition_hash
from pipelines.signing import Signer
from pipelines.verification import MANIFEST, SIGNATURE
from pipelines.warehouse.editions import Edition, editions, latest_before, sent_rows, withdrawals
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.state import date_key, key_text

MANIFEST_VERSION = 2
RESTATEMENTS = "restatements.json"
_HASH_LETTERS = 16

Told = dict[str, Any]


@dataclass(frozen=True)
class NightExtracts:
    """What goes to the ministry of one night; `about` is what the manifest says of it all."""

    lake: Lake
    city: City
    service_date: date
    night: NightTables
    signer: Signer
    about: Mapping[str, object]

    def build(self, folder: Path) -> Edition:
        """Write everything into an empty folder; the edition is still to be recorded."""
        listed: list[Told] = []
        rows_now: dict[str, pl.DataFrame] = {}
        for table in flow.extracts(self.city.city.marts):
            rows_now[table.name] = self._rows(table)
            listed.extend(self._write_table(folder, table, rows_now[table.name]))
        core: Told = {
            "manifest_version": MANIFEST_VERSION,
            "city": self.city.city.id,
            "service_date": self.service_date.isoformat(),
            "split_rule": SPLIT_RULE,
            **self.about,
            "files": sorted(listed, key=lambda item: str(item["file"])),
        }
        edition = self._edition(canonical_json(core))
        restated = self._restatements(edition, core, rows_now)
        payload = canonical_json(restated)
        (folder / RESTATEMENTS).write_bytes(payload)
        count = sum(len(t["rows"]) for c in restated["comparisons"] for t in c["tables"])
        manifest = canonical_json(
            {
                **core,
                "edition": edition.edition,
                "replaces": self._replaced(edition),
                "signature": self.signer.text,
                "files": [*core["files"], _listed(RESTATEMENTS, "restatements", payload, count)],
            }
        )
        (folder / MANIFEST).write_bytes(manifest)
        if signature := self.signer.sign(manifest):
            (folder / SIGNATURE).write_bytes(signature.file())
        return replace(edition, manifest_sha256=hashlib.sha256(manifest).hexdigest())

    def _rows(self, table: flow.Table) -> pl.DataFrame:
        return self.night.rows(table.name, [self.service_date])

    def _write_table(self, folder: Path, table: flow.Table, rows: pl.DataFrame) -> Iterator[Told]:
        contract = load_contract(table)
        stand = self.night.stands[table.name][key_text(date_key(self.service_date))]
        versions = {
            "definition_version": _definition_version(table),
            "schema_version": schema_versions()[table.name],
        }
        telling = Telling(
            table_words(table.name),
            partial(column_labels, table.name),
            self._facts(table, versions),
        )
        for file in extract_files(table.short_name, rows, contract, telling):
            (folder / file.name).write_bytes(file.payload)
            yield {
                **_listed(file.name, file.form, file.payload, file.row_count),
                **_part(file),
                **versions,
                "table": table.name,
                "content_sha256": stand.content_hash,
                "mark": ", ".join(sorted(rows.get_column("mark").unique().to_list())),
            }

    def _facts(self, table: flow.Table, versions: Mapping[str, str]) -> dict[str, str]:
        return {
            "table": table.name,
            "city": self.city.city.name,
            "service_date": self.service_date.isoformat(),
            **versions,
            "code_version": code_version(),
            "marks": "measured, modelled, published or synthetic, in the column 'mark' of each row",
            "empty_cells": "not known, or not to be told (counts of trips under 5); the column "
            "'reason' of the row says why",
        }

    def _edition(self, core: bytes) -> Edition:
        """The edition that these contents are: the last one, if it told the same, or the next."""
        told = editions(self.lake, self.service_date)
        core_sha256 = hashlib.sha256(core).hexdigest()
        if told and told[-1].core_sha256 == core_sha256:
            return told[-1]
        before = latest_before(self.lake, self.service_date)
        return Edition(
            service_date=self.service_date,
            edition=len(told) + 1,
            core_sha256=core_sha256,
            core=core.decode(),
            manifest_sha256="",
            before_date=before.service_date if before else None,
            before_edition=before.edition if before else None,
            snapshot_id=None,
        )

    def _replaced(self, edition: Edition) -> Told | None:
        """The edition in the place of which this one stands."""
        if edition.edition == 1:
            return None
        last = editions(self.lake, self.service_date)[edition.edition - 2]
        reasons = {(w.service_date, w.edition): w.reason for w in withdrawals(self.lake)}
        return {
            "edition": last.edition,
            "manifest_sha256": last.manifest_sha256,
            "withdrawn": reasons.get((last.service_date, last.edition)),
        }

    def _restatements(
        self, edition: Edition, core: Told, rows_now: Mapping[str, pl.DataFrame]
    ) -> Told:
        """What this edition tells otherwise than the one before it, and than the night before."""
        compared = editions(self.lake, self.service_date)[: edition.edition - 1][-1:]
        if edition.before_date and edition.before_edition:
            told = editions(self.lake, edition.before_date)
            compared.append(told[edition.before_edition - 1])
        return {
            "city": self.city.city.id,
            "service_date": self.service_date.isoformat(),
            "edition": edition.edition,
            "comparisons": [self._comparison(before, core, rows_now) for before in compared],
        }

    def _comparison(
        self, before: Edition, core: Told, rows_now: Mapping[str, pl.DataFrame]
    ) -> Told:
        old_tables, new_tables = _by_table(before.told), _by_table(core)
        tables = []
        for name in sorted(old_tables.keys() & new_tables.keys() - NOT_COMPARED):
            same_date = before.service_date == self.service_date
            old, new = old_tables[name], new_tables[name]
            if same_date and old["content_sha256"] == new["content_sha256"]:
                continue
            contract: type[dy.Schema] = load_contract(flow.table(name))
            empty: pl.DataFrame = contract.create_empty()
            rows = changed_rows(
                sent_rows(self.lake, name, contract, before) if old["rows"] else empty,
                rows_now[name],
                contract.primary_key(),
                same_date=same_date,
            )
            if rows:
                kinds = flow.kinds_under(name)
                why = causes(old, new, before.told["sources"], core["sources"], kinds)
                tables.append({"table": name, "causes": why, "rows": rows})
        return {
            "before": {
                "service_date": before.service_date.isoformat(),
                "edition": before.edition,
                "manifest_sha256": before.manifest_sha256,
            },
            "tables": tables,
        }


def _definition_version(table: flow.Table) -> str:
    sql = ROOT / "sql" / table.schema / f"{table.short_name}.sql"
    texts = [sql.read_text(encoding="utf-8")] if sql.is_file() else []
    return definition_hash(table.module_path, *texts)[:_HASH_LETTERS]


def _listed(name: str, form: str, payload: bytes, row_count: int) -> Told:
    return {
        "file": name,
        "form": form,
        "rows": row_count,
        "bytes": len(payload),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }


def _part(file: ExtractFile) -> Told:
    return {"part": file.part, "parts": file.part_count} if file.part_count > 1 else {}


def _by_table(core: Told) -> dict[str, Told]:
    """Of each table the facts of one of its files: those of all are the same."""
    return {item["table"]: item for item in core["files"]}
