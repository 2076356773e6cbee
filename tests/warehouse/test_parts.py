"""Partitions that come in parts: files of the lake, one content hash, nothing half done."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from pipelines.contracts.canonical import content_hash
from pipelines.warehouse.attach import INLINED_ROWS
from pipelines.warehouse.lake import Lake, Partition, open_lake
from pipelines.warehouse.parts import PartWriter, Threads, two_threads
from pipelines.warehouse.store import Store
from tests.warehouse.test_lake import settings_in

DAYS = (date(2026, 11, 18), date(2026, 11, 19))
MANY = 3 * INLINED_ROWS


class Counted(dy.Schema):
    """One row per night, odd name and number."""

    service_date = dy.Date(primary_key=True)
    name = dy.String(primary_key=True)
    number = dy.Int32(primary_key=True)
    share = dy.Float64(nullable=True)


def rows(day: date, count: int, first: int = 0) -> pl.DataFrame:
    number = pl.int_range(first, first + count, dtype=pl.Int32)
    return Counted.validate(
        pl.select(
            number=number,
            service_date=pl.lit(day),
            name=pl.lit("a/b='ü' "),
            share=pl.when(number % 7 > 0).then(number / 3),
        ).select(Counted.column_names())
    )


def put(
    lake: Lake, table: str, day: date, *parts: pl.DataFrame, threads: Threads | None = None
) -> PartWriter:
    writer = PartWriter(lake.store, table, {"service_date": day}, Counted, threads)
    for part in parts:
        writer.add(part)
    writer.wait()
    lake.write([Partition(table, writer.key, Counted, writer.rest, files=writer.files)])
    return writer


@pytest.mark.slow
@pytest.mark.parametrize("table", ["marts.counted", "quarantine.counted"])
def test_parts_are_one_partition(tmp_path: Path, table: str) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        here, there = DAYS
        put(lake, table, there, rows(there, 5))
        parts = rows(here, MANY), rows(here, 10, MANY), rows(here, MANY, MANY + 10)
        writer = put(lake, table, here, *parts)
        whole = pl.concat(parts)
        assert (len(writer.files), writer.rest.height) == (2, 10)
        assert writer.row_count == whole.height
        assert writer.content_hash == content_hash(whole, Counted)
        found = lake.read_partitions(table, Counted, [{"service_date": here}])
        assert found.sort("number").equals(whole)
        assert lake.read(table, Counted).height == whole.height + 5
        put(lake, table, here, rows(here, MANY, 7))
        assert lake.read(table, Counted).height == MANY + 5


@pytest.mark.slow
def test_threads_hash_and_write_the_same(tmp_path: Path) -> None:
    here, there = DAYS
    parts = rows(here, MANY), rows(here, 10, MANY), rows(here, MANY, MANY + 10)
    with open_lake(settings_in(tmp_path)) as lake, two_threads() as threads:
        put(lake, "marts.counted", there, rows(there, 5), threads=threads)
        writer = put(lake, "marts.counted", here, *parts, threads=threads)
        assert writer.content_hash == content_hash(pl.concat(parts), Counted)
        found = lake.read_partitions("marts.counted", Counted, [{"service_date": here}])
        assert found.sort("number").equals(pl.concat(parts))


def test_what_goes_wrong_in_a_thread_is_told_and_leaves_no_file(tmp_path: Path) -> None:
    with two_threads() as threads:
        writer = PartWriter(Store(str(tmp_path)), "marts.counted", {"nobody": 1}, Counted, threads)
        writer.add(rows(DAYS[0], MANY))
        with pytest.raises(pl.exceptions.ColumnNotFoundError, match="nobody"):
            writer.wait()
        writer.discard()
    assert not list(tmp_path.rglob("*.parquet"))


def test_what_was_written_can_be_discarded(tmp_path: Path) -> None:
    with two_threads() as threads:
        key = {"service_date": DAYS[0]}
        writer = PartWriter(Store(str(tmp_path)), "marts.counted", key, Counted, threads)
        writer.add(rows(DAYS[0], MANY))
        writer.discard()
    assert len(writer.files) == 1
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.slow
def test_names_that_need_quoting_lead_to_folders(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        key = {"service_date": DAYS[0], "name": "a/b='ü' "}
        writer = PartWriter(lake.store, "marts.counted", key, Counted)
        writer.add(rows(DAYS[0], MANY))
        lake.write([Partition("marts.counted", key, Counted, writer.rest, files=writer.files)])
        assert lake.read_partitions("marts.counted", Counted, [key]).height == MANY


@pytest.mark.slow
def test_files_of_a_commit_that_never_came_are_no_part_of_the_lake(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "marts.counted", DAYS[0], rows(DAYS[0], MANY))
        PartWriter(lake.store, "marts.counted", {"service_date": DAYS[0]}, Counted).add(
            rows(DAYS[0], MANY, MANY)
        )
        assert lake.read("marts.counted", Counted).height == MANY


@pytest.mark.slow
def test_nothing_is_a_partition_too(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        writer = put(lake, "marts.counted", DAYS[0])
        assert writer.content_hash == content_hash(Counted.create_empty(), Counted)
        assert lake.read("marts.counted", Counted).is_empty()
