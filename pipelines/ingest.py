"""From a source to staging: fetch its objects, parse and sift each version once, say what governs.

A source's bad night is an outcome, not an end: the last good version of each of its objects
carries it and is marked stale. Only a source that the city file calls critical raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from pipelines import flow, release
from pipelines.city_file import City, Source
from pipelines.errors import ContractError, QuarantinedFeedError, SourceError, sample_text
from pipelines.fingerprint import code_hash, digest
from pipelines.forgetting import forgotten_versions
from pipelines.landable import describe_version, gate_of
from pipelines.night import SourceVersion
from pipelines.policy import load_policy
from pipelines.settings import Settings
from pipelines.sources.fetch import Fetched, Known, fetch_source
from pipelines.sources.landing import Landing
from pipelines.staged_version import TableWriter, discard, partitions, stage_version
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, Partition
from pipelines.warehouse.night_sources import Governing, SourceNights
from pipelines.warehouse.state import (
    Stand,
    key_text,
    stands,
    version_key,
)
from pipelines.warehouse.versions import FEED_VERSIONS, FEEDS, governed

# What stays readable of a version that is held back.
TOLD_OF_HELD = ("staging.feed_notices", "staging.feed_rules")
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
    settings: Settings,
    city: City,
    source_id: str,
    service_date: date,
    known: Mapping[str, Known],
    *,
    forgotten: frozenset[str] = frozenset(),
    connections: Mapping[str, str],
    failed_try: Callable[[Fetched], None],
) -> list[Fetched]:
    """Fetch a source's objects into landing; each passes the gate of its source.

    What is `forgotten`, by its hash, is not landed again. `connections` are secrets that the caller
    has found, by name; `failed_try` is told of every try that failed and was followed by another.
    """
    source = city.sources[source_id]
    return fetch_source(
        source,
        settings.city_file.parent,
        service_date,
        known,
        Landing(settings.landing, forgotten),
        open_gate=gate_of(city, source_id),
        connections=connections,
        failed_try=failed_try,
    )


def attempt_rows(
    lake: Lake, source_id: str, service_date: date, attempts: Sequence[Fetched]
) -> Added:
    """Attempts as rows of `ops.fetch_attempts`."""
    rows = [
        {
            "service_date": service_date,
            "source_id": source_id,
            "run_id": lake.run_id,
            "attempted_at": ops.now(),
            "duration_seconds": round(attempt.seconds, 3),
            **attempt.as_dict(),
        }
        for attempt in attempts
    ]
    schema: dict[str, Any] = {n: c.dtype for n, c in ops.FetchAttempts.columns().items()}
    return Added("ops.fetch_attempts", ops.FetchAttempts, pl.DataFrame(rows, schema=schema))


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

    @cached_property
    def _forgotten(self) -> frozenset[tuple[str, str]]:
        is_personal = any(table.personal for table in flow.staging_tables(self.source.kind))
        return forgotten_versions(self.lake) if is_personal else frozenset()

    @property
    def source(self) -> Source:
        """The source's part of the city file."""
        return self.city.sources[self.source_id]

    def run(self, attempts: Sequence[Fetched]) -> None:
        """Stage what the attempts brought, carry what failed, and write what governs the night."""
        nights = SourceNights(self.lake, self.source_id)
        before = nights.last_good(self.service_date)
        tables = [table.name for table in flow.staging_tables(self.source.kind)]
        self._stands = stands(self.lake, tables)
        outcomes = [self._load_object(attempt, before) for attempt in attempts]
        if any(attempt.outcome == "failed" and not attempt.object_name for attempt in attempts):
            reason = self.failures[0]
            self.objects = [
                replace(item, is_stale=True, reason=reason) for item in before.values()
            ] or [self._missing("", reason)]
        elif flow.source_kind(self.source.kind).is_cumulative:
            listed = {attempt.object_name for attempt in attempts}
            self.objects += [item for name, item in before.items() if name not in listed]
        if self.source.kind == FEEDS:
            staged = [one.rows for one in self._waiting if one.table == FEED_VERSIONS]
            self.objects = governed(self.lake, self.service_date, self.objects, staged)
        governs = nights.partitions(self.service_date, self.objects)
        attempted = attempt_rows(self.lake, self.source_id, self.service_date, outcomes)
        self._flush(governs, [attempted])

    def stage(self, attempts: Sequence[Fetched]) -> None:
        """Stage versions that were landed and loaded before, and write nothing of the night.

        One that was held back and then released is held back here too at first.
        """
        tables = [table.name for table in flow.staging_tables(self.source.kind)]
        self._stands = stands(self.lake, tables)
        for attempt in attempts:
            try:
                self._stage(attempt)
            except QuarantinedFeedError:
                self._stage(attempt)
        self._flush()

    def _load_object(self, attempt: Fetched, before: Mapping[str, Governing]) -> Fetched:
        if attempt.outcome != "failed":
            try:
                self._stage(attempt)
            except QuarantinedFeedError as error:
                self._waiting.append(
                    release.quarantine_partition(
                        self.lake,
                        self.source_id,
                        attempt.version_id,
                        object_name=attempt.object_name,
                        service_date=self.service_date,
                        reason=error.what,
                        codes=error.codes,
                        refused_count=error.refused_count,
                    )
                )
                attempt = replace(attempt, outcome="failed", reason=str(error))
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
        """Parse and sift one version into every staging table that lacks it, if it isn't forgotten.

        Raises `QuarantinedFeedError` for a feed version that is held back: its notices are kept.
        """
        version = describe_version(
            self.city, self.source_id, attempt.object_name, attempt.version_id
        )
        key = version_key(self.source_id, attempt.version_id)
        if (self.source_id, attempt.version_id) in self._forgotten:
            return
        is_released = self._is_released(attempt.version_id, key)
        parser = flow.source_kind(self.source.kind).parse
        wanted: list[tuple[flow.Table, str]] = []
        for table in flow.staging_tables(self.source.kind):
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
        writers = stage_version(self.lake, raw, version, key, [table for table, _ in wanted])
        try:
            if not is_released:
                self._require_usable(attempt.version_id, writers)
        except BaseException:
            told = {name: writer for name, writer in writers.items() if name in TOLD_OF_HELD}
            discard(writer for name, writer in writers.items() if name not in told)
            self._keep_all(told, wanted, key)
            raise
        self._keep_all(writers, wanted, key)

    def _keep_all(
        self,
        writers: Mapping[str, TableWriter],
        wanted: Sequence[tuple[flow.Table, str]],
        key: dict[str, object],
    ) -> None:
        for table, input_hash in wanted:
            if table.name in writers:
                self._keep(writers[table.name], key, input_hash)

    def _is_released(self, version_id: str, key: Mapping[str, object]) -> bool:
        """Whether a person has released a feed version. Raises `SourceError` for a rejected one.

        One that was decided upon was held back, and what was found in it is kept.
        """
        if self.source.kind != FEEDS or key_text(key) not in self._stands[release.NOTICES]:
            return False
        decided = release.decision(self.lake, self.source_id, version_id)
        if decided is not None and not decided.is_release:
            raise release.rejected_error(decided)
        return decided is not None

    def _require_usable(self, version_id: str, writers: Mapping[str, TableWriter]) -> None:
        """Raise where a version breaks what stops it, or too many of its rows are refused.

        For a feed that is `QuarantinedFeedError`, for any other source `ContractError`.
        """
        if self.source.kind == FEEDS:
            policy = load_policy(self.settings.policy_file(self.city), self.city.feeds())
            notices = (
                writers[release.NOTICES].rows.rest
                if release.NOTICES in writers
                else release.notices_of(self.lake, self.source_id, version_id)
            )
            release.require_usable(notices, policy, self.source_id, version_id, self.service_date)
        for writer in writers.values():
            try:
                writer.check(self.source_id, self._most_refused(writer.table))
            except ContractError as error:
                if self.source.kind != FEEDS:
                    raise
                raise release.held_error(
                    self.source_id,
                    version_id,
                    error.what.rstrip("."),
                    codes=sorted(writer.rules),
                    refused_count=writer.refused_count,
                ) from None

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

    def _most_refused(self, table: flow.Table) -> float:
        limit = self.source.max_quarantine_share
        return table.max_quarantine_share if limit is None else limit

    def _keep(self, writer: TableWriter, key: dict[str, object], input_hash: str) -> None:
        known = self._stands[writer.table.name]
        is_new = key_text(key) not in known
        found, stand = partitions(self.lake, writer, input_hash=input_hash, is_new=is_new)
        self._waiting.extend(found)
        self._waiting_rows += sum(partition.rows.height for partition in found)
        self.staged_rows += stand.row_count
        self.computed += 1
        known[key_text(key)] = stand
        if self._waiting_rows > ROWS_A_COMMIT:
            self._flush()

    def _flush(self, partitions: Sequence[Partition] = (), added: Sequence[Added] = ()) -> None:
        self.lake.write([*self._waiting, *partitions], added)
        self._waiting = []
        self._waiting_rows = 0


def failure_text(failures: Sequence[str]) -> str:
    """One sentence for what failed of a source."""
    return failures[0] if len(failures) == 1 else sample_text(failures)
