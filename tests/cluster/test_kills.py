"""Every part of a cluster killed within one night, one after the other: the same night."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.cluster.__main__ import Cluster
from tests.cluster.nights import embedded, on_cluster
from tests.toy_city import CITY

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.exhaustive]

VICTIMS = (
    *("worker-1", "scheduler", "redis", "worker-2", "catalog", "s3"),
    *("metadata", "api-server", "worker-1", "dag-processor", "scheduler"),
)
APART_SECONDS = (4.0, 12.0)
# In production they wait for minutes before a part that is silent counts as dead.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
}


class Killer(threading.Thread):
    """Kills one part after the other, with all it has started, until it is told to stop."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        super().__init__(name="killer", daemon=True)
        self.groups = cluster.groups
        self.draw = random.Random(seed)
        self.enough = threading.Event()
        self.killed: list[str] = []

    def run(self) -> None:
        for name in VICTIMS:
            if self.enough.wait(self.draw.uniform(*APART_SECONDS)):
                return
            [group] = [one for one in self.groups.found if one.name == name]
            for pid in (*descendants(group.process.pid), group.process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.killed.append(name)


def descendants(pid: int) -> list[int]:
    """All processes under one: PostgreSQL's and a task's are in groups of their own."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found.extend([*descendants(child), child])
    return found


def test_any_part_may_be_killed(home: Path) -> None:
    here = embedded(home, CITY)  # as many tasks as it takes to kill every part
    killed: list[str] = []

    @contextmanager
    def killing(cluster: Cluster) -> Iterator[None]:
        cluster.groups.revives = True
        killer = Killer(cluster, random.randrange(10_000))
        killer.start()
        try:
            yield
        finally:
            killer.enough.set()
            killer.join()
            killed.extend(killer.killed)

    came = on_cluster(home, 2, disturb=killing, airflow=IMPATIENT)
    assert set(killed) == set(VICTIMS)
    assert came == here
