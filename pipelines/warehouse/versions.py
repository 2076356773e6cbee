"""Which versions of its feeds the lake knows on a night, and which of them govern a day.

A version is known once a fetch brought it and it was staged (`ops.fetch_attempts`, outcome new or
unchanged, and a row of `staging.feed_versions`). The rule is in `pipelines.staging.gtfs.governing`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import dataframely as dy
import polars as pl

from pipelines.staging.gtfs import FeedVersions
from pipelines.staging.gtfs.governing import (
    MOST_BRIDGED_DAYS,
    FetchedVersions,
    governing_days,
    governing_on,
    service_periods,
)
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.night_sources import Governing, every_night

FEEDS = "gtfs"  # the kind of source whose versions govern by their dates
FEED_VERSIONS = "staging.feed_versions"
NO_VERSION = (
    f"no version of the feed covers the day or ends or begins within {MOST_BRIDGED_DAYS} days of it"
)


class VersionChanges(dy.Schema):
    """One row per feed that another version governs than on the night before."""

    source_id = dy.String(primary_key=True, description="Feed.")
    before_version_id = dy.String(description="Version that governed the latest night before.")
    after_version_id = dy.String(description="Version that governs the night.")


def fetched_versions(
    lake: Lake, service_date: date, source_ids: Collection[str]
) -> dy.DataFrame[FetchedVersions]:
    """The runs of versions that feeds were fetched in, up to a night."""
    return _runs(_good_fetches(lake, service_date, source_ids))


def days_governed(
    lake: Lake, service_date: date, source_ids: Collection[str], *, since: date | None = None
) -> pl.DataFrame:
    """Which version of each feed governs which days, as known on a night (`governing_days`)."""
    fetched = fetched_versions(lake, service_date, source_ids)
    return governing_days(fetched, _periods(lake, source_ids), service_date, since=since)


def governed(
    lake: Lake,
    service_date: date,
    objects: Sequence[Governing],
    staged: Sequence[pl.DataFrame] = (),
) -> list[Governing]:
    """A feed's objects of a night, the version fetched put right by the days that versions cover.

    `objects` is what tonight's fetch came to and `staged` are the versions it brought
    (`FeedVersions`), neither of them written yet. Where a source lists several objects each governs
    as it was fetched: the audit refuses such a night, since a feed is one object.
    """
    if len(objects) != 1:
        return list(objects)
    [item] = objects
    fetches = _good_fetches(lake, service_date, [item.source_id])
    if not item.is_stale and item.version_id:
        fetches = pl.concat([fetches, _tonight(item, service_date)])
    periods = _periods(lake, [item.source_id], staged)
    days = governing_on(governing_days(_runs(fetches), periods, service_date), service_date)
    if days.is_empty():
        return [item]
    version_id, is_assumed = days.item(0, "version_id"), days.item(0, "is_assumed")
    if version_id is None:
        reason = "; ".join(filter(None, (item.reason, NO_VERSION)))
        return [replace(item, version_id="", sha256="", good_date=None, reason=reason)]
    last = fetches.filter(version_id=version_id).row(-1, named=True)
    return [
        replace(
            item,
            version_id=version_id,
            sha256=last["sha256"],
            good_date=last["service_date"],
            is_assumed=is_assumed,
        )
    ]


def governing_a_day(sources: Sequence[Governing], days: pl.DataFrame, day: date) -> list[Governing]:
    """A night's sources, each feed in the version that governs another day (`days_governed`)."""
    rows = {row["source_id"]: row for row in governing_on(days, day).iter_rows(named=True)}
    names = [source.source_id for source in sources]
    return [
        replace(
            source,
            version_id=rows[source.source_id]["version_id"] or "",
            is_assumed=rows[source.source_id]["is_assumed"],
        )
        if source.source_id in rows and names.count(source.source_id) == 1
        else source
        for source in sources
    ]


def version_changes(lake: Lake, service_date: date) -> dy.DataFrame[VersionChanges]:
    """The feeds that another version governs on a night than on their latest night before it."""
    nights = every_night(lake, "kind = ?", [FEEDS])
    rows = nights.filter(pl.col("service_date") <= service_date, pl.col("version_id") != "").filter(
        pl.len().over("source_id", "service_date") == 1
    )
    tonight = rows.filter(service_date=service_date)
    earlier = rows.filter(pl.col("service_date") < service_date).sort("service_date")
    before = earlier.unique("source_id", keep="last", maintain_order=True)
    both = tonight.join(before, on="source_id", suffix="_before").filter(
        pl.col("version_id") != pl.col("version_id_before")
    )
    return VersionChanges.validate(
        both.select(
            "source_id", before_version_id="version_id_before", after_version_id="version_id"
        ).sort("source_id")
    )


def _periods(
    lake: Lake, source_ids: Collection[str], staged: Sequence[pl.DataFrame] = ()
) -> pl.DataFrame:
    where, names = _named(source_ids)
    rows = pl.concat([lake.read(FEED_VERSIONS, FeedVersions, where, names), *staged])
    latest = rows.unique(["source_id", "version_id"], keep="last", maintain_order=True)
    return service_periods(latest)


def _named(source_ids: Collection[str]) -> tuple[str, list[str]]:
    names = sorted(source_ids)
    return f"source_id IN ({', '.join('?' for _ in names) or 'NULL'})", names


_FETCH: Mapping[str, pl.DataType] = {
    "source_id": pl.String(),
    "version_id": pl.String(),
    "sha256": pl.String(),
    "service_date": pl.Date(),
}


def _good_fetches(lake: Lake, service_date: date, source_ids: Collection[str]) -> pl.DataFrame:
    """Good fetches up to a night, in order."""
    where, names = _named(source_ids)
    rows = lake.read(
        "ops.fetch_attempts",
        ops.FetchAttempts,
        f"{where} AND service_date <= ? AND outcome IN ('new', 'unchanged') AND version_id <> ''",
        [*names, service_date],
    )
    return rows.sort("service_date", "attempted_at").select(*_FETCH)


def _tonight(item: Governing, service_date: date) -> pl.DataFrame:
    row = (item.source_id, item.version_id, item.sha256, service_date)
    return pl.DataFrame([row], schema=dict(_FETCH), orient="row")


def _runs(fetches: pl.DataFrame) -> dy.DataFrame[FetchedVersions]:
    """Good fetches in order as unbroken runs of one version."""
    number = pl.col("version_id").rle_id().over("source_id").cast(pl.Int64) + 1
    runs = fetches.with_columns(fetch_number=number)
    rows = runs.group_by("source_id", "fetch_number", maintain_order=True).agg(
        pl.first("version_id"),
        first_night_date=pl.min("service_date"),
        last_night_date=pl.max("service_date"),
    )
    return FetchedVersions.validate(rows.sort("source_id", "fetch_number"))
