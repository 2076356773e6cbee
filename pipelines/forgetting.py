"""Forgetting: rows and bytes of single vehicles are deleted when the city no longer keeps them.

A version is forgotten as a whole when the earliest of its rows is older than the city's retention
period, so that none is ever kept longer, however many days a file holds. Its rows and what was
refused of them go from the lake with their files, from every snapshot, and its bytes from landing.
Counts of its days stay (`marts.matched_trips`), and so does what was made of them. What a legal
hold is on is not forgotten before it is lifted (`pipelines.holds`).

The catalog is told first and files are removed after; what a killed run has left is removed by the
next.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.ddl import quoted
from pipelines.holds import holds, is_held
from pipelines.sources.landing import Landing
from pipelines.staging.sift import Quarantine
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, Partition
from pipelines.warehouse.night_sources import source_ids
from pipelines.warehouse.parts import partition_folder
from pipelines.warehouse.state import version_key

FORGOTTEN = "ops.forgotten"


def forgotten_versions(lake: Lake) -> frozenset[tuple[str, str]]:
    """Source and version of all that is forgotten."""
    rows = lake.read(FORGOTTEN, ops.Forgotten)
    return frozenset(rows.select("source_id", "version_id").rows())


def forgotten_hashes(lake: Lake, source_id: str, kind: str) -> frozenset[str]:
    """SHA-256 of the bytes of a source that are forgotten; a kind without single vehicles: none."""
    if kind not in {table.source for table in _personal_tables()}:
        return frozenset()
    return frozenset(sha256 for name, _, sha256 in _landed(lake) if name == source_id)


def forget(lake: Lake, landing: Landing, first_kept_date: date, night_date: date) -> int:
    """Forget all versions with rows before a local day; returns how many are new among them."""
    if not _personal_source_ids(lake):
        return 0
    known = lake.read(FORGOTTEN, ops.Forgotten).select("source_id", "version_id")
    rows = _not_held(
        lake, _old_versions(lake, first_kept_date).join(known, on=known.columns, how="anti")
    )
    if rows.height:
        told = rows.with_columns(
            night_date=pl.lit(night_date),
            run_id=pl.lit(lake.run_id),
            forgotten_at=pl.lit(ops.now()),
        )
        pairs = rows.select("source_id", "version_id").rows()
        lake.write(list(_emptied(lake, pairs)), [Added(FORGOTTEN, ops.Forgotten, told)])
    _remove_files(lake, landing)
    return rows.height


def _not_held(lake: Lake, versions: pl.DataFrame) -> pl.DataFrame:
    """The versions without those that a legal hold keeps, by the nights they were fetched for."""
    in_force = holds(lake) if versions.height else []
    if not in_force:
        return versions
    pair = ["source_id", "version_id"]
    attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "sha256 <> ''")
    nights = attempts.group_by(*pair, "sha256").agg(
        first=pl.min("service_date"), last=pl.max("service_date")
    )
    held = [
        row[:2]
        for row in nights.select(*pair, "sha256", "first", "last").iter_rows()
        if is_held(in_force, row[0], *row[2:])
    ]
    kept = pl.DataFrame(held, schema=dict.fromkeys(pair, pl.String), orient="row")
    return versions.join(kept, on=pair, how="anti")


def _old_versions(lake: Lake, first_kept_date: date) -> pl.DataFrame:
    """Versions whose first day, or where they hold none the day of arrival, is before a day."""
    sources = _personal_sources(lake)
    found = [sources.select("source_id", "version_id", first_date="arrived_date").clear()]
    for table in _personal_tables():
        if table.personal is None or not lake.exists(table.personal.days):
            continue
        days = lake.address(table.personal.days)
        first = "source_id, version_id, min(passed_date) AS first_date"
        found.append(lake.query(f"SELECT {first} FROM {days} GROUP BY ALL"))  # noqa: S608  # quoted names
    firsts = pl.concat(found, how="vertical_relaxed")
    every = sources.join(firsts, on=["source_id", "version_id"], how="left").with_columns(
        first_date=pl.coalesce("first_date", "arrived_date")
    )
    return (
        every.filter(pl.col("first_date") < first_kept_date)
        .select("source_id", "version_id", "first_date")
        .sort("source_id", "version_id")
    )


def _personal_tables() -> list[flow.Table]:
    return [table for table in flow.TABLES if table.personal]


def _personal_sources(lake: Lake) -> pl.DataFrame:
    """What sources of single vehicles ever brought: source_id, version_id, arrived_date."""
    names = _personal_source_ids(lake)
    attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "version_id <> ''")
    return (
        attempts.filter(pl.col("source_id").is_in(names))
        .group_by("source_id", "version_id")
        .agg(arrived_date=pl.col("service_date").min())
    )


def _personal_source_ids(lake: Lake) -> list[str]:
    return source_ids(lake, [table.source for table in _personal_tables()])


def _emptied(lake: Lake, pairs: Iterable[tuple[str, str]]) -> Iterable[Partition]:
    """Empty partitions in the place of the versions' rows and of what was refused of them."""
    for source_id, version_id in pairs:
        key = version_key(source_id, version_id)
        for table in _personal_tables():
            contract = load_contract(table)
            for name, schema in ((table.name, contract), (_quarantine(table), Quarantine)):
                if lake.exists(name):
                    yield Partition(name, key, schema, schema.create_empty())


def _quarantine(table: flow.Table) -> str:
    return f"quarantine.{table.short_name}"


def _remove_files(lake: Lake, landing: Landing) -> None:
    """Remove what forgotten versions have left in the lake's store and in landing."""
    for source_id, version_id in forgotten_versions(lake):
        for table in _personal_tables():
            for name in (table.name, _quarantine(table)):
                key = version_key(source_id, version_id)
                lake.store.remove_folder(partition_folder(lake.store, name, key))
    for _, _, sha256 in _landed(lake):
        Path(landing.path(sha256)).unlink(missing_ok=True)


def _landed(lake: Lake) -> list[tuple[str, str, str]]:
    """Source, version and SHA-256 of all bytes of forgotten versions."""
    if not lake.exists(FORGOTTEN):
        return []
    attempts, forgotten = (lake.address(name) for name in ("ops.fetch_attempts", FORGOTTEN))
    names = ("source_id", "version_id", "sha256")
    sql = (
        f"SELECT DISTINCT {', '.join(quoted(name) for name in names)} FROM {attempts}"  # noqa: S608  # quoted names
        f" SEMI JOIN {forgotten} USING (source_id, version_id)"
    )
    return sorted(lake.query(sql).select(names).rows())
