"""One worker beside two on the production topology: the steps of a night that tasks share.

PostgreSQL, Redis, S3 and Airflow with Celery workers of one thread, as `make cluster` starts them.
Three nights, each on clusters of its own, with one worker and with two in turns, three times
(`REPEATS`); what is told are medians. Four feeds are fetched and staged; twelve days of a million
passages are counted by four tasks; the sample city's travel times are found by six. What is timed
is the span from the first of these tasks' start to the last one's end, and all three together.
What comes out must be the same: every partition's content hash. Two workers take at most 0.6 of
one's time on two cores.

The overhead of a task is told too: how long it waited from the moment it could have run, and what
Airflow, Celery and imports took of its time beside its step. Router code is compiled before: a city
compiles it once for each version of the program.

Run: make bench NAME=cluster
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl

from benchmarks.made_up_passages import TIME_ZONE, make_days
from benchmarks.passages import the_stations
from benchmarks.trip_stats import TRIPS, made_up_feed
from pipelines.settings import ROOT, load_settings

if TYPE_CHECKING:
    from scripts.cluster.__main__ import Cluster

FEEDS, FEED_SIZE = 4, 8  # times Tampa's
FIRST_DAY, DAYS, DAILY_READINGS, DAY_TASKS = date(2026, 9, 16), 12, 1_000_000, 4
SAMPLE_DAY, SETS = date(2026, 11, 19), 6
SAMPLE_SOURCES = ("metro", "bus", "rail", "population", "opportunities")
MOST_SHARE = 0.6
REPEATS = int(os.environ.get("REPEATS", "3"))
NIGHT_SECONDS = 3600.0
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1", "QALA_THREADS": "1"}
CITY = """\
[city]
id = "bench"
name = "Bench"
time_zone = "{zone}"
figures = ["{figure}"]

[schedule]
day_tasks = {tasks}
"""
SOURCE = """
[sources.{name}]
kind = "{kind}"
address = "{address}"
format = "{format}"
mark = "synthetic"
"""

Task = Mapping[str, Any]


@dataclass(frozen=True)
class SharedStep:
    """A night of which tasks share a step: what it is called, its city, and the tasks."""

    name: str
    write_city: Callable[[Path], None]
    night: date
    task_pattern: str
    step_pattern: str  # of the names under which its tasks keep their steps
    task_count: int

    def chosen(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks that share the step; all of them must have ended well."""
        found = [task for task in tasks if re.fullmatch(self.task_pattern, task["task_id"])]
        states = {task["state"] for task in found}
        if states != {"success"} or len(found) != self.task_count:
            raise SystemExit(f"{self.name}: {len(found)} tasks ended {states}")
        return found


def write_feeds(folder: Path) -> None:
    """A city of some feeds of one size."""
    (folder / "feed.zip").write_bytes(made_up_feed(TRIPS * FEED_SIZE))
    sources = (
        SOURCE.format(name=f"feed_{number}", kind="gtfs", address="feed.zip", format="zip")
        for number in range(FEEDS)
    )
    head = CITY.format(zone="America/New_York", figure="feed_quality", tasks=1)
    (folder / "bench.toml").write_text(head + "".join(sources), encoding="utf-8")


def write_passages(folder: Path) -> None:
    """A city of some days of passages."""
    (folder / "passages").mkdir()
    names = ["station_id", "station_name", "road_name", "role", "latitude", "longitude"]
    pl.DataFrame(the_stations()).select(names).write_csv(folder / "stations.csv")
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    make_days(folder / "passages", days, DAILY_READINGS)
    head = CITY.format(zone=TIME_ZONE, figure="matched_trips", tasks=DAY_TASKS)
    stations = SOURCE.format(
        name="stations", kind="count_stations", address="stations.csv", format="csv"
    )
    passages = SOURCE.format(name="passages", kind="passages", address="passages", format="parquet")
    (folder / "bench.toml").write_text(head + stations + passages, encoding="utf-8")


def write_sample(folder: Path) -> None:
    """The sample city's timetables and cells."""
    text = (ROOT / "cities" / "almaty.toml").read_text(encoding="utf-8")
    sections = re.split(r"(?m)^(?=\[sources\.)", text)
    wanted = tuple(f"[sources.{name}]" for name in SAMPLE_SOURCES)
    chosen = (section for section in sections if section.startswith(wanted))
    head = CITY.format(zone="Asia/Almaty", figure="travel_times", tasks=SETS)
    (folder / "bench.toml").write_text(f"{head}\n{''.join(chosen)}", encoding="utf-8")


STEPS = (
    SharedStep(
        "feeds", write_feeds, FIRST_DAY, r"ingest_\w+\.(fetch|load)", "^(fetch|load) ", 2 * FEEDS
    ),
    SharedStep(
        "days of passages",
        write_passages,
        FIRST_DAY + timedelta(days=DAYS - 1),
        r"build_marts\.matched_trips",
        r"^build marts\.matched_trips,",
        DAY_TASKS,
    ),
    SharedStep(
        "travel times",
        write_sample,
        SAMPLE_DAY,
        r"build_marts\.travel_times",
        r"^build marts\.travel_times,",
        SETS,
    ),
)


