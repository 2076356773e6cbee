"""What a night says of itself by Airflow's own means: lineage, metrics, lines of the log."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.settings import ROOT
from tests.alerts.receivers import serving
from tests.dags.conftest import airflow_of
from tests.toy_city import SMALL

KEY = "2026-11-18"

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


class Collector(ThreadingHTTPServer):
    """Keeps what is posted, as a collector of OpenTelemetry would."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Post)


class _Post(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_every_task_that_touches_tables_names_them(
    airflow_environment: dict[str, str], dags: dict[str, Any]
) -> None:
    nightly = dags["nightly"]
    with airflow_of(airflow_environment):
        lineage = importlib.import_module("dags.lineage")
        found = {task_id: lineage.data_sets(task_id) for task_id in nightly.task_ids}
    kinds = {*lineage.TableLineage.get_operator_classnames(), "WaitForHour"}
    for task_id, (inputs, outputs) in found.items():
        assert bool(inputs or outputs) == (task_id not in ("wait_for_hour", "close")), task_id
        assert nightly.get_task(task_id).task_type in kinds
    assert found["build_marts.diesel_phase_out"] == (
        ["marts.vehicle_history"], ["marts.diesel_phase_out"],
    )  # fmt: skip
    assert found["ingest_fleet.load"] == (
        ["landing.fleet"], ["staging.vehicles", "staging.vehicle_states"],
    )  # fmt: skip


@pytest.mark.exhaustive  # Airflow's listener forks a process for each event: minutes
def test_a_night_tells_its_lineage_its_metrics_and_its_log(
    airflow_environment: dict[str, str], airflow_home: Path, tmp_path: Path
) -> None:
    city = shutil.copytree(Path(airflow_environment["QALA_CITY"]).parent, tmp_path / "city")
    (city / "toy.toml").write_text(SMALL)
    events = tmp_path / "events.json"
    with serving(Collector()) as collector:
        environment = {
            **airflow_environment,
            "AIRFLOW_HOME": str(shutil.copytree(airflow_home, tmp_path / "airflow")),
            "QALA_CITY": str(city / "toy.toml"),
            "QALA_DATA": str(tmp_path / "data"),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(events), "append": True}
            ),
            "AIRFLOW__OPENLINEAGE__EXTRACTORS": "dags.lineage.TableLineage",
            "AIRFLOW__OPENLINEAGE__DISABLED": "False",
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "AIRFLOW__LOGGING__JSON_LOGS": "True",
        }
        done = subprocess.run(
            [sys.executable, str(ROOT / "dags" / "embedded.py"), "--date", KEY],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        posts = collector.posts
    assert done.returncode == 0, done.stdout
    made = [event for event in read_events(events) if event["eventType"] == "COMPLETE"]
    found = {event["job"]["name"]: names_of(event) for event in made}
    assert found["nightly.build_marts.diesel_phase_out"] == (
        {"marts.vehicle_history"}, {"marts.diesel_phase_out"}
    )  # fmt: skip
    assert "staging.stops" in found["nightly.ingest_gtfs.load"][1]
    assert found["nightly.ingest_fleet.fetch"] == (set(), {"landing.fleet"})
    assert found["nightly.publish"][1] == {"published"}
    assert not [path for path, _ in posts if path != "/v1/metrics"], "metrics alone, no traces"
    assert any(b"qala.step_rows" in body for _, body in posts)
    lines = list(read_lines(tmp_path / "airflow" / "logs" / f"night-{KEY}.log"))
    said = [line for line in lines if line.get("table") == "marts.diesel_phase_out"]
    assert said
    assert said[0]["service_date"] == KEY
    assert said[0]["step"] == "build marts.diesel_phase_out"
    assert said[0]["outcome"] == "done"
    assert said[0]["run_id"]


def read_events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def names_of(event: dict[str, Any]) -> tuple[set[str], set[str]]:
    return (
        {one["name"] for one in event["inputs"]},
        {one["name"] for one in event["outputs"]},
    )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log that are JSON objects."""
    lines = path.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
