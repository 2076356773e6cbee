"""Nights of the sample city's fleet and counts: killed on the way, gone on with, made again.

A year of them is the long form. Rows, files and snapshots stay within what docs/past-nights.md
states.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines import backfill
from pipelines.settings import ROOT, load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import forget_lake, open_lake
from tests.toy_city import write_toy_city

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.long]

FIRST, LAST, DAYS = "2026-11-12", "2026-11-18", 7
YEAR = ("2025-11-01", "2026-10-31", 365)
YEAR_SECONDS = 3600
SOURCES = ["fleet", "fleet_snapshots", "count_stations", "counts", "ring_road_levels"]
FIGURES = ["diesel_phase_out", "diesel_burn_down", "fleet_reconciliation", "station_aadt"]

# What a night adds (docs/past-nights.md): rows of ops.* for each table, source and step, files only
# where a partition has more than 200 rows: six a night, and two more for each month.
ROWS_A_NIGHT = 160
FILES_A_NIGHT = 7
SNAPSHOTS_A_NIGHT = 40


@pytest.fixture
def environment(airflow_home: Path, tmp_path: Path) -> Mapping[str, str]:
    left_out = ("QALA_CATALOG", "QALA_OBJECTS", "QALA_AIRFLOW_HOME")
    data = tmp_path / "data"
    (data / "almaty").mkdir(parents=True)
    airflow_home.rename(data / "almaty" / "airflow")
    return {
        **{name: value for name, value in os.environ.items() if name not in left_out},
        "QALA_CITY": str(sample_city(tmp_path / "city")),
        "QALA_DATA": str(data),
    }


def sample_city(folder: Path) -> Path:
    """The sample city with fleet and count stations alone."""
    folder.mkdir()
    for path in (ROOT / "cities").glob("almaty.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    head, *sources = re.split(r"(?m)^(?=\[sources\.)", (ROOT / "cities/almaty.toml").read_text())
    wanted = re.compile(rf"\[sources\.({'|'.join(SOURCES)})[\].]")
    chosen = "".join(source for source in sources if wanted.match(source))
    text = head.replace("[city]\n", f"[city]\nfigures = {FIGURES}\n", 1) + chosen
    assert set(tomllib.loads(text)["sources"]) == set(SOURCES)
    (folder / "almaty.toml").write_text(text)
    return folder / "almaty.toml"


@pytest.fixture
def airflow_home(tmp_path: Path) -> Path:
    """A home with a database that is ready."""
    home = tmp_path / "airflow"
    ready = "from dags.embedded import prepare_environment as e, prepare_database as d; e(); d()"
    environment = {**os.environ, "AIRFLOW_HOME": str(home)}
    subprocess.run([sys.executable, "-c", ready], env=environment, cwd=ROOT, check=True)
    return home


def begin(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    return run_qala(environment, "backfill", *arguments)


def run_qala(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        env=dict(environment), cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def published(environment: Mapping[str, str]) -> dict[str, int]:
    """Publications, rows of the records, files and snapshots of the lake."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("QALA_CITY", "QALA_DATA"):
            patch.setenv(name, environment[name])
        settings = load_settings()
        with open_lake(settings, read_only=True) as lake:
            nights = lake.read("ops.publications", ops.Publications)
            names = ("partitions", "night_sources", "fetch_attempts", "steps")
            rows = [
                lake.query(f"SELECT count(*) FROM {lake.address('ops.' + name)}").item()
                for name in names
            ]
            snapshots = lake.snapshot_id()
        forget_lake(settings)
    files = len(list(Path(settings.objects).rglob("*.parquet")))
    assert not nights.get_column("service_date").is_duplicated().any()
    return {"nights": nights.height, "rows": sum(rows), "files": files, "snapshots": snapshots}


def wait_for_line(process: subprocess.Popen[str], pattern: str) -> None:
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return
    pytest.fail(f"no line {pattern} in {seen}")


def test_a_week_is_gone_on_with_after_a_kill(environment: Mapping[str, str]) -> None:
    killed = begin(environment, FIRST, LAST)
    wait_for_line(killed, r"\[2/7\] 2026-11-13 published")
    time.sleep(1)  # somewhere in the third night
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    early = published(environment)
    assert 2 <= early["nights"] < DAYS

    again = begin(environment, FIRST, LAST)
    said, _ = again.communicate(timeout=900)
    assert again.returncode == 0, said
    left = DAYS - early["nights"]
    assert f"{left} of {DAYS} nights are missing" in said
    assert f"{left} nights run, {early['nights']} were there, 0 are missing" in said
    late = published(environment)
    assert late["nights"] == DAYS
    assert_within_bounds(early, late)

    nothing = begin(environment, FIRST, LAST)
    said, _ = nothing.communicate(timeout=120)
    assert nothing.returncode == 0, said
    assert f"0 of {DAYS} nights are missing" in said

    seed = int(os.environ.get("QALA_SEED") or random.randrange(10_000))
    past = date.fromisoformat(FIRST) + timedelta(days=random.Random(seed).randrange(DAYS))
    replayed = run_qala(environment, "replay", past.isoformat())
    said, _ = replayed.communicate(timeout=600)
    assert replayed.returncode == 0, f"QALA_SEED={seed}: {said}"


def assert_within_bounds(early: Mapping[str, int], late: Mapping[str, int]) -> None:
    nights = late["nights"] - early["nights"] + 1  # one was killed
    grown = {name: late[name] - early[name] for name in ("rows", "files", "snapshots")}
    bounds = {"rows": ROWS_A_NIGHT, "files": FILES_A_NIGHT, "snapshots": SNAPSHOTS_A_NIGHT}
    assert not {
        name: f"{grown[name]} in {nights} nights"
        for name, most in bounds.items()
        if grown[name] > most * nights
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((LAST, FIRST), "are not days in order that have ended"),
        (("yesterday", LAST), "are no dates"),
        ((FIRST, "2999-01-01"), "are not days in order that have ended"),
        ((FIRST, LAST, "--at-once", "2"), "Without a scheduler nights are run one by one"),
    ],
)
def test_what_can_t_run_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    city = write_toy_city(tmp_path / "city")
    environment = {**os.environ, "QALA_CITY": str(city), "QALA_DATA": str(tmp_path / "data")}
    process = begin(environment, *arguments)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 2, told
    assert said in told
    assert "Traceback" not in told


def test_a_failed_night_holds_up_no_other_by_the_scheduler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QALA_DATA", str(tmp_path))
    asked: list[list[str]] = []

    def run(program: str, arguments: list[str], environment: Mapping[str, str]) -> int:
        asked.append(arguments[:2])
        return backfill.FINDINGS if len(asked) == 1 else 0

    monkeypatch.setattr(backfill, "run_on_dags", run)
    missing = [date(2026, 11, day) for day in (2, 3, 7)]
    assert backfill._by_scheduler(load_settings(), missing, at_once=1) == backfill.FINDINGS
    assert asked == [["2026-11-02", "2026-11-03"], ["2026-11-07", "2026-11-07"]]


@pytest.mark.exhaustive
def test_a_year_in_an_hour(environment: Mapping[str, str]) -> None:
    first, last, days = YEAR
    started = time.monotonic()
    killed = begin(environment, first, last)
    wait_for_line(killed, r"\[20/\d+\] ")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    early = published(environment)
    again = begin(environment, first, last)
    said, _ = again.communicate(timeout=4 * YEAR_SECONDS)
    assert again.returncode == 0, said
    taken = time.monotonic() - started
    late = published(environment)
    assert late["nights"] == days
    assert_within_bounds(early, late)
    assert taken <= YEAR_SECONDS