@dataclass(frozen=True)
class Measured:
    """What one night of some workers came to."""

    span_seconds: float
    waited_seconds: float  # of a task that found a worker free
    beside_seconds: float  # of a task beside its step, mean
    hashes: frozenset[tuple[str, str, str]]


def main(only: str = os.environ.get("STEP", "")) -> int:
    """Print the figures; 1 where two workers take too long or come to something else."""
    total, is_same = [0.0, 0.0], True
    with tempfile.TemporaryDirectory(prefix="qala-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)  # PostgreSQL has a user of its own
        for step in STEPS:
            if only not in step.name:
                continue
            one, two = compared(home / step.name.replace(" ", "-"), step)
            is_same &= one.hashes == two.hashes
            total = [total[0] + one.span_seconds, total[1] + two.span_seconds]
            print(
                f"{step.name:18}1 worker {one.span_seconds:5.1f} s, 2 workers "
                f"{two.span_seconds:5.1f} s: {two.span_seconds / one.span_seconds:.2f}; a task of "
                f"two waits {two.waited_seconds:.1f} s and takes {two.beside_seconds:.1f} s "
                f"beside its step",
                flush=True,
            )
    share = total[1] / total[0]
    print(f"all{'':15}1 worker {total[0]:5.1f} s, 2 workers {total[1]:5.1f} s: {share:.2f}")
    print("the same results" if is_same else "OTHER RESULTS")
    return 0 if is_same and share <= MOST_SHARE else 1


def compared(home: Path, step: SharedStep) -> tuple[Measured, Measured]:
    """The same night with one worker and with two, in turns; medians."""
    city = home / "city"
    city.mkdir(parents=True)
    home.chmod(0o755)
    step.write_city(city)
    told = {
        **ONE_THREAD,
        "NUMBA_CACHE_DIR": str(home / "compiled"),
        "QALA_CITY": str(city / "bench.toml"),
    }
    if step.write_city is write_sample:
        with _environment({**told, "QALA_DATA": str(home / "compiling")}):
            command = [sys.executable, "-m", "pipelines.cli", "nightly", "--date", str(step.night)]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own program
    found: dict[int, list[Measured]] = {1: [], 2: []}
    for number in range(REPEATS):
        for workers, runs in found.items():
            name = f"{workers}-{number}"
            with _environment({**told, "QALA_DATA": str(home / name)}):
                runs.append(measure(home / f"cluster-{name}", workers, step))
    return _median(found[1]), _median(found[2])


def _median(runs: Sequence[Measured]) -> Measured:
    """The medians of some runs, which must have come to the same."""
    hashes = {run.hashes for run in runs}
    if len(hashes) > 1:
        raise SystemExit("OTHER RESULTS from run to run")
    return Measured(
        statistics.median(run.span_seconds for run in runs),
        statistics.median(run.waited_seconds for run in runs),
        statistics.median(run.beside_seconds for run in runs),
        hashes.pop(),
    )


def measure(home: Path, workers: int, step: SharedStep) -> Measured:
    """Run the night on a cluster of its own."""
    from pipelines.warehouse import ops
    from pipelines.warehouse.attach import let_go
    from pipelines.warehouse.lake import open_lake
    from scripts.cluster.__main__ import cluster

    with cluster(load_settings(), home, workers) as found:
        night = found.client.run(found.groups, "nightly", step.night.isoformat(), NIGHT_SECONDS)
        with _environment(_lake(found)), open_lake(load_settings(), read_only=True) as lake:
            steps = lake.read("ops.steps", ops.Steps)
            parts = lake.read("ops.partitions", ops.Partitions)
    let_go()
    tasks = step.chosen(night.tasks)
    span = max(_at(task, "end_date") for task in tasks) - min(
        _at(task, "start_date") for task in tasks
    )
    waited = min(_at(task, "start_date") - _at(task, "scheduled_when") for task in tasks)
    return Measured(
        span.total_seconds(),
        waited.total_seconds(),
        _beside(step, tasks, steps),
        frozenset(parts.select("table_name", "partition_key", "content_hash").rows()),
    )


@contextmanager
def _environment(told: Mapping[str, str]) -> Iterator[None]:
    with patch.dict(os.environ, told):
        yield


def _lake(found: Cluster) -> dict[str, str]:
    """What opens the cluster's lake."""
    names = ("QALA_CATALOG", "QALA_OBJECTS", "AWS_")
    return {n: value for n, value in found.environment.items() if n.startswith(names)}


def _beside(step: SharedStep, tasks: Sequence[Task], steps: pl.DataFrame) -> float:
    """What a task of the shared step takes beside its step: mean seconds."""
    worked = steps.filter(pl.col("step").str.contains(step.step_pattern)).get_column(
        "duration_seconds"
    )
    if worked.len() != len(tasks):
        raise SystemExit(f"{step.name}: {len(tasks)} tasks kept {worked.len()} steps")
    return float(sum(task["duration"] for task in tasks) - worked.sum()) / len(tasks)


def _at(task: Task, name: str) -> datetime:
    return datetime.fromisoformat(task[name])


if __name__ == "__main__":
    raise SystemExit(main())
