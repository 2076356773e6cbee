"""The tables of the brief on what the figures stand on: feeds, sensors, sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from pipelines.brief.cells import Cell, Table, Text, Word, english, number
from pipelines.brief.material import Material
from pipelines.brief.words import label

Row = Mapping[str, Any]
# Ours: a sensor of which less than half can be used is told of.
LEAST_HEALTH = 0.5


def feeds(material: Material) -> Table:
    """Feeds with their warnings, every one."""
    table = "marts.feed_health"
    cells: list[list[Cell]] = [
        [
            Text(row["source_id"]),
            row["last_fetched_date"],
            row["covered_until_date"],
            number(table, row, "days_left_count", "count"),
            _feed_states(row),
            english(row["warning"]),
        ]
        for row in material.tonight(table).sort("source_id").to_dicts()
    ]
    headers = (
        *("head.feed", "head.fetched", "head.covered", "head.days_left", "head.state"),
        "head.warning",
    )
    return Table("table.feeds", headers, cells, frozenset({3}))


def _feed_states(row: Row) -> Cell:
    states = [name for name in ("is_stale", "is_assumed") if row[name]]
    return [Word(f"state.{name}") for name in states or ["in_force"]]


def sensors(material: Material) -> Table:
    """Sensors by role: all, those usable on less than half of their days, those with findings."""
    rows = (
        material.tonight("marts.sensor_health")
        .with_columns(pl.col("role").fill_null("not listed"))
        .group_by("role")
        .agg(
            pl.len().alias("sensors"),
            (pl.col("health_weight") < LEAST_HEALTH).sum().alias("poor"),
            pl.col("findings").is_not_null().sum().alias("found"),
        )
        .sort("role")
    )
    cells: list[list[Cell]] = [
        [
            label("role", row["role"]),
            *(Text(str(row[name])) for name in ("sensors", "poor", "found")),
        ]
        for row in rows.to_dicts()
    ]
    headers = ("head.role", "head.sensors", "head.poor", "head.findings")
    return Table("table.sensors", headers, cells, frozenset({1, 2, 3}))


def sensor_findings(material: Material) -> Table:
    """Every sensor with a finding, in the health check's words."""
    table = "marts.sensor_health"
    rows = material.tonight(table).filter(pl.col("findings").is_not_null()).sort("station_id")
    cells: list[list[Cell]] = [
        [
            Text(row["station_id"]),
            label("role", row["role"] or "not listed"),
            number(table, row, "health_weight", "share"),
            english(row["findings"]),
        ]
        for row in rows.to_dicts()
    ]
    headers = ("head.sensor", "head.role", "head.usable", "head.findings")
    return Table("table.sensor_findings", headers, cells, frozenset({2}))


def sources(material: Material) -> Table:
    """Every source: its kind, its mark, and whether it is stale."""
    cells: list[list[Cell]] = [
        [
            Text(source.source_id),
            Text(source.kind),
            label("mark", source.mark),
            source.good_date,
            Word("state.is_stale" if source.is_stale else "state.current"),
        ]
        for source in material.sources
    ]
    headers = ("head.source", "head.kind", "head.mark", "head.fetched", "head.state")
    return Table("table.sources", headers, cells)
