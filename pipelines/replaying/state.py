"""What governed a night, copied from the lake of then into a new one, before the night is made.

Copied are the records of sources, versions and decisions as the publication found them, the
editions that the night's restatements compare with, and the figures of the nights before that a
table looks back at. Nothing of the night itself is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.city_file import City
from pipelines.contracts import load_contract
from pipelines.forgetting import FORGOTTEN
from pipelines.replaying.published import Published
from pipelines.tables import make_tables
from pipelines.warehouse import ops
from pipelines.warehouse.editions import EDITIONS, WITHDRAWALS, Edition, sent_rows
from pipelines.warehouse.lake import Added, Lake, Partition, selection
from pipelines.warehouse.night_sources import NIGHT_SOURCES, night_rows
from pipelines.warehouse.passage_days import beside
from pipelines.warehouse.snapshots import read_kept
from pipelines.warehouse.state import date_key, version_key, written

_RECORDS: dict[str, type[dy.Schema]] = {
    "ops.fetch_attempts": ops.FetchAttempts,
    NIGHT_SOURCES: ops.NightSources,
    "ops.quarantined_feeds": ops.QuarantinedFeeds,
    "ops.feed_decisions": ops.FeedDecisions,
    WITHDRAWALS: ops.Withdrawals,
}
_PARTITIONS_A_COMMIT = 200


@dataclass(frozen=True)
class LandedVersion:
    """A version to be staged again, and the first night that loaded it."""

    source_id: str
    object_name: str
    version_id: str
    sha256: str
    service_date: str

    def as_dict(self) -> dict[str, str]:
        """As JSON-able values."""
        return asdict(self)


@dataclass
class PastState:
    """What a night's lake held when the night was published, for another lake to go on from."""

    lake: Lake
    city: City
    published: Published

    @cached_property
    def _attempts(self) -> pl.DataFrame:
        return self._then("ops.fetch_attempts")

    @cached_property
    def _governing(self) -> pl.DataFrame:
        rows = night_rows(self._then(NIGHT_SOURCES), self.published.service_date)
        return rows.filter(pl.col("version_id") != "")

    @cached_property
    def _stood(self) -> pl.DataFrame:
        return self._read("ops.partitions", ops.Partitions)

    @cached_property
    def _forgotten(self) -> pl.DataFrame:
        """What is forgotten by now: bytes that are gone can't be read again."""
        return self.lake.read(FORGOTTEN, ops.Forgotten)

    @cached_property
    def _tables(self) -> tuple[flow.Table, ...]:
        return flow.needed(self.city.city.marts)

    def _then(self, name: str) -> pl.DataFrame:
        return self._read(name, _RECORDS[name])

    def _read(self, name: str, contract: type[dy.Schema], where: str = "true") -> pl.DataFrame:
        return read_kept(self.lake, name, contract, self.published.snapshot_id, where)

    def copy_to(self, new: Lake) -> None:
        """Fill a new lake."""
        make_tables(new)
        new.write(added=[Added(name, kind, self._then(name)) for name, kind in _RECORDS.items()])
        new.write(added=[Added(FORGOTTEN, ops.Forgotten, self._forgotten)])
        self._copy_editions(new)
        self._copy_partitions(new, self._kept_keys())

    def versions(self) -> list[LandedVersion]:
        """What is to be staged again: what governs the night, and all versions of the sources of
        which a table asks to be told of more than that."""
        good = self._attempts.filter(
            pl.col("outcome") != "failed", pl.col("version_id") != "", pl.col("sha256") != ""
        )
        firsts = good.sort("service_date", "attempted_at").unique(
            ["source_id", "version_id"], keep="first", maintain_order=True
        )
        kinds = {kind for t in self._tables if t.asks for kind in flow.kinds_under(t.name)}
        asked = [name for name, source in self.city.sources.items() if source.kind in kinds]
        wanted = firsts.join(
            self._governing.select("source_id", "version_id"),
            on=["source_id", "version_id"],
            how="semi",
        )
        more = firsts.filter(pl.col("source_id").is_in(asked))
        chosen = (
            pl.concat([wanted, more])
            .unique(["source_id", "version_id"], maintain_order=True)
            .join(self._forgotten, on=["source_id", "version_id"], how="anti")
            .filter(pl.col("source_id").is_in(list(self.city.sources)))
            .sort("source_id", "service_date", "object_name", "version_id")
        )
        return [
            LandedVersion(
                row["source_id"],
                row["object_name"],
                row["version_id"],
                row["sha256"],
                row["service_date"].isoformat(),
            )
            for row in chosen.iter_rows(named=True)
        ]

    @cached_property
    def kept_days(self) -> list[date]:
        """Days whose counts are taken as they were kept, since their passages are forgotten."""
        pairs = self._forgotten_governing()
        if not pairs:
            return []
        names = sorted({t.personal.days for t in self._tables if t.personal})
        where = selection(pairs)
        told = [self._read(name, load_contract(flow.table(name)), where) for name in names]
        days = {day for rows in told for day in rows.get_column("passed_date").unique()}
        return sorted({near for day in days for near in beside(day)})

    def _forgotten_governing(self) -> list[dict[str, object]]:
        pairs = self._governing.join(self._forgotten, on=["source_id", "version_id"], how="semi")
        return [
            version_key(*pair)
            for pair in pairs.select("source_id", "version_id").unique().sort(pl.all()).rows()
        ]

    def _kept_keys(self) -> Iterator[tuple[flow.Table, dict[str, object]]]:
        """Partitions that are taken over: figures looked back at, counts of what is forgotten."""
        for name in sorted({name for table in self._tables for name in table.past}):
            texts = self._stood.filter(table_name=name).get_column("partition_key").sort()
            for day in map(date.fromisoformat, texts):
                if day < self.published.service_date:
                    yield flow.table(name), date_key(day)
        pairs = self._forgotten_governing()
        personal = {table.source for table in self._tables if table.personal}
        for table in self._tables:
            if table.of_passages:
                yield from ((table, date_key(day)) for day in self.kept_days)
            elif table.source in personal:
                yield from ((table, pair) for pair in pairs)

    def _copy_partitions(
        self, new: Lake, keys: Iterator[tuple[flow.Table, dict[str, object]]]
    ) -> None:
        waiting: list[Partition] = []
        for table, key in keys:
            text = "/".join(str(value) for value in key.values())
            stood = self._stood.filter(table_name=table.name, partition_key=text)
            if stood.is_empty():
                continue
            contract = load_contract(table)
            # Of what is forgotten the rows are gone, but not what is known of them.
            is_gone = table.personal is not None
            rows = (
                contract.create_empty()
                if is_gone
                else self._read(table.name, contract, selection([key]))
            )
            made, _ = written(
                new, table, key, contract, rows,
                input_hash=stood.item(0, "input_hash"),
                refused_count=stood.item(0, "refused_count"),
                is_new=True,
            )  # fmt: skip
            waiting += [made[0], replace(made[1], rows=stood)]
            if len(waiting) > _PARTITIONS_A_COMMIT:
                new.write(waiting)
                waiting = []
        new.write(waiting)

    def _copy_editions(self, new: Lake) -> None:
        """Copy what was sent up to the night; of the two editions it compares with, the rows."""
        rows = self._read(EDITIONS, ops.Editions)
        rows = rows.filter(pl.col("service_date") <= self.published.service_date)
        this = self.published.edition
        compared = {(this.service_date, this.edition - 1), (this.before_date, this.before_edition)}
        told: list[dict[str, object]] = []
        for row in rows.sort("service_date", "edition").iter_rows(named=True):
            key = (row["service_date"], row["edition"])
            if key in compared:
                names = {k: row[k] for k in row if k not in ("run_id", "published_at")}
                row["snapshot_id"] = self._send(new, Edition(**names))
            told.append(row)
        new.write(added=[Added(EDITIONS, ops.Editions, pl.DataFrame(told, schema=rows.schema))])

    def _send(self, new: Lake, edition: Edition) -> int:
        """Write the rows of an edition, and take them out again: the snapshot keeps them."""
        sent: list[Partition] = []
        for table in flow.extracts(self.city.city.marts):
            contract = load_contract(table)
            rows = sent_rows(self.lake, table.name, contract, edition)
            whole = pl.concat([contract.create_empty(), rows], how="diagonal")
            key = date_key(edition.service_date)
            sent.append(Partition(table.name, key, contract, whole, is_new=True))
        new.write(sent)
        snapshot = new.snapshot_id()
        new.write(_emptied(sent))
        return snapshot


def _emptied(partitions: Collection[Partition]) -> Sequence[Partition]:
    return [replace(one, rows=one.rows.clear(), is_new=False) for one in partitions]
