"""Kills toy nights, looks at what is left each time, and compares what comes of them in the end."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.settings import ROOT, load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import forget_lake, open_lake
from tests.chaos.night import Plan
from tests.toy_city import FLEET, city_of, write_toy_city

FIRST, KEY = "2026-11-17", "2026-11-18"
FIGURES = ["diesel_phase_out", "through_trips"]
SOURCES = ["fleet", "stations", "passages", "audits"]
KILLS_A_NIGHT = 5
NIGHT_SECONDS = 600
SHORTEST_SECONDS = 0.005  # of an operation that can be met
WITHIN_SHARE = 0.85  # of the kills are meant to come within an operation
LATEST_SHARE = 0.7  # of what it took undisturbed: it may be shorter this time
LEFTOVERS = (".building-", ".old-", ".landing-")
Told = dict[str, Any]


@dataclass(frozen=True)
class Killed:
    """One kill: how it was planned, and in the middle of which operations it came."""

    planned: str
    within: tuple[str, ...]
    after_step: str

    @property
    def is_within(self) -> bool:
        """Whether it came during a write or a publish."""
        return bool(self.within)

    def __str__(self) -> str:
        place = f"within {' > '.join(self.within)}" if self.within else "between operations"
        return f"{self.planned:<12} {place}, after {self.after_step or 'the start'}"


@dataclass
class Town:
    """A toy city on disk."""

    folder: Path
    changed: Mapping[str, str] = field(default_factory=dict)  # of the environment

    @property
    def data(self) -> Path:
        return self.folder / "data" / "toy"

    @property
    def publish(self) -> Path:
        return self.data / "publish"

    @property
    def environment(self) -> dict[str, str]:
        left_out = ("QALA_CATALOG", "QALA_OBJECTS", "QALA_SIGNING_KEY")
        return {
            **{name: value for name, value in os.environ.items() if name not in left_out},
            "QALA_CITY": str(self.folder / "toy.toml"),
            "QALA_DATA": str(self.folder / "data"),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            **self.changed,
        }

    def copied(self, folder: Path) -> Town:
        """The same city elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Town(folder)

    def start(
        self, key: str, form: str = "steps", plan: Plan | None = None
    ) -> subprocess.Popen[str]:
        """Begin a night in a group of its own."""
        self.trace.unlink(missing_ok=True)
        told = json.dumps(asdict(plan) if plan else {})
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.night", key, form, str(self.trace), told],
            env=self.environment, cwd=ROOT, text=True, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    @property
    def trace(self) -> Path:
        return self.folder / "trace.tsv"

    def run(self, key: str, form: str = "steps") -> str:
        """Run a night to its end; what went wrong, if anything did."""
        process = self.start(key, form)
        _, said = process.communicate(timeout=NIGHT_SECONDS)
        return "" if process.returncode == 0 else said or f"exit code {process.returncode}"

    def traced(self) -> list[list[str]]:
        if not self.trace.is_file():
            return []
        lines = self.trace.read_text().split("\n")[:-1]  # the last may be cut
        return [line.split("\t") for line in lines]

    def operations(self) -> list[tuple[str, float]]:
        """Kind and seconds of every operation of the last night."""
        begun: dict[str, float] = {}
        lasted: dict[int, tuple[str, float]] = {}
        for word, number, kind, at in self.traced():
            if word == "begin":
                begun[number] = float(at)
            elif word == "end":
                lasted[int(number)] = (kind, float(at) - begun[number])
        return [lasted[number] for number in sorted(lasted)]

    def killed(self, planned: str) -> Killed:
        """Where the last night was when it was killed."""
        opened: dict[str, str] = {}
        last = ""
        for word, number, kind, _ in self.traced():
            if word == "begin":
                opened[number] = kind
            elif word == "end":
                opened.pop(number, None)
            else:
                last = kind
        return Killed(planned, tuple(opened.values()), last)

    def leftovers(self) -> list[str]:
        found = self.data.rglob(".*")
        return [str(path) for path in found if any(word in path.name for word in LEFTOVERS)]

    def outside(self) -> Told:
        """What readers see, as hashes: every page and extract, and the rows of the file."""
        told: Told = {}
        for part in ("extracts", "brief", "checks"):
            for path in sorted((self.publish / part).rglob("*")):
                if path.is_file() and not any(word in str(path) for word in LEFTOVERS):
                    told[str(path.relative_to(self.publish))] = sha256(path)
        told["file"] = file_rows(self.publish / "toy.duckdb")
        return told

    def inside(self) -> Told:
        """What the lake says it has published, and every partition's rows, said and counted."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("QALA_CATALOG", "QALA_OBJECTS"):
                patch.delenv(name, raising=False)
            for name, value in self.environment.items():
                if name.startswith("QALA_"):
                    patch.setenv(name, value)
            settings = load_settings()
            with open_lake(settings, read_only=True) as lake:
                sent = lake.read("ops.published_partitions", ops.PublishedPartitions)
                stood = lake.read("ops.partitions", ops.Partitions)
                names = sorted(stood.get_column("table_name").unique())
                counted = {
                    name: lake.query(f"SELECT count(*) FROM {lake.address(name)}").item()
                    for name in names
                }
                nights = lake.read("ops.publications", ops.Publications)
            forget_lake(settings)
        keys = ["table_name", "partition_key"]
        assert not stood.select(keys).is_duplicated().any(), "a partition is told of twice"
        said = {name: stood.filter(table_name=name).get_column("row_count").sum() for name in names}
        assert said == counted, "rows were lost or doubled"
        hashes = sent.drop("snapshot_id").sort("night_date", *keys).rows()
        assert not nights.get_column("service_date").is_duplicated().any()
        return {"published": hashes, "rows": counted}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_rows(path: Path) -> str:
    """Hash of all rows of the analysts' file; it must open, and answer."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM meta.tables ORDER BY 1").fetchall()
        rows = [connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for (name,) in names]
    return hashlib.sha256(repr((names, rows)).encode()).hexdigest()


