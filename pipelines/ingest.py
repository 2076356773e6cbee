"""From a source to staging: fetch its objects, parse and sift each version once, say what governs.

A source's bad night is an outcome, not an end: the last good version of each of its objects
carries it and is marked stale. Only a source that the city file calls critical raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.errors import ContractError, SourceError, sample_text
from pipelines.fingerprint import code_hash, digest
from pipelines.night import SourceVersion
from pipelines.settings import City, Settings, Source
from pipelines.sources.fetch import Fetched, Known, fetch_source
from pipelines.sources.landing import Landing
from pipelines.staging.sift import Quarantine, Staged
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, Partition
from pipelines.warehouse.state import (
    Governing,
    Stand,
    key_text,
    last_good,
    night_sources_partition,
    stands,
    version_key,
    written,
)

ROWS_A_COMMIT = 1_500_000  # staged rows held in memory before they are written


def known_objects(lake: Lake, source_id: str) -> dict[str, Known]:
    """What is known of each object of a source from its last good fetch."""
    rows = lake.read(
        "ops.fetch_attempts",
        ops.FetchAttempts,
        "source_id = ? AND outcome <> 'failed'",
        [source_id],
    )
    latest = rows.sort("attempted_at").unique("object_name", keep="last", maintain_order=True)
    return {
        row["object_name"]: Known(
            row["sha256"], row["version_id"], row["etag"], row["last_modified"]
        )
        for row in latest.iter_rows(named=True)
    }


def fetch(
    settings: Settings, city: City, source_id: str, service_date: date, known: Mapping[str, Known]
) -> list[Fetched]:
    """Fetch a source's objects into landing; those of a screened kind are looked at first."""
    source = city.sources[source_id]
    kind = flow.source_kind(source.kind)

    def screen(object_name: str, payload: bytes) -> None:
        version = describe_version(city, source_id, object_name, version_id="")
        flow.load_function(kind.parse)(payload, version)

    return fetch_source(
        source,
        settings.city_file.parent,
        service_date,
        known,
        Landing(settings.landing),
        screen=screen if kind.is_screened else None,
    )


def describe_version(
    city: City, source_id: str, object_name: str, version_id: str
) -> SourceVersion:
    """What the city file tells parsers and stagers of one object of a source."""
    source = city.sources[source_id]
    return SourceVersion(
        source_id=source_id,
        version_id=version_id,
        object_name=object_name,
        format=source.format,
        time_zone=source.time_zone or city.city.time_zone,
        columns=source.columns,
        terms=source.terms,
    )


