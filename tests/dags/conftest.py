"""The DAGs as Airflow parses them, for a toy city, in a home of their own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.settings import ROOT
from tests.toy_city import CITY, write_toy_city

SCHEDULE = """
[schedule]
hour = "03:00"
cut_off = "05:00"
deadline_minutes = 240
day_tasks = 2
owner = "toy owner"
tags = ["toy tag"]
"""


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that runs Airflow on the toy city."""
    folder = tmp_path_factory.mktemp("toy")
    return {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "QALA_CITY": str(write_toy_city(folder / "city", city=CITY + SCHEDULE)),
        "QALA_DATA": str(folder / "data"),
    }


@pytest.fixture(scope="session")
def airflow_home(
    airflow_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home with a database that is ready, which takes seconds to make; tests work on copies."""
    home = tmp_path_factory.mktemp("airflow")
    ready = "from dags.embedded import prepare_environment as e, prepare_database as d; e(); d()"
    environment = {**airflow_environment, "AIRFLOW_HOME": str(home)}
    subprocess.run([sys.executable, "-c", ready], env=environment, cwd=ROOT, check=True)
    return home


@pytest.fixture(scope="session")
def dags(airflow_environment: dict[str, str]) -> dict[str, Any]:
    """Every DAG of the project by its id, parsed from the files as Airflow does."""
    with airflow_of(airflow_environment):
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="session")
def steps(airflow_environment: dict[str, str]) -> ModuleType:
    """The module that all tasks share."""
    with airflow_of(airflow_environment):
        return importlib.import_module("dags.steps")


@pytest.fixture(scope="session")
def nightly_file(airflow_environment: dict[str, str]) -> ModuleType:
    """The DAG file of the night as a module."""
    with airflow_of(airflow_environment):
        return importlib.import_module("dags.nightly")


@contextmanager
def airflow_of(environment: dict[str, str]) -> Iterator[None]:
    """Import Airflow and DAG files for the toy city, and leave the environment as it was."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own, at import
        for name in ("AIRFLOW_HOME", "AIRFLOW__CORE__LOAD_EXAMPLES", "QALA_CITY", "QALA_DATA"):
            patch.setenv(name, environment[name])
        yield
