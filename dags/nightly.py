"""One night of the city: what came in, what it says, whether it may go out.

A run is **one service date**, its partition key (`2026-11-20`): the day that the figures are
about. The scheduler makes a run for each day at local midnight after it; the run then waits for
the city's schedule hour. A run started by hand, over REST or by a backfill does not wait, and
needs its key.

    wait_for_hour -> ingest_* (sources of one group) -> build_marts -> audit -> publish -> close

- **Ingest.** Each source is fetched and loaded by itself. One that fails is an outcome, not a
  failure of the night: its last good version carries it. A source that the city file calls
  critical is the exception.
- **Marts** follow only what they read (`pipelines/flow.py`). To rerun one source, clear its
  `load` with everything downstream: nothing else runs again.
- **Audit.** A failed critical check keeps the last good night published and fails the run.
- **Close** always runs and writes down how the night ended. It fails when the night was not
  published; otherwise it emits the published asset, which `deliver` follows.

Backfill: `airflow backfill create --dag-id nightly --from-date ... --to-date ...
--max-active-runs 1` (a backfill does not know the DAG's own limit). One day again:
`airflow dags clear nightly --partition-key 2026-11-20`.

Left out: what follows publication (`deliver`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import (
    BaseOperator,
    Context,
    CronPartitionTimetable,
    TaskGroup,
    TriggerRule,
    dag,
    get_current_context,
    task,
)
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from dags.steps import (
    DEFAULT_ARGS,
    PUBLISHED,
    SCHEDULE,
    TAGS,
    WRITER_POOL,
    connection_passwords,
    final_errors,
    perform,
)
from pipelines import flow, run
from pipelines.run import Report

log = logging.getLogger(__name__)

FETCH_TRIES_APART = timedelta(minutes=15)
"""The longest pause between two tries at a source that does not answer."""


def after_midnight(clock: str) -> timedelta:
    """Time from local midnight to a local time of day such as ``03:00``."""
    hours, minutes = (int(part) for part in clock.split(":")[:2])
    return timedelta(hours=hours, minutes=minutes)


# A source is tried again until the cut-off; the last try takes what it gets as the outcome.
FETCH_RETRIES = 4 + math.ceil(
    (after_midnight(SCHEDULE.cut_off) - after_midnight(SCHEDULE.hour)) / FETCH_TRIES_APART
)


def report_missed_deadline(context: Mapping[str, Any]) -> None:
    """Say in the log that a night is late; Airflow's own pages list it as a missed deadline."""
    log.error(
        "The night of %s (%s) was not closed within %d minutes of %s. The tasks that are still "
        "running or wait for another try show why.",
        context["dag_run"].get("partition_key"),
        SCHEDULE.city_name,
        SCHEDULE.deadline_minutes,
        SCHEDULE.hour,
    )


class WaitForHour(BaseOperator):
    """Lets a scheduled run wait for the city's schedule hour, without a worker; others pass."""

    def execute(self, context: Context) -> None:
        """Check the service date; put a scheduled run aside until the morning's schedule hour."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        dag_run = context["dag_run"]
        with final_errors():
            key = run.service_date(dag_run.partition_key)
        hour, minute = (int(part) for part in SCHEDULE.hour.split(":")[:2])
        day = pendulum.Date.fromisoformat(key).add(days=1)
        moment = pendulum.datetime(
            day.year, day.month, day.day, hour, minute, tz=SCHEDULE.time_zone
        )
        if dag_run.run_type == "scheduled" and moment > pendulum.now("UTC"):
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute_complete")

    def execute_complete(self, context: Context, event: object = None) -> None:
        """The hour has come."""


@task(
    multiple_outputs=False,
    retries=FETCH_RETRIES,
    max_retry_delay=FETCH_TRIES_APART,
    map_index_template="{{ task.op_kwargs['source_id'] }}",
)
def fetch(source_id: str) -> Report:
    """Get one source's bytes. Only a scheduled night has time to try again until the cut-off."""
    context = get_current_context()
    this = context["ti"]
    may_wait = context["dag_run"].run_type == "scheduled" and this.try_number <= this.max_tries
    with final_errors():
        names = run.secret_names(source_id)
    secrets = connection_passwords(names)
    report = perform(run.fetch, source_id, may_wait=may_wait, secrets=secrets)
    return {"source_id": source_id, **report}


