"""A night as it was published: its partitions, its edition, and the lake's snapshot of then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from pipelines.contracts.ddl import quoted_text
from pipelines.errors import QalaError
from pipelines.warehouse import ops
from pipelines.warehouse.editions import EDITIONS, Edition
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.snapshots import read_kept, snapshot_at


@dataclass(frozen=True)
class Published:
    """One publication of one night."""

    service_date: date
    snapshot_id: int  # the lake as the publication found it
    published_at: datetime
    partitions: pl.DataFrame  # of ops.published_partitions
    edition: Edition
    page_sha256: str
    brief_sha256: str | None

    @property
    def code_version(self) -> str:
        """The version of the program that made it."""
        return str(self.edition.told["code_version"])


def read_published(lake: Lake, service_date: date, instant: datetime | None) -> Published:
    """A night as it was published last, or as it was at an instant.

    Raises `QalaError` where it was not published by then.
    """
    at = lake.snapshot_id() if instant is None else snapshot_at(lake, instant)
    day = quoted_text(service_date.isoformat())
    rows = pl.DataFrame()
    if at is not None:
        rows = read_kept(
            lake, "ops.publications", ops.Publications, at, f"service_date = DATE {day}"
        )
    if at is None or rows.is_empty():
        when = "" if instant is None else f" by {instant.isoformat(' ', 'seconds')}"
        raise QalaError(
            f"The night of {service_date} was not published{when}.",
            "qala sql 'SELECT DISTINCT service_date FROM meta.checks' lists those that were.",
        )
    partitions = read_kept(
        lake, "ops.published_partitions", ops.PublishedPartitions, at, f"night_date = DATE {day}"
    )
    editions = read_kept(lake, EDITIONS, ops.Editions, at, f"service_date = DATE {day}")
    same = editions.filter(manifest_sha256=rows.item(0, "manifest_sha256")).sort("edition")
    if same.is_empty() or partitions.is_empty():
        raise QalaError(
            f"The lake no longer says what the night of {service_date} published.",
            "A night of a release before editions were kept can't be compared.",
        )
    told = same.drop("run_id", "published_at").row(-1, named=True)
    return Published(
        service_date=service_date,
        snapshot_id=partitions.item(0, "snapshot_id"),
        published_at=rows.item(0, "published_at"),
        partitions=partitions,
        edition=Edition(**told),
        page_sha256=rows.item(0, "page_sha256"),
        brief_sha256=rows.item(0, "brief_sha256"),
    )
