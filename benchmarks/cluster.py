"""One worker beside two on the production topology: twelve days of a million passages each.

PostgreSQL, Redis, S3 and Airflow with Celery workers of one thread, as `make cluster` starts them.
The days of passages are counted by four tasks beside each other; what is timed is the span from
the first one's start to the last one's end, with one worker and with two, whose counts must be the
same. Two take at most 0.6 of one's time on two cores.

The overhead of a task is told too: how long it waited from the moment it could have run, and what
Airflow, Celery and imports took of its time beside its step.

Run: make bench NAME=cluster
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl

from benchmarks.made_up_passages import TIME_ZONE, make_days
from benchmarks.passages import the_stations

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_DAY, DAYS, DAILY_READINGS, TASKS = date(2026, 9, 16), 12, 1_000_000, 4
MOST_SHARE = 0.6
NIGHT_SECONDS = 3600.0
MAPPED = "build_marts.matched_trips"
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1", "QALA_THREADS": "1"}
CITY = f"""\
[city]
id = "bench"
name = "Bench"
time_zone = "{TIME_ZONE}"
figures = ["matched_trips"]

[schedule]
day_tasks = {TASKS}

[sources.stations]
kind = "count_stations"
address = "stations.csv"
format = "csv"
mark = "synthetic"

[sources.passages]
kind = "passages"
address = "passages"
format = "parquet"
mark = "synthetic"
"""


@dataclass(frozen=True)
class Measured:
    """What one night of some workers came to."""

    mapped_seconds: float
    waited_seconds: float  # of a task, median
    beside_seconds: float  # of a task beside its step, median
    counts: frozenset[tuple[str, str]]


def main() -> int:
    """Print the figures; 1 where two workers take too long or count otherwise."""
    with tempfile.TemporaryDirectory(prefix="qala-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)  # PostgreSQL has a user of its own
        rows = write_city(home / "city")
        print(f"{rows:,} passages of {DAYS} days, {TASKS} tasks")
        one, two = (measure(home, workers) for workers in (1, 2))
    for workers, run in ((1, one), (2, two)):
        print(
            f"{workers} workers of one thread: {run.mapped_seconds:.1f} s; a task waits "
            f"{run.waited_seconds:.1f} s and takes {run.beside_seconds:.1f} s beside its step"
        )
    share = two.mapped_seconds / one.mapped_seconds
    same = two.counts == one.counts
    print(f"two take {share:.2f} of one's time, {'the same' if same else 'OTHER'} counts")
    return 0 if same and share <= MOST_SHARE else 1


def write_city(folder: Path) -> int:
    """The city's files; how many passages they hold."""
    (folder / "passages").mkdir(parents=True)
    (folder / "bench.toml").write_text(CITY, encoding="utf-8")
    names = ["station_id", "station_name", "road_name", "role", "latitude", "longitude"]
    pl.DataFrame(the_stations()).select(names).write_csv(folder / "stations.csv")
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    return make_days(folder / "passages", days, DAILY_READINGS)


def measure(home: Path, workers: int) -> Measured:
    """Run the night on a cluster of its own."""
    from pipelines.settings import load_settings
    from pipelines.warehouse import ops
    from pipelines.warehouse.attach import let_go
    from pipelines.warehouse.lake import open_lake
    from scripts.cluster.__main__ import cluster

    told = {
        "QALA_CITY": str(home / "city" / "bench.toml"),
        "QALA_DATA": str(home / f"{workers}"),
        **ONE_THREAD,
    }
    key = (FIRST_DAY + timedelta(days=DAYS - 1)).isoformat()
    with _environment(told):
        settings = load_settings()
        with cluster(settings, home / f"cluster-{workers}", workers) as found:
            night = found.client.run(found.groups, "nightly", key, NIGHT_SECONDS)
            lake_names = ("QALA_CATALOG", "QALA_OBJECTS", "QALA_CATALOG_PASSWORD_FILE", "AWS_")
            ours = {n: v for n, v in found.environment.items() if n.startswith(lake_names)}
            with _environment(ours), open_lake(load_settings(), read_only=True) as lake:
                steps = lake.read("ops.steps", ops.Steps)
                parts = lake.read(
                    "ops.partitions", ops.Partitions, "table_name = 'marts.matched_trips'"
                )
        let_go()
    return Measured(
        *_mapped(night.tasks),
        _beside(night.tasks, steps),
        frozenset(parts.select("partition_key", "content_hash").rows()),
    )


@contextmanager
def _environment(told: Mapping[str, str]) -> Iterator[None]:
    with patch.dict(os.environ, told):
        yield


def _mapped(tasks: tuple[dict[str, Any], ...]) -> tuple[float, float]:
    """The span of the mapped step, and how long a task of it waited."""
    chosen = [task for task in tasks if task["task_id"] == MAPPED]
    states = {task["state"] for task in chosen}
    if states != {"success"} or len(chosen) != TASKS:
        raise SystemExit(f"the mapped step ended {states}")
    first, last = (pick(_at(task, name) for task in chosen)
                   for pick, name in ((min, "start_date"), (max, "end_date")))  # fmt: skip
    # Of those that found a worker free.
    waited = min((_at(task, "start_date") - _at(task, "scheduled_when")) for task in chosen)
    return (last - first).total_seconds(), waited.total_seconds()


def _beside(tasks: tuple[dict[str, Any], ...], steps: pl.DataFrame) -> float:
    """What a task of the mapped step takes beside its step: median seconds."""
    own = steps.filter(pl.col("step").str.starts_with("build marts.matched_trips"))
    durations = sorted(task["duration"] for task in tasks if task["task_id"] == MAPPED)
    worked = sorted(own.get_column("duration_seconds"))
    return float(statistics.median(a - b for a, b in zip(durations, worked, strict=True)))


def _at(task: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(task[name])


if __name__ == "__main__":
    raise SystemExit(main())
