"""The lake's tables, made together when a lake is new.

DuckLake reads its whole schema again after each change of it, so that fifty tables made one by one,
each at its first write, cost twenty times what they cost in one transaction. A table that came into
the flow later is made at its first write.
"""

from __future__ import annotations

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.check_results import CheckResults
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, NewTable
from pipelines.warehouse.night_sources import NIGHT_SOURCES

STEPS = "ops.steps"
_OPS = {
    "ops.fetch_attempts": ops.FetchAttempts,
    NIGHT_SOURCES: ops.NightSources,
    "ops.partitions": ops.Partitions,
    "ops.table_audits": ops.TableAudits,
    "ops.quarantined_feeds": ops.QuarantinedFeeds,
    "ops.feed_decisions": ops.FeedDecisions,
    "ops.forgotten": ops.Forgotten,
    STEPS: ops.Steps,
    "ops.published_partitions": ops.PublishedPartitions,
    "ops.publications": ops.Publications,
    "ops.editions": ops.Editions,
    "ops.withdrawals": ops.Withdrawals,
    "ops.deliveries": ops.Deliveries,
    "ops.alerts": ops.Alerts,
    "ops.legal_holds": ops.LegalHolds,
    "ops.removals": ops.Removals,
    "ops.upkeeps": ops.Upkeeps,
    "quality.check_results": CheckResults,
}
_KEYS = {
    "version": ("source_id", "version_id"),
    "service_date": ("service_date",),
    "inputs": ("inputs_id",),
    "source": ("source_id",),
}


def make_tables(lake: Lake) -> None:
    """Make all tables of a new lake, empty, in one transaction; an older lake is left as it is."""
    if lake.exists(STEPS):
        return
    tables = [NewTable(t.name, load_contract(t), _KEYS[t.by]) for t in flow.TABLES]
    tables += [NewTable(name, contract) for name, contract in _OPS.items()]
    lake.create(tables)
