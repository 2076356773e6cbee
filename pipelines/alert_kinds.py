"""Every kind of alert: what it is called, and where the runbook says what to do.

Failures (a night that is late, failed or was held by its audit) are kinds of their own, apart from
what is said of data that went out all the same (stale sources, warnings of checks).
"""

from __future__ import annotations

from dataclasses import dataclass

RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True)
class Kind:
    """A kind of alert: its name in the city file, and its heading in the runbook."""

    name: str
    heading: str


KINDS = (
    Kind("late_night", "A night is late"),
    Kind("failed_night", "A night failed"),
    Kind("failed_audit", "The audit kept a night inside"),
    Kind("failed_delivery", "Extracts were not delivered"),
    Kind("lake_out_of_reach", "The lake is out of reach"),
    Kind("stale_source", "A source is stale"),
    Kind("quality_warning", "A check warns"),
    Kind("feed_held_back", "A feed is held back"),
    Kind("old_backup", "The last backup is old"),
)
NAMES = tuple(kind.name for kind in KINDS)


def heading(name: str) -> str:
    """The runbook's heading of a kind."""
    return next(kind.heading for kind in KINDS if kind.name == name)
