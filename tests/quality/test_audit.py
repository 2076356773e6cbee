"""Break one value of a toy table, and exactly the check that is about it fails."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dataframely as dy
import duckdb
import polars as pl
import pytest

from pipelines.contracts.ddl import create_table_sql, quoted
from pipelines.errors import AuditError, SettingsError
from pipelines.quality.audit import run_checks
from pipelines.quality.expectations import Expectation
from pipelines.quality.failing import sample_json
from pipelines.quality.results import CheckResult, require_passed, results_frame
from pipelines.quality.suite import AuditTable

pytestmark = pytest.mark.slow

NIGHT = date(2026, 11, 20)


class Stops(dy.Schema):
    """One row per feed and stop."""

    feed = dy.String(primary_key=True, description="Feed.")
    stop = dy.String(primary_key=True, min_length=2, max_length=4, description="Stop.")
    mode = dy.String(
        nullable=True,
        metadata={"allowed": ["bus", "metro", "driver's"]},
        description="Mode.",
    )
    code = dy.String(nullable=True, regex=r"^[A-Z]{2}\d$", description="Code.")
    served_share = dy.Float64(nullable=True, min=0, max=1, description="Share.")
    trip_count = dy.Int32(nullable=True, min_exclusive=0, description="Trips.")
    height_m = dy.Float64(nullable=True, description="Height.")
    opened_date = dy.Date(nullable=True, min=date(1900, 1, 1), description="Opened.")
    seen_at = dy.Datetime(time_zone="UTC", nullable=True, time_unit="us", description="Seen.")
    sign = dy.String(nullable=True, unique=True, description="Sign.")


ROWS: list[tuple[Any, ...]] = [
    ("f", "s1", "bus", "AB1", 0.0, 5, 1.5, date(2001, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), "x"),
    ("f", "s2", "metro", None, 1.0, 1, None, None, None, None),
    ("g", "s1", "driver's", "CD2", 0.5, None, -3.0, date(1900, 1, 1), None, None),
    ("g", "s2", None, None, None, None, None, None, None, "y"),
]

BREAKS = [
    ("UPDATE t SET feed = NULL WHERE stop = 's2' AND feed = 'f'", "contract: not_null"),
    ("UPDATE t SET stop = 's1' WHERE feed = 'f'", "contract: key"),
    ("UPDATE t SET stop = 'long one' WHERE feed = 'f' AND stop = 's1'", "contract: stop|length"),
    ("UPDATE t SET mode = 'tram' WHERE mode = 'bus'", "contract: mode|words"),
    ("UPDATE t SET code = 'xAB1' WHERE code = 'AB1'", "contract: code|pattern"),
    ("UPDATE t SET served_share = 1.01 WHERE served_share = 1", "contract: served_share|range"),
    ("UPDATE t SET served_share = -1e-9 WHERE served_share = 0", "contract: served_share|range"),
    ("UPDATE t SET trip_count = 0 WHERE trip_count = 1", "contract: trip_count|range"),
    ("UPDATE t SET height_m = 'nan' WHERE height_m = 1.5", "contract: finite"),
    ("UPDATE t SET height_m = '-inf' WHERE height_m = 1.5", "contract: finite"),
    (
        "UPDATE t SET opened_date = '1899-12-31' WHERE opened_date = '1900-01-01'",
        "contract: opened_date|range",
    ),
    ("UPDATE t SET sign = 'x' WHERE sign = 'y'", "contract: sign|unique"),
    ("ALTER TABLE t ALTER trip_count TYPE BIGINT", "contract: types"),
    ("ALTER TABLE t ADD COLUMN more INTEGER", "contract: columns"),
    ("DELETE FROM t WHERE feed = 'g'", "both feeds"),
    ("UPDATE t SET served_share = 0.9 WHERE served_share = 0", "mean share"),
]

EXPECTATIONS = (
    Expectation(
        name="both feeds",
        description="Both feeds have stops.",
        severity="critical",
        sql="SELECT n FROM (SELECT count(DISTINCT feed) AS n FROM checked) WHERE n < 2",
    ),
    Expectation(
        name="mean share",
        description="On average half is served.",
        severity="warning",
        expectation="ExpectColumnMeanToBeBetween",
        kwargs={"column": "served_share", "min_value": 0.49, "max_value": 0.76},
    ),
)
TABLE = AuditTable("staging.stops", Stops, EXPECTATIONS)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The toy table `t`, and over it the view that the audit looks at."""
    with duckdb.connect() as opened:
        opened.execute(create_table_sql("t", Stops))
        opened.register(
            "toy_rows", pl.DataFrame(ROWS, schema=Stops.create_empty().schema, orient="row")
        )
        opened.execute("INSERT INTO t SELECT * FROM toy_rows")
        opened.execute("CREATE SCHEMA staging")
        show(opened)
        yield opened


