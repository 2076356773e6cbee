"""What was published at an instant: the analysts' file of then, built again from the lake.

A figure has two dates: the service date that it is about, and when it was known. The lake keeps
every snapshot, and says which partitions each night published and how they stood. So the pair
(service date, known at) always has the same answer, whatever was restated since, and no more is
shown than was published then: nothing of single vehicles' passages, and no row in quarantine.

Left out: tables and columns that no longer go out; what came later is null or empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import polars as pl

from pipelines import flow
from pipelines.analysts_file import Part, feed_versions_out, file_macros, file_tables, parts_out
from pipelines.city_file import City
from pipelines.contracts.meta import CHECKS, Sources
from pipelines.errors import QalaError
from pipelines.settings import Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from pipelines.warehouse.night_sources import NIGHT_SOURCES, night_rows
from pipelines.warehouse.publish import Connection, build_file, open_published
from pipelines.warehouse.snapshots import read_at, snapshot_at

PUBLICATIONS = "ops.publications"


def parse_instant(text: str, time_zone: str) -> datetime:
    """An instant as a person writes it: a date is its end, a time without offset the city's.

    Raises `QalaError` where it is neither.
    """
    zone = ZoneInfo(time_zone)
    try:
        if len(text) == len("2026-11-20"):
            end = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone)
            return end - timedelta(microseconds=1)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise QalaError(
            f"--known-at {text!r} is no date and no time.",
            "Write it as 2026-11-20, 2026-11-20T08:00 or 2026-11-20T03:00Z.",
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


@contextmanager
def open_known(settings: Settings, city: City, instant: datetime) -> Iterator[Connection]:
    """A reader's connection to what was published at an instant: as `open_published`.

    Raises `QalaError` where nothing was published by then.
    """
    with TemporaryDirectory(prefix="qala-known-") as folder:
        with open_lake(settings, read_only=True) as lake:
            built = build_known(lake, city, instant, Path(folder) / f"{city.city.id}.duckdb")
        with open_published(built) as connection:
            yield connection


def build_known(lake: Lake, city: City, instant: datetime, target: Path) -> Path:
    """Build the file of an instant beside its target, and return its path."""
    snapshot = snapshot_at(lake, instant)
    nights = pl.DataFrame()
    if snapshot is not None and lake.exists(PUBLICATIONS):
        nights = read_at(lake, PUBLICATIONS, ops.Publications, snapshot)
    if snapshot is None or nights.is_empty():
        raise QalaError(
            f"Nothing was published by {instant.isoformat(' ', 'seconds')}.",
            "Ask for a later time; qala sql without --known-at shows what is published now.",
        )
    partitions = read_at(lake, "ops.published_partitions", ops.PublishedPartitions, snapshot)
    tables = file_tables(
        city.city.marts,
        _parts(lake, city, nights, partitions, snapshot),
        _sources(lake, nights, snapshot),
        feed_versions_out(partitions),
    )
    return build_file(lake, target, tables, file_macros(tables))


def _parts(
    lake: Lake, city: City, nights: pl.DataFrame, partitions: pl.DataFrame, snapshot: int
) -> Iterator[Part]:
    """What of the lake was published."""
    names = [t.name for t in flow.published_tables(city.city.marts)] + [CHECKS]
    chosen = parts_out(nights, partitions.filter(pl.col("table_name").is_in(names)))
    # What still stood at the instant as it was published is read from the one snapshot.
    stood = read_at(lake, "ops.partitions", ops.Partitions, snapshot)
    same = chosen.join(stood, on=["table_name", "partition_key", "content_hash"], how="semi")
    kept = set(same.select("table_name", "partition_key").rows())
    for row in chosen.iter_rows(named=True):
        key = row["table_name"], row["partition_key"]
        yield Part(*key, snapshot if key in kept else row["snapshot_id"], row["row_count"])


def _sources(lake: Lake, nights: pl.DataFrame, snapshot: int) -> pl.DataFrame:
    kept = read_at(lake, NIGHT_SOURCES, ops.NightSources, snapshot)
    rows = night_rows(kept, nights.sort("service_date").item(-1, "service_date"))
    return Sources.validate(rows.filter(pl.col("version_id") != "").select(Sources.column_names()))
