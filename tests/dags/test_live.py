"""The real scheduler on loopback: every way in which a night can start, on a toy city.

A night by schedule, one by REST, the rerun of one source, a backfill of three days: each ends
with its own date in every table of figures, and `deliver` follows each publication once.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import duckdb
import httpx
import pytest

from pipelines.settings import ROOT
from tests.toy_city import SMALL, write_toy_city
from tests.toy_feeds import toy_feed

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.slow]

# It is about noon in Toytown whenever the test runs, so no other night begins meanwhile, and the
# morning's hour is long past. Etc/GMT-5 is five hours ahead of UTC.
ZONE = ZoneInfo(f"Etc/GMT{datetime.now(UTC).hour - 12:+d}")
SCHEDULE = '\n[schedule]\nhour = "00:00"\ncut_off = "00:00"\n'
# Each task is a process that imports for seconds: few figures, which have rows each night.
FIGURES = ("marts.stop_departures", "marts.diesel_phase_out")
START_SECONDS = 240
NIGHT_SECONDS = 900
Found = TypeVar("Found")


@dataclass(frozen=True)
class Server:
    """A running Airflow, asked over REST."""

    address: str
    token: str
    data: Path
    environment: Mapping[str, str]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        return ask(method, f"{self.address}/api/v2/{path}", body, self.token)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"])

    def tries(self, run_id: str) -> dict[tuple[str, int], int]:
        path = f"dags/nightly/dagRuns/{run_id}/taskInstances?limit=200"
        found = self.ask("GET", path)["task_instances"]
        return {(task["task_id"], task["map_index"]): task["try_number"] for task in found}

    def ended(self, dag_id: str, wanted: Counter[str]) -> list[dict[str, Any]] | None:
        """The runs once there are as many of each key as wanted and all have ended."""
        runs = self.runs(dag_id)
        failed = [run["dag_run_id"] for run in runs if run["state"] == "failed"]
        assert not failed, failed
        keys = Counter(run["partition_key"] for run in runs if run["state"] == "success")
        return runs if keys == wanted and len(runs) == wanted.total() else None


def ask(method: str, address: str, body: object = None, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx.request(method, address, json=body, headers=headers, timeout=90)
    assert answer.is_success, answer.text
    return answer.json()


def wait_for(look: Callable[[], Found | None], what: str, seconds: float) -> Found:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found is not None:
            return found
        time.sleep(1)
    pytest.fail(f"{what} did not happen within {seconds} s")


def toy_city(folder: Path, today: date) -> Path:
    """The small toy city, with a timetable that holds around today."""
    first, last = (today + timedelta(days=days) for days in (-60, 60))
    calendar = (
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
        f"weekday,1,1,1,1,1,1,1,{first:%Y%m%d},{last:%Y%m%d}\n"
        f"daily,1,1,1,1,1,1,1,{first:%Y%m%d},{last:%Y%m%d}\n"
    )
    feed = toy_feed(calendar=calendar, calendar_dates=None)
    city = SMALL.replace("Asia/Almaty", ZONE.key) + SCHEDULE
    return write_toy_city(folder, city=city, feed=feed)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Airflow as `make airflow` starts it, on a free port; gone with all its processes after."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "QALA_CITY": str(toy_city(tmp_path / "city", datetime.now(ZONE).date())),
        "QALA_DATA": str(tmp_path / "data"),
        "QALA_AIRFLOW_HOME": str(tmp_path / "airflow"),
        "QALA_AIRFLOW_PORT": str(port),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "30",
    }
    said_to = tmp_path / "said.txt"
    with said_to.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "airflow_server.py")],
            env=environment, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def ready() -> tuple[str, str] | None:
        assert process.poll() is None, said_to.read_text()
        words = re.search(r"ready: (\S+)\n.* the password (\S+)\n", said_to.read_text())
        return (words[1], words[2]) if words else None

    try:
        address, password = wait_for(ready, "Airflow's start", START_SECONDS)
        login = {"username": "admin", "password": password}
        token = ask("POST", f"{address}/auth/token", login)["access_token"]
        yield Server(address, token, tmp_path / "data" / "toy", environment)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def dates_in_figures(server: Server) -> dict[str, set[str]]:
    """The service dates in every published table of figures of a night."""
    with duckdb.connect(str(server.data / "publish" / "toy.duckdb"), read_only=True) as published:
        rows = {
            name: published.sql(f"SELECT DISTINCT service_date FROM {name}").fetchall()  # our names
            for name in FIGURES
        }
    return {name: {day.isoformat() for (day,) in found} for name, found in rows.items()}


def backfill(server: Server, first: str, last: str) -> str:
    """What `qala backfill` says of some days, two nights at a time by the scheduler that runs."""
    command = [sys.executable, "-m", "pipelines.cli", "backfill", first, last]
    told = subprocess.run(
        [*command, "--at-once", "2"],
        env=dict(server.environment), cwd=ROOT, check=False, text=True, timeout=3 * NIGHT_SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout
    return told.stdout


def test_every_way_to_start_a_night(server: Server) -> None:
    today = datetime.now(ZONE).date()
    by_schedule, by_rest = ((today - timedelta(days=days)).isoformat() for days in (1, 9))
    backfilled = [(today - timedelta(days=days)).isoformat() for days in (5, 4, 3)]
    followed_dags = {"deliver", "nightly"}

    def are_parsed() -> bool | None:
        known = {dag["dag_id"] for dag in server.ask("GET", "dags")["dags"]}
        return known >= followed_dags or None

    wait_for(are_parsed, "the parsing of the DAG files", START_SECONDS)
    for dag_id in followed_dags:
        server.ask("PATCH", f"dags/{dag_id}?update_mask=is_paused", {"is_paused": False})
    wanted = Counter([by_schedule])
    [scheduled] = wait_for(
        lambda: server.ended("nightly", wanted), "the scheduled night", NIGHT_SECONDS
    )
    assert scheduled["run_type"] == "scheduled"

    started = {"logical_date": None, "partition_key": by_rest}
    asked_for = server.ask("POST", "dags/nightly/dagRuns", started)["dag_run_id"]
    wanted += Counter([by_rest])
    wait_for(lambda: server.ended("nightly", wanted), "the night by REST", NIGHT_SECONDS)

    before = server.tries(asked_for)
    cleared = {
        "dry_run": False, "dag_run_id": asked_for, "task_ids": ["ingest_fleet.load"],
        "include_downstream": True, "only_failed": False, "reset_dag_runs": True,
    }  # fmt: skip
    server.ask("POST", "dags/nightly/clearTaskInstances", cleared)
    wait_for(lambda: server.ended("nightly", wanted), "the rerun", NIGHT_SECONDS)
    after = server.tries(asked_for)
    assert {task[0] for task in after if after[task] > before[task]} == {
        "ingest_fleet.load", "build_marts.vehicle_history", "build_marts.diesel_phase_out",
        "audit", "publish", "close",
    }  # fmt: skip

    assert "3 nights run, 0 were there, 0 are missing" in backfill(
        server, backfilled[0], backfilled[-1]
    )
    assert "0 of 3 nights are missing" in backfill(server, backfilled[0], backfilled[-1])
    wanted += Counter(backfilled)
    runs = wait_for(lambda: server.ended("nightly", wanted), "the backfill", 1)
    kinds = Counter(run["run_type"] for run in runs)
    assert kinds == {"scheduled": 1, "manual": 1, "backfill": 3}

    assert dates_in_figures(server) == {name: set(wanted) for name in FIGURES}
    status = json.loads((server.data / "publish" / "status.json").read_text())
    assert status["published"]["service_date"] == by_schedule
    followed = wanted + Counter([by_rest])  # once more after the rerun
    wait_for(lambda: server.ended("deliver", followed), "each delivery", NIGHT_SECONDS)