@dataclass
class Load:
    """The load of one source for one night, as it goes."""

    lake: Lake
    settings: Settings
    city: City
    source_id: str
    service_date: date
    staged_rows: int = 0
    computed: int = 0
    objects: list[Governing] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _waiting: list[Partition] = field(default_factory=list)
    _waiting_rows: int = 0
    _stands: dict[str, dict[str, Stand]] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """The source's part of the city file."""
        return self.city.sources[self.source_id]

    def run(self, attempts: Sequence[Fetched]) -> None:
        """Stage what the attempts brought, carry what failed, and write what governs the night."""
        before = last_good(self.lake, self.source_id, self.service_date)
        tables = [table.name for table in flow.staging_tables(self.source.kind)]
        self._stands = stands(self.lake, tables)
        outcomes = [self._load_object(attempt, before) for attempt in attempts]
        if any(attempt.outcome == "failed" and not attempt.object_name for attempt in attempts):
            reason = self.failures[0]
            self.objects = [
                replace(item, is_stale=True, reason=reason) for item in before.values()
            ] or [self._missing("", reason)]
        self._flush(
            [night_sources_partition(self.service_date, self.source_id, self.objects)],
            [self._attempt_rows(outcomes)],
        )

    def _load_object(self, attempt: Fetched, before: Mapping[str, Governing]) -> Fetched:
        if attempt.outcome != "failed":
            try:
                self._stage(attempt)
            except (SourceError, ContractError) as error:
                attempt = replace(attempt, outcome="failed", reason=str(error))
        if attempt.outcome == "failed":
            self.failures.append(attempt.reason)
            if attempt.object_name in before:
                carried = before[attempt.object_name]
                self.objects.append(replace(carried, is_stale=True, reason=attempt.reason))
            elif attempt.object_name:
                self.objects.append(self._missing(attempt.object_name, attempt.reason))
            return attempt
        self.objects.append(
            replace(
                self._missing(attempt.object_name, ""),
                version_id=attempt.version_id,
                sha256=attempt.sha256,
                good_date=self.service_date,
                is_stale=False,
            )
        )
        return attempt

    def _missing(self, object_name: str, reason: str) -> Governing:
        return Governing(
            source_id=self.source_id,
            object_name=object_name,
            version_id="",
            sha256="",
            kind=self.source.kind,
            mark=self.source.mark,
            is_stale=True,
            good_date=None,
            reason=reason,
        )

    def _stage(self, attempt: Fetched) -> None:
        """Parse and sift one version into every staging table that lacks it."""
        source = self.source
        version = describe_version(
            self.city, self.source_id, attempt.object_name, attempt.version_id
        )
        key = version_key(self.source_id, attempt.version_id)
        parser = flow.source_kind(source.kind).parse
        wanted: list[tuple[flow.Table, str]] = []
        for table in flow.staging_tables(source.kind):
            input_hash = self._input_hash(table, version, parser)
            stand = self._stands[table.name].get(key_text(key))
            if stand is None or stand.input_hash != input_hash:
                wanted.append((table, input_hash))
            else:
                self.staged_rows += stand.row_count
        if not wanted:
            return
        payload = Landing(self.settings.landing).read(attempt.sha256)
        raw = flow.load_function(parser)(payload, version)
        staged = [
            (table, h, flow.load_function(table.maker_path)(raw, version)) for table, h in wanted
        ]
        for table, _, result in staged:
            self._check_quarantine(table, result)
        for table, input_hash, result in staged:
            self._keep(table, key, result, input_hash)

    def _input_hash(self, table: flow.Table, version: SourceVersion, parser: str) -> str:
        return digest(
            table.name,
            version.version_id,
            version.format,
            version.time_zone,
            dict(version.columns),
            {column: dict(words) for column, words in version.terms.items()},
            code_hash(parser.partition(":")[0]),
            code_hash(table.module_path),
        )

    def _check_quarantine(self, table: flow.Table, staged: Staged) -> None:
        limit = self.source.max_quarantine_share
        limit = table.max_quarantine_share if limit is None else limit
        total = staged.rows.height + staged.refused
        if staged.refused <= limit * total:
            return
        rules = staged.quarantine.group_by("rule").len().sort("len", "rule", descending=True)
        named = [f"{rule} ({count:,})" for rule, count in rules.head(3).iter_rows()]
        first = staged.quarantine.row(0, named=True)
        raise ContractError(
            f"{table.name}: {staged.refused:,} of {total:,} rows of {self.source_id} break rules: "
            f"{', '.join(named)}; row {first['row_number']} is {first['row_json']:.200}.",
            f"At most {limit:.1%} may: ask the source's owner, or raise `max_quarantine_share`.",
        )

    def _keep(
        self, table: flow.Table, key: dict[str, object], staged: Staged, input_hash: str
    ) -> None:
        known = self._stands[table.name]
        partitions, stand = written(
            self.lake,
            table,
            key,
            load_contract(table),
            staged.rows,
            input_hash=input_hash,
            refused_count=staged.refused,
            is_new=key_text(key) not in known,
        )
        self._waiting.extend(partitions)
        refused = f"quarantine.{table.short_name}"
        if staged.refused or self.lake.exists(refused):
            self._waiting.append(Partition(refused, key, Quarantine, staged.quarantine))
        self._waiting_rows += staged.rows.height
        self.staged_rows += stand.row_count
        self.computed += 1
        known[key_text(key)] = stand
        if self._waiting_rows > ROWS_A_COMMIT:
            self._flush()

    def _flush(self, partitions: Sequence[Partition] = (), added: Sequence[Added] = ()) -> None:
        self.lake.write([*self._waiting, *partitions], added)
        self._waiting = []
        self._waiting_rows = 0

    def _attempt_rows(self, attempts: Sequence[Fetched]) -> Added:
        rows = [
            {
                "service_date": self.service_date,
                "source_id": self.source_id,
                "run_id": self.lake.run_id,
                "attempted_at": ops.now(),
                "duration_seconds": round(attempt.seconds, 3),
                **attempt.as_dict(),
            }
            for attempt in attempts
        ]
        schema: dict[str, Any] = {n: c.dtype for n, c in ops.FetchAttempts.columns().items()}
        return Added("ops.fetch_attempts", ops.FetchAttempts, pl.DataFrame(rows, schema=schema))


def failure_text(failures: Sequence[str]) -> str:
    """One sentence for what failed of a source."""
    return failures[0] if len(failures) == 1 else sample_text(failures)
