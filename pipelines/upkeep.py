"""Upkeep: the lake is compacted, old snapshots expire, and landing keeps what the city file says.

Landing loses an object when `upkeep.landing_days` have passed since the last night that it governed
or was fetched for, and no hold is on it (`pipelines.holds`). What a source's latest night stands on
is never removed. Its rows stay in the lake, and so does what was published; but a night that stood
on it can no longer be rebuilt from landing, nor its rows be staged anew by other code, so that the
default is to keep everything.

One upkeep or backup at a time; nights may run beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from pipelines import flow
from pipelines.city_file import City
from pipelines.errors import QalaError
from pipelines.holds import Hold, holds, is_held
from pipelines.locks import exclusive
from pipelines.settings import Settings
from pipelines.sources.landing import Landing
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake
from pipelines.warehouse.maintenance import compact, expirable, expire, lake_size
from pipelines.warehouse.night_sources import every_night

UNUSED_FOR = timedelta(days=2)  # files without a snapshot: a night may just be writing them
REMOVALS = "ops.removals"
UPKEEPS = "ops.upkeeps"


@dataclass(frozen=True)
class LandedObject:
    """Bytes of a source, and the first and last night that they governed or were fetched for."""

    source_id: str
    sha256: str
    first_date: date
    last_date: date


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Keep upkeep, backup and restore apart from one another."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with exclusive(settings.data / "upkeep.lock", "An upkeep or a backup"):
        yield


def keep_up(
    lake: Lake, settings: Settings, city: City, now: datetime, *, dry_run: bool = False
) -> str:
    """Do all upkeep that is due, or only say what would be done; what it came to, in words."""
    with only_one(settings):
        before = lake_size(lake)
        oldest = now - timedelta(days=city.upkeep.snapshot_days)
        found = removable(lake, city, now)
        if dry_run:
            snapshots = expirable(lake, oldest)
            return (
                f"{len(snapshots)} of {before.snapshot_count} snapshots would expire, and "
                f"{len(found)} landed objects would be removed."
            )
        remove(lake, Landing(settings.landing), found)
        compact(lake, but=personal_tables())
        expire(lake, expirable(lake, oldest), now - UNUSED_FOR)
        after = lake_size(lake)
        text = (
            f"{before.snapshot_count} snapshots became {after.snapshot_count}, {before.file_count} "
            f"files {after.file_count}; {len(found)} landed objects removed."
        )
        write_act(lake, "upkeep", text)
    return text


def personal_tables() -> frozenset[str]:
    """Tables of single vehicles and what was refused of them, which compaction leaves alone."""
    names = [table for table in flow.TABLES if table.personal]
    return frozenset(
        [table.name for table in names] + [f"quarantine.{table.short_name}" for table in names]
    )


def write_act(lake: Lake, act: Literal["upkeep", "backup", "restore"], text: str) -> None:
    """Write down what was done."""
    row = (act, text, lake.run_id, lake.code_version, ops.now())
    types = {name: column.dtype for name, column in ops.Upkeeps.columns().items()}
    rows = pl.DataFrame([row], schema=types, orient="row")
    lake.write(added=[Added(UPKEEPS, ops.Upkeeps, rows)])


def landed_objects(lake: Lake) -> list[LandedObject]:
    """Everything that the lake says was landed."""
    columns = ["source_id", "sha256", "service_date"]
    attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "sha256 <> ''").select(columns)
    nights = every_night(lake).filter(pl.col("sha256") != "").select(columns)
    objects = (
        pl.concat([attempts, nights])
        .group_by("source_id", "sha256")
        .agg(first_date=pl.min("service_date"), last_date=pl.max("service_date"))
        .sort("source_id", "sha256")
    )
    return [LandedObject(**row) for row in objects.iter_rows(named=True)]


def removable(lake: Lake, city: City, now: datetime) -> list[LandedObject]:
    """Landed objects that retention lets go; one that any source still needs stays."""
    if city.upkeep.landing_days is None:
        return []
    today = now.astimezone(ZoneInfo(city.city.time_zone)).date()
    first_kept = today - timedelta(days=city.upkeep.landing_days)
    governing = _governing_now(lake)
    in_force = holds(lake)
    objects = landed_objects(lake)
    kept = {one.sha256 for one in objects if not _is_free(one, first_kept, governing, in_force)}
    gone = set(lake.read(REMOVALS, ops.Removals).select("source_id", "sha256").rows())
    return [
        one for one in objects if one.sha256 not in kept and (one.source_id, one.sha256) not in gone
    ]


def _is_free(
    one: LandedObject, first_kept: date, governing: set[str], in_force: list[Hold]
) -> bool:
    return (
        one.last_date < first_kept
        and one.sha256 not in governing
        and not is_held(in_force, one.source_id, one.sha256, one.first_date, one.last_date)
    )


def _governing_now(lake: Lake) -> set[str]:
    """Bytes that the latest night of each source stands on."""
    rows = every_night(lake).filter(pl.col("sha256") != "")
    latest = rows.filter(pl.col("service_date") == pl.col("service_date").max().over("source_id"))
    return set(latest.get_column("sha256"))


def remove(lake: Lake, landing: Landing, objects: list[LandedObject]) -> None:
    """Remove landed objects: written down first, so that a killed upkeep is gone on with."""
    if objects:
        now = ops.now()
        rows = [(one.sha256, one.source_id, one.last_date, lake.run_id, now) for one in objects]
        types = {name: column.dtype for name, column in ops.Removals.columns().items()}
        frame = pl.DataFrame(rows, schema=types, orient="row")
        lake.write(added=[Added(REMOVALS, ops.Removals, frame)])
    # Of all that was ever removed: what came back since is needed again.
    told = lake.read(REMOVALS, ops.Removals)
    latest: dict[str, date] = {}
    for one in landed_objects(lake):
        latest[one.sha256] = max(one.last_date, latest.get(one.sha256, one.last_date))
    for row in told.iter_rows(named=True):
        if latest[row["sha256"]] <= row["last_date"]:
            _unlink(landing, row["sha256"])


def _unlink(landing: Landing, sha256: str) -> None:
    path = landing.path(sha256)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise QalaError(
            f"Landed object {sha256} can't be removed: {os.strerror(error.errno or 0)}.",
            f"Check the rights of {path.parent}.",
        ) from None
