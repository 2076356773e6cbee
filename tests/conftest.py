"""Fixtures for every suite. Real data lies beside the checkout; where absent, tests skip."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real feeds and registers, read in place and never copied into the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real test data (../shared/data) is absent")
    return SHARED_DATA
