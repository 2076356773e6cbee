"""What the tasks of every DAG share: the call of one step, its service date, its errors.

A task is one call of `perform`. An error that another try can't mend ends the task at once with
its sentence. A source that does not answer, a locked lake and a defect of the program are tried
again, each time later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from airflow.sdk import Asset, Connection, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from airflow.sdk.observability import stats

from dags.ending import seen_ending
from pipelines import run
from pipelines.errors import (
    AlertError,
    DeliveryError,
    LakeError,
    QalaError,
    TransientSourceError,
)
from pipelines.run import Report

SCHEDULE = run.schedule()
TAGS = sorted({SCHEDULE.city_id, *SCHEDULE.tags})

# On a SQLite catalog one process commits at a time, and the pool has one slot; on PostgreSQL it has
# more (`run.lake_writers`). Without it tasks are never scheduled: who sets Airflow up creates it.
WRITER_POOL = "lake_writer"

DEFAULT_ARGS: dict[str, Any] = {
    "owner": SCHEDULE.owner,
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=15),
    "execution_timeout": timedelta(hours=2),
}

PUBLISHED = Asset(
    name=f"{SCHEDULE.city_id}.published", uri=f"qala://{SCHEDULE.city_id}/published", group="night"
)

# What the tasks of this process have reported: the embedded night tells of each as it ends.
REPORTED: list[Report] = []

log = structlog.get_logger(__name__)


def connection_passwords(names: Iterable[str]) -> dict[str, str]:
    """Passwords of the Airflow connections with these ids; what Airflow does not have is left out.

    Airflow hides in its logs what it has handed out here.
    """
    passwords: dict[str, str] = {}
    for name in names:
        try:
            password = Connection.get(name).password
        except AirflowNotFoundException:
            continue
        if password:
            passwords[name] = password
    return passwords


@contextmanager
def final_errors() -> Iterator[None]:
    """End the task with the error's sentence, and no further try, unless a later try may help."""
    try:
        yield
    except (TransientSourceError, LakeError, DeliveryError, AlertError):
        raise
    except QalaError as error:
        raise AirflowFailException(str(error)) from None


def perform(step: Callable[..., Report], *arguments: object, **options: object) -> Report:
    """Call ``step(*arguments, service date, run id, **options)``, log and return its report.

    Raises `AirflowFailException` for errors that no further try can mend, and for a run without
    a service date as its partition key.
    """
    dag_run = get_current_context()["dag_run"]
    with seen_ending(), final_errors():
        key = run.service_date(dag_run.partition_key)
        # Every line that the task logs from here on says so, whoever writes it.
        structlog.contextvars.bind_contextvars(service_date=key, run_id=dag_run.run_id)
        report = step(*arguments, key, dag_run.run_id, **options)
    told = {name: report[name] for name in ("step", "outcome", "rows", "seconds")}
    log.info(report["text"] or report["outcome"], table=_table_of(report["step"]), **told)
    measure(report)
    REPORTED.append(report)
    return report


def measure(report: Report) -> None:
    """Give rows and seconds of a step to Airflow's metrics, which go nowhere unless told where."""
    tags = {"step": report["step"], "outcome": report["outcome"], "city": SCHEDULE.city_id}
    stats.timing("qala.step_seconds", timedelta(seconds=report["seconds"]), tags=tags)
    if report["rows"] is not None:
        stats.gauge("qala.step_rows", report["rows"], tags=tags)


def _table_of(step: str) -> str | None:
    """The table that a step makes, if it makes one."""
    word, _, name = step.partition(" ")
    return name.partition(",")[0] if word == "build" else None
