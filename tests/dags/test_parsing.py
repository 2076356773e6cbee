"""DAG files are parsed again and again by the scheduler: fast, and without anything heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipelines.settings import ROOT

pytestmark = pytest.mark.airflow

HEAVY = ("polars", "duckdb", "great_expectations", "pandas", "numpy", "shapely", "dataframely")
PARSE = """
import json, sys, time
import airflow.sdk
started = time.process_time()
import dags.{name}
seconds = time.process_time() - started
print(json.dumps([seconds, [name for name in {heavy} if name in sys.modules]]))
"""


@pytest.mark.parametrize("name", ["nightly", "deliver", "release_quarantine"])
def test_a_dag_file_is_parsed_in_under_a_second_without_heavy_modules(
    name: str, airflow_environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARSE.format(name=name, heavy=HEAVY)],
        env=airflow_environment, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert seconds < 1.0
