"""What was sent: editions of a service date's extracts, their rows, and withdrawals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, Partition, selection
from pipelines.warehouse.state import date_key

EDITIONS, WITHDRAWALS = "ops.editions", "ops.withdrawals"


@dataclass(frozen=True)
class Edition:
    """One edition of a service date's extracts; it has a snapshot once it was sent."""

    service_date: date
    edition: int
    core_sha256: str
    core: str
    manifest_sha256: str
    before_date: date | None
    before_edition: int | None
    snapshot_id: int | None

    @property
    def told(self) -> dict[str, Any]:
        """What its manifest said of the night's contents."""
        core: dict[str, Any] = json.loads(self.core)
        return core


@dataclass(frozen=True)
class Withdrawal:
    """One edition that was withdrawn."""

    service_date: date
    edition: int
    reason: str
    successor_date: date | None


def editions(lake: Lake, service_date: date) -> list[Edition]:
    """The editions of a service date, the first one first."""
    rows = lake.read(EDITIONS, ops.Editions, "service_date = ?", [service_date])
    return [
        Edition(**row)
        for row in rows.drop("run_id", "published_at").sort("edition").iter_rows(named=True)
    ]


def latest_before(lake: Lake, service_date: date) -> Edition | None:
    """The last edition of the latest service date before one."""
    if not lake.exists(EDITIONS):
        return None
    latest = lake.query(
        f"SELECT max(service_date) FROM {lake.address(EDITIONS)} WHERE service_date < ?",  # noqa: S608  # quoted names
        [service_date],
    ).item()
    return None if latest is None else editions(lake, latest)[-1]


def edition_partition(lake: Lake, edition: Edition) -> Partition:
    """What records an edition."""
    told = {**vars(edition), "run_id": lake.run_id, "published_at": ops.now()}
    types = {name: column.dtype for name, column in ops.Editions.columns().items()}
    key = {"service_date": edition.service_date, "edition": edition.edition}
    return Partition(EDITIONS, key, ops.Editions, pl.DataFrame([told], schema=types))


def sent_rows(lake: Lake, table: str, contract: type[dy.Schema], edition: Edition) -> pl.DataFrame:
    """The rows of a table as an edition sent them: those of its columns that there were then."""
    where = selection([date_key(edition.service_date)])
    rows = lake.query(
        f"SELECT * FROM {lake.address(table)} AT (VERSION => {edition.snapshot_id}) WHERE {where}"  # noqa: S608  # quoted names
    )
    columns = contract.columns()
    return rows.select(pl.col(n).cast(columns[n].dtype) for n in columns if n in rows.columns)


def withdrawals(lake: Lake) -> list[Withdrawal]:
    """All editions that were withdrawn, in order."""
    rows = lake.read(WITHDRAWALS, ops.Withdrawals)
    return [
        Withdrawal(**row)
        for row in rows.drop("run_id", "withdrawn_at")
        .sort("service_date", "edition")
        .iter_rows(named=True)
    ]


def withdrawal_partition(lake: Lake, withdrawal: Withdrawal) -> Partition:
    """What records a withdrawal; a second one of the same edition replaces it."""
    told = {**vars(withdrawal), "run_id": lake.run_id, "withdrawn_at": ops.now()}
    types = {name: column.dtype for name, column in ops.Withdrawals.columns().items()}
    key = {"service_date": withdrawal.service_date, "edition": withdrawal.edition}
    return Partition(WITHDRAWALS, key, ops.Withdrawals, pl.DataFrame([told], schema=types))
