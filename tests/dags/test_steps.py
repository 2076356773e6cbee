"""What a task makes of its run's key, of errors, of the hour, and of how the night went."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pendulum
import pytest

from pipelines.errors import (
    AuditError,
    CriticalSourceError,
    LakeError,
    NightInProgressError,
    QalaError,
    SourceError,
    TransientSourceError,
)

pytestmark = pytest.mark.airflow

KEY = "2026-11-20"
REPORT = {"step": "a step", "outcome": "done", "rows": 9, "seconds": 0.1, "text": "nine rows"}


class Run:
    """A run and a task instance, as much of them as tasks look at."""

    def __init__(
        self, key: str | None = KEY, *, kind: str = "manual", try_number: int = 1, publish: str = ""
    ) -> None:
        self.dag_run = SimpleNamespace(partition_key=key, run_id="the run", run_type=kind)
        self.context: dict[str, Any] = {"dag_run": self.dag_run, "ti": self}
        self.dag_id, self.run_id = "nightly", "the run"
        self.try_number, self.max_tries = try_number, 3
        self.publish = publish

    def get_task_states(self, dag_id: str, **chosen: list[str]) -> dict[str, dict[str, str]]:
        assert (dag_id, chosen) == ("nightly", {"task_ids": ["publish"], "run_ids": ["the run"]})
        return {"the run": {"publish": self.publish}}

    def put_into(self, *modules: ModuleType, patch: pytest.MonkeyPatch) -> None:
        for module in modules:
            patch.setattr(module, "get_current_context", lambda: self.context)


def test_a_step_is_called_with_its_date_and_run(
    steps: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    Run().put_into(steps, patch=monkeypatch)
    seen: list[object] = []

    def step(*arguments: object, **options: object) -> dict[str, Any]:
        seen.extend((arguments, options))
        return REPORT

    assert steps.perform(step, "marts.metro_reach", thoroughly=True) == REPORT
    assert seen == [("marts.metro_reach", KEY, "the run"), {"thoroughly": True}]


@pytest.mark.parametrize("key", [None, "", "2026-11", "20261120", "2026-11-31", "2026-11-20T00:00"])
def test_a_run_without_a_service_date_fails_for_good(
    steps: ModuleType, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    Run(key).put_into(steps, patch=monkeypatch)
    with pytest.raises(AirflowFailException, match="service date as partition key"):
        steps.perform(lambda *_: pytest.fail("the step was called"))


@pytest.mark.parametrize(
    "error", [QalaError, SourceError, CriticalSourceError, AuditError, NightInProgressError]
)
def test_what_no_further_try_can_mend_fails_for_good(
    steps: ModuleType, error: type[QalaError]
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=r"^It broke\. Mend it\.$"), steps.final_errors():
        raise error("It broke.", "Mend it.")


@pytest.mark.parametrize(
    "error", [TransientSourceError("No answer."), LakeError("Locked."), ValueError("a defect")]
)
def test_what_a_later_try_may_mend_passes_through(steps: ModuleType, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, steps.final_errors():
        raise error
    assert raised.value is error


class PutAsideError(Exception):
    """Instead of Airflow's: the moment a task is put aside until."""


