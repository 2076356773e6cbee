"""From staging to marts: one table for one night, made only where inputs or code have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.errors import ContractError
from pipelines.fingerprint import ROOT, code_hash, digest
from pipelines.night import Night
from pipelines.settings import City
from pipelines.warehouse.lake import Lake, Partition
from pipelines.warehouse.sql_maker import run_sql_mart
from pipelines.warehouse.state import (
    Governing,
    Stand,
    date_key,
    governing,
    key_text,
    stands,
    version_key,
    written,
)

if TYPE_CHECKING:
    from pipelines.policy import Policy

Key = dict[str, object]


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

    def run(self) -> Built:
        """Make every partition that the night needs and that has changed.

        Raises `ContractError` where a made row breaks the contract: marts never drop rows.
        """
        before = self._stands[self.table.name]
        partitions: list[Partition] = []
        computed = 0
        rows = 0
        for key in self._keys():
            input_hash = self._input_hash(key)
            stand = before.get(key_text(key))
            if stand is None or stand.input_hash != input_hash:
                is_new = stand is None
                made = self._make(key)
                new, stand = written(
                    self.lake,
                    self.table,
                    key,
                    self._contract,
                    made,
                    input_hash=input_hash,
                    is_new=is_new,
                )
                partitions.extend(new)
                computed += 1
            rows += stand.row_count
        self.lake.write(partitions)
        return Built(computed, rows)

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
        return partition_keys(self.table, self.city, self.service_date, self._sources)

    def _input_keys(self, read: flow.Table, key: Key) -> list[Key]:
        if read.by == "service_date":
            return [key]
        if self.table.by == "version":
            return [key]
        return version_keys(self._sources, flow.kinds_under(read.name))

    @cached_property
    def _stands(self) -> Mapping[str, Mapping[str, Stand]]:
        return stands(self.lake, [self.table.name, *self.table.reads])

    def _input_hash(self, key: Key) -> str:
        inputs = [
            (name, text, stand.content_hash)
            for name in self.table.reads
            for text in map(key_text, self._input_keys(flow.table(name), key))
            if (stand := self._stands[name].get(text))
        ]
        told = None if self.table.by == "version" else self._night(key)
        sql = self._sql.read_text(encoding="utf-8") if self._sql else ""
        parts = [self.table.name, code_hash(self.table.module_path), sql, told, inputs]
        return digest(*parts, *self._parameters().values())

    def _parameters(self) -> dict[str, object]:
        """What the maker is told of the city beside the night."""
        return {"policy": self.policy} if self.table.takes_policy else {}

    def _night(self, key: Key) -> Night:
        day = key["service_date"]
        if not isinstance(day, date):
            raise TypeError(f"{self.table.name}: {day!r} is no service date")
        return self.city.night(day, (source.source_id for source in self._sources))

    def _make(self, key: Key) -> pl.DataFrame:
        frames = {flow.table(name).short_name: self._frame(name, key) for name in self.table.reads}
        if self._sql:
            named = {name: frames[flow.table(name).short_name] for name in self.table.reads}
            made = run_sql_mart(self._sql, self._night(key), named)
        else:
            maker = flow.load_function(self.table.maker_path)
            told = () if self.table.by == "version" else (self._night(key),)
            made = maker(*told, **frames, **self._parameters())
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
        keys = self._input_keys(read, key)
        known = [k for k in keys if key_text(k) in self._stands[name]]
        cache_key = (name, tuple(key_text(k) for k in known))
        if cache_key not in self._frames:
            contract = load_contract(read)
            self._frames[cache_key] = self.lake.read_partitions(name, contract, known)
        return self._frames[cache_key]

    @cached_property
    def _frames(self) -> dict[tuple[str, tuple[str, ...]], pl.DataFrame]:
        return {}


def partition_keys(
    table: flow.Table, city: City, service_date: date, sources: Sequence[Governing]
) -> list[Key]:
    """The partitions of a table that a night stands on: one for each version, or for each day.

    `sources` govern the night. The days are the service date and, for a table with history, the
    city's reference days before it.
    """
    if table.by == "version":
        return version_keys(sources, flow.kinds_under(table.name))
    days = [service_date, *(city.reference_days(service_date) if table.history else ())]
    return [date_key(day) for day in days]


def version_keys(sources: Iterable[Governing], kinds: frozenset[str]) -> list[Key]:
    """The partitions of the versions that govern, for some kinds of source, in a stable order."""
    pairs = {(s.source_id, s.version_id) for s in sources if s.version_id and s.kind in kinds}
    return [version_key(*pair) for pair in sorted(pairs)]
