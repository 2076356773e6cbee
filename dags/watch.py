"""Watching: people are told of late and failed nights, of stale sources and of warnings.

Every quarter of an hour this DAG looks at what the nights wrote down and at the clock, and tells
each thing once, with its service date, to the channels that the city file names for it
(`[[alerts]]`). It stands beside the nights: nothing here can fail one, and a night that hangs, or
that no scheduler ever began, is told of all the same. A channel that does not answer is tried
again.

Left out: the pages of Airflow, which list a missed deadline as well.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from dags.steps import DEFAULT_ARGS, SCHEDULE, TAGS, connection_passwords, final_errors
from pipelines import run
from pipelines.run import Report


@task(multiple_outputs=False)
def tell() -> Report:
    """Tell what nobody was told yet."""
    run_id = get_current_context()["dag_run"].run_id
    with final_errors():
        names = run.alert_secret_names()
    secrets = connection_passwords(names)
    with final_errors():
        return run.tell_alerts(run_id, secrets=secrets)


@dag(
    dag_id="watch",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/15 * * * *", timezone=SCHEDULE.time_zone),
    start_date=pendulum.datetime(2020, 1, 1, tz=SCHEDULE.time_zone),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
)
def watch() -> None:
    """One task: a look, and what follows from it."""
    tell()


watch()
