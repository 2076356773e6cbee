"""The audit of a night: every check on every table that the night stands on.

Nothing reaches a reader before its checks passed. What was found, good or bad, is kept as rows; an
audit of the same contents by the same checks is not run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from pipelines import flow
from pipelines.build import Key, partition_keys
from pipelines.contracts import load_contract
from pipelines.contracts.canonical import in_key_order
from pipelines.errors import QalaError
from pipelines.fingerprint import ROOT, code_version, digest
from pipelines.quality.results import CheckResult, CheckResults, require_passed, results_frame
from pipelines.settings import City
from pipelines.warehouse.lake import Lake, Selection
from pipelines.warehouse.state import (
    Governing,
    Stand,
    date_key,
    governing,
    key_text,
    stands,
    written,
)

EXPECTATIONS = ROOT / "expectations"
CHECKS = "quality.check_results"


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
            table.name: partition_keys(table, self.city, self.service_date, self.sources)
            for table in flow.TABLES
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

    def missing(self) -> list[str]:
        """Figures of the service date that no step has made."""
        here = key_text(date_key(self.service_date))
        return [
            t.name
            for t in flow.marts()
            if t.by == "service_date" and here not in self.stands[t.name]
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
    input_hash = digest(night.contents, sorted(kinds), texts, code_version())
    before = night.stands[CHECKS].get(key_text(date_key(service_date)))
    if before is not None and before.input_hash == input_hash:
        results = read_results(lake, service_date)
        outcome = "unchanged"
    else:
        results = _run_checks(lake, night, kinds)
        partitions, _ = written(
            lake,
            CHECKS,
            date_key(service_date),
            CheckResults,
            results,
            input_hash=input_hash,
        )
        lake.write(partitions)
        outcome = "done"
    require_passed(as_results(results))
    failed = results.filter(~pl.col("is_passed")).height
    return outcome, results.height, f"{failed} warnings" if failed else ""


def _run_checks(lake: Lake, night: NightTables, kinds: frozenset[str]) -> pl.DataFrame:
    # Great Expectations takes seconds to import: only where checks are run.
    from pipelines.quality.audit import run_checks
    from pipelines.quality.suite import audit_tables

    selections = [
        Selection(t.name, load_contract(t), night.keys[t.name], night.row_count(t.name))
        for t in flow.TABLES
    ]
    with lake.views(selections) as connection:
        tables = audit_tables(flow.TABLES, EXPECTATIONS, kinds)
        return results_frame(run_checks(connection, tables, night.service_date))


def read_results(lake: Lake, service_date: date) -> pl.DataFrame:
    """What the audit of a night found, in the order of its key; no rows: it was not audited."""
    rows = lake.read(CHECKS, CheckResults, "service_date = ?", [service_date])
    return in_key_order(rows, CheckResults)


def as_results(rows: pl.DataFrame) -> list[CheckResult]:
    """Rows of check results as objects."""
    return [CheckResult(**row) for row in rows.iter_rows(named=True)]