@pytest.fixture
def wait(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `wait_for_hour` at a moment; the moment it waits for, or None where it passes."""
    task = dags["nightly"].get_task("wait_for_hour")

    def defer(*, trigger: Any, method_name: str) -> None:
        assert hasattr(task, method_name)
        raise PutAsideError(trigger.moment)

    monkeypatch.setattr(task, "defer", defer)

    def at(now: str, run: Run) -> str | None:
        monkeypatch.setattr(pendulum, "now", lambda _zone: pendulum.parse(now))
        try:
            task.execute(run.context)
        except PutAsideError as aside:
            return str(aside.args[0].in_timezone("Asia/Almaty").format("YYYY-MM-DD HH:mm"))
        return None

    return at


def test_a_scheduled_night_waits_for_the_hour_of_the_morning_after(wait: Any) -> None:
    scheduled = Run(kind="scheduled")
    assert wait("2026-11-21T00:00:05+05:00", scheduled) == "2026-11-21 03:00"
    assert wait("2026-11-21T02:59:59+05:00", scheduled) == "2026-11-21 03:00"
    assert wait("2026-11-21T03:00:00+05:00", scheduled) is None
    assert wait("2026-11-25T00:00:00+05:00", scheduled) is None


@pytest.mark.parametrize("kind", ["manual", "backfill", "asset_triggered"])
def test_every_other_night_starts_at_once(wait: Any, kind: str) -> None:
    assert wait("2026-11-21T00:00:05+05:00", Run(kind=kind)) is None


def test_the_first_task_refuses_a_run_without_a_date(wait: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="service date as partition key"):
        wait("2026-11-21T00:00:05+05:00", Run(None))


@pytest.fixture
def in_run(
    steps: ModuleType, nightly_file: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Run], list[object]]:
    """Replaces a step of `pipelines.run` and puts tasks into a run; returns the step's calls."""

    def put(step: str, run: Run) -> list[object]:
        calls: list[object] = []

        def called(*arguments: object, **options: object) -> dict[str, Any]:
            calls.append((*arguments, options))
            return REPORT

        monkeypatch.setattr(nightly_file.run, step, called)
        run.put_into(steps, nightly_file, patch=monkeypatch)
        return calls

    return put


@pytest.mark.parametrize(
    ("run", "may_wait"),
    [
        (Run(kind="scheduled", try_number=1), True),
        (Run(kind="scheduled", try_number=3), True),
        (Run(kind="scheduled", try_number=4), False),  # the last try takes what it gets
        (Run(kind="manual"), False),
        (Run(kind="backfill"), False),
    ],
    ids=["first try", "a later try", "the last try", "manual", "backfill"],
)
def test_only_a_scheduled_night_waits_for_a_source(
    nightly_file: ModuleType,
    in_run: Callable[[str, Run], list[object]],
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
    may_wait: bool,
) -> None:
    calls = in_run("fetch", run)
    monkeypatch.setattr(nightly_file.run, "secret_names", lambda _: [])
    assert nightly_file.fetch.function("fleet") == {"source_id": "fleet", **REPORT}
    assert calls == [("fleet", KEY, "the run", {"may_wait": may_wait, "secrets": {}})]


def test_a_fetch_is_given_the_passwords_of_the_connections_it_names(
    nightly_file: ModuleType,
    in_run: Callable[[str, Run], list[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = in_run("fetch", Run())
    monkeypatch.setenv("AIRFLOW_CONN_BUS_FEED", '{"conn_type": "http", "password": "p@ss/word"}')
    monkeypatch.setenv("AIRFLOW_CONN_NO_PASSWORD", '{"conn_type": "http"}')
    names = ["bus_feed", "no_password", "unknown"]
    monkeypatch.setattr(nightly_file.run, "secret_names", lambda _: names)
    nightly_file.fetch.function("fleet")
    secrets = {"bus_feed": "p@ss/word"}
    assert calls == [("fleet", KEY, "the run", {"may_wait": False, "secrets": secrets})]


def test_loading_gets_what_was_fetched_of_the_source(
    nightly_file: ModuleType, in_run: Callable[[str, Run], list[object]]
) -> None:
    calls = in_run("load", Run())
    fetched = {"source_id": "fleet", **REPORT}
    nightly_file.load.function(fetched)
    assert calls == [("fleet", fetched, KEY, "the run", {})]


@pytest.mark.parametrize(
    ("publish", "published"), [("success", True), ("failed", False), ("upstream_failed", False)]
)
def test_closing_tells_whether_this_run_published(
    nightly_file: ModuleType,
    in_run: Callable[[str, Run], list[object]],
    publish: str,
    published: bool,
) -> None:
    calls = in_run("close", Run(publish=publish))
    nightly_file.close.function()
    assert calls == [(KEY, "the run", {"published": published})]


def test_a_missed_deadline_is_said_in_the_log(
    nightly_file: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(nightly_file.log, "error", lambda text, *args: said.append(text % args))
    nightly_file.report_missed_deadline({"dag_run": {"partition_key": KEY}})
    [line] = said
    assert line.startswith(
        "The night of 2026-11-20 (Toytown) was not closed within 240 minutes of 03:00"
    )
