"""Which nights are published as they would be published now: asked for many nights at once."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date

import polars as pl

from pipelines.warehouse import ops
from pipelines.warehouse.editions import EDITIONS
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.night_sources import every_night

_BETWEEN = "service_date BETWEEN ? AND ?"


def published_nights(
    lake: Lake, first: date, last: date, code_version: str, tables: Collection[str]
) -> frozenset[date]:
    """The nights from one date to another that were published by a version of the code, with all
    of some tables by date, and whose sources are those that they were published with."""
    ends = [first, last]
    nights = lake.read("ops.publications", ops.Publications, _BETWEEN, ends)
    editions = lake.read(EDITIONS, ops.Editions, _BETWEEN, ends)
    out = editions.join(
        nights.select("service_date", "manifest_sha256"),
        on=["service_date", "manifest_sha256"],
        how="semi",
    )
    cores = {row["service_date"]: json.loads(row["core"]) for row in out.iter_rows(named=True)}
    governing = _governing(lake, ends)
    complete = _with_tables(lake, ends, tables)
    return frozenset(
        day
        for day, core in cores.items()
        if core["code_version"] == code_version
        and day in complete
        and {(one["source_id"], one["version_id"]) for one in core["sources"]} == governing.get(day)
    )


def _governing(lake: Lake, ends: list[date]) -> dict[date, set[tuple[str, str]]]:
    is_asked = pl.col("service_date").is_between(ends[0], ends[1])
    rows = every_night(lake).filter(is_asked, pl.col("version_id") != "")
    found: dict[date, set[tuple[str, str]]] = {}
    for day, *pair in rows.select("service_date", "source_id", "version_id").iter_rows():
        found.setdefault(day, set()).add((pair[0], pair[1]))
    return found


def _with_tables(lake: Lake, ends: list[date], tables: Collection[str]) -> frozenset[date]:
    rows = lake.read(
        "ops.published_partitions", ops.PublishedPartitions, "night_date BETWEEN ? AND ?", ends
    )
    wanted = rows.filter(pl.col("table_name").is_in(list(tables)))
    counted = wanted.group_by("night_date").agg(pl.col("table_name").n_unique().alias("count"))
    return frozenset(counted.filter(count=len(set(tables))).get_column("night_date"))
