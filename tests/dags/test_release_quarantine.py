"""The DAG that asks a person about feed versions held back: its shape, and answers to the end."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipelines import release
from pipelines.settings import ROOT, load_settings
from pipelines.warehouse.lake import open_lake
from tests.dags.conftest import airflow_of
from tests.toy_quarantine import BROKEN, BROKEN_TOO, hold_back

pytestmark = pytest.mark.airflow

TIMEOUT = {"error": "The response time has passed.", "error_type": "timeout"}


@pytest.fixture(scope="session")
def file(airflow_environment: dict[str, str]) -> ModuleType:
    """The DAG file as a module."""
    with airflow_of(airflow_environment):
        return importlib.import_module("dags.release_quarantine")


@pytest.fixture
def dag(dags: dict[str, Any]) -> Any:
    return dags["release_quarantine"]


def test_each_version_is_asked_about_and_recorded_by_itself(dag: Any) -> None:
    assert set(dag.task_ids) == {"list_waiting", "decide.ask", "decide.record"}
    asked, recorded = dag.get_task("decide.ask"), dag.get_task("decide.record")
    assert asked.upstream_task_ids == {"list_waiting"}
    assert recorded.upstream_task_ids == {"decide.ask", "list_waiting"}
    assert [list(task.iter_mapped_task_groups()) for task in (asked, recorded)] == [
        [dag.task_group.get_child_by_label("decide")]
    ] * 2


def test_only_recording_writes_to_the_lake(dag: Any) -> None:
    pools = {task.task_id: task.pool for task in dag.tasks}
    assert pools == {
        "list_waiting": "default_pool",
        "decide.ask": "default_pool",
        "decide.record": "lake_writer",
    }


def test_it_runs_when_the_nights_deadline_has_passed(dag: Any, file: ModuleType) -> None:
    assert dag.timetable.expression == "0 7 * * *"  # 03:00 and 240 minutes
    assert dag.timezone.name == "Asia/Almaty"
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert timedelta() < file.OPEN_FOR < timedelta(days=1)
    assert dag.get_task("decide.ask").response_timeout == file.OPEN_FOR


@pytest.mark.parametrize(
    ("hour", "minutes", "cron"),
    [("03:00", 240, "0 7 * * *"), ("22:30", 100, "10 0 * * *"), ("00:00", 1, "1 0 * * *")],
)
def test_the_deadline_may_be_past_midnight(
    file: ModuleType, monkeypatch: pytest.MonkeyPatch, hour: str, minutes: int, cron: str
) -> None:
    monkeypatch.setattr(file, "SCHEDULE", SimpleNamespace(hour=hour, deadline_minutes=minutes))
    assert file.after_deadline() == cron


def test_a_person_chooses_between_two_words_and_gives_a_reason(dag: Any) -> None:
    asked = dag.get_task("decide.ask")
    assert asked.options == ["Release", "Reject"]
    assert asked.defaults is None
    assert list(asked.serialized_params) == ["reason"]


@pytest.mark.parametrize("told", [{}, {"reason": ""}, {"reason": " \n"}, {"reason": None}])
def test_no_reason_is_no_answer(dag: Any, told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs its reason"):
        dag.get_task("decide.ask").validate_params_input(told)


def test_no_answer_in_time_skips_the_question(dag: Any) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="Nobody has answered"):
        dag.get_task("decide.ask").execute_complete({}, TIMEOUT)


def test_another_error_is_an_error(dag: Any) -> None:
    from airflow.providers.standard.exceptions import HITLTriggerEventError

    with pytest.raises(HITLTriggerEventError):
        dag.get_task("decide.ask").execute_complete({}, {**TIMEOUT, "error_type": "unknown"})


@pytest.mark.parametrize(
    ("chosen", "user", "recorded"),
    [
        ("Release", {"id": "aigul", "name": "aigul"}, ("released", "aigul")),
        ("Reject", {"id": "7", "name": "Aigul"}, ("rejected", "Aigul / 7")),
        ("Reject", None, ("rejected", "")),  # which `decide_feed` refuses
    ],
)
def test_who_answered_and_why_is_recorded(
    file: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str,
    user: dict[str, str] | None,
    recorded: tuple[str, str],
) -> None:
    calls: list[object] = []
    run = SimpleNamespace(run_id="the run")
    monkeypatch.setattr(file, "get_current_context", lambda: {"dag_run": run})
    monkeypatch.setattr(file.run, "decide_feed", lambda *a, **more: calls.append((*a, more)))
    answer = {
        "chosen_options": [chosen],
        "params_input": {"reason": "So."},
        "responded_by_user": user,
    }
    file.record.function("transit", BROKEN, answer)
    told = {"decided_by": recorded[1], "reason": "So.", "run_id": "the run"}
    assert calls == [("transit", BROKEN, recorded[0], told)]


# Runs the DAG by `dag.test()`, which waits for answers, while a thread gives them over Airflow's
# own REST routes; to `forget` a question puts it out of time and has the scheduler close it.
ANSWERING = """
import json, os, sys, threading, time, traceback
from datetime import UTC, datetime, timedelta
from uuid import UUID
from dags.embedded import forget_old_clients, prepare_database
prepare_database()
forget_old_clients()
from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.dag_processing.dagbag import DagBag
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

