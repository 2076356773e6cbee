"""Which versions of its registers the lake knows, and on which nights each of them governed.

A register has no dates by which a version would govern: it governs from the night that brought it
until the night that brings another one. All nights are told, later ones too: what a register's
history says of a night is the same whichever night asks.
"""

from __future__ import annotations

from collections.abc import Collection

import dataframely as dy
import polars as pl

from pipelines.staging.fleet import RegisterVersions
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.night_sources import every_night
from pipelines.warehouse.state import key_text, stands, version_key

VEHICLES = "staging.vehicles"
_OBJECT = ("source_id", "object_name")


def register_versions(lake: Lake, source_ids: Collection[str]) -> dy.DataFrame[RegisterVersions]:
    """The runs of nights on which one version of an object governed; sorted by key."""
    names = sorted(source_ids)
    where = f"source_id IN ({', '.join('?' for _ in names) or 'NULL'})"
    rows = every_night(lake, where, names)
    nights = rows.select("source_id", "service_date").unique().sort("source_id", "service_date")
    nights = nights.with_columns(
        next_date=pl.col("service_date").shift(-1).over("source_id"),
        night=pl.int_range(pl.len()).over("source_id"),
    )
    governed = (
        rows.filter(pl.col("version_id") != "")
        .join(nights, on=["source_id", "service_date"])
        .sort(*_OBJECT, "service_date")
    )
    same = (pl.col("version_id") == pl.col("version_id").shift(1).over(_OBJECT)) & (
        pl.col("night") == pl.col("night").shift(1).over(_OBJECT) + 1
    )
    runs = (
        governed.with_columns(run=(~same.fill_null(value=False)).cum_sum().over(_OBJECT))
        .group_by(*_OBJECT, "run", maintain_order=True)
        .agg(
            pl.first("version_id"),
            known_from_date=pl.first("service_date"),
            known_to_date=pl.last("next_date"),
        )
    )
    refused = {
        text: stand.refused_count for text, stand in stands(lake, [VEHICLES])[VEHICLES].items()
    }
    pairs = runs.select("source_id", "version_id").rows()
    counts = [refused.get(key_text(version_key(*pair)), 0) for pair in pairs]
    runs = runs.with_columns(refused_count=pl.Series(counts, dtype=pl.Int64))
    ordered = runs.select(RegisterVersions.column_names()).sort(RegisterVersions.primary_key())
    return RegisterVersions.validate(ordered)
