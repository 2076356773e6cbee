"""Two versions of a toy feed side by side, and the same feed with every id renamed."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.marts.feed_change_rows import compute_feed_change_rows
from pipelines.marts.feed_changes import compute_feed_changes
from pipelines.marts.trip_patterns import compute_trip_patterns, hashes
from pipelines.marts.trip_stats import compute_trip_stats
from pipelines.night import SourceVersion
from tests.toy_feeds import night_of, staged_feed, toy_feed

Tables = dict[str, pl.DataFrame]
COMPARED = ("agency", "routes", "stops", "service_dates", "trip_stats", "trip_patterns")
IDS = ("agency_id", "route_id", "trip_id", "service_id", "stop_id", "parent_station", "shape_id")
TODAY = "2026-11-18"  # a Wednesday


def version(name: str, payload: bytes | None = None, **overrides: str | None) -> Tables:
    """Every table of a version of the toy feed (or of a real one) that a diff reads."""
    source = SourceVersion("toy", name, "feed.zip", "zip")
    return with_marts(staged_feed(payload or toy_feed(**overrides), source))


def with_marts(tables: Tables) -> Tables:
    """The tables, and the two marts that a diff reads."""
    stats = ("trips", "routes", "stops", "stop_times", "shapes", "frequencies", "feed_versions")
    patterns = ("trips", "stops", "stop_times", "frequencies", "service_dates")
    return {
        **tables,
        "trip_stats": compute_trip_stats(**{name: tables[name] for name in stats}),
        "trip_patterns": compute_trip_patterns(**{name: tables[name] for name in patterns}),
    }


def renamed(tables: Tables, name: str) -> Tables:
    """The same service as another version in which no id is as it was, nor in the old order."""

    def rename(table: pl.DataFrame) -> pl.DataFrame:
        new = [
            pl.when(pl.col(c).is_not_null())
            .then(hashes(table.get_column(c).fill_null("")))
            .alias(c)
            for c in IDS
            if c in table.columns
        ]
        return table.with_columns(*new, version_id=pl.lit(name))

    staged = {key: rename(table) for key, table in tables.items() if not key.startswith("trip_")}
    return with_marts(staged)


def relabelled(tables: Tables, name: str) -> Tables:
    """The same version under another name."""
    return {key: table.with_columns(version_id=pl.lit(name)) for key, table in tables.items()}


def changes(before: Tables, after: Tables, day: str = TODAY) -> dict[str, dict[str, object]]:
    """The rows of `feed_changes` by table."""
    rows = compute_feed_changes(night_of(day), **_both(before, after))
    return {row["table_name"]: row for row in rows.iter_rows(named=True)}


def change_rows(before: Tables, after: Tables, day: str = TODAY) -> pl.DataFrame:
    """The rows of `feed_change_rows`."""
    return compute_feed_change_rows(night_of(day), **_both(before, after))


def _both(before: Tables, after: Tables) -> Tables:
    names = [tables["routes"].item(0, "version_id") for tables in (before, after)]
    pair = pl.DataFrame(
        {
            "source_id": ["toy"],
            "before_version_id": names[:1],
            "after_version_id": names[1:],
        }
    )
    both = {name: pl.concat([before[name], after[name]]) for name in COMPARED}
    return {**both, "version_changes": pair}


def iso(text: str) -> date:
    """A date."""
    return date.fromisoformat(text)