@task(
    multiple_outputs=False,
    pool=WRITER_POOL,
    map_index_template="{{ task.op_kwargs['fetched']['source_id'] }}",
)
def load(fetched: Report) -> Report:
    """Parse and stage what was fetched of one source, and write it to the lake."""
    return perform(run.load, fetched["source_id"], fetched)


@task(multiple_outputs=False, pool=WRITER_POOL)
def build(table: str) -> Report:
    """Make one mart for the night."""
    return perform(run.build, table)


@task(multiple_outputs=False, pool=WRITER_POOL)
def build_share(table: str, place: int) -> Report:
    """Make one share of a mart's partitions: of its days of passages, or of its sets of inputs."""
    return perform(run.build, table, share=(place, SCHEDULE.day_tasks))


@task(multiple_outputs=False, pool=WRITER_POOL)
def audit() -> Report:
    """Check every table; a failed critical check ends the night here."""
    return perform(run.audit)


@task(multiple_outputs=False, pool=WRITER_POOL)
def publish() -> Report:
    """Put the night's tables where people read them."""
    return perform(run.publish)


@task(
    multiple_outputs=False,
    pool=WRITER_POOL,
    trigger_rule=TriggerRule.ALL_DONE,
    outlets=[PUBLISHED],
)
def close() -> Report:
    """Write down how the night ended, whatever happened; fails when it was not published.

    What counts is how `publish` ended this time: when a source is rerun, an earlier publication
    of the same run says nothing.
    """
    this = get_current_context()["ti"]
    states = this.get_task_states(this.dag_id, task_ids=["publish"], run_ids=[this.run_id])
    return perform(run.close, published=states[this.run_id]["publish"] == "success")


def made_by(mart: flow.Table) -> Any:
    """The task that makes a mart; one of many large partitions is shared by as many as the city
    says."""
    if mart.is_shared and SCHEDULE.day_tasks > 1:
        shares = build_share.override(task_id=mart.short_name).partial(table=mart.name)
        return shares.expand(place=list(range(SCHEDULE.day_tasks)))
    return build.override(task_id=mart.short_name)(mart.name)


@dag(
    dag_id="nightly",
    doc_md=__doc__,
    schedule=CronPartitionTimetable(
        # Midnight and nothing else: with another hour a backfill skips days.
        "0 0 * * *",
        timezone=SCHEDULE.time_zone,
        run_offset=-1,
        key_format="%Y-%m-%d",
    ),
    start_date=pendulum.datetime(2020, 1, 1, tz=SCHEDULE.time_zone),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
    # Counted from the moment the run is queued, which for a scheduled night is midnight.
    deadline=DeadlineAlert(
        name="published in time",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=after_midnight(SCHEDULE.hour) + timedelta(minutes=SCHEDULE.deadline_minutes),
        callback=SyncCallback(report_missed_deadline),
    ),
)
def nightly() -> None:
    """Wire the night from `pipelines.flow`: no join before the marts, one before the audit."""
    waited = WaitForHour(task_id="wait_for_hour", execution_timeout=None)
    loads: dict[str, Any] = {}
    for group, source_ids in SCHEDULE.sources.items():
        with TaskGroup(f"ingest_{group}"):
            fetched = fetch.expand(source_id=list(source_ids))
            loads[group] = load.expand(fetched=fetched)
            waited >> fetched
    marts: dict[str, Any] = {}
    with TaskGroup("build_marts"):
        for mart in map(flow.table, SCHEDULE.marts):
            marts[mart.name] = made_by(mart)
            reads = [loads[group] for group in flow.groups_read(mart.name) if group in loads]
            reads += [marts[name] for name in flow.marts_read(mart.name)]
            (reads or [waited]) >> marts[mart.name]
    made = [*loads.values(), *marts.values()]
    audited, published, closed = audit(), publish(), close()
    made >> audited >> published >> closed
    # `publish` is given up as soon as one task fails; closing waits for all the others too.
    [*made, audited] >> closed


nightly()
