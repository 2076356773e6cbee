"""Nights of a toy city, step by step: the same twice, late, broken, critical, restated."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from polars.testing import assert_frame_equal

from pipelines import run
from pipelines.audit import read_results
from pipelines.city_file import load_city
from pipelines.contracts.meta import CHECKS, META
from pipelines.errors import AuditError, CriticalSourceError, QalaError
from pipelines.fingerprint import ROOT
from pipelines.known_at import open_known
from pipelines.settings import load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import open_lake
from pipelines.warehouse.publish import Connection, open_published
from tests.brief.read_back import Page
from tests.toy_city import CITY, FEW, FLEET, run_night, write_toy_city
from tests.toy_feeds import toy_feed

pytestmark = [pytest.mark.slow, pytest.mark.long]

DAY = "2026-11-18"
NEXT_DAY = "2026-11-19"
Told = dict[str, run.Report | QalaError]


@dataclass(frozen=True)
class Toytown:
    """A toy city on disk, with the environment pointing at it."""

    folder: Path

    @property
    def publish(self) -> Path:
        return self.folder / "data" / "toy" / "publish"

    def extracts(self, key: str = DAY) -> dict[str, str]:
        folder = self.publish / "extracts" / key
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    def brief(self, key: str = DAY) -> Path:
        return self.publish / "brief" / key / "index.html"

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self.publish / "status.json").read_text())
        return status

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.publish / "toy.duckdb"), read_only=True) as connection:
            return connection.sql(sql).fetchall()


def point_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Toytown:
    monkeypatch.setenv("QALA_CITY", str(folder / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(folder / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    return Toytown(folder)


def one_night(folder: Path, city: str) -> Path:
    write_toy_city(folder, city=city)
    with pytest.MonkeyPatch.context() as patch:
        point_at(folder, patch)
        told = run_night(DAY, "first")
    assert not [error for error in told.values() if isinstance(error, QalaError)]
    return folder


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy city after its first night; tests work on copies."""
    return one_night(tmp_path_factory.mktemp("first"), CITY)