def show(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE OR REPLACE VIEW staging.stops AS SELECT * FROM t")


def failed(results: list[CheckResult]) -> list[str]:
    return [r.check_name for r in results if not r.is_passed]


def test_a_sound_table_passes_every_check(connection: duckdb.DuckDBPyConnection) -> None:
    results = run_checks(connection, [TABLE], NIGHT)
    assert failed(results) == []
    assert {r.is_run for r in results} == {True}
    assert {r.check_name for r in results} >= {name for _, name in BREAKS}
    require_passed(results)
    frame = results_frame(results)
    assert frame.height == len(results)
    mean = next(r for r in results if r.check_name == "mean share")
    assert (mean.observed_value, mean.unexpected_count) == ("0.5", None)
    share = next(r for r in results if r.check_name == "contract: served_share|range")
    assert (share.unexpected_count, share.element_count) == (0, 4)


@pytest.mark.parametrize(("change", "check_name"), BREAKS, ids=[change for change, _ in BREAKS])
def test_one_wrong_value_fails_one_check(
    connection: duckdb.DuckDBPyConnection, change: str, check_name: str
) -> None:
    connection.execute(change)
    show(connection)
    results = run_checks(connection, [TABLE], NIGHT)
    assert failed(results) == [check_name]
    result = next(r for r in results if r.check_name == check_name)
    assert result.is_run
    assert result.not_run_reason is None
    if check_name == "mean share":
        assert result.sample_rows is None
        assert result.observed_value == "0.8"
        require_passed(results)  # a warning stops nothing
    else:
        assert json.loads(str(result.sample_rows))
        with pytest.raises(AuditError, match=r"1 of \d+ checks are critical.*staging.stops"):
            require_passed(results)


CLEAN_G = AuditTable("staging.stops", Stops, EXPECTATIONS, ("feed",), "feed = 'f'", 2)


@pytest.mark.parametrize(
    ("change", "check_name", "is_seen"),
    [
        ("UPDATE t SET mode = 'tram' WHERE mode = 'bus'", "contract: mode|words", True),
        ("UPDATE t SET mode = 'tram' WHERE feed = 'g'", "contract: mode|words", False),
        ("UPDATE t SET stop = 's1' WHERE feed = 'f'", "contract: key", True),
        ("UPDATE t SET stop = 's1' WHERE feed = 'g'", "contract: key", False),
        # What is asked of the whole table is asked of clean parts too.
        ("UPDATE t SET sign = 'x' WHERE sign = 'y'", "contract: sign|unique", True),
        ("ALTER TABLE t ALTER trip_count TYPE BIGINT", "contract: types", True),
        ("UPDATE t SET served_share = 0 WHERE feed = 'g'", "mean share", True),
    ],
)
def test_what_was_found_clean_is_not_looked_at_again(
    connection: duckdb.DuckDBPyConnection, change: str, check_name: str, *, is_seen: bool
) -> None:
    connection.execute(change)
    show(connection)
    results = run_checks(connection, [CLEAN_G], NIGHT)
    assert failed(results) == [check_name] * is_seen
    words = next(r for r in results if r.check_name == "contract: mode|words")
    assert words.element_count == 4


def test_the_sample_names_the_row(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("UPDATE t SET mode = 'tram' WHERE mode = 'bus'")
    results = run_checks(connection, [TABLE], NIGHT)
    words = next(r for r in results if r.check_name == "contract: mode|words")
    assert json.loads(str(words.sample_rows)) == [{"feed": "f", "stop": "s1", "mode": "tram"}]
    assert (words.unexpected_count, words.element_count) == (1, 4)


def test_a_missing_column_fails_and_its_checks_are_not_run(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("DROP VIEW staging.stops; ALTER TABLE t DROP COLUMN trip_count")
    show(connection)
    results = run_checks(connection, [TABLE], NIGHT)
    by_name = {r.check_name: r for r in results}
    assert set(failed(results)) == {"contract: columns", "contract: trip_count|range"}
    columns, bounds = by_name["contract: columns"], by_name["contract: trip_count|range"]
    assert json.loads(str(columns.sample_rows)) == {"missing": ["trip_count"], "unexpected": []}
    assert not bounds.is_run
    assert "trip_count" in str(bounds.not_run_reason)
    results_frame(results)


def test_a_missing_table_is_not_run_at_all(connection: duckdb.DuckDBPyConnection) -> None:
    absent = AuditTable("staging.nowhere", Stops, EXPECTATIONS)
    results = run_checks(connection, [absent, TABLE], NIGHT)
    here = [r for r in results if r.table_name == "staging.nowhere"]
    assert len(here) > 10
    assert not any(r.is_run or r.is_passed for r in here)
    assert failed([r for r in results if r.table_name == "staging.stops"]) == []
    with pytest.raises(AuditError):
        require_passed(results)


def test_a_check_that_raises_is_not_run_and_stops_no_other(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    raising = Expectation(
        name="raises",
        description="Stops are numbers.",
        severity="critical",
        sql="SELECT * FROM checked WHERE stop::INTEGER > 3",
    )
    wrong = Expectation(
        name="wrong SQL", description="-", severity="warning", sql="SELEC * FROM checked"
    )
    text_mean = Expectation(
        name="mean of text",
        description="-",
        severity="warning",
        expectation="ExpectColumnMeanToBeBetween",
        kwargs={"column": "stop", "min_value": 0},
    )
    table = AuditTable("staging.stops", Stops, (raising, wrong, text_mean, *EXPECTATIONS))
    results = run_checks(connection, [table], NIGHT)
    not_run = {r.check_name: r for r in results if not r.is_run}
    assert set(not_run) == {"raises", "wrong SQL", "mean of text"} == set(failed(results))
    assert "Could not convert string '...' to INT32" in str(not_run["raises"].not_run_reason)
    with pytest.raises(AuditError, match="raises"):
        require_passed(results)
    results_frame(results)


def test_the_connection_is_left_as_it_was(connection: duckdb.DuckDBPyConnection) -> None:
    before = connection.execute("SELECT view_name FROM duckdb_views() ORDER BY ALL").fetchall()
    run_checks(connection, [TABLE], NIGHT)
    assert (
        connection.execute("SELECT view_name FROM duckdb_views() ORDER BY ALL").fetchall() == before
    )
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (len(ROWS),)
    connection.execute("BEGIN")
    connection.execute("ROLLBACK")


class Hostile(dy.Schema):
    """One row per "odd" name; it's 100 % {hostile}."""

    key = dy.Int64(primary_key=True, alias='se"lect ', description="It's a key.")
    share = dy.Float64(alias="100 % {of} it's", min=0, nullable=True, description="%(share)s :x")
    text = dy.String(alias=":order by;", regex=r"^\w{1,3}'?%$", nullable=True, description="--")


def test_hostile_names_and_patterns(connection: duckdb.DuckDBPyConnection) -> None:
    name = 'drop "it"; --'
    connection.execute(create_table_sql(f"staging.{quoted(name)}", Hostile))
    insert = 'INSERT INTO staging."drop ""it""; --" VALUES '
    table = AuditTable(f"staging.{name}", Hostile)
    connection.execute(insert + "(1, 0.5, 'ab''%'), (2, NULL, NULL)")
    assert failed(run_checks(connection, [table], NIGHT)) == []
    connection.execute(insert + "(2, -1, 'abcd%')")
    results = run_checks(connection, [table], NIGHT)
    assert failed(results) == [
        "contract: key",
        "contract: 100 % {of} it's|range",
        "contract: :order by;|pattern",
    ]
    assert all(r.is_run for r in results)


def test_same_results_whatever_the_order_of_rows_and_threads() -> None:
    generator = random.Random(5)
    rows = [
        (f"f{n % 7}", f"s{n}", generator.choice(["bus", "tram", "ski"]), generator.random() * 1.1)
        for n in range(5_000)
    ]

    def audit(threads: int) -> list[CheckResult]:
        generator.shuffle(rows)
        with duckdb.connect(config={"threads": threads}) as opened:
            opened.execute("CREATE SCHEMA staging")
            opened.execute(create_table_sql("staging.stops", Stops))
            columns = ["feed", "stop", "mode", "served_share"]
            opened.register("toy_rows", pl.DataFrame(rows, schema=columns, orient="row"))
            opened.execute("INSERT INTO staging.stops BY NAME SELECT * FROM toy_rows")
            return run_checks(opened, [TABLE], NIGHT)

    first = audit(1)
    words = next(r for r in first if r.check_name == "contract: mode|words")
    assert words.unexpected_count == sum(row[2] != "bus" for row in rows)
    assert len(json.loads(str(words.sample_rows))) == 3
    assert audit(4) == first


def test_the_night_s_date_reaches_the_sql(connection: duckdb.DuckDBPyConnection) -> None:
    expectation = Expectation(
        name="nothing opens later",
        description="-",
        severity="critical",
        sql="SELECT * FROM checked WHERE opened_date > {service_date};\n",
    )
    table = AuditTable("staging.stops", Stops, (expectation,))
    assert failed(run_checks(connection, [table], date(1999, 1, 1))) == ["nothing opens later"]
    assert failed(run_checks(connection, [table], NIGHT)) == []


def test_personal_columns_are_withheld(connection: duckdb.DuckDBPyConnection) -> None:
    class Passages(dy.Schema):
        """One row per passage."""

        passage = dy.Int64(primary_key=True, description="Passage.")
        plate_hash = dy.String(regex="^[0-9a-f]{4}$", description="Hash.")

    connection.execute(create_table_sql("staging.passages", Passages))
    connection.execute("INSERT INTO staging.passages VALUES (1, 'A123BC02')")
    results = run_checks(connection, [AuditTable("staging.passages", Passages)], NIGHT)
    pattern = next(r for r in results if not r.is_passed)
    assert json.loads(str(pattern.sample_rows)) == [{"passage": 1, "plate_hash": "withheld"}]


def test_a_sample_of_another_table_s_check_withholds_them_too(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = "SELECT 'g1' AS station_id, 'a' AS overlap_hash, 'b' AS plate_hash"
    assert json.loads(str(sample_json(connection, query))) == [
        {"station_id": "g1", "overlap_hash": "withheld", "plate_hash": "withheld"}
    ]


@pytest.mark.parametrize("kwargs", [{}, {"column": "mode", "min": 1}])
def test_wrong_arguments_are_reported_with_the_table(
    connection: duckdb.DuckDBPyConnection, kwargs: dict[str, Any]
) -> None:
    wrong = Expectation(
        name="mean",
        description="-",
        severity="warning",
        expectation="ExpectColumnMeanToBeBetween",
        kwargs=kwargs,
    )
    with pytest.raises(SettingsError, match=r"'mean' of staging\.stops has wrong kwargs"):
        run_checks(connection, [AuditTable("staging.stops", Stops, (wrong,))], NIGHT)


def test_instants_are_shown_in_utc(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET TimeZone = 'Asia/Almaty'")
    expectation = Expectation(
        name="never seen", description="-", severity="warning",
        sql="SELECT seen_at FROM checked WHERE seen_at IS NOT NULL",
    )  # fmt: skip
    results = run_checks(connection, [AuditTable("staging.stops", Stops, (expectation,))], NIGHT)
    assert json.loads(str(results[-1].sample_rows)) == [{"seen_at": "2026-01-01 00:00:00+00:00"}]


def test_no_file_is_written(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_checks(connection, [TABLE], NIGHT)
    assert list(tmp_path.iterdir()) == []
