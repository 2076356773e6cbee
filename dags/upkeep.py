"""Upkeep, once a week: the lake is compacted, old snapshots expire, landing loses what is too old.

It belongs to no service date. It runs on Sunday noon, when no night does; one that does all the
same goes on beside it. What may go is said in the city file
(`[upkeep]`), and holds are heeded (`qala hold`).

Left out: backups, which belong on another machine (`qala backup`).
"""

from __future__ import annotations

import pendulum
from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from dags.steps import DEFAULT_ARGS, SCHEDULE, TAGS, WRITER_POOL, final_errors
from pipelines import run
from pipelines.run import Report


@task(multiple_outputs=False, pool=WRITER_POOL)
def keep_up() -> Report:
    """Do all upkeep that is due."""
    run_id = get_current_context()["dag_run"].run_id
    with final_errors():
        return run.keep_up(run_id)


@dag(
    dag_id="upkeep",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 12 * * 0", timezone=SCHEDULE.time_zone),
    start_date=pendulum.datetime(2020, 1, 1, tz=SCHEDULE.time_zone),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
)
def upkeep() -> None:
    """One task."""
    keep_up()


upkeep()
