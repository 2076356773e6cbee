"""Nights share travel times while their inputs are the same, and compute them anew when not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines import run
from pipelines.build import INPUTS_ID, inputs_keys
from pipelines.contracts import load_contract
from pipelines.errors import QalaError
from pipelines.flow import table
from pipelines.settings import load_settings
from pipelines.warehouse.lake import open_lake
from tests.toy_city import CITY, PEOPLE, run_night, write_toy_city
from tests.toy_feeds import FILES, toy_feed

pytestmark = [pytest.mark.slow, pytest.mark.long]

FIGURES = 'figures = ["metro_contribution", "reach_change"]\n'
REACH = CITY.replace("[city]\n", f"[city]\n{FIGURES}", 1)
TUESDAY = "2026-11-17"
ROUTED = ("marts.reach_inputs", "marts.travel_times", "marts.opportunities_reached")


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy city's folder, its figures by travel time alone."""
    monkeypatch.setenv("QALA_CITY", str(write_toy_city(tmp_path / "toy", city=REACH)))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    return tmp_path / "toy"


def routed(key: str) -> dict[str, str]:
    """Outcomes of a night's steps up to the tables by inputs."""
    for source_id in ("transit", "people", "districts"):
        run.load(source_id, run.fetch(source_id, key, "r"), key, "r")
    return {name.partition(".")[2]: run.build(name, key, "r")["outcome"] for name in ROUTED}


def inputs_ids(key: str) -> dict[str, str | None]:
    """Inputs by mode set, as the lake has them."""
    name = "marts.reach_inputs"
    with open_lake(load_settings()) as lake:
        rows = lake.read(name, load_contract(table(name)), "service_date = ?", [key])
    return dict(rows.select("mode_set", INPUTS_ID).iter_rows())


def partitions() -> set[str]:
    """Inputs that the lake has travel times of."""
    name = "marts.travel_times"
    with open_lake(load_settings()) as lake:
        return set(lake.read(name, load_contract(table(name))).get_column(INPUTS_ID))


COMPUTED = {"reach_inputs": "done", "travel_times": "done", "opportunities_reached": "done"}
SHARED = COMPUTED | {"travel_times": "unchanged", "opportunities_reached": "unchanged"}


def test_a_second_night_computes_no_reach(city: Path) -> None:
    assert routed("2026-11-17") == COMPUTED
    known = partitions()
    assert routed("2026-11-18") == SHARED
    # On Sunday what rides is what the buses of any weekday are.
    assert routed("2026-11-22") == SHARED
    assert inputs_ids("2026-11-17") == inputs_ids("2026-11-18")
    assert inputs_ids("2026-11-22")["all"] == inputs_ids("2026-11-18")["bus"]
    assert partitions() == known


def _later_trip(city: Path) -> None:
    calls = FILES["stop_times"].replace("M1-0710,07:16:00,07:16:00", "M1-0710,07:17:00,07:17:00")
    (city / "transit.zip").write_bytes(toy_feed(stop_times=calls))


def _moved_stop(city: Path) -> None:
    stops = FILES["stops"].replace("MC,Metro Gamma,43.2400", "MC,Metro Gamma,43.2401")
    (city / "transit.zip").write_bytes(toy_feed(stops=stops))


def _more_people(city: Path) -> None:
    (city / "people.csv").write_text(PEOPLE.replace("90,100,110", "90,101,110"))


def _other_window(city: Path) -> None:
    window = '\n[departure_window]\nstart = "07:00"\nend = "09:01"\n'
    (city / "toy.toml").write_text(REACH + window)


def test_tasks_share_the_sets_of_inputs_the_largest_first(city: Path) -> None:
    for source_id in ("transit", "people", "districts"):
        run.load(source_id, run.fetch(source_id, TUESDAY, "r"), TUESDAY, "r")
    run.build("marts.reach_inputs", TUESDAY, "r")
    name, times = "marts.reach_inputs", table("marts.travel_times")
    with open_lake(load_settings()) as lake:
        rows = lake.read(name, load_contract(table(name))).drop_nulls(INPUTS_ID)
        order = [key[INPUTS_ID] for key in inputs_keys(lake, times, date.fromisoformat(TUESDAY))]
    sizes = {row[INPUTS_ID]: row["run_count"] * row["draw_count"] for row in rows.to_dicts()}
    assert [sizes[one] for one in order] == sorted(sizes.values(), reverse=True)  # type: ignore[index]  # texts
    assert len(set(sizes.values())) > 1
    for place in (0, 1):
        before = partitions() if place else set()
        assert run.build(times.name, TUESDAY, "r", share=(place, 2))["outcome"] == "done"
        assert partitions() - before == set(order[place::2])
    assert run.build(times.name, TUESDAY, "r")["outcome"] == "unchanged"


def test_what_travel_times_stand_on_makes_them_anew(city: Path) -> None:
    routed("2026-11-09")
    before = inputs_ids("2026-11-09")
    changes = (_later_trip, _moved_stop, _more_people, _other_window)
    for number, change in enumerate(changes):
        write_toy_city(city, city=REACH)
        change(city)
        key = f"2026-11-{10 + number}"
        assert routed(key) == COMPUTED, change.__name__
        after = inputs_ids(key)
        assert before["all"] != after["all"]
        # Buses are the same where a metro trip or stop is another one.
        assert (before["bus"] == after["bus"]) == (change in {_later_trip, _moved_stop})


def test_a_feed_with_another_name_for_a_trip_computes_no_reach(city: Path) -> None:
    routed("2026-11-17")
    files = {name: FILES[name].replace("B1,", "B-one,") for name in ("trips", "stop_times")}
    files["trips"] = FILES["trips"].replace("B1,", "B-one,")
    (city / "transit.zip").write_bytes(toy_feed(**files))
    assert routed("2026-11-18") == SHARED


def test_nights_go_out_with_what_they_share(city: Path) -> None:
    for key in ("2026-11-17", "2026-11-18"):
        told = run_night(key)
        assert not [error for error in told.values() if isinstance(error, QalaError)]
    with duckdb.connect(str(load_settings().publish / "toy.duckdb"), read_only=True) as out:
        tables = {f"{schema}.{name}" for schema, name in out.sql(
            "SELECT schema_name, table_name FROM duckdb_tables()"
        ).fetchall()}  # fmt: skip
        assert "marts.travel_times" not in tables  # too large a table for a file that is handed on
        # Four cells, three sets of inputs, three thresholds by three percentiles.
        count = "SELECT count(*), count(DISTINCT inputs_id) FROM marts.opportunities_reached"
        assert out.sql(count).fetchone() == (4 * 3 * 9, 3)
        # South and North walk to each other in half an hour; far and outside stay by themselves.
        reached = (
            "SELECT scope_id, reached_count FROM marts.accessibility"
            " WHERE service_date = '2026-11-18' AND mode_set = 'all' AND percentile = 50"
            " AND threshold_minutes = 30 ORDER BY scope_id"
        )
        assert out.sql(reached).fetchall() == [
            ("north", (200 * 300 + 300 * 300) / 500),
            ("south", 300.0),
            ("toy", round((100 * 300 + 200 * 300 + 300 * 300 + 2 * 2) / 602, 3)),
        ]
        change = (
            "SELECT compared_date::VARCHAR, change, method_change, timetable_change"
            " FROM marts.reach_change WHERE scope_type = 'city'"
            " AND figure_table = 'marts.metro_reach' AND figure_column = 'reach_share'"
        )
        assert out.sql(change).fetchall() == [("2026-11-17", 0.0, 0.0, 0.0)]
