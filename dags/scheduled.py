"""Nights through a scheduler that runs: Airflow's own backfill of some days, watched to its end.

    python dags/scheduled.py 2026-11-01 2026-11-07 --at-once 2

makes a backfill of `nightly` in the database that the environment names and says one line for each
night as it ends. Nights that have run before are run again: whoever asks knows which are missing.
Stopped, it leaves the backfill to the scheduler.

Exit code 0: all nights succeeded. 1: some failed. 2: there is no backfill to watch, and why.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

NIGHTS_FAILED = 1
CANNOT_RUN = 2
POLL_SECONDS = 2.0
DAG_ID = "nightly"


def main() -> int:
    """Make the backfill and watch it."""
    parser = argparse.ArgumentParser(prog="scheduled.py", description="Nights by the scheduler.")
    parser.add_argument("first")
    parser.add_argument("last")
    parser.add_argument("--at-once", type=int, default=1)
    told = parser.parse_args()
    try:
        backfill_id = make_backfill(told.first, told.last, told.at_once)
    except Exception as error:  # noqa: BLE001  # whatever Airflow says against it is the answer
        say(f"Airflow makes no backfill: {error}")
        return CANNOT_RUN
    return watch(backfill_id)


def make_backfill(first: str, last: str, at_once: int) -> int:
    """A backfill of the days; its number. Raises what Airflow has against it."""
    import pendulum
    from airflow.models import DagModel
    from airflow.models.backfill import ReprocessBehavior, _create_backfill
    from airflow.utils.session import create_session

    with create_session() as session:
        dag = session.get(DagModel, DAG_ID)
        if dag is None or dag.is_paused:
            raise RuntimeError(f"{DAG_ID} is paused, or not known yet: unpause it.")
    made = _create_backfill(  # what `airflow backfill create` calls
        dag_id=DAG_ID,
        from_date=pendulum.parse(f"{first}T00:00:00Z"),  # type: ignore[arg-type]  # a time, as told
        to_date=pendulum.parse(f"{last}T00:00:00Z"),  # type: ignore[arg-type]
        max_active_runs=at_once,
        reverse=False,
        dag_run_conf={},
        triggering_user_name="qala backfill",
        reprocess_behavior=ReprocessBehavior.COMPLETED,
    )
    return int(made.id)


def watch(backfill_id: int) -> int:
    """Say how each night ends, until all have."""
    states: dict[str, str] = {}
    while True:
        now = night_states(backfill_id)
        for key in sorted(now):
            if now[key] in ("success", "failed") and states.get(key) != now[key]:
                outcome = "published" if now[key] == "success" else "failed"
                ended = sum(state in ("success", "failed") for state in now.values())
                say(f"[{ended}/{len(now)}] {key} {outcome}")
        states = now
        if states and all(state in ("success", "failed") for state in states.values()):
            return NIGHTS_FAILED if "failed" in states.values() else 0
        time.sleep(POLL_SECONDS)


def night_states(backfill_id: int) -> dict[str, str]:
    """The state of each night of a backfill."""
    from airflow.models import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asked: Any = select(DagRun).where(DagRun.backfill_id == backfill_id)
    with create_session() as session:
        return {str(run.partition_key): str(run.state) for run in session.scalars(asked)}


def say(line: str) -> None:
    """One line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
