"""One worker beside two on the production topology: the steps of a night that tasks share.

PostgreSQL, Redis, S3 and Airflow with Celery workers of one thread, as `make cluster` starts them.
Twelve days of a million passages each are counted by four tasks, and the sample city's travel times
are found by four; what is timed is how long any of them runs, with one worker and with two, whose
results must be the same. Two take at most 0.6 of one's time on two cores.

The overhead of a task is told too: how long it waited from the moment it could have run, and what
Airflow, Celery and imports took of its time beside its step.

Run: make bench NAME=cluster
"""

from __future__ import annotations

import os
import re
import statistics
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl

from benchmarks.made_up_passages import TIME_ZONE, make_days
from benchmarks.passages import the_stations
from pipelines.settings import ROOT, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_DAY, DAYS, DAILY_READINGS, TASKS = date(2026, 9, 16), 12, 1_000_000, 4
MOST_SHARE = 0.6
ALL = "together"
NIGHT_SECONDS = 3600.0
MAPPED = ("build_marts.matched_trips", "build_marts.travel_times")
SAMPLE_SOURCES = ("metro", "bus", "rail", "population", "opportunities")
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1", "QALA_THREADS": "1"}
CITY = f"""\
[city]
id = "bench"
name = "Bench"
time_zone = "{TIME_ZONE}"
figures = ["matched_trips", "travel_times"]

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

    mapped_seconds: dict[str, float]
    waited_seconds: float  # of a task, median
    beside_seconds: float  # of a task beside its step, median
    hashes: frozenset[tuple[str, str, str]]


def main() -> int:
    """Print the figures; 1 where two workers take too long or count otherwise."""
    with tempfile.TemporaryDirectory(prefix="qala-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)  # PostgreSQL has a user of its own
        rows = write_city(home / "city")
        print(f"{rows:,} passages of {DAYS} days, and travel times: {TASKS} tasks each")
        one, two = (measure(home, workers) for workers in (1, 2))
    for workers, run in ((1, one), (2, two)):
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in run.mapped_seconds.items())
        print(
            f"{workers} workers of one thread: {parts}; a task waits "
            f"{run.waited_seconds:.1f} s and takes {run.beside_seconds:.1f} s beside its step"
        )
    share = two.mapped_seconds[ALL] / one.mapped_seconds[ALL]
    same = two.hashes == one.hashes
    print(f"two take {share:.2f} of one's time, {'the same' if same else 'OTHER'} results")
    return 0 if same and share <= MOST_SHARE else 1


def write_city(folder: Path) -> int:
    """The city's files; how many passages they hold."""
    (folder / "passages").mkdir(parents=True)
    (folder / "bench.toml").write_text(CITY + sample_sources(), encoding="utf-8")
    names = ["station_id", "station_name", "road_name", "role", "latitude", "longitude"]
    pl.DataFrame(the_stations()).select(names).write_csv(folder / "stations.csv")
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    return make_days(folder / "passages", days, DAILY_READINGS)


def sample_sources() -> str:
    """What the sample city's file says of the sources of travel times."""
    text = (ROOT / "cities" / "almaty.toml").read_text(encoding="utf-8")
    sections = re.split(r"(?m)^(?=\[sources\.)", text)
    wanted = tuple(f"[sources.{name}]" for name in SAMPLE_SOURCES)
    return "\n" + "".join(section for section in sections if section.startswith(wanted))


def measure(home: Path, workers: int) -> Measured:
    """Run the night on a cluster of its own."""
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
                parts = lake.read("ops.partitions", ops.Partitions)
        let_go()
    return Measured(
        *_mapped(night.tasks),
        _beside(night.tasks, steps),
        frozenset(parts.select("table_name", "partition_key", "content_hash").rows()),
    )


@contextmanager
def _environment(told: Mapping[str, str]) -> Iterator[None]:
    with patch.dict(os.environ, told):
        yield


def _mapped(tasks: tuple[dict[str, Any], ...]) -> tuple[dict[str, float], float]:
    """Seconds in which any task of each mapped step ran, and how long a task waited."""
    chosen = [task for task in tasks if task["task_id"] in MAPPED]
    states = {task["state"] for task in chosen}
    if states != {"success"} or len(chosen) != TASKS * len(MAPPED):
        raise SystemExit(f"the mapped steps ended {states}")
    seconds = {
        name.rpartition(".")[2]: _covered(task for task in chosen if task["task_id"] == name)
        for name in MAPPED
    }
    # Of those that found a worker free.
    waited = min((_at(task, "start_date") - _at(task, "scheduled_when")) for task in chosen)
    return {**seconds, ALL: _covered(chosen)}, waited.total_seconds()


def _covered(tasks: Iterable[Mapping[str, Any]]) -> float:
    """Seconds in which one task or more ran."""
    seconds, until = 0.0, None
    for first, last in sorted((_at(task, "start_date"), _at(task, "end_date")) for task in tasks):
        begin = first if until is None else max(first, until)
        seconds += max((last - begin).total_seconds(), 0.0)
        until = last if until is None else max(last, until)
    return seconds


def _beside(tasks: tuple[dict[str, Any], ...], steps: pl.DataFrame) -> float:
    """What a task that counts passages takes beside its step: median seconds."""
    own = steps.filter(pl.col("step").str.starts_with("build marts.matched_trips"))
    durations = sorted(task["duration"] for task in tasks if task["task_id"] == MAPPED[0])
    worked = sorted(own.get_column("duration_seconds"))
    return float(statistics.median(a - b for a, b in zip(durations, worked, strict=True)))


def _at(task: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(task[name])


if __name__ == "__main__":
    raise SystemExit(main())
