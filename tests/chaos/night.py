"""One toy night in a process of its own that writes down what it is at, and may kill itself.

    python -m tests.chaos.night KEY FORM TRACE PLAN

FORM is `steps` (the night's steps one after the other) or `airflow` (the same by the DAG files, as
the command line runs them). TRACE is the file that each operation is written to when it begins and
when it ends. PLAN is a `Plan` as JSON; the empty object kills nothing.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import publication, run, status
from pipelines.errors import QalaError
from pipelines.sources.landing import Landing
from pipelines.warehouse.lake import Lake


@dataclass(frozen=True)
class Plan:
    """When to kill: some seconds into the nth operation of a kind, or as the nth step ends."""

    kind: str = ""
    number: int = 0
    delay_seconds: float = 0.0
    step: int = 0


class Trace:
    """Writes down operations as they begin and end, and carries out the plan."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.plan = plan
        self.begun: Counter[str] = Counter()
        self.steps = 0

    @contextmanager
    def operation(self, kind: str) -> Iterator[None]:
        """Within an operation: a write, a publish, a landing."""
        self.begun[kind] += 1
        number = self.begun.total()
        self._say("begin", number, kind)
        if (kind, self.begun[kind]) == (self.plan.kind, self.plan.number):
            timer = threading.Timer(self.plan.delay_seconds, kill_all)
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            self._say("end", number, kind)

    def step_ended(self, name: str) -> None:
        """Between two steps."""
        self.steps += 1
        self._say("step", self.steps, name)
        if self.steps == self.plan.step:
            kill_all()

    def _say(self, word: str, number: int, kind: str) -> None:
        line = f"{word}\t{number}\t{kind}\t{time.monotonic():.4f}\n"
        os.write(self.file, line.encode())


def kill_all() -> None:
    """End this process and all it has started at once."""
    os.killpg(0, signal.SIGKILL)


def watch(owner: Any, name: str, kind: Callable[..., str], trace: Trace) -> None:
    """Have every call of a function be an operation."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*arguments: Any, **options: Any) -> Any:
        with trace.operation(kind(*arguments)):
            return original(*arguments, **options)

    setattr(owner, name, watched)


def watch_step(name: str, trace: Trace) -> None:
    """Have every call of a step be told when it has ended."""
    original = getattr(run, name)

    @functools.wraps(original)
    def watched(*arguments: Any, **options: Any) -> Any:
        said = original(*arguments, **options)
        trace.step_ended(f"{name} {arguments[0]}")
        return said

    setattr(run, name, watched)


def watch_all(trace: Trace) -> None:
    """Watch all that changes a file or the lake."""
    watch(Lake, "_commit", lambda *_: "write", trace)
    watch(Landing, "write", lambda *_: "landing", trace)
    watch(publication.Publication, "build", lambda *_: "publish", trace)
    watch(publication.Publication, "_record", lambda *_: "publish record", trace)
    watch(status, "write_status", lambda *_: "publish status", trace)
    for name in ("swap_folder", "swap_file", "build_file"):
        watch(publication, name, lambda *_, name=name: f"publish {name}", trace)
    for name in ("fetch", "load", "build", "audit", "publish", "close"):
        watch_step(name, trace)


def main() -> int:
    """Run the night; 0 where all of it ended well."""
    key, form, trace_file, plan = sys.argv[1:]
    watch_all(Trace(Path(trace_file), Plan(**json.loads(plan))))
    if form == "airflow":
        sys.argv = ["embedded.py", "--date", key]
        from dags import embedded

        return embedded.main()
    from tests.toy_city import run_night

    errors = [said for said in run_night(key, "chaos").values() if isinstance(said, QalaError)]
    for error in errors:
        sys.stderr.write(f"{error}\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
