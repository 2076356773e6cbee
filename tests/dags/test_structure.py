"""The shape of the DAGs: what waits for what, how often, in which pool, and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pipelines import flow

pytestmark = pytest.mark.airflow

GROUPS = {  # of the toy city, which has no live positions
    "gtfs": ["transit"],
    "fleet": ["fleet"],
    "traffic": ["stations", "counts", "passages", "audits"],
    "reference": ["people", "districts", "commitments"],
}
MARTS = [mart.short_name for mart in flow.marts()]


@pytest.fixture
def nightly(dags: dict[str, Any]) -> Any:
    return dags["nightly"]


def upstream(dag: Any, task_id: str) -> set[str]:
    return set(dag.get_task(task_id).upstream_task_ids)


def test_only_these_files_hold_dags(dags: dict[str, Any]) -> None:
    assert set(dags) == {"nightly", "deliver", "release_quarantine", "upkeep", "watch"}


def test_every_step_of_the_flow_is_a_task(nightly: Any) -> None:
    ingest = {f"ingest_{g}.{step}" for g in GROUPS for step in ("fetch", "load")}
    build = {f"build_marts.{mart}" for mart in MARTS}
    assert set(nightly.task_ids) == {
        "wait_for_hour", *ingest, *build, "audit", "publish", "close",
    }  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_fetches_and_loads_its_sources(nightly: Any, group: str) -> None:
    here = f"ingest_{group}"
    assert upstream(nightly, f"{here}.fetch") == {"wait_for_hour"}
    assert upstream(nightly, f"{here}.load") == {f"{here}.fetch"}
    fetch = nightly.get_task(f"{here}.fetch")
    assert fetch.op_kwargs_expand_input.value == {"source_id": GROUPS[group]}
    assert nightly.get_task(f"{here}.load").is_mapped


@pytest.mark.parametrize("mart", flow.marts(), ids=lambda mart: str(mart.short_name))
def test_a_mart_waits_for_what_it_reads_and_for_nothing_else(nightly: Any, mart: Any) -> None:
    groups = {f"ingest_{flow.source_kind(flow.table(read).source).group}.load"
              for read in mart.reads if flow.table(read).source}  # fmt: skip
    marts = {f"build_marts.{flow.table(read).short_name}"
             for read in mart.reads if not flow.table(read).source}  # fmt: skip
    groups.discard("ingest_realtime.load")  # a group without sources is no part of the night
    waits = (groups | marts) or {"wait_for_hour"}
    assert upstream(nightly, f"build_marts.{mart.short_name}") == waits


def test_days_of_passages_and_travel_times_are_shared_by_tasks(nightly: Any) -> None:
    shared = [mart.short_name for mart in flow.marts() if mart.is_shared]
    assert {"matched_trips", "travel_times"} <= set(shared)
    for mart in shared:
        task = nightly.get_task(f"build_marts.{mart}")
        assert task.op_kwargs_expand_input.value == {"place": [0, 1]}
    mapped = {t.task_id for t in nightly.tasks if t.is_mapped and "build_marts" in t.task_id}
    assert mapped == {f"build_marts.{mart}" for mart in shared}


def test_rerunning_the_fleet_reruns_only_what_follows_from_it(nightly: Any) -> None:
    following = nightly.get_task("ingest_fleet.load").get_flat_relative_ids(upstream=False)
    assert following == {
        "build_marts.vehicle_history", "build_marts.diesel_phase_out",
        "build_marts.diesel_burn_down", "build_marts.diesel_vehicle_km",
        "build_marts.diesel_forecast", "build_marts.forecast_skill",
        "build_marts.fleet_reconciliation", "build_marts.bus_emissions",
        "build_marts.commitments_status", "build_marts.commitment_targets",
        "audit", "publish", "close",
    }  # fmt: skip


def test_the_audit_waits_for_all_tables(nightly: Any) -> None:
    made = {f"ingest_{g}.load" for g in GROUPS} | {f"build_marts.{mart}" for mart in MARTS}
    assert upstream(nightly, "audit") == made
    assert upstream(nightly, "publish") == {"audit"}


def test_closing_waits_for_everything_and_always_runs(nightly: Any) -> None:
    made = {f"ingest_{g}.load" for g in GROUPS} | {f"build_marts.{mart}" for mart in MARTS}
    assert upstream(nightly, "close") == made | {"audit", "publish"}
    assert nightly.get_task("close").trigger_rule == "all_done"


def test_what_writes_to_the_lake_shares_one_slot(nightly: Any) -> None:
    pools = {task.task_id: task.pool for task in nightly.tasks}
    writers = {task_id for task_id, pool in pools.items() if pool == "lake_writer"}
    readers = {"wait_for_hour"} | {f"ingest_{g}.fetch" for g in GROUPS}
    assert writers == set(pools) - readers
    assert {pools[task_id] for task_id in readers} == {"default_pool"}


def test_tasks_are_tried_again_with_growing_pauses(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            assert task.retries >= 3, task.task_id
            assert task.retry_exponential_backoff == 2, task.task_id
            assert task.max_retry_delay <= timedelta(minutes=15), task.task_id


def test_a_source_is_tried_from_the_hour_to_the_cut_off(nightly: Any) -> None:
    fetch = nightly.get_task("ingest_gtfs.fetch")
    shortest, pause = timedelta(), fetch.retry_delay
    for _ in range(fetch.retries):
        shortest += min(pause, fetch.max_retry_delay)
        pause *= 2
    assert shortest >= timedelta(hours=2)  # 03:00 to 05:00 in the toy city


def test_every_task_but_the_waiting_one_has_a_time_limit(dags: dict[str, Any]) -> None:
    unlimited = {
        task.task_id for dag in dags.values() for task in dag.tasks if not task.execution_timeout
    }
    assert unlimited == {"wait_for_hour"}


def test_owner_tags_and_words_for_people(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert {task.owner for task in dag.tasks} == {"toy owner"}
        assert set(dag.tags) == {"toy", "toy tag"}
        assert "service date" in dag.doc_md


def test_a_night_is_a_day_in_the_citys_time_zone(nightly: Any) -> None:
    timetable = nightly.timetable
    assert nightly.timezone.name == "Asia/Almaty"
    assert (timetable.expression, timetable.run_offset) == ("0 0 * * *", -1)
    assert timetable.key_format == "%Y-%m-%d"
    assert nightly.catchup is False
    assert nightly.max_active_runs == 1


def test_the_deadline_counts_from_the_schedule_hour(nightly: Any) -> None:
    [deadline] = nightly.deadline if isinstance(nightly.deadline, list) else [nightly.deadline]
    assert deadline.interval == timedelta(hours=3, minutes=240)
    assert deadline.callback.path.endswith(".report_missed_deadline")


def test_deliver_follows_what_closing_emits(dags: dict[str, Any]) -> None:
    emitting = {t.task_id: t.outlets for t in dags["nightly"].tasks if t.outlets}
    [published] = emitting.pop("close")
    assert emitting == {}
    assert not dags["nightly"].get_task("close").is_mapped
    assert published.name == "toy.published"
    assert dags["deliver"].timetable.asset_condition == published
    assert dags["deliver"].task_ids == ["hand_over"]
