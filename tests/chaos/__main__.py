"""Nights that are killed: at boundaries between steps, at random, within writes and publishes.

    python -m tests.chaos --kills 100 --seed 7

kills toy nights with SIGKILL, looks at what is published after each kill, runs the night again to
its end, and compares it with a night that nobody disturbed. `make chaos KILLS=100` is the same.
Exit code 1 where anything was violated, or too few kills came within a write or a publish.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.harness import Chaos

LEAST_WITHIN_SHARE = 0.6
AIRFLOW_SHARE = 0.1  # nights by Airflow take several times as long


def main() -> int:
    """Kill, and tell."""
    parser = argparse.ArgumentParser(prog="chaos")
    parser.add_argument("--kills", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    told = parser.parse_args()
    started = time.monotonic()
    with TemporaryDirectory(prefix="qala-chaos-") as folder:
        chaos = Chaos(Path(folder), told.seed)
        by_airflow = int(told.kills * AIRFLOW_SHARE)
        chaos.run(told.kills - by_airflow)
        if by_airflow:
            chaos.run(by_airflow, "airflow")
    within = sum(kill.is_within for kill in chaos.kills) / len(chaos.kills)
    for line in chaos.told():
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{time.monotonic() - started:.0f} s\n")
    return 1 if chaos.violations or within < LEAST_WITHIN_SHARE else 0


if __name__ == "__main__":
    sys.exit(main())
