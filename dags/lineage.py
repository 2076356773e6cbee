"""Lineage: which tables each task of a night reads and writes, for OpenLineage's events.

Airflow's own provider makes and sends the events; this names the data sets, from the flow. It is
imported where an installation says so (docs/watching.md), and costs nothing elsewhere:

    AIRFLOW__OPENLINEAGE__EXTRACTORS=dags.lineage.TableLineage

A table is a data set of the namespace ``qala://<city>``, under its own name; a source's landed
bytes are ``landing.<source>``, and what goes out is ``published``.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow.providers.openlineage.extractors.base import BaseExtractor, OperatorLineage
from openlineage.client.event_v2 import Dataset
from openlineage.client.facet_v2 import RunFacet

from dags.steps import SCHEDULE
from pipelines import flow, run

CHECKS, PUBLISHED = "quality.check_results", "published"


class TableLineage(BaseExtractor):
    """The data sets of one task."""

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        """The operator behind ``@task``: all tasks of the night that touch data."""
        return ["_PythonDecoratedOperator"]

    def _execute_extraction(self) -> OperatorLineage[Dataset, RunFacet]:
        inputs, outputs = data_sets(self.operator.task_id)
        return OperatorLineage(inputs=_data_sets(inputs), outputs=_data_sets(outputs))


def data_sets(task_id: str) -> tuple[list[str], list[str]]:
    """Names of what a task reads and of what it writes; a task without data has neither."""
    group, _, step = task_id.rpartition(".")
    marts = list(SCHEDULE.marts)
    if group == "build_marts":
        mart = flow.table(f"marts.{step}")
        return list(mart.reads), [mart.name]
    if group.startswith("ingest_"):
        sources = SCHEDULE.sources[group.removeprefix("ingest_")]
        landed = [f"landing.{source_id}" for source_id in sources]
        staged = [name for source_id in sources for name in run.tables_of(source_id)]
        return ([], landed) if step == "fetch" else (landed, list(dict.fromkeys(staged)))
    known = {
        "audit": (marts, [CHECKS]),
        "publish": ([*marts, CHECKS], [PUBLISHED]),
        "hand_over": ([PUBLISHED], []),
    }
    return known.get(task_id, ([], []))


def _data_sets(names: Iterable[str]) -> list[Dataset]:
    return [Dataset(namespace=f"qala://{SCHEDULE.city_id}", name=name) for name in names]
