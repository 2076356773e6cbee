"""From staging to marts: one table for one night, made only where inputs or code have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.city_file import City
from pipelines.contracts import load_contract
from pipelines.errors import ContractError
from pipelines.fingerprint import ROOT, code_hash, digest
from pipelines.forgetting import forgotten_versions
from pipelines.night import Night, weakest_mark
from pipelines.staging.gtfs.governing import with_assumed_services
from pipelines.warehouse.compared import TONIGHT, compared_dates, compared_nights
from pipelines.warehouse.lake import Lake, Partition
from pipelines.warehouse.night_sources import Governing, governing
from pipelines.warehouse.passage_days import DayRows, beside, personal_reads, told_days
from pipelines.warehouse.registers import register_versions
from pipelines.warehouse.sql_maker import run_sql_mart
from pipelines.warehouse.state import (
    Stand,
    date_key,
    filled,
    key_text,
    stands,
    version_key,
    version_keys,
    written,
)
from pipelines.warehouse.versions import (
    FEEDS,
    days_governed,
    fetched_versions,
    governing_a_day,
    version_changes,
)

if TYPE_CHECKING:
    from pipelines.policy import Policy

Key = dict[str, object]
SERVICE_DATES = "staging.service_dates"
PASSAGES = "staging.passages"
INPUTS_ID = "inputs_id"
PARTITIONS_A_COMMIT = 60  # a year of days counted at once is not lost when the run is killed


@dataclass(frozen=True)
class Built:
    """What came of a table's step: partitions made anew, and rows that stand for the night."""

    computed: int
    row_count: int


