"""A night of the toy city run to its end in a process of its own, as the command line does."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.settings import ROOT
from tests.toy_city import SMALL

KEY = "2026-11-18"
LINE = re.compile(r"\[ *(\d+)/(\d+)\] (\S+) (\S* ) *(done|unchanged|stale|failed) +[\d.]+ s")

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def run_night(environment: dict[str, str], key: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "dags" / "embedded.py"), "--date", key],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def environment(
    airflow_environment: dict[str, str], airflow_home: Path, tmp_path: Path
) -> dict[str, str]:
    """The small toy city in a folder of its own, with homes of its own."""
    city = shutil.copytree(Path(airflow_environment["QALA_CITY"]).parent, tmp_path / "city")
    (city / "toy.toml").write_text(SMALL)
    return {
        **airflow_environment,
        "AIRFLOW_HOME": str(shutil.copytree(airflow_home, tmp_path / "airflow")),
        "QALA_CITY": str(city / "toy.toml"),
        "QALA_DATA": str(tmp_path / "data"),
    }


def runs_of(environment: dict[str, str]) -> list[tuple[str, str, str]]:
    with sqlite3.connect(Path(environment["AIRFLOW_HOME"]) / "airflow.db") as database:
        return database.execute(
            "SELECT dag_id, partition_key, state FROM dag_run ORDER BY dag_id"
        ).fetchall()


def test_a_night_runs_to_its_end_with_its_key_and_again(environment: dict[str, str]) -> None:
    first = run_night(environment, KEY)
    assert first.returncode == 0, first.stdout
    lines = [LINE.match(line) for line in first.stdout.splitlines()]
    assert all(lines), first.stdout
    numbers = [(int(line[1]), int(line[2])) for line in lines if line]
    assert numbers == [(number, len(lines)) for number in range(1, len(lines) + 1)]
    assert "ingest_fleet.load fleet" in first.stdout
    published = [("deliver", KEY, "success"), ("nightly", KEY, "success")]
    assert runs_of(environment) == published

    again = run_night(environment, KEY)
    assert again.returncode == 0, again.stdout
    outcomes = {line[3]: line[5] for line in map(LINE.match, again.stdout.splitlines()) if line}
    assert {outcomes[name] for name in outcomes if name.startswith("build_marts.")} == {"unchanged"}
    assert outcomes["publish"] == "unchanged"
    assert runs_of(environment) == published


def test_a_failed_night_says_why_in_a_sentence(environment: dict[str, str]) -> None:
    (Path(environment["QALA_CITY"]).parent / "transit.zip").write_bytes(b"no zip")
    night = run_night(environment, KEY)
    assert night.returncode == 1
    assert "ingest_gtfs.load transit" in night.stdout
    *_, reason, log = night.stdout.splitlines()
    assert "Source transit failed, and the city file calls it critical" in reason
    assert "Traceback" not in night.stdout + night.stderr
    assert "CriticalSourceError" not in night.stdout
    assert Path(log.removeprefix("The log is ")).is_file()
    assert runs_of(environment) == [("nightly", KEY, "failed")]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("2026-31-11", "needs its service date"),
        ("2019-12-31", "No night before 2020-01-01 can be run"),
    ],
)
def test_a_night_that_cannot_start_says_so(
    environment: dict[str, str], key: str, reason: str
) -> None:
    night = run_night(environment, key)
    assert night.returncode == 2
    assert reason in night.stdout.splitlines()[0]


def test_a_wrong_city_file_is_a_sentence(environment: dict[str, str]) -> None:
    Path(environment["QALA_CITY"]).write_text('[city]\nid = "toy"\n')
    night = run_night(environment, KEY)
    assert night.returncode == 2
    assert "`city.name` is missing" in night.stdout.splitlines()[0]