@pytest.fixture(scope="module")
def first_night_of_few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with few figures."""
    return one_night(tmp_path_factory.mktemp("few"), FEW)


@pytest.fixture
def after_first(
    first_night_of_few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Toytown:
    """The toy city of few figures on the day after its first night."""
    shutil.copytree(first_night_of_few, tmp_path / "copy")
    return point_at(tmp_path / "copy", monkeypatch)


@pytest.fixture
def after_all(first_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toytown:
    """The toy city of all figures on the day after its first night."""
    shutil.copytree(first_night, tmp_path / "copy")
    return point_at(tmp_path / "copy", monkeypatch)


@pytest.fixture
def toytown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toytown:
    write_toy_city(tmp_path)
    return point_at(tmp_path, monkeypatch)


def report_of(told: Told, step: str) -> run.Report:
    report = told[step]
    assert not isinstance(report, QalaError), report
    return report


def outcomes(told: Told) -> set[str]:
    return {report["outcome"] for report in told.values() if not isinstance(report, QalaError)}


def test_a_night_twice_is_the_same_and_the_second_computes_nothing(after_all: Toytown) -> None:
    extracts, file = after_all.extracts(), (after_all.publish / "toy.duckdb").stat()
    second = run_night(DAY, "second")
    assert [s for s in second if report_of(second, s)["outcome"] == "done"] == ["close"]
    assert outcomes(second) == {"unchanged", "done"}
    assert after_all.extracts() == extracts
    assert (after_all.publish / "toy.duckdb").stat().st_ino == file.st_ino
    assert after_all.status()["last_night"]["outcome"] == "published"


def test_a_city_of_few_figures_publishes_these_and_what_they_stand_on(after_first: Toytown) -> None:
    marts = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts' ORDER BY 1"
    assert [name for (name,) in after_first.ask(marts)] == [
        "bus_reach",
        "diesel_phase_out",
        "metro_reach",
        "ring_road_diversion",
        "trip_stats",
        "vehicle_history",
    ]


def test_another_clone_elsewhere_gives_the_same_bytes(first_night: Path, toytown: Toytown) -> None:
    run_night(DAY, "another run")
    assert toytown.extracts() == Toytown(first_night).extracts()
    assert toytown.brief().read_bytes() == Toytown(first_night).brief().read_bytes()
    for table in META:
        rows = f"SELECT * FROM {table} ORDER BY ALL"
        assert toytown.ask(rows) == Toytown(first_night).ask(rows)


def test_figures_of_the_toy_city_are_those_that_a_person_counts(after_first: Toytown) -> None:
    reach = "SELECT scope_id, residents_count, residents_within_count FROM marts.{}_reach"
    assert set(after_first.ask(reach.format("metro"))) == {
        ("toy", 602.0, 100.0),
        ("north", 500.0, 0.0),
        ("south", 100.0, 100.0),
    }
    assert ("toy", 602.0, 200.0) in after_first.ask(reach.format("bus")) or after_first.ask(
        "SELECT mark FROM marts.bus_reach"
    ) == [("modelled",)] * 3
    diesel = (
        "SELECT status_scope, vehicle_count, fleet_count FROM marts.diesel_phase_out"
        " WHERE fuel_type = 'diesel' AND service_scope = 'city and suburban'"
        " AND operator_name = 'all' ORDER BY 1"
    )
    assert after_first.ask(diesel) == [("in service", 1, 3), ("with reserve", 2, 4)]
    ring = "SELECT matched_count, matched_ring_count FROM marts.ring_road_diversion"
    assert after_first.ask(ring) == [(140, 84)]


def test_a_commitment_is_judged_by_the_figure_that_it_names(after_all: Toytown) -> None:
    status = "SELECT status, measured_value FROM marts.commitments_status"
    assert after_all.ask(status) == [("overdue", 1.0)]


def test_comments_and_types_of_the_published_file(after_all: Toytown) -> None:
    silent = after_all.ask(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        " AND coalesce(comment, '') = ''"
    )
    assert silent == []
    assert after_all.ask("SELECT count(*) > 10 FROM duckdb_tables() WHERE comment <> ''") == [
        (True,)
    ]
    assert after_all.ask("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops'") == [(0,)]
    assert after_all.ask("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'passages'") == [
        (0,)
    ]
    assert (after_all.publish / "toy.duckdb").stat().st_mode & 0o777 == 0o444
    # DuckDB 1.0 opens no file of 1.5 that has keys or indexes.
    keyed = "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type <> 'NOT NULL'"
    assert after_all.ask(keyed) == [(0,)]
    assert after_all.ask("SELECT count(*) FROM duckdb_indexes()") == [(0,)]


def test_every_documented_query_has_an_answer(after_all: Toytown) -> None:
    page = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"(?m)^## (\d+)\. ", page)] == list(range(1, 11))
    with open_published(after_all.publish / "toy.duckdb") as connection:
        answers = [
            connection.execute(query).fetchall()
            for query in re.findall(r"```sql\n(.+?)```", page, re.DOTALL)
        ]
    assert all(answers)
    near_metro = [(name, within, of, share) for _, name, within, of, share, *_ in answers[0]]
    assert near_metro[0] == ("Toytown", 100.0, 602.0, 16.6)
    assert answers[-1] == [("north", 3), ("south", 3)]


def test_every_number_of_the_brief_is_the_published_mart_s(after_all: Toytown) -> None:
    page = Page(after_all.brief().read_text(encoding="utf-8"))
    assert "track" in {attributes.get("class") for attributes in page.with_tag("path")}
    numbers = page.numbers()
    assert {"marts.metro_reach", "marts.diesel_burn_down"} <= {table for table, *_ in numbers}
    for table, column, key, value in numbers:
        where = " AND ".join(f"{name}::VARCHAR = '{text}'" for name, text in key.items())
        rows = after_all.ask(f"SELECT {column} FROM {table} WHERE {where}")
        as_change = table == "marts.ring_road_effect" and "ratio" in column
        assert [value + as_change] == [pytest.approx(found) for (found,) in rows], (table, key)


def test_a_lost_brief_comes_back_as_it_was(after_first: Toytown) -> None:
    before = after_first.brief().read_bytes()
    after_first.brief().unlink()
    assert run.publish(DAY, "again")["outcome"] == "done"
    assert after_first.brief().read_bytes() == before
    assert run.publish(DAY, "once more")["outcome"] == "unchanged"


def test_two_nights_are_both_published_and_a_fleet_without_change_is_not_read_again(
    after_first: Toytown,
) -> None:
    told = run_night(NEXT_DAY)
    assert report_of(told, "load fleet")["outcome"] == "unchanged"
    assert report_of(told, "build marts.trip_stats")["outcome"] == "unchanged"
    dates = "SELECT DISTINCT service_date::VARCHAR FROM marts.metro_reach ORDER BY 1"
    assert after_first.ask(dates) == [(DAY,), (NEXT_DAY,)]
    assert after_first.status()["published"]["service_date"] == NEXT_DAY


BROKEN_FEEDS = {
    "truncated": lambda folder: (folder / "transit.zip").write_bytes(toy_feed()[:700]),
    "missing": lambda folder: (folder / "transit.zip").unlink(),
    "no zip": lambda folder: (folder / "transit.zip").write_bytes(b"<html>Maintenance</html>"),
    "without stops": lambda folder: (folder / "transit.zip").write_bytes(toy_feed(stops=None)),
}


@pytest.mark.parametrize("how", BROKEN_FEEDS)
def test_a_broken_critical_feed_keeps_what_was_published(after_first: Toytown, how: str) -> None:
    extracts, file = after_first.extracts(), (after_first.publish / "toy.duckdb").stat()
    BROKEN_FEEDS[how](after_first.folder)
    told = run_night(NEXT_DAY, "broken")
    error = told["load transit"]
    assert isinstance(error, CriticalSourceError)
    assert "Traceback" not in str(error)
    assert str(error).startswith("Source transit failed")
    assert "publish" not in told
    assert after_first.extracts() == extracts
    assert (after_first.publish / "toy.duckdb").stat().st_ino == file.st_ino
    assert not (after_first.publish / "extracts" / NEXT_DAY).exists()
    status = after_first.status()
    assert status["published"]["service_date"] == DAY
    assert isinstance(status["published"]["age_days"], int)
    assert status["last_night"]["outcome"] == "failed"
    assert [failure["step"] for failure in status["last_night"]["failures"]] == ["load transit"]
    with open_lake(load_settings(), read_only=True) as lake:
        attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "run_id = 'broken'")
        failed = attempts.filter(outcome="failed")
        assert failed.get_column("source_id").to_list() == ["transit"]
        assert failed.item(0, "reason")


BROKEN_REGISTERS = {
    "renamed column": lambda folder: (folder / "fleet.csv").write_text(
        FLEET.replace("fuel_type", "fuel")
    ),
    "missing": lambda folder: (folder / "fleet.csv").unlink(),
    "unreachable": lambda folder: (folder / "toy.toml").write_text(
        CITY.replace('"fleet.csv"', '"http://127.0.0.1:9/fleet.csv"\nallow_private = true')
    ),
    "mostly nonsense": lambda folder: (folder / "fleet.csv").write_text(
        FLEET.replace("diesel", "coal").replace("cng", "peat")
    ),
}


def fetch_and_load(source_id: str, key: str, run_id: str) -> run.Report:
    return run.load(source_id, run.fetch(source_id, key, run_id), key, run_id)


@pytest.mark.parametrize("how", BROKEN_REGISTERS)
def test_a_broken_register_is_an_outcome_with_its_reason(
    after_first: Toytown, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.sources.fetch.retries.FIRST_PAUSE_SECONDS", 0.001)
    BROKEN_REGISTERS[how](after_first.folder)
    load = fetch_and_load("fleet", NEXT_DAY, "broken")
    assert load["outcome"] == "stale"
    assert load["text"]
    with open_lake(load_settings(), read_only=True) as lake:
        attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "run_id = 'broken'")
        failed = attempts.filter(outcome="failed")
        assert failed.get_column("source_id").unique().to_list() == ["fleet"]  # a row for each try
        assert failed.item(0, "reason") == load["text"]


def test_a_broken_register_is_carried_by_its_last_good_version(after_first: Toytown) -> None:
    BROKEN_REGISTERS["renamed column"](after_first.folder)
    told = run_night(NEXT_DAY, "broken")
    assert report_of(told, "load fleet")["outcome"] == "stale"
    assert "publish" in told
    stale = after_first.status()["stale_sources"]
    assert [(s["source_id"], s["good_date"]) for s in stale] == [("fleet", DAY)]
    count = (
        "SELECT vehicle_count FROM marts.diesel_phase_out WHERE fuel_type = 'diesel'"
        " AND status_scope = 'in service' AND service_scope = 'city and suburban'"
        " AND operator_name = 'all'"
    )
    assert after_first.ask(count) == [(1,), (1,)]


def test_a_register_that_never_came_gives_null_and_the_reason(toytown: Toytown) -> None:
    (toytown.folder / "toy.toml").write_text(FEW)
    (toytown.folder / "fleet.csv").unlink()
    told = run_night(DAY)
    assert report_of(told, "load fleet")["outcome"] == "failed"
    rows = toytown.ask(
        "SELECT DISTINCT vehicle_count, reason IS NOT NULL FROM marts.diesel_phase_out"
    )
    assert rows == [(None, True)]


def test_a_changed_past_register_changes_the_night_and_is_known_as_before(
    after_first: Toytown,
) -> None:
    before, file = after_first.extracts(), after_first.publish / "toy.duckdb"
    published = whole_file(file)
    instant = datetime.now(UTC)
    with open_lake(load_settings(), read_only=True) as lake:
        snapshot = lake.snapshot_id()
    (after_first.folder / "fleet.csv").write_text(FLEET.replace("2,Green,diesel", "2,Green,cng"))
    told = run_night(DAY, "again")
    changed = {s for s in told if report_of(told, s)["outcome"] == "done"}
    assert {s for s in changed if s.startswith("build")} == {
        "build marts.vehicle_history",
        "build marts.diesel_phase_out",
    }
    after = after_first.extracts()
    assert {name.partition(".")[0] for name in after if after[name] != before[name]} == {
        "manifest",
        "restatements",
        "diesel_phase_out",
    }
    with open_lake(load_settings(), read_only=True) as lake:
        count = lake.query(
            f"SELECT vehicle_count FROM {lake.address('marts.diesel_phase_out')}"
            f" AT (VERSION => {snapshot}) WHERE fuel_type = 'diesel'"
            " AND status_scope = 'in service' AND service_scope = 'city and suburban'"
            " AND operator_name = 'all'"
        )
        assert count.rows() == [(1,)]
    settings = load_settings()
    city = load_city(settings.city_file)
    with open_known(settings, city, instant) as connection:
        assert rows_of(connection) == published
    with open_known(settings, city, datetime.now(UTC)) as connection:
        assert rows_of(connection) == whole_file(file) != published
    with (
        pytest.raises(QalaError, match="Nothing was published by 2020"),
        open_known(settings, city, datetime(2020, 1, 1, tzinfo=UTC)),
    ):
        pass


def whole_file(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with open_published(path) as connection:
        return rows_of(connection)


def rows_of(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in order."""
    names = connection.execute("SELECT table_name FROM meta.tables ORDER BY 1").fetchall()
    return {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for (name,) in names}