@dataclass
class Chaos:
    """Kills, and what was found after them."""

    folder: Path
    seed: int
    kills: list[Killed] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    nights: int = 0

    def __post_init__(self) -> None:
        """Publish a first night, change the fleet, and run the next night undisturbed."""
        self.draw = random.Random(self.seed)
        self.template = Town(self.folder / "template")
        write_toy_city(self.template.folder, city=city_of(FIGURES, SOURCES))
        assert self.template.run(FIRST) == ""
        (self.template.folder / "fleet.csv").write_text(FLEET.replace("2015-01-01", "2016-01-01"))
        self.before = self.template.outside()
        whole = self.template.copied(self.folder / "undisturbed")
        assert whole.run(KEY) == ""
        self.operations = whole.operations()
        self.steps = sum(word == "step" for word, *_ in whole.traced())
        self.seconds = sum(seconds for _, seconds in self.operations)
        self.outside, self.inside = whole.outside(), whole.inside()
        assert not whole.leftovers()

    def plans(self, count: int) -> list[Plan | None]:
        """How to kill, in the order of the night: mostly within an operation, each kind
        of operation as often, else as a step ends or at any time (None)."""
        kinds = sorted({kind for kind, seconds in self.operations if seconds >= SHORTEST_SECONDS})
        found: list[tuple[float, Plan | None]] = []
        for _ in range(count):
            how = self.draw.random()
            if how < WITHIN_SHARE:
                kind = self.draw.choice(kinds)
                places = [n for n, one in enumerate(self.operations) if one[0] == kind]
                number = self.draw.randrange(len(places))
                seconds = self.operations[places[number]][1]
                delay = self.draw.uniform(0, LATEST_SHARE * seconds)
                plan = Plan(kind=kind, number=number + 1, delay_seconds=delay)
                found.append((places[number] / len(self.operations), plan))
            elif how < (1 + WITHIN_SHARE) / 2:
                step = self.draw.randrange(1, self.steps + 1)
                found.append((step / self.steps, Plan(step=step)))
            else:
                found.append((self.draw.random(), None))
        return [plan for _, plan in sorted(found, key=lambda one: one[0])]

    def run(self, kills: int, form: str = "steps") -> None:
        """Kill nights so often; each is killed a few times on its way, and then let through."""
        wanted = len(self.kills) + kills
        while len(self.kills) < wanted:
            self.nights += 1
            town = self.template.copied(self.folder / f"night-{self.nights}")
            for plan in self.plans(min(KILLS_A_NIGHT, wanted - len(self.kills))):
                if not self.kill_once(town, form, plan):
                    break
            self.recover(town, form)
            shutil.rmtree(town.folder)

    def kill_once(self, town: Town, form: str, plan: Plan | None) -> bool:
        """Begin the night, kill it, and look at what is published; False where it came to its end
        before."""
        process = town.start(KEY, form, plan)
        try:
            if plan is None:
                with_start = 3 * self.seconds
                process.wait(timeout=self.draw.uniform(0, with_start))
            else:
                process.wait(timeout=NIGHT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        finally:
            if process.stderr:
                process.stderr.close()
        if process.returncode != -signal.SIGKILL:
            return False
        planned = "any time" if plan is None else "a step's end" if plan.step else "an operation"
        self.kills.append(town.killed(planned))
        sys.stdout.write(f"{len(self.kills):>4}  {self.kills[-1]}\n")
        sys.stdout.flush()
        self.violations += [f"{self.kills[-1]}: {one}" for one in self.half_published(town)]
        return True

    def half_published(self, town: Town) -> Iterator[str]:
        """What of the publication is neither that of before nor that of after."""
        try:
            seen = town.outside()
            json.loads((town.publish / "status.json").read_text())
        except (OSError, ValueError, duckdb.Error) as error:
            yield f"what is published can't be read: {error}"
            return
        for name, content in seen.items():
            if content not in (self.before.get(name), self.outside.get(name)):
                yield f"{name} is neither of before nor of after"
        yield from (f"{name} is gone" for name in self.before if name not in seen)
        folder = f"extracts/{KEY}/"
        files = {name for name in seen if name.startswith(folder)}
        if files and files != {name for name in self.outside if name.startswith(folder)}:
            yield "extracts are not all there"

    def recover(self, town: Town, form: str) -> None:
        """Run the night to its end, and compare it with the undisturbed one."""
        after = self.kills[-1] if self.kills else "no kill"
        if said := town.run(KEY, form):
            self.violations.append(f"{after}: the night can't be run again: {said}")
            return
        try:
            found = {"published": town.outside(), "lake": town.inside()}
        except (AssertionError, duckdb.Error, OSError) as error:
            self.violations.append(f"{after}: {error}")
            return
        wanted = {"published": self.outside, "lake": self.inside}
        for what, expected in wanted.items():
            if found[what] != expected:
                self.violations.append(f"{after}: {what} differs from an undisturbed night's")
        self.violations += [f"{after}: {path} is left over" for path in town.leftovers()]

    def told(self) -> Iterator[str]:
        """What was found in all."""
        within = sum(kill.is_within for kill in self.kills)
        kinds = Counter(kill.within[-1] for kill in self.kills if kill.within)
        yield f"seed {self.seed}: {len(self.kills)} kills of {self.nights} nights"
        yield f"{within} within a write or a publish: {dict(kinds)}"
        yield f"{len(self.violations)} violations"
        yield from self.violations
