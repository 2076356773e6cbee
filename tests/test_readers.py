"""Readers never wait and never fail: each query of each reader sees one whole publication.

Readers are processes of their own that open, ask and close in a loop while the file is published
again and again. In publication n every table holds n alone, so that a mixture would show.
"""

from __future__ import annotations

import multiprocessing
import time
from datetime import date
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.analysts_file import file_macros, file_tables
from pipelines.city_file import load_city
from pipelines.contracts.meta import META
from pipelines.settings import load_settings
from pipelines.warehouse.lake import open_lake
from pipelines.warehouse.publish import build_file, open_published, swap_file
from tests.toy_city import SMALL, write_toy_city

SLOWEST_SECONDS = 30.0  # a reader that waits for a writer would wait for all of them


def read_on(file: str, done: Event, told: Queue[Any]) -> None:
    """Ask until told to stop; tell how many reads there were, which editions, and the slowest."""
    editions: list[int] = []
    slowest, reads = 0.0, 0
    try:
        while not done.is_set():
            begun = time.perf_counter()
            editions.append(whole_edition(Path(file)))
            slowest, reads = max(slowest, time.perf_counter() - begun), reads + 1
        told.put((reads, editions, slowest, ""))
    except BaseException as error:  # noqa: BLE001  # whatever it is, the test shows it
        told.put((reads, editions, slowest, repr(error)))


def whole_edition(path: Path) -> int:
    """What all tables of the file agree upon; several queries on one connection."""
    with open_published(path) as reader:
        counted = reader.execute("SELECT table_name, row_count FROM meta.tables").fetchall()
        for name, row_count in counted:
            found = reader.execute(f"SELECT count(*) FROM {name}").fetchone()
            if found != (row_count,):
                raise ValueError(f"{name} has {found} rows, not {row_count}")
        versions = reader.execute(
            "SELECT version_id FROM meta.feed_versions UNION SELECT version_id FROM meta.sources"
        ).fetchall()
    if len(versions) != 1:
        raise ValueError(f"several publications in one: {versions}")
    return int(versions[0][0])


def read_through(file: Path, readers: int, publications: int, publish: Any) -> list[Any]:
    """What readers tell that read while `publish(n)` is called for n = 1, 2, ..."""
    start = multiprocessing.get_context("spawn")
    done, told = start.Event(), start.Queue()
    processes = [
        start.Process(target=read_on, args=(str(file), done, told)) for _ in range(readers)
    ]
    publish(0)
    for process in processes:
        process.start()
    try:
        for number in range(1, publications + 1):
            publish(number)
    finally:
        done.set()
        found = [told.get(timeout=120) for _ in processes]
        for process in processes:
            process.join(timeout=60)
    assert [error for *_, error in found if error] == []
    assert all(process.exitcode == 0 for process in processes)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("readers", "publications"),
    [(3, 8), pytest.param(8, 50, marks=pytest.mark.exhaustive)],
)
def test_readers_see_one_whole_publication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: int, publications: int
) -> None:
    monkeypatch.setenv("QALA_CITY", str(write_toy_city(tmp_path, city=SMALL)))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    settings = load_settings()
    figures = load_city(settings.city_file).city.marts
    file = settings.publish / "toy.duckdb"

    with open_lake(settings) as lake:

        def publish(number: int) -> None:
            source = {"source_id": "transit", "version_id": str(number)}
            versions = pl.DataFrame({"service_date": [date(2026, 11, 18)], **source})
            sources = pl.DataFrame(
                {**source, "object_name": "x", "kind": "gtfs", "mark": "measured"}
            ).select(META["meta.sources"].column_names())
            tables = file_tables(figures, [], sources, versions)
            swap_file(build_file(lake, file, tables, file_macros(tables)), file)

        found = read_through(file, readers, publications, publish)
    for reads, editions, slowest, _ in found:
        assert reads > 0
        assert editions == sorted(editions)
        assert slowest < SLOWEST_SECONDS
    assert whole_edition(file) == publications
    assert len({edition for _, editions, *_ in found for edition in editions}) > 1
    assert list(settings.publish.iterdir()) == [file]
