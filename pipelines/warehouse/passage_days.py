"""Tables of single vehicles by local day: which versions tell of a day, and the rows of some days.

An object of passages may hold an hour, a day or a month. What is counted of them is counted for one
local day at a time, with the days beside it, so that a month need not fit into memory and days can
be counted one beside the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.ddl import quoted
from pipelines.warehouse.lake import Lake, selection
from pipelines.warehouse.night_sources import Governing
from pipelines.warehouse.state import version_key, version_keys

Key = dict[str, object]
_TOLD: dict[str, type[pl.DataType]] = {
    "source_id": pl.String,
    "version_id": pl.String,
    "passed_date": pl.Date,
}


def personal_reads(table: flow.Table) -> tuple[flow.Table, ...]:
    """The tables of single vehicles that a mart reads directly; its days are those of the first."""
    return tuple(read for name in table.reads if (read := flow.table(name)).personal)


def told_days(lake: Lake, table: flow.Table, sources: Iterable[Governing]) -> pl.DataFrame:
    """Each local day that a version of a table tells of, once: source_id, version_id, passed_date.

    Of the versions among `sources`. Raises `KeyError` for a table that is not personal.
    """
    keys = version_keys(sources, [table.source])
    if table.personal is None:
        raise KeyError(table.name)
    days = table.personal.days
    if not keys or not lake.exists(days):
        return pl.DataFrame(schema=_TOLD)
    columns = ", ".join(quoted(name) for name in _TOLD)
    sql = f"SELECT DISTINCT {columns} FROM {lake.address(days)} WHERE {selection(keys)}"  # noqa: S608  # quoted names
    return lake.query(sql).select(*_TOLD).sort(*_TOLD)


def beside(day: date) -> tuple[date, date, date]:
    """A day with the days before and after it."""
    return day - timedelta(days=1), day, day + timedelta(days=1)


@dataclass
class DayRows:
    """The rows of a table of single vehicles by local day of the city; three days are kept."""

    lake: Lake
    table: flow.Table
    told: pl.DataFrame  # as `told_days` tells them
    time_zone: str
    _kept: dict[date, pl.DataFrame] = field(default_factory=dict)

    def keys(self, days: Collection[date]) -> list[Key]:
        """The partitions of the versions that tell of some days."""
        of_days = self.told.filter(pl.col("passed_date").is_in(list(days)))
        pairs = of_days.select("source_id", "version_id").unique().sort("source_id", "version_id")
        return [version_key(*pair) for pair in pairs.rows()]

    def near(self, day: date) -> pl.DataFrame:
        """The rows of a day and of the days beside it."""
        self._kept = {
            one: self._kept[one] if one in self._kept else self._read(one) for one in beside(day)
        }
        return pl.concat(self._kept.values())

    def _read(self, day: date) -> pl.DataFrame:
        # A source may date its rows in another time zone than the city's.
        keys = self.keys(beside(day))
        contract = load_contract(self.table)
        if not keys or self.table.personal is None:
            return contract.create_empty()
        moment = quoted(self.table.personal.instant)
        return self.lake.read(
            self.table.name,
            contract,
            f"{selection(keys)} AND {moment} >= ? AND {moment} < ?",
            [self._midnight(day), self._midnight(day + timedelta(days=1))],
        )

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.time_zone)).astimezone(UTC)
