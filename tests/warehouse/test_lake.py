"""The lake: partitions replaced whole or not at all, by many processes, seen by readers."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import dataframely as dy
import duckdb
import polars as pl
import pytest

from pipelines.contracts.version import Versioned
from pipelines.errors import LakeError
from pipelines.settings import Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import (
    COPIED_ROWS,
    Added,
    Lake,
    Partition,
    Selection,
    _tables,
    bound,
    open_lake,
    selection,
)
from pipelines.warehouse.state import (
    Stand,
    date_key,
    key_text,
    stands,
    step_row,
    version_key,
    written,
)

DAY = date(2026, 11, 20)


class Numbers(Versioned):
    """One row per number."""

    number = dy.Int64(primary_key=True, description="The number.", metadata={"unit": "m"})
    shape = dy.Binary(nullable=True, description="Some bytes.")


def settings_in(folder: Path) -> Settings:
    catalog = str(folder / "lake" / "catalog.sqlite")
    return Settings(folder / "toy.toml", folder, catalog, str(folder / "lake" / "objects"))


def numbers(version: str, *values: int) -> pl.DataFrame:
    return Numbers.validate(
        pl.DataFrame(
            {
                "source_id": ["feed"] * len(values),
                "version_id": [version] * len(values),
                "number": values,
                "shape": [b"\x00'"] * len(values),
            },
            schema={name: column.dtype for name, column in Numbers.columns().items()},
        )
    )


def put(lake: Lake, version: str, *values: int) -> None:
    key = version_key("feed", version)
    partitions, _ = written(
        lake, "staging.numbers", key, Numbers, numbers(version, *values), input_hash="h"
    )
    lake.write(partitions)


def stand(lake: Lake) -> Stand:
    return stands(lake, ["staging.numbers"])["staging.numbers"]["feed/v1"]


def numbers_in(lake: Lake) -> list[tuple[str, int]]:
    rows = lake.read("staging.numbers", Numbers).sort("version_id", "number")
    return rows.select("version_id", "number").rows()


@pytest.mark.slow
def test_a_partition_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1, 2)
        put(lake, "v2", 7)
        put(lake, "v1", 3)
        assert numbers_in(lake) == [("v1", 3), ("v2", 7)]
        assert stand(lake).row_count == 1


@pytest.mark.slow
def test_large_and_small_partitions_take_each_others_place(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        for values in (range(3), range(5_000), range(2), range(0)):
            put(lake, "v1", *values)
            assert [number for _, number in numbers_in(lake)] == list(values)


class MoreNumbers(Numbers):
    """One row per number, as known later."""

    is_prime = dy.Bool(nullable=True, description="Whether it is prime.")


@pytest.mark.slow
def test_a_contract_may_grow_and_old_rows_have_null(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 4)
    _tables.clear()  # as another process, with newer code, finds it
    with open_lake(settings_in(tmp_path)) as lake:
        old = lake.read("staging.numbers", MoreNumbers)
        assert old.select("number", "is_prime").rows() == [(4, None)]
        rows = numbers("v2", 5).with_columns(is_prime=pl.lit(value=True))
        key = version_key("feed", "v2")
        lake.write([Partition("staging.numbers", key, MoreNumbers, rows)])
        both = lake.read("staging.numbers", MoreNumbers).sort("number")
        assert both.select("number", "is_prime").rows() == [(4, None), (5, True)]
        assert lake.read("staging.numbers", Numbers).height == 2


@pytest.mark.slow
def test_an_empty_partition_is_known_as_made(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1")
        assert stand(lake).row_count == 0
        assert lake.read("staging.numbers", Numbers).is_empty()


@pytest.mark.slow
def test_content_hash_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1, 2, 3)
        first = stand(lake).content_hash
        put(lake, "v1", 3, 1, 2)
        assert stand(lake).content_hash == first
        put(lake, "v1", 3, 1)
        assert stand(lake).content_hash != first


@pytest.mark.slow
def test_a_failing_write_leaves_nothing_behind(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1)
        good, _ = written(
            lake, "staging.numbers", version_key("feed", "v1"), Numbers, numbers("v1", 9),
            input_hash="h",
        )  # fmt: skip
        bad = Partition("staging.numbers", {"nowhere": 1}, Numbers, numbers("v1", 5))
        with pytest.raises(Exception, match="nowhere"):
            lake.write([*good, bad])
        assert numbers_in(lake) == [("v1", 1)]
        put(lake, "v1", 2)
        assert numbers_in(lake) == [("v1", 2)]


@pytest.mark.slow
def test_comments_and_message_of_a_snapshot(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path), run_id="run-7", code_version="0.1.0+abc") as lake:
        put(lake, "v1", 1)
        last = lake.query(
            "SELECT commit_message, commit_extra_info"
            f" FROM {lake.catalog}.snapshots() ORDER BY snapshot_id DESC LIMIT 1"
        )
        assert last.row(0) == ("run-7", '{"code_version": "0.1.0+abc"}')
        comments = lake.query(
            "SELECT column_name, comment FROM duckdb_columns()"
            " WHERE database_name = ? AND table_name = 'numbers' AND column_name = 'number'",
            [lake.catalog],
        )
        assert comments.row(0) == ("number", "The number. [m]")


@pytest.mark.slow
def test_steps_are_added_and_read_back_by_another_reader(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with open_lake(settings, run_id="r") as lake:
        report = {"step": "build", "outcome": "done", "rows": None, "seconds": 1.25}
        row = step_row("r", DAY, {**report, "text": 'it\'s "fine"'})
        lake.write(added=[row, row])
    with open_lake(settings, read_only=True) as lake:
        rows = lake.read("ops.steps", ops.Steps, "service_date = ?", [DAY])
        assert rows.get_column("note").to_list() == ['it\'s "fine"'] * 2


@pytest.mark.slow
def test_time_travel_reaches_what_was_replaced(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1)
        before = lake.snapshot_id()
        put(lake, "v1", 2)
        address = lake.address("staging.numbers")
        rows = lake.query(f"SELECT number FROM {address} AT (VERSION => {before})")
        assert rows.rows() == [(1,)]


def test_no_lake_yet(tmp_path: Path) -> None:
    with (
        pytest.raises(LakeError, match="Run a night first"),
        open_lake(settings_in(tmp_path), read_only=True),
    ):
        pass


def test_a_catalog_that_is_something_else(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    Path(settings.catalog).parent.mkdir(parents=True)
    Path(settings.catalog).write_bytes(b"no database at all" * 100)
    with pytest.raises(LakeError, match="can't be opened"), open_lake(settings):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, COPIED_ROWS + 1])
def test_views_show_the_selected_partitions_alone(tmp_path: Path, rows: int) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1)
        put(lake, "v2", 2)
        selected = [
            Selection("staging.numbers", Numbers, [version_key("feed", "v2")], rows),
            Selection("staging.never_written", Numbers, [], 0),
        ]
        with lake.views(selected) as connection:
            assert connection.sql("SELECT number FROM staging.numbers").fetchall() == [(2,)]
            assert connection.sql("SELECT * FROM staging.never_written").fetchall() == []
            types = connection.sql("SELECT * FROM staging.never_written").types
            assert [str(one) for one in types] == ["VARCHAR", "VARCHAR", "BIGINT", "BLOB"]


@pytest.mark.slow
def test_a_view_that_cannot_be_made_says_why_and_leaves_the_lake_usable(tmp_path: Path) -> None:
    wrong = Selection("staging.numbers", Numbers, [{"no_column": "v1"}], 1)
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1)
        with pytest.raises(duckdb.BinderException, match="no_column"), lake.views([wrong]):
            pass
        assert stand(lake).row_count == 1


@pytest.mark.slow
def test_reads_see_one_snapshot_until_the_next_write(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with open_lake(settings) as lake, open_lake(settings) as other:
        put(lake, "v1", 1)
        assert stand(lake).row_count == 1
        put(other, "v1", 1, 2)
        assert stand(lake).row_count == 1
        put(lake, "v2", 3)
        assert stand(lake).row_count == 2
        with pytest.raises(duckdb.BinderException):
            lake.query("SELECT no_column")
        assert stand(lake).row_count == 2


def _read_and_wait(folder: str, has_read: Event, may_end: Event) -> None:
    with open_lake(settings_in(Path(folder))) as lake:
        stand(lake)
        has_read.set()
        may_end.wait(60)


@pytest.mark.slow
def test_who_reads_holds_up_nobody_who_writes(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        put(lake, "v1", 1)
        context = multiprocessing.get_context("spawn")
        has_read, may_end = context.Event(), context.Event()
        arguments = (str(tmp_path), has_read, may_end)
        reader = context.Process(target=_read_and_wait, args=arguments)
        reader.start()
        try:
            assert has_read.wait(60)
            put(lake, "v1", 1, 2)  # a lake that stays locked is an error
        finally:
            may_end.set()
            reader.join()
        assert reader.exitcode == 0
        assert stand(lake).row_count == 2


def test_selection_is_safe_with_hostile_names() -> None:
    assert "O''Hare" in selection([version_key("O'Hare", "v1")])
    assert selection([date_key(DAY)]) == "\"service_date\" IN (DATE '2026-11-20')"
    assert key_text(version_key("bus", "v1")) == "bus/v1"


def _write_many(folder: str, worker: int) -> None:
    with open_lake(settings_in(Path(folder)), run_id=f"w{worker}") as lake:
        for turn in range(3):
            put(lake, f"w{worker}", *range(turn + 1))
            report = {"step": "build", "outcome": "done", "rows": turn, "seconds": 0.0, "text": ""}
            lake.write(added=[step_row(f"w{worker}", DAY, report)])


@pytest.mark.slow
def test_processes_write_side_by_side_and_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(str(tmp_path), n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3
    with open_lake(settings_in(tmp_path), read_only=True) as lake:
        assert len(numbers_in(lake)) == 3 * 3
        assert lake.read("ops.steps", ops.Steps).height == 3 * 3


@pytest.mark.slow
def test_added_rows_may_be_none(tmp_path: Path) -> None:
    with open_lake(settings_in(tmp_path)) as lake:
        lake.write(added=[Added("ops.steps", ops.Steps, ops.Steps.create_empty())])
        assert not lake.exists("ops.steps")


def test_parameters_stand_in_a_statement_as_duckdb_would_bind_them() -> None:
    moment = datetime(2026, 11, 21, 3, 4, 5, 678, tzinfo=UTC)
    values: list[object] = [
        "it's ? and \\ \n'",
        date(2026, 11, 21),
        moment,
        moment.replace(tzinfo=None),
    ]
    values += [None, True, -7, 0.1, [1, 2], ["a'b"]]
    asked = "SELECT " + ", ".join("?" for _ in values)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        expected = connection.execute(asked, values).fetchall()
        assert connection.execute(bound(asked, values)).fetchall() == expected
    with pytest.raises(ValueError, match="zip"):
        bound("SELECT ?, ?", [1])


def test_reading_the_lake_brings_no_pandas_into_a_process() -> None:
    """DuckDB imports it for parameters: a second of each task."""
    code = (
        "import sys; from pipelines.warehouse.lake import bound; import duckdb;"
        "duckdb.execute(bound('SELECT ?', ['a'])).pl(); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_last_write_is_committed_with_the_next(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    def part(number: int) -> Partition:
        version = f"v{number}"
        return Partition("ops.held", version_key("feed", version), Numbers, numbers(version, 1))

    def others_see() -> int:
        with open_lake(settings) as other:
            return other.read("ops.held", Numbers).height

    with open_lake(settings) as lake:
        lake.write([part(0)])
        before = lake.snapshot_id()
        with lake.holding_last_write():
            lake.write([part(1)])
            lake.write([part(2)])
            assert others_see() == 2, "the last one alone waits"
        lake.write([part(3)])
        assert lake.snapshot_id() == before + 2
        with lake.holding_last_write():
            lake.write([part(4)])
            assert lake.read("ops.held", Numbers).height == 5, "who looks sees it written"
            assert others_see() == 5
            lake.write([part(5)])
        assert others_see() == 5
        assert lake.exists("ops.held")
        assert others_see() == 6
