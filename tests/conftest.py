"""Fixtures for every suite. Real data lies beside the checkout; where absent, tests skip."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores already. Tests of threads start processes of their own.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")

import pytest

from pipelines import flow
from pipelines.fingerprint import code_hash
from pipelines.locks import exclusive
from tests.toy_city import SMALL, run_night, write_toy_city

ROOT = Path(__file__).resolve().parent.parent
# Compiled once for all tests, whatever their data folders; anew for other code.
COMPILED = Path(tempfile.gettempdir()) / f"qala-compiled-{code_hash(flow.COMPILED)[:12]}"
os.environ.setdefault("NUMBA_CACHE_DIR", str(COMPILED))
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real feeds and registers, read in place and never copied into the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real test data (../shared/data) is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def small_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small toy city with its night of 2026-11-18, run once for all workers: work on copies."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "small-night"
    with exclusive(folder.with_suffix(".lock"), "The small night", wait_seconds=600):
        if not (folder / "data" / "toy" / "publish" / "status.json").is_file():
            write_toy_city(folder, city=SMALL)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("QALA_CITY", str(folder / "toy.toml"))
                patch.setenv("QALA_DATA", str(folder / "data"))
                run_night("2026-11-18")
    return folder


@pytest.fixture
def small_city(small_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small city and its night, with the environment pointing at it."""
    folder = tmp_path / "small"
    shutil.copytree(small_night, folder)
    monkeypatch.setenv("QALA_CITY", str(folder / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(folder / "data"))
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that two workers end together: live servers, Airflow, long files.

    Coverage is that of the fast tests: it doubles the time of what it watches.
    """

    def place(item: pytest.Item) -> int:
        marks = [mark.name for mark in item.iter_markers()]
        wanted = ("live", "airflow", "long", "slow")
        return next((n for n, name in enumerate(wanted) if name in marks), len(wanted))

    slow = ("live", "airflow", "slow")
    longest = {}
    for item in items:
        longest[item.path] = min(place(item), longest.get(item.path, 9))
        if any(item.get_closest_marker(name) for name in slow):
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: longest[item.path])
