"""What follows publication: extracts are handed over to those who asked for them.

Runs once after each published night of `nightly`, with the same service date: it listens to the
asset that the night emits as its last act. A night that was not published emits nothing.
Delivering a night twice hands over the same bytes. SFTP servers and buckets are opened by Airflow's
providers, each with the connection that the city file names.

Left out: the extracts themselves, which `publish` writes; this DAG only carries them.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import PartitionedAssetTimetable, dag, task

from dags.steps import DEFAULT_ARGS, PUBLISHED, SCHEDULE, TAGS, perform
from pipelines import run
from pipelines.run import Report


@task(multiple_outputs=False)
def hand_over() -> Report:
    """Carry the extracts of one published night to the city's places of delivery."""
    from airflow.sdk.io import get_fs

    return perform(run.deliver, open_files=get_fs)


@dag(
    dag_id="deliver",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=PUBLISHED),
    start_date=pendulum.datetime(2020, 1, 1, tz=SCHEDULE.time_zone),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
)
def deliver() -> None:
    """One task: a file or place that fails holds back no other, and the task is tried again."""
    hand_over()


deliver()
