"""Legal holds: what may not be removed, by whose word and why, whatever retention says.

A hold is on a source, on an object (by its hash), on nights, or on what is all of these together;
it binds the retention of landing and the forgetting of single vehicles alike. It stays until
somebody lifts it, and both decisions stay in `ops.legal_holds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from pipelines.errors import QalaError
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake

HOLDS = "ops.legal_holds"
SHORTEST_HASH = 12  # hex digits of an object's hash that name it well enough


@dataclass(frozen=True)
class Hold:
    """One hold, or its end."""

    hold_id: str
    decision: str
    source_id: str
    sha256: str
    first_date: date | None
    last_date: date | None
    decided_by: str
    reason: str
    decided_at: datetime

    def covers(self, source_id: str, sha256: str, first_date: date, last_date: date) -> bool:
        """Whether an object of a source that some nights stand on is held."""
        return (
            self.source_id in ("", source_id)
            and sha256.startswith(self.sha256)
            and (self.last_date is None or first_date <= self.last_date)
            and (self.first_date is None or last_date >= self.first_date)
        )

    def __str__(self) -> str:
        """What is held, by whom and why."""
        parts = [f"source {self.source_id}" if self.source_id else "every source"]
        parts += [f"object {self.sha256}"] if self.sha256 else []
        if self.first_date or self.last_date:
            parts.append(f"nights {self.first_date or '...'} to {self.last_date or '...'}")
        told = f"by {self.decided_by} on {self.decided_at:%Y-%m-%d}: {self.reason}"
        return f"{self.hold_id}: {', '.join(parts)}; {self.decision} {told}"


def holds(lake: Lake) -> list[Hold]:
    """The holds that are in force, in the order of their ids."""
    rows = lake.read(HOLDS, ops.LegalHolds).sort("decided_at")
    last = rows.unique("hold_id", keep="last").filter(decision="held").sort("hold_id")
    return [Hold(**row) for row in last.iter_rows(named=True)]


def is_held(
    found: Sequence[Hold], source_id: str, sha256: str, first_date: date, last_date: date
) -> bool:
    """Whether any of the holds covers an object."""
    return any(hold.covers(source_id, sha256, first_date, last_date) for hold in found)


def place_hold(
    lake: Lake,
    hold_id: str,
    *,
    decided_by: str,
    reason: str,
    source_id: str = "",
    sha256: str = "",
    first_date: date | None = None,
    last_date: date | None = None,
) -> Hold:
    """Write a hold down. Raises `QalaError` where it is not said on what, by whom or why."""
    _check(decided_by, reason)
    if not (source_id or sha256 or first_date or last_date):
        raise QalaError("A hold needs what it is on.", "Name a source, an object or nights.")
    if sha256 and (len(sha256) < SHORTEST_HASH or set(sha256) - set("0123456789abcdef")):
        raise QalaError(
            f"{sha256!r} names no object.", f"Give {SHORTEST_HASH} or more hex digits of its hash."
        )
    if first_date and last_date and last_date < first_date:
        raise QalaError(f"{last_date} is before {first_date}.", "Give the first night first.")
    if any(hold.hold_id == hold_id for hold in holds(lake)):
        raise QalaError(f"There is a hold {hold_id!r} already.", "Choose another name.")
    hold = Hold(
        hold_id, "held", source_id, sha256, first_date, last_date, decided_by, reason, ops.now()
    )
    _write(lake, hold)
    return hold


def lift_hold(lake: Lake, hold_id: str, *, decided_by: str, reason: str) -> Hold:
    """End a hold. Raises `QalaError` where there is none of that name."""
    _check(decided_by, reason)
    for hold in holds(lake):
        if hold.hold_id == hold_id:
            lifted = replace(
                hold,
                decision="lifted",
                decided_by=decided_by,
                reason=reason,
                decided_at=ops.now(),
            )
            _write(lake, lifted)
            return lifted
    raise QalaError(f"There is no hold {hold_id!r}.", "qala hold list shows those in force.")


def _check(decided_by: str, reason: str) -> None:
    if not (decided_by.strip() and reason.strip()):
        raise QalaError("A hold needs who decides and why.", "Say it with --by and --reason.")


def _write(lake: Lake, hold: Hold) -> None:
    types = {name: column.dtype for name, column in ops.LegalHolds.columns().items()}
    lake.write(added=[Added(HOLDS, ops.LegalHolds, pl.DataFrame([vars(hold)], schema=types))])