answers = json.loads(sys.argv[1])  # [beginning of a subject, option, reason], in order
dag = DagBag(sys.argv[2]).dags["release_quarantine"]
for task in dag.tasks:
    task.retry_delay, task.retry_exponential_backoff = timedelta(seconds=0.1), 0
if answers:
    app = create_app(apps="core")
    who = SimpleAuthManagerUser(username="aigul", role="admin")
    token = app.state.auth_manager.generate_jwt(who)
    client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
RUNS = "/api/v2/dags/release_quarantine/dagRuns"
said = []

def states(run_id):
    tasks = client.get(f"{RUNS}/{run_id}/taskInstances").json()["task_instances"]
    return {f"{t['task_id']} {t['map_index']}": t["state"] for t in tasks}

def give_answers():
    for subject, option, reason in answers:
        asked = None
        while asked is None:
            time.sleep(1)
            open_ones = [
                one for one in client.get(f"{RUNS}/~/hitlDetails").json()["hitl_details"]
                if one["task_instance"]["state"] == "awaiting_input"
            ]
            asked = next((one for one in open_ones if one["subject"].startswith(subject)), None)
        task = asked["task_instance"]
        said.append({"subject": asked["subject"], "body": asked["body"],
                     "open": len(open_ones), "states": states(task["dag_run_id"])})
        if option == "forget":
            with create_session() as session:
                here = session.get(TaskInstance, UUID(task["id"]))
                here.trigger_timeout = datetime.now(UTC) - timedelta(seconds=1)
            SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts()
            continue
        address = f"{RUNS}/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        answer = {"chosen_options": [option], "params_input": {"reason": reason}}
        client.patch(f"{address}/{task['map_index']}/hitlDetails", json=answer).raise_for_status()

def answer_or_end():
    try:
        give_answers()
    except BaseException:
        traceback.print_exc()
        os._exit(1)

threading.Thread(target=answer_or_end, daemon=True).start()
run = dag.test(logical_date=datetime(2026, 11, 20, tzinfo=UTC))
ended = {f"{t.task_id} {t.map_index}": t.state for t in run.get_task_instances()}
print(json.dumps({"state": run.state, "ended": ended, "said": said}))
"""


@pytest.fixture
def environment(
    airflow_environment: dict[str, str], airflow_home: Path, tmp_path: Path
) -> dict[str, str]:
    """The toy city copied into a folder of its own, with homes of its own."""
    city = shutil.copytree(Path(airflow_environment["QALA_CITY"]).parent, tmp_path / "city")
    return {
        **airflow_environment,
        "AIRFLOW_HOME": str(shutil.copytree(airflow_home, tmp_path / "airflow")),
        "QALA_CITY": str(city / "toy.toml"),
        "QALA_DATA": str(tmp_path / "data"),
    }


def answered(environment: dict[str, str], *answers: tuple[str, str, str]) -> dict[str, Any]:
    """How a run ends in which these answers are given, and what was asked."""
    command = [sys.executable, "-c", ANSWERING, json.dumps(answers), str(ROOT / "dags")]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.slow
def test_answers_are_recorded_as_they_come_and_silence_leaves_a_version_waiting(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALA_CITY", environment["QALA_CITY"])
    monkeypatch.setenv("QALA_DATA", environment["QALA_DATA"])
    with open_lake(load_settings(), run_id="night") as lake:
        hold_back(lake)
        hold_back(lake, BROKEN_TOO, source_id="metro", number=1)
        hold_back(lake, source_id="tram", number=2)
    told = answered(
        environment,
        ("Release transit", "Release", "  "),  # asked again
        ("Release transit", "Release", "Only stops are late."),
        ("Release metro", "Reject", "Last year's timetable."),
        ("Release tram", "forget", ""),
    )
    assert told["state"] == "success", told
    assert sorted(told["ended"].values()) == ["skipped"] * 2 + ["success"] * 5
    assert "{{ 7 * 7 }}" in told["said"][0]["body"]  # Airflow takes nothing in it for a template
    assert [asked["open"] for asked in told["said"][2:]] == [2, 1]
    with open_lake(load_settings(), read_only=True) as lake:
        made = release.decisions(lake)
        assert [held.source_id for held in release.waiting(lake)] == ["tram"]
    assert made.select("source_id", "version_id", "decision", "decided_by", "reason").rows() == [
        ("transit", BROKEN, "released", "aigul", "Only stops are late."),
        ("metro", BROKEN_TOO, "rejected", "aigul", "Last year's timetable."),
    ]
    assert made.get_column("run_id").str.starts_with("manual__").all()


@pytest.mark.slow
def test_with_nothing_to_decide_a_run_ends_at_once(environment: dict[str, str]) -> None:
    told = answered(environment)
    assert told["state"] == "success"
    assert told["ended"]["list_waiting -1"] == "success"
    assert {state for task, state in told["ended"].items() if "decide" in task} == {"skipped"}