@dataclass
class Build:
    """The making of one table for one night."""

    lake: Lake
    city: City
    table: flow.Table
    service_date: date
    policy: Policy | None = None  # for a maker that takes it
    share: tuple[int, int] = (0, 1)  # partitions may be shared by tasks: which of how many

    def run(self) -> Built:
        """Make every partition that the night needs and that has changed.

        Raises `ContractError` where a made row breaks the contract: marts never drop rows.
        """
        before = self._stands[self.table.name]
        partitions: list[Partition] = []
        computed = 0
        rows = 0
        for key in self._keys():
            stand = before.get(key_text(key))
            if stand is None or not self._stays(key, stand):
                new, stand = written(
                    self.lake,
                    self.table,
                    key,
                    self._contract,
                    self._make(key),
                    input_hash=self._input_hash(key),
                    is_new=stand is None,
                )
                partitions.extend(new)
                computed += 1
            if len(partitions) > PARTITIONS_A_COMMIT:
                self.lake.write(partitions)
                partitions = []
            rows += stand.row_count
        self.lake.write(partitions)
        return Built(computed, rows)

    def _stays(self, key: Key, stand: Stand) -> bool:
        """Whether a partition is what would be made again, or can't be made again."""
        return stand.input_hash == self._input_hash(key) or self._is_forgotten(key)

    def _is_forgotten(self, key: Key) -> bool:
        """Whether passages are deleted that a partition was made from."""
        if not self.table.of_passages or not self._forgotten:
            return False
        days = beside(self._day(key))
        keys = (key for rows in self._day_rows.values() for key in rows.keys(days))
        return any((key["source_id"], key["version_id"]) in self._forgotten for key in keys)

    @cached_property
    def _forgotten(self) -> frozenset[tuple[str, str]]:
        return forgotten_versions(self.lake)

    @cached_property
    def _day_rows(self) -> dict[str, DayRows]:
        """The tables of single vehicles that are read, a few days at a time."""
        zone = self.city.city.time_zone
        return {
            read.name: DayRows(self.lake, read, told_days(self.lake, read, self._sources), zone)
            for read in personal_reads(self.table)
        }

    @cached_property
    def _contract(self) -> type[dy.Schema]:
        return load_contract(self.table)

    @cached_property
    def _sources(self) -> list[Governing]:
        return governing(self.lake, self.service_date, flow.kinds_under(self.table.name))

    @cached_property
    def _sql(self) -> Path | None:
        path = ROOT / "sql" / self.table.schema / f"{self.table.short_name}.sql"
        return path if path.is_file() else None

    def _keys(self) -> list[Key]:
        """The partitions to make: the night's, and of versions those that governed before too.

        Two versions are compared by tables that the same code has made.
        """
        keys = partition_keys(self.lake, self.table, self.city, self.service_date, self._sources)
        if self.table.by == "version" and FEEDS in flow.kinds_under(self.table.name):
            pairs = self._changes.select("source_id", "before_version_id").rows()
            keys.extend(key for pair in pairs if (key := version_key(*pair)) not in keys)
        place, count = self.share
        if self.table.by == "inputs":  # the largest are first: shares of one size
            return keys[place::count]
        return keys[len(keys) * place // count : len(keys) * (place + 1) // count]

    def _input_keys(self, read: flow.Table, key: Key) -> list[Key]:
        if read.by == "inputs":
            return [key] if self.table.by == "inputs" else inputs_keys(self.lake, read, _day(key))
        if read.by == "service_date":
            return self._date_keys(read, self._day(key))
        if read.by == "source":
            return source_keys(self._sources, flow.kinds_under(read.name))
        if self.table.by == "version":
            return [key]
        return self._input_versions(read, key)

    def _input_versions(self, read: flow.Table, key: Key) -> list[Key]:
        """The versions that a partition of a day is made from."""
        if self.table.of_passages and read.personal:
            return self._day_rows[read.name].keys(beside(self._day(key)))
        if self.table.asks:
            own = key.get("source_id")
            return [one for one in self._asked_keys if own in (None, one["source_id"])]
        return version_keys(self._governing(key), flow.kinds_under(read.name))

    def _date_keys(self, read: flow.Table, day: date) -> list[Key]:
        if read.of_passages:
            return partition_keys(self.lake, read, self.city, day, self._sources)
        return [date_key(day)]

    def _governing(self, key: Key) -> list[Governing]:
        """What governs the day of a partition, as known on the night."""
        day = self._day(key)
        if day == self.service_date or self.table.of_passages:
            return self._sources
        return governing_a_day(self._sources, self._days_governed, day)

    @cached_property
    def _days_governed(self) -> pl.DataFrame:
        first = min(self.city.reference_days(self.service_date), default=self.service_date)
        return days_governed(self.lake, self.service_date, self._feeds, since=first)

    @property
    def _feeds(self) -> list[str]:
        return [name for name, source in self.city.sources.items() if source.kind == FEEDS]

    @cached_property
    def _changes(self) -> pl.DataFrame:
        return version_changes(self.lake, self.service_date)

    @cached_property
    def _asked(self) -> dict[str, pl.DataFrame]:
        """What the maker asks to be told of versions, beside the tables it reads."""
        if self.table.asks == "fetched_versions":
            known = fetched_versions(self.lake, self.service_date, self._feeds)
            return {"fetched_versions": known}
        if self.table.asks == "register_versions":
            kinds = flow.kinds_under(self.table.name)
            names = [name for name, source in self.city.sources.items() if source.kind in kinds]
            versions = register_versions(self.lake, names)
            is_all = self.table.by == "source"
            return {"register_versions": versions if is_all else self._as_known(versions)}
        if self.table.asks == "compared_nights":
            return {"compared_nights": compared_nights(self._compared)}
        return {"version_changes": self._changes} if self.table.asks else {}

    @property
    def _compared(self) -> dict[tuple[str, date], list[Governing]]:
        """What governs tonight, and the earlier dates of the past tables to compare it with."""
        figures = {day for name in self.table.past for day in self._stands[name]}
        dates = compared_dates(
            map(date.fromisoformat, figures), self.service_date, self.city.day_type
        )
        kinds = flow.kinds_under(self.table.name)
        known = {day: governing(self.lake, day, kinds) for day in dates.values()}
        days = days_governed(
            self.lake, self.service_date, self._feeds, since=min(known, default=self.service_date)
        )
        # A reference day was no night of its own.
        earlier = {
            (name, day): known[day] or governing_a_day(self._sources, days, day)
            for name, day in dates.items()
        }
        return {(TONIGHT, self.service_date): self._sources} | earlier

    def _asked_for(self, key: Key) -> dict[str, pl.DataFrame]:
        """What the maker of a partition is told of versions; of one by source, those of its own."""
        if self.table.by != "source":
            return self._asked
        return {name: rows.filter(source_id=key["source_id"]) for name, rows in self._asked.items()}

    def _as_known(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that the night knew, of a frame that says which nights knew them."""
        is_still = (pl.col("known_to_date") > self.service_date).fill_null(value=True)
        return rows.filter(pl.col("known_from_date") <= self.service_date, is_still)

    @cached_property
    def _asked_keys(self) -> list[Key]:
        """The partitions of all versions that the maker is told of."""
        pairs = {
            (row["source_id"], row[column])
            for frame in self._asked.values()
            for row in frame.iter_rows(named=True)
            for column in row
            if column.endswith("version_id")
        }
        return [version_key(*pair) for pair in sorted(pairs)]

    @cached_property
    def _stands(self) -> Mapping[str, Mapping[str, Stand]]:
        return stands(self.lake, [self.table.name, *self.table.reads, *self.table.past])

    def _input_hash(self, key: Key) -> str:
        if self.table.by == "inputs":
            return digest(self.table.name, code_hash(self.table.module_path), key_text(key))
        inputs = [
            (name, text, stand.content_hash)
            for name in self.table.reads
            for text in map(key_text, self._input_keys(flow.table(name), key))
            if (stand := self._stands[name].get(text))
        ]
        inputs += [
            (name, text, self._stands[name][text].content_hash)
            for name in self.table.past
            for text in map(key_text, self._past_keys(name, key))
        ]
        told = (self._night(key), self._assumed(key)) if self._is_of_a_night else None
        sql = self._sql.read_text(encoding="utf-8") if self._sql else ""
        parts = [self.table.name, code_hash(self.table.module_path), sql, told, inputs]
        asked = [(name, frame.rows()) for name, frame in self._asked_for(key).items()]
        return digest(*parts, *self._parameters().values(), *asked)

    @property
    def _is_of_a_night(self) -> bool:
        return self.table.by not in ("version", "source")

    def _past_keys(self, name: str, key: Key) -> list[Key]:
        """The partitions of all nights before, of a table by date."""
        days = map(date.fromisoformat, self._stands[name])
        return [date_key(day) for day in sorted(days) if day < self._day(key)]

    def _parameters(self) -> dict[str, object]:
        """What the maker is told of the city beside the night."""
        known: dict[str, Callable[[], object]] = {
            "policy": lambda: self.policy,
            "events": lambda: self.city.dated_events,
            "marks": self._marks,
            "forgotten_days": lambda: self._days_not_kept,
        }
        return {name: known[name]() for name in self.table.takes}

    def _marks(self) -> dict[str, str]:
        """The marks of the sources that the table stands on."""
        kinds = flow.kinds_under(self.table.name)
        sources = self.city.sources.items()
        return {name: source.mark for name, source in sources if source.kind in kinds}

    @cached_property
    def _days_not_kept(self) -> tuple[date, ...]:
        """The local days of which the city no longer keeps the passages once the night is over."""
        told = told_days(self.lake, flow.table(PASSAGES), self._sources)
        first = pl.col("passed_date").min().over("source_id", "version_id")
        old = told.filter(first < self.city.first_kept_date(self.service_date))
        return tuple(old.get_column("passed_date").unique().sort())

    def _night(self, key: Key) -> Night:
        """What the maker is told of the night; a figure on assumed service is a modelled one."""
        night = self.city.night(self._day(key), (source.source_id for source in self._sources))
        if not self._assumed(key):
            return night
        return replace(night, mark=weakest_mark({night.mark, "modelled"}))

    def _assumed(self, key: Key) -> list[tuple[str, str]]:
        """The feed versions that bridge a day which no version covers."""
        return [(s.source_id, s.version_id) for s in self._governing(key) if s.is_assumed]

    def _make(self, key: Key) -> pl.DataFrame:
        frames = {flow.table(name).short_name: self._frame(name, key) for name in self.table.reads}
        for name in self.table.past:
            read = flow.table(name)
            frames[f"past_{read.short_name}"] = self.lake.read_partitions(
                name, load_contract(read), filled(self._stands[name], self._past_keys(name, key))
            )
        if self._sql:
            named = {name: frames[flow.table(name).short_name] for name in self.table.reads}
            named |= {f"told.{name}": rows for name, rows in self._asked_for(key).items()}
            made = run_sql_mart(self._sql, self._night(key), named)
        else:
            maker = flow.load_function(self.table.maker_path)
            told = (self._night(key),) if self._is_of_a_night else ()
            made = maker(*told, **frames, **self._parameters(), **self._asked_for(key))
        try:
            return self._contract.validate(made, cast=True)
        except (dy.exc.ValidationError, dy.exc.SchemaError) as error:
            raise ContractError(
                f"{self.table.name} for {key_text(key)} breaks its contract: {error}",
                "The maker or its input is wrong: nothing was written.",
            ) from error

    def _frame(self, name: str, key: Key) -> pl.DataFrame:
        """The rows of a table that a partition is made from; read once for all that need them."""
        read = flow.table(name)
        if self.table.of_passages and read.personal:
            return self._day_rows[name].near(self._day(key))
        keys = self._input_keys(read, key)
        known = filled(self._stands[name], keys)
        cache_key = (name, tuple(key_text(k) for k in known))
        contract = load_contract(read)
        if read.by == self.table.by == "inputs":  # too large to be kept, and for one alone
            return self.lake.read_partitions(name, contract, known)
        if cache_key not in self._frames:
            self._frames[cache_key] = self.lake.read_partitions(name, contract, known)
        rows = self._frames[cache_key]
        if name == SERVICE_DATES and self.table.by != "version" and not self.table.asks:
            # Trips of the evening before run past midnight.
            day = self._day(key)
            return with_assumed_services(rows, self._assumed(key), (day - timedelta(days=1), day))
        if read.by == "source":
            return self._as_known(rows)
        if self.table.by == "inputs" and name == self.table.reads[0]:
            return rows.filter(pl.col(INPUTS_ID) == key[INPUTS_ID])
        return rows

    def _day(self, key: Key) -> date:
        """The day that a partition is about; of one without a date, the night that needs it."""
        return _day(key) if "service_date" in key else self.service_date

    @cached_property
    def _frames(self) -> dict[tuple[str, tuple[str, ...]], pl.DataFrame]:
        return {}


def _day(key: Key) -> date:
    day = key["service_date"]
    if not isinstance(day, date):
        raise TypeError(f"{day!r} is no service date")
    return day


def partition_keys(
    lake: Lake, table: flow.Table, city: City, service_date: date, sources: Sequence[Governing]
) -> list[Key]:
    """The partitions of a table that a night stands on: for each version, source, inputs, or day.

    `sources` govern the night. The days are the service date and, for a table with history, the
    city's reference days before it; for one of passages, all up to it on which vehicles were read.
    """
    if table.by == "inputs":
        return inputs_keys(lake, table, service_date)
    if table.by == "version":
        return version_keys(sources, flow.kinds_under(table.name))
    if table.by == "source":
        return source_keys(sources, flow.kinds_under(table.name))
    if table.of_passages:
        days_read = told_days(lake, personal_reads(table)[0], sources).get_column("passed_date")
        return [date_key(day) for day in days_read.unique().sort() if day <= service_date]
    days = [service_date, *(city.reference_days(service_date) if table.history else ())]
    return [date_key(day) for day in days]


def inputs_keys(lake: Lake, table: flow.Table, service_date: date) -> list[Key]:
    """The partitions by inputs of a night: those that the first table read names.

    Those with the most runs to be drawn come first, since they take longest.
    """
    names = flow.table(table.reads[0])
    rows = lake.read_partitions(names.name, load_contract(names), [date_key(service_date)])
    sizes = (
        rows.drop_nulls(INPUTS_ID)
        .group_by(INPUTS_ID)
        .agg(size=(pl.col("run_count") * pl.col("draw_count")).max())
    )
    ordered = sizes.sort("size", INPUTS_ID, descending=[True, False])
    return [{INPUTS_ID: inputs_id} for inputs_id in ordered.get_column(INPUTS_ID)]


def source_keys(sources: Iterable[Governing], kinds: frozenset[str]) -> list[Key]:
    """The partitions of the sources that have a version, for some kinds of source, in order."""
    names = {s.source_id for s in sources if s.version_id and s.kind in kinds}
    return [{"source_id": name} for name in sorted(names)]
