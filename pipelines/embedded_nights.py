"""Nights in a process of their own: Airflow runs the DAG files there, without a scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pipelines.settings import ROOT, Settings, airflow_environment

INTERRUPTED = 130


def run_embedded(settings: Settings, days: Sequence[date], lock: int) -> int:
    """Run nights one after the other; the process' exit code.

    It holds the night's lock itself: should this process be killed, no other night may begin.
    """
    dates = ["--date", *map(str, days)]
    return run_on_dags("embedded.py", dates, airflow_environment(settings), [lock])


def run_on_dags(
    program: str,
    arguments: Sequence[str],
    environment: dict[str, str],
    descriptors: Sequence[int] = (),
) -> int:
    """Run a program of the folder of DAGs, which shares some open files; its exit code."""
    Path(environment["AIRFLOW_HOME"]).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "dags" / program), *arguments]
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    with subprocess.Popen(  # noqa: S603  # our own file
        command, env=environment, cwd=ROOT, pass_fds=descriptors
    ) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            return INTERRUPTED
