"""A night of a toy city, embedded and on a cluster, and what it came to."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from pipelines.settings import ROOT, Settings, load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.attach import let_go
from pipelines.warehouse.lake import open_lake
from scripts.cluster.__main__ import Cluster, cluster
from scripts.cluster.groups import HOST, listens
from tests.toy_city import LAST_DAY, write_toy_city

KEY = LAST_DAY.isoformat()
NIGHT_SECONDS = 1800.0
Came = dict[str, str]
Disturb = Callable[[Cluster], AbstractContextManager[object]]


def came_out(settings: Settings) -> Came:
    """What a night came to: the hash of every partition of the lake, and of every file."""
    with open_lake(settings) as lake:
        rows = lake.read("ops.partitions", ops.Partitions)
    found = {
        f"{row['table_name']} {row['partition_key']}": f"{row['content_hash']} {row['row_count']}"
        for row in rows.iter_rows(named=True)
    }
    for folder in ("extracts", "checks", "brief"):
        for path in sorted((settings.publish / folder).rglob("*")):
            if path.is_file():
                name = str(path.relative_to(settings.publish))
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def embedded(home: Path, city: str) -> Came:
    """The night without a scheduler, as `make nightly` runs it."""
    city_file = write_toy_city(home / "city", city=city)
    data = home / "embedded"
    environment = os.environ | {
        "QALA_CITY": str(city_file),
        "QALA_DATA": str(data),
        "AIRFLOW_HOME": str(home / "embedded-airflow"),
    }
    subprocess.run(
        [sys.executable, str(ROOT / "dags" / "embedded.py"), "--date", KEY],
        env=environment, cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QALA_CITY", str(city_file))
        patch.setenv("QALA_DATA", str(data))
        return came_out(load_settings())


def on_cluster(
    home: Path,
    workers: int,
    *,
    disturb: Disturb = nullcontext,
    airflow: Mapping[str, str] | None = None,
) -> Came:
    """The same night on a cluster of its own; afterwards nothing of it is left running.

    `disturb` is entered for as long as the night lasts; `airflow` has settings of Airflow.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QALA_CITY", str(home / "city" / "toy.toml"))
        patch.setenv("QALA_DATA", str(home / f"{workers}-workers"))
        settings = load_settings()
        with cluster(settings, settings.data / "cluster", workers, airflow=airflow) as found:
            with disturb(found):
                night = found.client.run(found.groups, "nightly", KEY, NIGHT_SECONDS)
            assert night.state == "success"
            assert all(ran(found, worker) for worker in range(1, workers + 1))
            pids = [group.process.pid for group in found.groups.found]
            for name in ("QALA_CATALOG", "QALA_OBJECTS", "QALA_CATALOG_PASSWORD_FILE"):
                patch.setenv(name, found.environment[name])
            for name, value in found.environment.items():
                if name.startswith("AWS_"):
                    patch.setenv(name, value)
            came = came_out(load_settings())
            let_go()
        secrets = settings.data / "cluster" / "secrets"
        require_no_secret(settings.data, [file.read_text() for file in secrets.iterdir()])
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)
    ports = (settings.data / "cluster" / "ports").read_text().split()
    assert not any(listens(int(port)) for port in ports), HOST
    return came


def ran(found: Cluster, worker: int) -> bool:
    """Whether a worker ran any task."""
    return b"succeeded in" in (found.groups.logs / f"worker-{worker}.log").read_bytes()


def require_no_secret(data: Path, secrets: list[str]) -> None:
    """No password or key of the cluster stands in a log or in what is published."""
    folders = (data / "cluster" / "logs", data / "cluster" / "airflow" / "logs", data / "publish")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        payload = path.read_bytes()
        told = [secret for secret in secrets if secret.encode() in payload]
        assert not told, path
