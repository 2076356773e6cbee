"""The analysts' file: its tables, what of the lake goes into each, and what it says of itself.

Of a table by date it holds every published night, of any other the versions of the latest night
alone. `meta.*` says what all of it means and what it stands on; nothing in it tells when it was
built. The macros are in `sql/macros`, those left out whose tables a city doesn't make.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

import dataframely as dy
import polars as pl

from pipelines import flow
from pipelines.build import INPUTS_ID, Key
from pipelines.contracts import load_contract
from pipelines.contracts.check_results import CheckResults
from pipelines.contracts.dictionary import dictionary_rows, lineage_rows, table_rows
from pipelines.contracts.meta import CHECKS, META, FeedVersions
from pipelines.fingerprint import ROOT
from pipelines.warehouse.publish import Portion, PublishedTable
from pipelines.warehouse.state import date_key, version_key
from pipelines.warehouse.versions import FEED_VERSIONS

MACROS = ROOT / "sql" / "macros"
_READS = re.compile(r"^-- Reads: +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """A partition of a table that goes out, as it stood in a snapshot (None: as it is now).

    Where it `is_out`, the file that is out now holds the same rows, if it has the table.
    """

    table: str
    partition_key: str
    snapshot_id: int | None
    row_count: int
    is_out: bool = False


def file_tables(
    figures: Collection[str],
    parts: Iterable[Part],
    sources: pl.DataFrame,
    feed_versions: pl.DataFrame,
) -> list[PublishedTable]:
    """The tables of the file of a city that makes these figures.

    `sources` are rows of `meta.sources`, `feed_versions` of `meta.feed_versions`.
    """
    published = flow.published_tables(figures)
    contracts: dict[str, type[dy.Schema]] = {t.name: load_contract(t) for t in published}
    contracts[CHECKS] = CheckResults
    chosen: dict[str, list[Part]] = {name: [] for name in contracts}
    for part in parts:
        chosen[part.table].append(part)
    tables = [
        PublishedTable(
            name,
            contract,
            _portions(chosen[name]),
            row_count=sum(part.row_count for part in chosen[name]),
        )
        for name, contract in contracts.items()
    ]
    told = {
        "meta.dictionary": dictionary_rows(contracts | META),
        "meta.lineage": lineage_rows({t: _maker(t) for t in flow.needed(figures)}, contracts),
        "meta.feed_versions": feed_versions,
        "meta.sources": sources,
    }
    counts = {table.name: table.row_count for table in tables}
    counts |= {name: rows.height for name, rows in told.items()}
    names = [*counts, "meta.tables"]
    extracts = {table.name for table in flow.extracts(figures)}
    told["meta.tables"] = table_rows(names, extracts, counts | {"meta.tables": len(names)})
    return [*tables, *(PublishedTable(name, META[name], rows=rows) for name, rows in told.items())]


def file_macros(tables: Iterable[PublishedTable]) -> list[str]:
    """The statements that make the macros whose tables are all there, in the order of their files.

    Raises `ValueError` where a file's header does not say what it reads: a defect of the program.
    """
    there = {table.name for table in tables}
    statements = []
    for file in sorted(MACROS.glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        reads = _READS.search(text)
        if reads is None:
            raise ValueError(f"{file.name} does not say what it reads")
        if there.issuperset(re.findall(r"\w+\.\w+", reads[1])):
            statements.append(text)
    return statements


def feed_versions_out(parts: pl.DataFrame) -> pl.DataFrame:
    """Rows of `meta.feed_versions` from (night_date, table_name, partition_key) of all nights."""
    split = pl.col("partition_key").str.split_exact("/", 1)
    rows = parts.filter(table_name=FEED_VERSIONS).select(
        service_date="night_date",
        source_id=split.struct.field("field_0"),
        version_id=split.struct.field("field_1"),
    )
    return FeedVersions.validate(rows.sort(FeedVersions.primary_key()))


def parts_out(nights: pl.DataFrame, partitions: pl.DataFrame) -> pl.DataFrame:
    """Which published partitions the file holds once some nights are published, a row for each.

    The last night published prevails, then the later one; of a table by version only the latest
    night's versions go out. `nights` are rows of `ops.publications`, `partitions` of
    `ops.published_partitions`.
    """
    last_published = nights.sort("published_at").item(-1, "service_date")
    by_date = [name for name in partitions.get_column("table_name").unique() if is_by_date(name)]
    return (
        partitions.sort(pl.col("night_date") == last_published, "night_date", descending=True)
        .filter(
            (pl.col("night_date") == nights.get_column("service_date").max())
            | pl.col("table_name").is_in(by_date)
        )
        .unique(["table_name", "partition_key"], keep="first", maintain_order=True)
    )


def is_by_date(name: str) -> bool:
    """Whether a table of the file has a partition for each service date."""
    return name == CHECKS or flow.table(name).by == "service_date"


def _maker(table: flow.Table) -> str:
    """The function or the SELECT that makes a table, as an address in the project."""
    select = ROOT / "sql" / table.schema / f"{table.short_name}.sql"
    return str(select.relative_to(ROOT)) if select.is_file() else table.maker_path


def _key(name: str, text: str) -> Key:
    if is_by_date(name):
        return date_key(date.fromisoformat(text))
    if flow.table(name).by == "inputs":
        return {INPUTS_ID: text}
    if flow.table(name).by == "source":
        return {"source_id": text}
    return version_key(*text.split("/"))


def _portions(parts: Iterable[Part]) -> list[Portion]:
    places: dict[tuple[bool, int | None], list[Key]] = {}
    for part in parts:
        key = _key(part.table, part.partition_key)
        places.setdefault((part.is_out, part.snapshot_id), []).append(key)
    order = sorted(places, key=lambda place: (place[0], place[1] or 0))
    return [Portion(places[is_out, number], number, is_out) for is_out, number in order]
