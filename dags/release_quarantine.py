"""A person decides on feed versions that are held back: release or reject, by whom and why.

A feed version that breaks rules which stop feeds is held back by `nightly`; its last good version
stands in. This DAG asks about each of them, in Airflow's list of required actions: what was found,
what stands in, and how old that is. An answer needs a reason; who answered and why are recorded.

    list_waiting -> for each version: ask -> record

- It runs once a day when the night's deadline has passed, whether the night was published or not,
  and may be triggered by hand. It asks about all that waits, whatever the service date of the night
  that found it. One run at a time: no version is asked about twice.
- A question stays open for 23 hours. Without an answer the version goes on waiting, the task is
  skipped, and the next run asks again.
- **Release**: the next night's load takes the version; sooner by clearing `ingest_gtfs.load` of
  the source in `nightly` with everything downstream. **Reject**: it is never tried again.
- Without a server: `qala quarantine`, `qala release`, `qala reject` do the same.

Left out: who may answer, which is Airflow's permissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import CronTriggerTimetable, Param, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from dags.steps import DEFAULT_ARGS, SCHEDULE, TAGS, WRITER_POOL, final_errors
from pipelines import run
from pipelines.run import Report

DECISIONS = {"Release": "released", "Reject": "rejected"}
# Shorter than a day: the next day's run asks again, and never beside an open question.
OPEN_FOR = timedelta(hours=23)


def after_deadline() -> str:
    """The time of day at which a night is closed or late, as a cron expression."""
    hours, minutes = (int(part) for part in SCHEDULE.hour.split(":")[:2])
    late = (hours * 60 + minutes + SCHEDULE.deadline_minutes) % (24 * 60)
    return f"{late % 60} {late // 60} * * *"


class AskPerson(HITLOperator):
    """Asks for a decision with its reason; without an answer in time it is skipped."""

    def validate_params_input(self, params_input: Mapping[str, Any]) -> None:
        """Raise `ValueError` without a reason: the task is tried again, and asks again."""
        if not str(params_input.get("reason") or "").strip():
            raise ValueError("A decision needs its reason: it is asked for again.")
        super().validate_params_input(params_input)

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Nobody answered in time: nothing is decided."""
        if event["error_type"] == "timeout":
            raise AirflowSkipException("Nobody has answered; the next run asks again.")
        super().process_trigger_event_error(event)


@task(multiple_outputs=False)
def list_waiting() -> list[dict[str, str]]:
    """The feed versions that wait for a decision, each with its question; none is no fault."""
    with final_errors():
        return run.waiting_feeds()


@task(
    multiple_outputs=False,
    pool=WRITER_POOL,
    map_index_template="{{ task.op_kwargs['source_id'] }}",
)
def record(source_id: str, version_id: str, answer: dict[str, Any]) -> Report:
    """Write down what was decided, by whom and why."""
    [chosen] = answer["chosen_options"]
    user = answer["responded_by_user"] or {}
    names = dict.fromkeys(filter(None, (user.get("name"), user.get("id"))))
    run_id = get_current_context()["dag_run"].run_id
    with final_errors():
        return run.decide_feed(
            source_id,
            version_id,
            DECISIONS[chosen],
            decided_by=" / ".join(names),
            reason=answer["params_input"]["reason"],
            run_id=run_id,
        )


@task_group
def decide(source_id: str, version_id: str, subject: str, body: str) -> None:
    """Ask about one version, and record the answer as soon as it is there."""
    asked = AskPerson(
        task_id="ask",
        subject=subject,
        body=body,
        options=list(DECISIONS),
        # Blank to begin with: a form asks for it, and `validate_params_input` refuses it.
        params={"reason": Param("", type="string", description="Why? It is recorded.")},
        response_timeout=OPEN_FOR,
        map_index_template="{{ task.subject }}",
    )
    answer: Any = asked.output
    record(source_id=source_id, version_id=version_id, answer=answer)


@dag(
    dag_id="release_quarantine",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(after_deadline(), timezone=SCHEDULE.time_zone),
    start_date=pendulum.datetime(2020, 1, 1, tz=SCHEDULE.time_zone),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
)
def release_quarantine() -> None:
    """One question for each version that waits, all open at the same time."""
    decide.expand_kwargs(list_waiting())


release_quarantine()
