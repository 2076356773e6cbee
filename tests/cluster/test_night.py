"""A night on the production topology: what comes out is what the embedded night publishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.nights import embedded, on_cluster
from tests.toy_city import FEW, SMALL

pytestmark = [pytest.mark.airflow, pytest.mark.live, pytest.mark.slow, pytest.mark.long]

# Days of passages are counted by three tasks beside each other.
SHARED = FEW + "\n[schedule]\nday_tasks = 3\n"


def test_a_night_on_a_cluster_is_the_embedded_night(home: Path) -> None:
    here = embedded(home, SMALL)
    assert len(here) > 20
    assert on_cluster(home, 2) == here


@pytest.mark.exhaustive
def test_a_night_is_the_same_with_any_number_of_workers(home: Path) -> None:
    here = embedded(home, SHARED)
    assert {workers: on_cluster(home, workers) == here for workers in (1, 2, 4)} == {
        1: True,
        2: True,
        4: True,
    }
