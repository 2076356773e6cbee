"""The night's headlines: which rows of which figures a person is shown first."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pytest

from pipelines.summary import HEADLINES
from pipelines.summary import headlines as all_headlines
from tests.quality.test_expectations import NIGHT, TOY_NIGHT, open_lake


@pytest.fixture(scope="module")
def toy() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_lake() as connection:
        connection.execute(TOY_NIGHT.read_text("utf-8"))
        yield connection


def headlines(connection: duckdb.DuckDBPyConnection, figure: str) -> list[tuple[object, ...]]:
    rows = all_headlines(connection, NIGHT)
    return [(scope, value, reason) for name, scope, value, _, reason in rows if name == figure]


def test_through_traffic_is_that_of_heavy_vehicles(toy: duckdb.DuckDBPyConnection) -> None:
    name = "heavy through traffic on the ring road"
    assert headlines(toy, name) == [("2026-11", None, "too few")]
    toy.execute("BEGIN; DELETE FROM marts.ring_road_diversion WHERE month_date = '2026-11-01'")
    told = headlines(toy, name)
    toy.execute("ROLLBACK")
    assert told == [("2026-10", "40.0 % (30.0 to 50.0)", None)]


def test_the_first_event_s_effect_on_all_screenlines(toy: duckdb.DuckDBPyConnection) -> None:
    name = "effect on all screenlines"
    assert headlines(toy, name) == [("all vehicles, opening", None, "a sum of no stations")]
    toy.execute(
        "BEGIN; INSERT INTO marts.ring_road_effect BY NAME"
        f" SELECT DATE '{NIGHT}' AS service_date, 'role group' AS place_kind,"
        " 'all screenlines' AS place_id, 0.8 AS ratio, 0.75 AS ratio_low, 1.1 AS ratio_high, *"
        " FROM (VALUES ('opening', DATE '2023-06-16', 'heavy'),"
        " ('opening', DATE '2023-06-16', 'light'), ('tariffs', DATE '2026-01-01', 'heavy'))"
        " AS rows (event_id, event_first_date, vehicle_class)"
    )
    told = headlines(toy, name)
    toy.execute("ROLLBACK")
    assert told == [
        ("heavy vehicles, opening", "-20.0 % (-25.0 to +10.0)", None),
        ("all vehicles, opening", None, "a sum of no stations"),
    ]


def test_a_city_is_shown_what_it_makes_and_nothing_else() -> None:
    with duckdb.connect() as connection:
        assert all_headlines(connection, NIGHT) == []


def test_each_file_says_what_it_reads() -> None:
    for file in HEADLINES.glob("*.sql"):
        sql = file.read_text("utf-8")
        [table] = re.findall(r"FROM (marts\.\w+)", sql)
        assert f"-- Reads:   {table};" in sql
