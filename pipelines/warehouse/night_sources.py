"""Which objects of its sources govern a night: `ops.night_sources`, written and read here alone.

Of most sources a night has a row for each object. Of one that is a long series of objects (its kind
`is_cumulative`) a night has rows only for those that differ from the source's night before, so that
nights and objects are not multiplied: a row stands until a later one of the same object. One row
at least says that the night was. An object that only nights before have ends with a row of neither
version nor staleness, and a good date of null is that of the night.

A night may be written again, or after later ones: what those stand on stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from pipelines.flow import SOURCE_KINDS
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, Partition

NIGHT_SOURCES = "ops.night_sources"
_OBJECT = ("source_id", "object_name")
Row = dict[str, Any]  # of the table, without its service date
_CUMULATIVE = frozenset(kind.name for kind in SOURCE_KINDS if kind.is_cumulative)


@dataclass(frozen=True)
class Governing:
    """One object of a source that governs a night."""

    source_id: str
    object_name: str
    version_id: str
    sha256: str
    kind: str
    mark: str
    is_stale: bool
    good_date: date | None
    reason: str
    is_assumed: bool = False


def governing(
    lake: Lake, service_date: date, kinds: Iterable[str] | None = None
) -> list[Governing]:
    """The objects that govern a night, in a stable order; none where the lake lacks the night."""
    wanted = None if kinds is None else set(kinds)
    rows = lake.read(NIGHT_SOURCES, ops.NightSources, "service_date <= ?", [service_date])
    tonight = _objects(night_rows(rows, service_date))
    return [one for one in tonight if wanted is None or one.kind in wanted]


def source_ids(lake: Lake, kinds: Collection[str]) -> list[str]:
    """The sources of some kinds that ever governed a night."""
    rows = lake.read(NIGHT_SOURCES, ops.NightSources).filter(pl.col("kind").is_in(kinds))
    return rows.get_column("source_id").unique().sort().to_list()


def every_night(lake: Lake, where: str = "true", parameters: Sequence[object] = ()) -> pl.DataFrame:
    """All nights of some sources, one row per night and object; columns of `ops.NightSources`.

    `where` may ask for source_id, object_name and kind alone: of the others a row may stand for
    more than its night.
    """
    return unfolded(lake.read(NIGHT_SOURCES, ops.NightSources, where, parameters))


def unfolded(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as they are kept, as one row per night and object; in the order of their key."""
    is_folded = pl.col("kind").is_in(_CUMULATIVE)
    folded = rows.filter(is_folded).sort("service_date")
    nights = folded.select("source_id", "service_date").unique()
    grid = nights.join(folded.select(*_OBJECT).unique(), on="source_id").sort("service_date")
    told = grid.join_asof(
        folded, on="service_date", by=list(_OBJECT), strategy="backward", check_sortedness=False
    )
    whole = _as_of_night(told.select(rows.columns))
    return pl.concat([rows.filter(~is_folded), whole]).sort("service_date", *_OBJECT)


def night_rows(rows: pl.DataFrame, service_date: date) -> pl.DataFrame:
    """Of rows as they are kept, up to a night at least: the night's, one per object, in order."""
    tonight = pl.col("service_date") == service_date
    is_folded = pl.col("kind").is_in(_CUMULATIVE)
    there = rows.filter(tonight, is_folded).get_column("source_id").unique()
    standing = (
        rows.filter(
            is_folded,
            pl.col("source_id").is_in(there.implode()),
            pl.col("service_date") <= service_date,
        )
        .sort("service_date")
        .unique(list(_OBJECT), keep="last", maintain_order=True)
        .with_columns(service_date=pl.lit(service_date))
    )
    return pl.concat([rows.filter(tonight, ~is_folded), _as_of_night(standing)]).sort(*_OBJECT)


@dataclass
class SourceNights:
    """The nights of one source."""

    lake: Lake
    source_id: str

    @cached_property
    def _rows(self) -> pl.DataFrame:
        return self.lake.read(NIGHT_SOURCES, ops.NightSources, "source_id = ?", [self.source_id])

    @cached_property
    def _days(self) -> list[date]:
        return self._rows.get_column("service_date").unique().sort().to_list()

    def last_good(self, service_date: date) -> dict[str, Governing]:
        """The objects that have a version, by name, as they governed the latest night up to a date
        on which any had."""
        for day in reversed([day for day in self._days if day <= service_date]):
            if good := {one.object_name: one for one in self._objects(day) if one.version_id}:
                return good
        return {}

    def partitions(self, service_date: date, objects: Sequence[Governing]) -> list[Partition]:
        """What replaces the rows of a night, and those of the next where these stand on them."""
        before = _standing(self._rows.filter(pl.col("service_date") < service_date))
        told = _folded(objects, before, service_date)
        changed = [self._partition(service_date, told)]
        for following in [day for day in self._days if day > service_date][:1]:
            before |= {row["object_name"]: row for row in told if row["kind"] in _CUMULATIVE}
            stays = _folded(self._objects(following), before, following)
            changed.append(self._partition(following, stays))
        return changed

    def _objects(self, service_date: date) -> list[Governing]:
        return _objects(night_rows(self._rows, service_date))

    def _partition(self, service_date: date, rows: Sequence[Row]) -> Partition:
        schema = {name: column.dtype for name, column in ops.NightSources.columns().items()}
        told = [{"service_date": service_date, **row} for row in rows]
        key = {"service_date": service_date, "source_id": self.source_id}
        frame = pl.DataFrame(told, schema=schema)
        is_new = service_date not in self._days
        return Partition(NIGHT_SOURCES, key, ops.NightSources, frame, is_new)


def _folded(objects: Sequence[Governing], before: Mapping[str, Row], night: date) -> list[Row]:
    """The rows of a night that follows one on which some rows stood, by object."""
    rows = [vars(one) for one in objects]
    whole = [row for row in rows if row["kind"] not in _CUMULATIVE]
    series = [_of_night(row, night) for row in rows if row["kind"] in _CUMULATIVE]
    if not series:
        return whole
    there = {row["object_name"] for row in series}
    changed = [row for row in series if before.get(row["object_name"]) != row]
    ended = [
        {**row, "version_id": "", "sha256": "", "is_stale": False, "good_date": None, "reason": ""}
        for name, row in before.items()
        if name not in there and not _has_ended(row)
    ]
    return [*whole, *(changed + ended or series[-1:])]


def _of_night(row: Row, night: date) -> Row:
    """A row in which the good date of the night itself is null."""
    is_of_night = row["good_date"] == night and not row["is_stale"]
    return {**row, "good_date": None} if is_of_night else row


def _has_ended(row: Row) -> bool:
    return row["version_id"] == "" and not row["is_stale"]


def _standing(rows: pl.DataFrame) -> dict[str, Row]:
    """The last row of each object of a series, by its name."""
    series = rows.filter(pl.col("kind").is_in(_CUMULATIVE)).sort("service_date")
    return {row["object_name"]: row for row in series.drop("service_date").iter_rows(named=True)}


def _as_of_night(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of series that stand on a night, without objects that have ended."""
    is_good = pl.col("good_date").is_null() & ~pl.col("is_stale")
    return rows.filter((pl.col("version_id") != "") | pl.col("is_stale")).with_columns(
        good_date=pl.when(is_good).then("service_date").otherwise("good_date")
    )


def _objects(rows: pl.DataFrame) -> list[Governing]:
    return [Governing(**row) for row in rows.drop("service_date").iter_rows(named=True)]
