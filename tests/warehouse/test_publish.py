"""The published file is whole or not there, and its tables may be younger than their rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from pipelines.errors import PublishError
from pipelines.settings import load_settings
from pipelines.warehouse.lake import Lake, Partition, open_lake
from pipelines.warehouse.publish import Portion, PublishedTable, build_file, open_published
from pipelines.warehouse.snapshots import read_at
from tests.toy_city import SMALL, write_toy_city

DAYS = [date(2026, 11, day) for day in (18, 19)]


class Trees(dy.Schema):
    """One row per service date and tree."""

    service_date = dy.Date(primary_key=True, description="Day.")
    tree_id = dy.String(primary_key=True, description="Tree.")


class TallerTrees(Trees):
    """One row per service date and tree."""

    height_m = dy.Float64(nullable=True, description="Height.")


def trees(day: date, tree_id: str, **more: float) -> pl.DataFrame:
    return pl.DataFrame({"service_date": [day], "tree_id": [tree_id], **more})


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    monkeypatch.setenv("QALA_CITY", str(write_toy_city(tmp_path / "city", city=SMALL)))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    with open_lake(load_settings()) as opened:
        yield opened


def test_a_file_that_cannot_be_built_leaves_nothing_and_the_lake_in_order(
    lake: Lake, tmp_path: Path
) -> None:
    table = PublishedTable("marts.trees", Trees, rows=trees(DAYS[0], "oak"))
    target = tmp_path / "out" / "toy.duckdb"
    for macros in (["CREATE MACRO broken() AS TABLE FROM marts.nowhere"], ["SELEC"]):
        with pytest.raises(PublishError, match="could not be built"):
            build_file(lake, target, [table], macros)
        assert list(target.parent.iterdir()) == []
    with pytest.raises(PublishError, match="has 1 rows in the built file, not 7"):
        build_file(
            lake,
            target,
            [PublishedTable("marts.trees", Trees, row_count=7, rows=None, portions=stored(lake))],
        )
    assert list(target.parent.iterdir()) == []
    macro = "CREATE MACRO tree(name) AS TABLE FROM marts.trees WHERE tree_id = name"
    with open_published(build_file(lake, target, [table], [macro])) as reader:
        assert reader.execute("FROM tree('oak')").fetchall() == [(DAYS[0], "oak")]


def stored(lake: Lake) -> list[Portion]:
    key = {"service_date": DAYS[0]}
    lake.write([Partition("marts.trees", key, Trees, trees(DAYS[0], "oak"))])
    return [Portion([key], None)]


def test_rows_of_before_a_column_was_there_go_out_without_it(lake: Lake, tmp_path: Path) -> None:
    old = stored(lake)[0].keys
    then = lake.snapshot_id()
    key = {"service_date": DAYS[1]}
    lake.write([Partition("marts.trees", key, TallerTrees, trees(DAYS[1], "elm", height_m=9.5))])
    lake.write([Partition("marts.trees", old[0], TallerTrees, trees(DAYS[0], "fir", height_m=3.0))])
    portions = [Portion([key], None), Portion(old, then)]
    table = PublishedTable("marts.trees", TallerTrees, portions, row_count=2)
    with open_published(build_file(lake, tmp_path / "toy.duckdb", [table])) as reader:
        found = reader.execute("FROM marts.trees").fetchall()
    assert found == [(DAYS[0], "oak", None), (DAYS[1], "elm", 9.5)]
    assert read_at(lake, "marts.trees", TallerTrees, then).rows() == [(DAYS[0], "oak", None)]
