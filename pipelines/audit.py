"""The audit of a night: every check on every table that the night stands on.

Nothing reaches a reader before its checks passed. What was found, good or bad, is kept as rows. A
table with the same contents is not checked again by the same checks: what was found last time is
what would be found. Where some partitions have changed, the checks of the contract look at those
alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from pipelines import flow
from pipelines.build import Key, partition_keys
from pipelines.city_file import City
from pipelines.contracts import load_contract
from pipelines.contracts.canonical import in_key_order
from pipelines.contracts.check_results import CheckResults
from pipelines.contracts.meta import CHECKS
from pipelines.errors import QalaError
from pipelines.fingerprint import ROOT, code_version, digest
from pipelines.quality.expectations import load_expectations
from pipelines.quality.results import OF_CONTRACT, CheckResult, require_passed, results_frame
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, Partition, Selection, selection
from pipelines.warehouse.night_sources import Governing, governing
from pipelines.warehouse.state import (
    Stand,
    date_key,
    filled,
    key_text,
    stands,
    written,
)

if TYPE_CHECKING:
    from pipelines.quality.suite import AuditTable

EXPECTATIONS = ROOT / "expectations"
MARK_DIGITS = 16


@dataclass
class NightTables:
    """The partitions that a night stands on, and how they stand in the lake now."""

    lake: Lake
    city: City
    service_date: date

    @cached_property
    def sources(self) -> list[Governing]:
        """The objects that govern the night."""
        return governing(self.lake, self.service_date)

    @cached_property
    def keys(self) -> Mapping[str, list[Key]]:
        """The night's partitions of every table."""
        return {
            table.name: partition_keys(self.lake, table, self.city, self.service_date, self.sources)
            for table in flow.needed(self.city.city.marts)
        }

    @cached_property
    def stands(self) -> Mapping[str, Mapping[str, Stand]]:
        """How every partition of every table stands."""
        return stands(self.lake, [*self.keys, CHECKS])

    @cached_property
    def contents(self) -> list[tuple[str, str, str, int]]:
        """Table, partition, content hash and rows of all that the night stands on."""
        return [
            (name, text, stand.content_hash, stand.row_count)
            for name, keys in self.keys.items()
            for text in map(key_text, keys)
            if (stand := self.stands[name].get(text))
        ]

    def row_count(self, table: str) -> int:
        """Rows of a table that the night stands on."""
        return sum(rows for name, _, _, rows in self.contents if name == table)

    def selected(self, table: flow.Table) -> Selection:
        """The partitions of a table that the night stands on."""
        keys = self.keys.get(table.name, [])
        filled_texts = {
            text for text, one in self.stands.get(table.name, {}).items() if one.row_count
        }
        return Selection(
            table.name,
            load_contract(table),
            keys,
            self.row_count(table.name),
            is_whole=filled_texts.issubset(map(key_text, keys)),
        )

    def rows(self, table: str, days: Sequence[date]) -> pl.DataFrame:
        """The rows of a table by date on those of some days that are among the night's, in no order
        that may be relied on; read once for all that go out."""
        if (table, *days) not in self._rows:
            there = self.keys.get(table, [])
            keys = [key for key in map(date_key, days) if key in there]
            self._rows[table, *days] = self.lake.read_partitions(
                table, load_contract(flow.table(table)), filled(self.stands.get(table, {}), keys)
            )
        return self._rows[table, *days]

    @cached_property
    def _rows(self) -> dict[tuple[str | date, ...], pl.DataFrame]:
        return {}

    def part_marks(self, table: str) -> dict[str, str]:
        """Of each partition of a table, by its key as text: a mark of its contents and the code."""
        return {
            text: digest(name, text, content_hash, code_version())[:MARK_DIGITS]
            for name, text, content_hash, _ in self.contents
            if name == table
        }

    def missing(self) -> list[str]:
        """Figures of the service date, and counts of passages, that no step has made."""
        here = [date_key(self.service_date)]
        wanted = {
            t.name: self.keys[t.name] if t.of_passages else here
            for t in flow.marts(self.city.city.marts)
            if t.by == "service_date"
        }
        return [
            name
            for name, keys in wanted.items()
            if any(key_text(key) not in self.stands[name] for key in keys)
        ]


def audit_night(lake: Lake, city: City, service_date: date) -> tuple[str, int, str]:
    """Run every check on the night's tables and keep what was found, good or bad.

    An audit of the same contents by the same checks is not run again. Raises `AuditError` where a
    critical check failed.
    """
    night = NightTables(lake, city, service_date)
    if night.missing():
        raise QalaError(
            f"The night of {service_date} lacks {', '.join(night.missing())}.",
            "Run the night from the start: its steps before the audit did not all end well.",
        )
    kinds = frozenset(source.kind for source in night.sources if source.version_id)
    texts = [path.read_text(encoding="utf-8") for path in sorted(EXPECTATIONS.glob("*.toml"))]
    input_hash = digest(night.contents, list(night.keys), sorted(kinds), texts, code_version())
    before = night.stands[CHECKS].get(key_text(date_key(service_date)))
    if before is not None and before.input_hash == input_hash:
        results = read_results(lake, service_date)
        outcome = "unchanged"
    else:
        hashes = _audit_hashes(night, kinds)
        audits = lake.read("ops.table_audits", ops.TableAudits)
        known = _known_results(lake, audits, hashes, service_date)
        wanted = [name for name in hashes if name not in known]
        clean = _clean_parts(audits)
        found = _run_checks(lake, night, kinds, wanted, clean)
        results = in_key_order(pl.concat([*known.values(), found]), CheckResults)
        partitions, _ = written(
            lake,
            CHECKS,
            date_key(service_date),
            CheckResults,
            results,
            input_hash=input_hash,
        )
        told = [_told(night, name, hashes[name], found, clean) for name in wanted]
        lake.write([*partitions, *told])
        outcome = "done"
    require_passed(as_results(results))
    failed = results.filter(~pl.col("is_passed")).height
    return outcome, results.height, f"{failed} warnings" if failed else ""


