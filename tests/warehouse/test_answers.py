"""Answers as CSV, JSON and Parquet hold what the query found, whatever its types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import duckdb
import polars as pl
import pytest

from pipelines.errors import QueryError
from pipelines.warehouse.shell import write_query

HOSTILE = '=1+1, "quoted"\nsecond line Ә'


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"enable_external_access": "false"}) as opened:
        yield opened


def written(connection: duckdb.DuckDBPyConnection, query: str, form: str) -> bytes:
    buffer = io.BytesIO()
    write_query(connection, query, form, buffer)  # type: ignore[arg-type]  # a format by name
    return buffer.getvalue()


QUERY = (
    "SELECT $$" + HOSTILE + "$$ AS name, DATE '2026-11-20' AS day, 0.5::DOUBLE AS share,"
    ' NULL::INTEGER AS "odd ""name", \'\\x01\\xFF\'::BLOB AS shape, TRUE AS is_so'
)


def test_csv_is_rfc_4180_with_lines_and_quotes_inside_values(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    text = written(connection, QUERY, "csv").decode()
    assert text.endswith("\r\n")
    heading, row = csv.reader(io.StringIO(text, newline=""))
    assert heading == ["name", "day", "share", 'odd "name', "shape", "is_so"]
    assert row == [HOSTILE, "2026-11-20", "0.5", "", "01FF", "true"]


def test_json_is_a_list_of_objects(connection: duckdb.DuckDBPyConnection) -> None:
    (row,) = json.loads(written(connection, QUERY, "json"))
    assert row["name"] == HOSTILE
    assert (row["day"], row["share"], row['odd "name']) == ("2026-11-20", 0.5, None)
    assert (row["shape"], row["is_so"]) == ("01FF", True)
    assert json.loads(written(connection, "SELECT 1 AS a WHERE false", "json")) == []


def test_parquet_keeps_types(connection: duckdb.DuckDBPyConnection) -> None:
    rows = pl.read_parquet(written(connection, QUERY, "parquet"))
    assert rows.schema["day"] == pl.Date
    assert rows.item(0, "shape") == b"\x01\xff"
    assert written(connection, QUERY, "parquet") == written(connection, QUERY, "parquet")


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_many_rows_all_arrive_in_order(connection: duckdb.DuckDBPyConnection, form: str) -> None:
    payload = written(connection, "SELECT range AS n FROM range(25000)", form)
    if form == "csv":
        found = [int(line) for line in payload.decode().split()[1:]]
    elif form == "json":
        found = [row["n"] for row in json.loads(payload)]
    else:
        found = pl.read_parquet(payload).get_column("n").to_list()
    assert found == list(range(25_000))


@pytest.mark.parametrize("query", ["SELECT 1; SELECT 2", "", "SET threads = 1"])
def test_one_answer_at_a_time(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    with pytest.raises(QueryError, match="one query with an answer"):
        written(connection, query, "csv")


def test_wrong_queries_are_one_sentence(connection: duckdb.DuckDBPyConnection) -> None:
    for query in ("SELEC 1", "FROM nowhere", "SELECT error('no')", "FROM read_csv('/etc/passwd')"):
        with pytest.raises(QueryError, match="The query failed"):
            written(connection, query, "csv")
