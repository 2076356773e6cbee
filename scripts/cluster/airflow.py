"""Airflow with Celery workers: its environment, its programs, and a night asked for over REST."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pipelines.settings import HEARTBEAT, ROOT, Settings
from scripts.airflow_server import is_healthy
from scripts.cluster.groups import HOST, ClusterError, Groups, NotNowError, free_ports
from scripts.cluster.secret_files import BUCKET

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTHY_SECONDS = 240.0
DAGS_SECONDS = 120.0
ASK_SECONDS = 2.0  # between two questions: each costs the server some work
ENDED = ("success", "failed")
# Airflow's settings that are read from files, each by a command of its own.
SECRETS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "metadata_url",
    "AIRFLOW__CELERY__BROKER_URL": "broker_url",
    "AIRFLOW__CELERY__RESULT_BACKEND": "result_url",
    "AIRFLOW__API_AUTH__JWT_SECRET": "jwt_secret",
    "AIRFLOW__API__SECRET_KEY": "api_secret_key",
    "AIRFLOW__CORE__FERNET_KEY": "fernet_key",
}


def airflow_environment(
    settings: Settings, home: Path, *, catalog: int, s3: str, keeps_schedule: bool
) -> dict[str, str]:
    """The environment of every program of the cluster; secrets stand in files that it names."""
    secrets = home / "secrets"
    [port] = free_ports(1)
    address = f"http://{HOST}:{port}"
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **HEARTBEAT,
        "AIRFLOW_HOME": str(home / "airflow"),
        **{f"{name}_CMD": f"cat {secrets / file}" for name, file in SECRETS.items()},
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(
            home / "airflow" / "passwords.json"
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        # The files change when a version is installed, and never while it runs.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(keeps_schedule),
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
        "AWS_ACCESS_KEY_ID_FILE": str(secrets / "s3_lake_key"),
        "AWS_SECRET_ACCESS_KEY_FILE": str(secrets / "s3_lake_secret"),
        "AWS_ENDPOINT_URL": s3,
        "AWS_REGION": "us-east-1",
        "QALA_CATALOG": f"postgres:host={HOST} port={catalog} user=lake dbname=lake",
        "QALA_CATALOG_PASSWORD_FILE": str(secrets / "lake_password"),
        "QALA_CITY": str(settings.city_file),
        "QALA_DATA": str(settings.data.parent),
        "QALA_OBJECTS": f"s3://{BUCKET}/{settings.data.name}",
    }


def start_airflow(groups: Groups, environment: Mapping[str, str], workers: int) -> None:
    """Start every part of Airflow and its workers, one task at a time each; wait until all are
    well."""
    airflow = Path(sys.executable).with_name("airflow")
    port = int(environment["AIRFLOW__API__PORT"])
    for part in PARTS:
        options = ["--skip-serve-logs"] if part == "triggerer" else []
        groups.start(part, [airflow, part, *options], environment=environment, folder=ROOT)
    start_workers(groups, environment, workers)
    groups.wait_for("Airflow", lambda: is_healthy(port), HEALTHY_SECONDS, pause_seconds=ASK_SECONDS)


def start_workers(groups: Groups, environment: Mapping[str, str], count: int) -> None:
    """Start Celery workers; their logs lie with all others'."""
    airflow = Path(sys.executable).with_name("airflow")
    for number in range(1, count + 1):
        name = f"worker-{number}"
        command: list[str | Path] = [
            airflow, "celery", "worker", "--concurrency", "1", "--celery-hostname",
            f"{name}@%h", "--skip-serve-logs", "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        groups.start(name, command, environment=environment, folder=ROOT)


@dataclass(frozen=True)
class Night:
    """How a run ended: its state, and every task instance as Airflow tells of it."""

    state: str
    seconds: float
    tasks: tuple[dict[str, Any], ...]

    @property
    def tasks_by_worker(self) -> Counter[str]:
        """How many task instances each worker ran."""
        return Counter(task["hostname"] for task in self.tasks if task["hostname"])


@dataclass
class Client:
    """Airflow's REST API, logged in as admin."""

    address: str
    token: str

    @classmethod
    def log_in(cls, environment: Mapping[str, str]) -> Client:
        """Log in with the password of the file that Airflow reads it from."""
        file = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
        password = json.loads(file.read_text(encoding="utf-8"))["admin"]
        address = environment["AIRFLOW__API__BASE_URL"]
        told = {"username": "admin", "password": password}
        answer = httpx.post(f"{address}/auth/token", json=told, timeout=60)
        return cls(address, answer.raise_for_status().json()["access_token"])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask Airflow. Raises `ClusterError` where it refuses, `NotNowError` when it can't."""
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.address}/api/v2/{path}"
        try:
            answer = httpx.request(method, address, json=body, headers=headers, timeout=90)
        except httpx.TransportError as error:
            raise NotNowError(f"{method} {path}: {error}", "Is the api-server there?") from error
        if answer.is_server_error:
            raise NotNowError(f"{method} {path}: {answer.status_code}", "See the server's log.")
        if not answer.is_success:
            raise ClusterError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def knows(self, dag_id: str) -> bool:
        """Whether a DAG's file has been read."""
        return any(dag["dag_id"] == dag_id for dag in self.ask("GET", "dags")["dags"])

    def run(self, groups: Groups, dag_id: str, key: str, seconds: float) -> Night:
        """Run a DAG for one service date and wait for its end."""
        groups.wait_for(
            f"The DAG {dag_id}", lambda: self.knows(dag_id), DAGS_SECONDS, pause_seconds=ASK_SECONDS
        )
        asked = {"logical_date": None, "partition_key": key}
        started = time.monotonic()
        run_id = self.ask("POST", f"dags/{dag_id}/dagRuns", asked)["dag_run_id"]
        self.ask("PATCH", f"dags/{dag_id}", {"is_paused": False})
        path = f"dags/{dag_id}/dagRuns/{run_id}"
        states: list[str] = []

        def has_ended() -> bool:
            with suppress(NotNowError):  # who has ended is told of by `wait_for`
                states.append(self.ask("GET", path)["state"])
            return bool(states) and states[-1] in ENDED

        groups.wait_for(f"The night of {key}", has_ended, seconds, pause_seconds=ASK_SECONDS)
        tasks = self.ask("GET", f"{path}/taskInstances?limit=1000")["task_instances"]
        return Night(states[-1], time.monotonic() - started, tuple(tasks))
