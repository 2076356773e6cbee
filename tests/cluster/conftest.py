"""What the tests of clusters share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.servers import home_for_servers


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for a cluster's servers."""
    with home_for_servers() as found:
        yield found