def _audit_hashes(night: NightTables, kinds: frozenset[str]) -> dict[str, str]:
    """Of every table to check: a hash of its contents, its checks, and all that these look at.

    Where no source of its kind ever came, a staging table is empty, and there is nothing to check.
    """
    hashes = {}
    for name in night.keys:
        if flow.table(name).source not in ("", *kinds):
            continue
        expectations = [
            one for one in load_expectations(EXPECTATIONS, name) if one.applies(kinds, night.keys)
        ]
        looked_at = {name}.union(*(one.tables for one in expectations))
        seen = [part for part in night.contents if part[0] in looked_at]
        is_dated = any("service_date" in (one.sql or "") for one in expectations)
        day = str(night.service_date) if is_dated else ""
        told = [repr(expectation) for expectation in expectations]
        hashes[name] = digest(told, day, seen, sorted(kinds), code_version())
    return hashes


def _known_results(
    lake: Lake, audits: pl.DataFrame, hashes: Mapping[str, str], service_date: date
) -> dict[str, pl.DataFrame]:
    """What an earlier audit found for the tables that stand as they stood then."""
    same = [
        (row["table_name"], row["service_date"])
        for row in audits.iter_rows(named=True)
        if hashes.get(row["table_name"]) == row["audit_hash"]
    ]
    known: dict[str, pl.DataFrame] = {}
    for day in {day for _, day in same}:
        found = read_results(lake, day).with_columns(service_date=pl.lit(service_date))
        for table, when in same:
            rows = found.filter(pl.col("table_name") == table)
            if when == day and rows.height and rows.get_column("is_run").all():
                known[table] = rows
    return known


def _clean_parts(audits: pl.DataFrame) -> dict[str, frozenset[str]]:
    """Marks of the partitions that the latest audit of each table knew as clean."""
    rows = audits.drop_nulls("clean_parts").iter_rows(named=True)
    return {row["table_name"]: frozenset(row["clean_parts"].split()) for row in rows}


def _told(
    night: NightTables,
    name: str,
    audit_hash: str,
    found: pl.DataFrame,
    clean: Mapping[str, frozenset[str]],
) -> Partition:
    """What replaces what is known of a table's audit."""
    marks = set(night.part_marks(name).values())
    of_contract = pl.col("check_name").str.starts_with(OF_CONTRACT)
    held = found.filter(of_contract, table_name=name).get_column("is_passed")
    if not held.all():
        marks &= clean.get(name, frozenset())
    row = {
        "table_name": [name],
        "audit_hash": [audit_hash],
        "service_date": [night.service_date],
        "clean_parts": [" ".join(sorted(marks))],
    }
    key = {"table_name": name}
    return Partition("ops.table_audits", key, ops.TableAudits, pl.DataFrame(row))


def _without_clean(table: AuditTable, night: NightTables, clean: frozenset[str]) -> AuditTable:
    """A table that knows which of its rows the checks of its contract need not look at."""
    keys = {key_text(key): key for key in night.keys[table.name]}
    columns = tuple(next(iter(keys.values()), ()))
    marks = night.part_marks(table.name)
    left = [keys[text] for text, mark in marks.items() if mark not in clean]
    if len(left) == len(marks):
        return replace(table, part_columns=columns)
    stands = night.stands[table.name]
    count = sum(stands[text].row_count for text, mark in marks.items() if mark in clean)
    unclean = selection(left) if left else "false"
    return replace(table, part_columns=columns, unclean=unclean, clean_count=count)


def _run_checks(
    lake: Lake,
    night: NightTables,
    kinds: frozenset[str],
    names: Sequence[str],
    clean: Mapping[str, frozenset[str]],
) -> pl.DataFrame:
    """What the checks of some tables find. They may look at any table of the night."""
    if not names:
        return CheckResults.create_empty()
    # Great Expectations takes seconds to import: only where checks are run.
    from pipelines.quality.audit import run_checks
    from pipelines.quality.suite import audit_tables

    wanted = [table for table in flow.TABLES if table.name in names]
    tables = [
        _without_clean(table, night, clean.get(table.name, frozenset()))
        for table in audit_tables(wanted, EXPECTATIONS, kinds, night.keys)
    ]
    looked_at = {name for t in tables for one in t.expectations for name in one.tables}
    shown = [t for t in flow.TABLES if t.name in looked_at.union(names)]
    with lake.views([night.selected(table) for table in shown]) as connection:
        return results_frame(run_checks(connection, tables, night.service_date))


def read_results(lake: Lake, service_date: date) -> pl.DataFrame:
    """What the audit of a night found, in the order of its key; no rows: it was not audited."""
    rows = lake.read(CHECKS, CheckResults, "service_date = ?", [service_date])
    return in_key_order(rows, CheckResults)


def as_results(rows: pl.DataFrame) -> list[CheckResult]:
    """Rows of check results as objects."""
    return [CheckResult(**row) for row in rows.iter_rows(named=True)]
