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

from pipelines.city_file import load_city
from pipelines.errors import QalaError
from tests.toy_city import run_night

pytestmark = [pytest.mark.slow, pytest.mark.long]

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


def check_means(connection: duckdb.DuckDBPyConnection, kinds: set[str]) -> None:
    """What residents reach on average is the mean over cells that the tables of cells give."""
    means = connection.sql(
        """
        SELECT opportunity_type, figure.reached_count, sum(population_p50 * cells.reached_count)
            / sum(population_p50) AS mean_count
        FROM marts.accessibility AS figure
        JOIN marts.opportunities_reached AS cells
            USING (inputs_id, opportunity_type, threshold_minutes, percentile)
        JOIN marts.cell_access USING (cell_id)
        WHERE scope_type = 'city' AND mode_set = 'all'
        GROUP BY opportunity_type, threshold_minutes, percentile, figure.reached_count
        """
    ).fetchall()
    assert {kind for kind, _, _ in means} == kinds
    assert len(means) == 9 * len(kinds)
    for _, told, computed in means:
        assert told == pytest.approx(computed, abs=2e-3)


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
        kinds = {kind for (kind,) in connection.sql("SELECT kind FROM meta.sources").fetchall()}
        assert kinds == {
            source.kind for source in load_city(CITIES / f"{name}.toml").sources.values()
        }
        dates = "SELECT DISTINCT service_date FROM marts.{}"
        for table in ("route_stats", "stop_stats", "metro_reach", "bus_reach"):
            assert connection.sql(dates.format(table)).fetchall() == [(date.fromisoformat(key),)]
        if name == "porto_alegre":
            check_means(connection, {"people", "jobs", "schools", "clinics"})
            half = (
                "SELECT reached_share FROM marts.accessibility WHERE mode_set = 'all'"
                " AND opportunity_type = 'jobs' AND threshold_minutes = 45 AND percentile = 50"
            )
            assert 0.5 < one(connection, half)[0] < 0.9


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
        people = "SELECT residents_within_count FROM marts.metro_reach WHERE scope_type = 'city'"
        (near,) = one(connection, people)
        ten_minutes = (
            "SELECT sum(residents_count) FROM marts.access_typology"
            " WHERE scope_type = 'city' AND access_class = 'high'"
        )
        assert 0 < one(connection, ten_minutes)[0] < near  # 800 m to walk instead of 1,000
        banded = "SELECT sum(residents_count) FROM marts.ptal WHERE scope_type = 'city'"
        assert one(connection, banded)[0] == pytest.approx(2_351_424, abs=1)
        worst = (
            "SELECT worst_share, best_district_id, district_count FROM marts.reach_equity"
            " WHERE figure_table = 'marts.metro_reach'"
        )
        assert one(connection, worst) == (0.0, "almaly", 8)
        assert one(connection, "SELECT count(*) FROM marts.suburban_rail") == (0,)
        check_means(connection, {"people"})
        # The metro is all there is.
        assert one(
            connection,
            "SELECT count(DISTINCT inputs_id), count(inputs_id) FROM marts.reach_inputs"
            " WHERE mode_set IN ('all', 'metro', 'metro and bus')",
        ) == (1, 3)
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
            " WHERE status_scope = 'with reserve' AND operator_name = 'all' AND vehicle_count > 0"
        ).fetchall()
        assert dict(found) == expected
