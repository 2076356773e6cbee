"""Fixtures for every suite. Real data lies beside the checkout; where absent, tests skip."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores already. Tests of threads start processes of their own.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")

import pytest

from pipelines import flow
from pipelines.fingerprint import code_hash

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
