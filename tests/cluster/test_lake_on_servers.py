"""The lake on PostgreSQL and S3: the same rows and hashes as in a folder, whoever writes beside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from pyarrow import fs, parquet

from pipelines.errors import LakeError
from pipelines.settings import ROOT, load_settings
from pipelines.warehouse.attach import let_go
from pipelines.warehouse.lake import Lake, Partition, open_lake
from pipelines.warehouse.parts import PartWriter, partition_folder
from pipelines.warehouse.store import s3_file_system
from tests.cluster.servers import LakeServers, lake_servers
from tests.warehouse.test_lake import settings_in
from tests.warehouse.test_parts import DAYS, MANY, Counted, put, rows

pytestmark = [pytest.mark.live, pytest.mark.slow]

WRITERS, COMMITS = 3, 4


@pytest.fixture(scope="module")
def servers() -> Iterator[LakeServers]:
    with lake_servers() as found:
        yield found
        let_go()  # DuckDB would ask the stopped servers, whatever it is asked


def objects(lake: Lake) -> list[str]:
    """Every object of the lake with bytes in it."""
    root = fs.FileSelector(lake.objects.removeprefix("s3://"), recursive=True, allow_not_found=True)
    found = s3_file_system(lake.store.access).get_file_info(root)
    return [info.path for info in found if info.type == fs.FileType.File and info.size]


def test_a_partition_is_the_same_on_servers_and_in_a_folder(
    servers: LakeServers, tmp_path: Path
) -> None:
    parts = rows(DAYS[0], MANY), rows(DAYS[0], 10, MANY), rows(DAYS[0], MANY, MANY + 10)
    found = []
    for settings in (settings_in(tmp_path), servers.settings("same")):
        with open_lake(settings) as lake:
            put(lake, "marts.same", DAYS[0], rows(DAYS[0], MANY, 7))
            writer = put(lake, "marts.same", DAYS[0], *parts)
            told = lake.read("marts.same", Counted).sort("number")
            assert told.equals(pl.concat(parts))
            found.append((writer.content_hash, told.height))
    assert found[0] == found[1]


def test_what_was_written_can_be_discarded_and_forgotten(servers: LakeServers) -> None:
    with open_lake(servers.settings("gone")) as lake:
        key = {"service_date": DAYS[0]}
        writer = PartWriter(lake.store, "marts.gone", key, Counted)
        writer.add(rows(DAYS[0], MANY))
        assert len(objects(lake)) == 1
        writer.discard()
        writer.discard()
        assert objects(lake) == []
        put(lake, "marts.gone", DAYS[0], rows(DAYS[0], MANY))
        lake.store.remove_folder(partition_folder(lake.store, "marts.gone", key))
        lake.store.remove_folder(partition_folder(lake.store, "marts.never", key))
        assert objects(lake) == []


def test_no_statistics_of_personal_columns_leave_for_the_bucket(
    servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.warehouse.parts.personal_columns", lambda _: {"name"})
    with open_lake(servers.settings("hidden")) as lake:
        writer = put(lake, "marts.hidden", DAYS[0], rows(DAYS[0], MANY))
        [file] = writer.files
        store = s3_file_system(lake.store.access)
        group = parquet.ParquetFile(
            store.open_input_file(file.removeprefix("s3://"))
        ).metadata.row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        told = {column.path_in_schema for column in columns if column.is_stats_set}
        assert told == {"number", "share"}


WRITE = """
import sys
from tests.cluster.test_lake_on_servers import write_days
write_days(int(sys.argv[1]))
"""


def day_of(writer: int) -> date:
    return date(2026, 1, 1) + timedelta(days=writer)


def write_days(writer: int) -> None:
    """What each of the writers does: its own day, again and again, to the same two tables."""
    day = day_of(writer)
    for commit in range(COMMITS):
        with open_lake(load_settings()) as lake:
            put(lake, "marts.beside", day, rows(day, MANY, commit))
            small = rows(day, 3, commit)
            lake.write([Partition("ops.beside", {"service_date": day}, Counted, small)])


def test_writers_beside_each_other_lose_and_double_nothing(servers: LakeServers) -> None:
    settings = servers.settings("beside")
    environment = os.environ | servers.environment("beside")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(writer)], cwd=ROOT, env=environment)
        for writer in range(WRITERS)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * WRITERS
    days = [day_of(writer) for writer in range(WRITERS)]
    with open_lake(settings) as lake:
        for table, count in (("marts.beside", MANY), ("ops.beside", 3)):
            found = lake.read(table, Counted).sort("service_date", "number")
            assert found.equals(pl.concat(rows(day, count, COMMITS - 1) for day in days))


def test_the_reader_reads_and_changes_nothing(servers: LakeServers) -> None:
    with open_lake(servers.settings("read")) as lake:
        put(lake, "marts.read", DAYS[0], rows(DAYS[0], MANY))
    told = servers.settings("read", user="reader")
    more = Partition("marts.read", {"service_date": DAYS[1]}, Counted, rows(DAYS[1], 1))
    with open_lake(told, read_only=True) as lake:
        assert lake.read("marts.read", Counted).height == MANY
        with pytest.raises(duckdb.Error, match="read-only"):
            lake.write([more])
        file = lake.store.address("x.parquet")
        with pytest.raises(LakeError, match="can't be reached"), lake.store.new_file(file) as out:
            out.write(b"x")
    with open_lake(told) as lake, pytest.raises(duckdb.Error, match="read-only transaction"):
        lake.write([more])


def test_a_wrong_password_is_one_sentence_without_it(servers: LakeServers) -> None:
    right = servers.settings("wrong")
    access = type(right.access)("not-the-password")
    wrong = type(right)(right.city_file, right.data, right.catalog, "s3://qala/wrong", access)
    with pytest.raises(LakeError, match="can't be opened") as told, open_lake(wrong):
        pass
    assert "not-the-password" not in str(told.value)
    assert right.access.catalog_password not in repr(right)


def test_a_store_that_is_cut_off_leaves_the_lake_as_it_was(servers: LakeServers) -> None:
    """Kept last: the store is stopped and started again."""
    settings = servers.settings("cut")
    with open_lake(settings) as lake:
        put(lake, "marts.cut", DAYS[0], rows(DAYS[0], MANY))
        servers.groups.stop(["s3"])
        with pytest.raises(LakeError, match="can't be reached"):
            put(lake, "marts.cut", DAYS[0], rows(DAYS[0], MANY, 7))
        servers.start_s3()
        assert lake.read("marts.cut", Counted).sort("number").equals(rows(DAYS[0], MANY))
        put(lake, "marts.cut", DAYS[0], rows(DAYS[0], MANY, 7))
        assert lake.read("marts.cut", Counted).sort("number").equals(rows(DAYS[0], MANY, 7))
