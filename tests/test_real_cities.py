"""Real feeds and registers run a night to the end, each by a city file of its own."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import gtfs_kit
import pytest

from pipelines.errors import QalaError
from tests.toy_city import run_night

pytestmark = pytest.mark.slow

CITIES = Path(__file__).resolve().parent / "cities"


def published(
    name: str, key: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> duckdb.DuckDBPyConnection:
    """Run a city's night and open what it published."""
    monkeypatch.setenv("QALA_CITY", str(CITIES / f"{name}.toml"))
    monkeypatch.setenv("QALA_DATA", str(folder))
    told = run_night(key)
    assert not [f"{step}: {e}" for step, e in told.items() if isinstance(e, QalaError)]
    file = folder / name / "publish" / f"{name}.duckdb"
    return duckdb.connect(str(file), read_only=True)


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = connection.sql(sql).fetchone()
    assert row is not None
    return row


FEEDS = {
    "mexico_city": ("2018-06-13", ["gtfs/transitland_cdmx.zip"]),
    "porto_alegre": (
        "2019-05-15",
        ["access/r5r_poa/poa_eptc.zip", "access/r5r_poa/poa_trensurb.zip"],
    ),
    "tampa": ("2018-03-14", ["gtfs/transitland_hart.zip"]),
    "new_york": ("2024-12-18", ["gtfs/gtfskit_nyc_subway_gtfs.zip"]),
}


def served(feeds: list[Path], day: str) -> tuple[int, int, int]:
    """Routes, stops and metro stops with service on the day, counted by gtfs-kit."""
    routes = stops = metro = 0
    for path in feeds:
        feed = gtfs_kit.read_feed(path, dist_units="km")
        trips = feed.get_trips(day.replace("-", ""))
        calls = feed.stop_times[feed.stop_times["trip_id"].isin(trips["trip_id"])]
        types = feed.routes[feed.routes["route_type"] == 1]["route_id"]
        under = calls[calls["trip_id"].isin(trips[trips["route_id"].isin(types)]["trip_id"])]
        # A route of Mexico City has nothing but trips that last no time; statistics leave it out.
        moving = calls.groupby("trip_id")["arrival_time"].nunique() > 1
        routes += trips[trips["trip_id"].isin(moving[moving].index)]["route_id"].nunique()
        stops += calls["stop_id"].nunique()
        metro += under["stop_id"].nunique()
    return routes, stops, metro


@pytest.mark.parametrize("name", FEEDS)
def test_a_night_of_a_real_feed(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key, files = FEEDS[name]
    routes, stops, metro_stops = served([shared_data / file for file in files], key)
    with published(name, key, tmp_path, monkeypatch) as connection:
        assert one(connection, "SELECT count(*) FROM marts.route_stats") == (routes,)
        assert one(connection, "SELECT count(*) FROM marts.stop_stats") == (stops,)
        metro = "SELECT served_stop_count FROM marts.metro_reach WHERE scope_type = 'city'"
        assert one(connection, metro) == (metro_stops,)
        dates = "SELECT DISTINCT service_date FROM marts.{}"
        for table in ("route_stats", "stop_stats", "metro_reach", "bus_reach", "diesel_phase_out"):
            assert connection.sql(dates.format(table)).fetchall() == [(date.fromisoformat(key),)]


def test_a_night_of_the_real_almaty(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with published("real_almaty", "2026-09-09", tmp_path, monkeypatch) as connection:
        stations = "SELECT count(*) FROM marts.stop_stats WHERE trip_count > 0"
        assert one(connection, stations) == (11,)
        scopes = "SELECT scope_type, count(*) FROM marts.metro_reach GROUP BY 1 ORDER BY 1"
        assert connection.sql(scopes).fetchall() == [("city", 1), ("district", 8)]
        mark, share = one(
            connection,
            "SELECT mark, reach_share FROM marts.metro_reach WHERE scope_type = 'city'",
        )
        assert mark == "modelled"  # the grid is a model, whatever else is published
        assert 0.05 < share < 0.3
        notices = "SELECT count(*) FROM staging.feed_notices"
        assert one(connection, notices)[0] > 0  # duplicated departures are said so


def test_a_night_of_a_real_register(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = shared_data / "fleet" / "pvta" / "vehicles-summary.csv"
    with register.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["Equipment ID"]: row["Type"] for row in reversed(list(csv.DictReader(file)))}
    expected = Counter("diesel" if fuel == "conventional" else fuel for fuel in rows.values())
    with published("springfield", "2022-09-30", tmp_path, monkeypatch) as connection:
        found = connection.sql(
            "SELECT fuel_type, vehicle_count FROM marts.diesel_phase_out"
            " WHERE status_scope = 'with reserve' AND vehicle_count > 0"
        ).fetchall()
        assert dict(found) == expected
