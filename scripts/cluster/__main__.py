"""A night of the city on the production topology: `make cluster ARGS="--date 2026-11-20"`.

Starts every server and worker, prepares databases, roles and bucket, runs `nightly` and `deliver`
for one service date, says what they came to, and stops everything. With `--keep` all of it stays
until Ctrl-C, what ends is started again, and nights come by schedule. Catalog, objects and
Airflow's history stay in the cluster's home, so that the next start goes on.

Exit code 0: published. 1: the night failed. 2: the cluster could not be started.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines import run
from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.locks import exclusive
from pipelines.settings import ROOT, Settings, load_settings, point_to_city
from scripts.cluster.airflow import Client, Night, airflow_environment, start_airflow
from scripts.cluster.groups import HOST, Groups, free_ports, groups
from scripts.cluster.secret_files import Hosts, make_secrets
from scripts.cluster.servers import start_postgres, start_redis, start_s3

NIGHT_SECONDS = 6 * 3600.0
PREPARE_SECONDS = 300.0
TEND_SECONDS = 5.0
PORTS = 11  # of two PostgreSQL, Redis, and eight of the S3 server
FAILED = 1
CANNOT_RUN = 2


@dataclass
class Cluster:
    """A running cluster."""

    groups: Groups
    environment: dict[str, str]
    client: Client


@contextmanager
def cluster(
    settings: Settings,
    home: Path,
    workers: int,
    *,
    keeps_schedule: bool = False,
    airflow: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Start everything; at the end all of it is stopped. Raises `ClusterError`.

    `airflow` has more settings of Airflow, as variables of the environment.
    """
    home.mkdir(parents=True, exist_ok=True)
    secrets = home / "secrets"
    with exclusive(home / "cluster.lock", "A cluster"), groups(home / "logs") as found:
        metadata, catalog, redis, *s3_ports = kept_ports(home)
        make_secrets(secrets, Hosts(*(f"{HOST}:{port}" for port in (metadata, catalog, redis))))
        for name, port in (("metadata", metadata), ("catalog", catalog)):
            start_postgres(found, home, name, port, secrets / f"{name}_admin_password")
        start_redis(found, home, redis, secrets / "redis_conf")
        s3 = start_s3(found, home, s3_ports, secrets / "s3_config")
        environment = airflow_environment(
            settings, home, catalog=catalog, s3=s3, keeps_schedule=keeps_schedule
        )
        environment |= airflow or {}
        prepare(found, environment, secrets)
        start_airflow(found, environment, workers)
        yield Cluster(found, environment, Client.log_in(environment))


def kept_ports(home: Path) -> list[int]:
    """The servers' ports, chosen once: addresses with them are written down."""
    file = home / "ports"
    if not file.exists():
        file.write_text(" ".join(map(str, free_ports(PORTS))), encoding="utf-8")
    return [int(port) for port in file.read_text(encoding="utf-8").split()]


def prepare(groups: Groups, environment: dict[str, str], secrets: Path) -> None:
    """Databases, roles, bucket, Airflow's tables and pool. Raises `ClusterError`."""
    command: list[str | Path] = [sys.executable, "-m", "scripts.cluster.prepare", secrets]
    group = groups.start("prepare", command, environment=environment, folder=ROOT)
    groups.found.remove(group)
    try:
        code = group.process.wait(PREPARE_SECONDS)
    finally:
        group.tell(signal.SIGKILL)
    if code:
        group.require_alive()


def report(night: Night, name: str) -> None:
    """Say how a run ended, and who did what."""
    states = Counter(task["state"] for task in night.tasks)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items(), key=str))
    say(f"{name}: {night.state} after {night.seconds:.1f} s; task instances: {told}")
    for task in night.tasks:
        if task["state"] == "failed":
            say(f"  {task['task_id']} failed; its log is in {task['dag_run_id']}")
    for worker, count in sorted(night.tasks_by_worker.items()):
        say(f"  {worker}: {count} task instances")


def main() -> int:
    """Run the cluster; the exit code is as the module says."""
    asked = parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        point_to_city(asked.city)
        settings = load_settings()
        city = load_city(settings.city_file)
        yesterday = datetime.now(ZoneInfo(city.city.time_zone)).date() - timedelta(days=1)
        key = run.service_date(asked.date or yesterday.isoformat())
        home = (asked.home or settings.data / "cluster").resolve()
        say(f"Starting a cluster with {asked.workers} workers for {city.city.name}: {home}")
        with cluster(settings, home, asked.workers, keeps_schedule=asked.keep) as found:
            return use(found, key, settings, city.city.id, keep=asked.keep)
    except QalaError as error:
        sys.stderr.write(f"Error: {error}\n")
        return CANNOT_RUN
    except KeyboardInterrupt:
        return 0


def use(found: Cluster, key: str, settings: Settings, city_id: str, *, keep: bool) -> int:
    """Run the night and what follows it; with `keep` wait until told to stop."""
    say(f"Airflow is ready: {found.client.address}")
    night = found.client.run(found.groups, "nightly", key, NIGHT_SECONDS)
    report(night, f"The night of {key}")
    if night.state == "success":
        say(f"  {settings.publish / f'{city_id}.duckdb'}")
        if not keep:  # else it has followed by itself
            report(found.client.run(found.groups, "deliver", key, NIGHT_SECONDS), "Delivery")
    if keep:
        file = found.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
        say(f"The password of admin is in {file}. Ctrl-C stops the cluster.")
        found.groups.revives = True
        while True:
            found.groups.tend()
            time.sleep(TEND_SECONDS)
    return 0 if night.state == "success" else FAILED


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    found = argparse.ArgumentParser(prog="make cluster", description=(__doc__ or "").split("\n")[0])
    found.add_argument("--city", type=Path, help="city file; cities/almaty.toml if left")
    found.add_argument("--date", help="service date, e.g. 2026-11-20; yesterday if left")
    found.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    found.add_argument("--home", type=Path, help="where servers keep their files")
    found.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    return found


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