def test_a_failed_audit_keeps_the_night_before_and_a_later_night_leaves_it_out(
    after_first: Toytown, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracts = after_first.extracts()
    # Nobody lives anywhere any more: rows keep their contract, an expectation does not hold.
    people = after_first.folder / "people.csv"
    good = people.read_text()
    people.write_text("cell_id,latitude,longitude,population_p50\nx,43.24,76.9,0\n")
    told = run_night(NEXT_DAY, "audited")
    error = told["audit"]
    assert isinstance(error, AuditError), told
    assert after_first.extracts() == extracts
    assert after_first.status()["published"]["service_date"] == DAY
    assert after_first.status()["checks"]["critical_failures"] > 0
    people.write_text(good)
    run_night("2026-11-20", "good again")
    dates = "SELECT DISTINCT service_date::VARCHAR FROM marts.metro_reach ORDER BY 1"
    assert after_first.ask(dates) == [(DAY,), ("2026-11-20",)]


def test_an_audit_that_leaves_out_clean_partitions_finds_what_a_whole_one_finds(
    after_first: Toytown,
) -> None:
    run_night(NEXT_DAY, "narrow")
    day = date.fromisoformat(NEXT_DAY)
    with open_lake(load_settings()) as lake:
        narrow = read_results(lake, day)
        known = lake.read("ops.table_audits", ops.TableAudits)
        lake.call(f"DELETE FROM {lake.address('ops.table_audits')}")
        lake.call(f"DELETE FROM {lake.address('ops.partitions')} WHERE table_name = '{CHECKS}'")
    assert max(len(parts.split()) for parts in known.get_column("clean_parts")) > 1
    assert run.audit(NEXT_DAY, "whole")["outcome"] == "done"
    with open_lake(load_settings()) as lake:
        assert_frame_equal(read_results(lake, day), narrow)
        again = lake.read("ops.table_audits", ops.TableAudits)
    assert set(again.get_column("table_name")) >= set(known.get_column("table_name"))


def test_passages_with_plates_in_clear_leave_no_trace(toytown: Toytown) -> None:
    path = toytown.folder / "passages" / "2026-11-18.csv"
    text = path.read_text().replace("plate_hash", "plate")
    path.write_text(text.replace("0000", "A123BC02"))
    load = fetch_and_load("passages", DAY, "plates")
    assert load["outcome"] == "stale"  # the other days came, this one never did
    assert "A123BC02" not in load["text"]
    for file in (toytown.folder / "data").rglob("*"):
        if file.is_file():
            assert b"A123BC02" not in file.read_bytes(), file


def test_keys_that_are_no_service_dates() -> None:
    for key in (None, "", "yesterday", "2026-1-5", "20261118"):
        with pytest.raises(QalaError, match="needs its service date"):
            run.service_date(key)
    assert run.service_date(DAY) == DAY
