"""Feed versions held back, and what a person decided on them: release or reject, who and why.

A version is *held back* when it breaks rules that stop feeds, or when too many of its rows are
refused; its source's last good version stands in. It *waits* as long as nobody has decided and the
source still delivers it. *Released*, it is loaded at the next load although it breaks those rules.
*Rejected*, it is never tried again. The latest decision counts, all of them are kept.

What can't be read at all (no archive, nothing in it that is GTFS) is not held back but failed:
there is nothing that could be released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, get_args

import polars as pl

from pipelines.errors import QalaError, QuarantinedFeedError, SourceError, sample_text
from pipelines.policy import Policy
from pipelines.staging.gtfs import FeedNotices
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, Partition
from pipelines.warehouse.night_sources import Governing, every_night
from pipelines.warehouse.state import version_key

QUARANTINED = "ops.quarantined_feeds"
DECISIONS = "ops.feed_decisions"
NOTICES = "staging.feed_notices"
SHORT_ID = 12  # characters of a version id that people are shown; any unique beginning will do

Word = Literal["released", "rejected"]


@dataclass(frozen=True)
class HeldVersion:
    """A feed version that was held back."""

    source_id: str
    version_id: str
    object_name: str
    first_night_date: date
    reason: str
    notice_codes: str
    refused_count: int
    run_id: str

    @property
    def short_id(self) -> str:
        """The beginning of the version's id, enough to name it."""
        return self.version_id[:SHORT_ID]


@dataclass(frozen=True)
class Decision:
    """What a person decided on a feed version."""

    source_id: str
    version_id: str
    decision: Word
    decided_by: str
    reason: str
    decided_at: datetime
    run_id: str

    @property
    def is_release(self) -> bool:
        """Whether the version is to be loaded."""
        return self.decision == "released"

    def __str__(self) -> str:
        """What, by whom, when and why."""
        return f"{self.decision} by {self.decided_by} on {self.decided_at:%Y-%m-%d}: {self.reason}"


def quarantine_partition(
    lake: Lake,
    source_id: str,
    version_id: str,
    *,
    object_name: str,
    service_date: date,
    reason: str,
    codes: Sequence[str],
    refused_count: int = 0,
) -> Partition:
    """What records that a night held a version back, to be written with the rest of its load.

    The first night stays as it was recorded; all else is as this night found it.
    """
    before = _held(lake, source_id, version_id)
    item = HeldVersion(
        source_id=source_id,
        version_id=version_id,
        object_name=object_name,
        first_night_date=min([service_date, *(held.first_night_date for held in before)]),
        reason=reason,
        notice_codes=", ".join(sorted(set(codes))),
        refused_count=refused_count,
        run_id=lake.run_id,
    )
    schema = {name: column.dtype for name, column in ops.QuarantinedFeeds.columns().items()}
    rows = pl.DataFrame([vars(item)], schema=schema)
    key = version_key(source_id, version_id)
    return Partition(QUARANTINED, key, ops.QuarantinedFeeds, rows)


def decision(lake: Lake, source_id: str, version_id: str) -> Decision | None:
    """The latest decision on a feed version; None where nobody has decided."""
    found = decisions(lake).filter(source_id=source_id, version_id=version_id)
    return Decision(**found.row(-1, named=True)) if found.height else None


def decisions(lake: Lake) -> pl.DataFrame:
    """All decisions, the latest last."""
    return lake.read(DECISIONS, ops.FeedDecisions).sort("decided_at", maintain_order=True)


def held_back(lake: Lake) -> list[HeldVersion]:
    """Every version that was ever held back, oldest first."""
    return _held(lake)


def waiting(lake: Lake) -> list[HeldVersion]:
    """The versions that wait for a person: undecided, and still what their source delivers."""
    decided = set(decisions(lake).select("source_id", "version_id").iter_rows())
    delivered = _delivered(lake)
    return [
        held
        for held in held_back(lake)
        if (held.source_id, held.version_id) not in decided
        and delivered.get((held.source_id, held.object_name)) == held.version_id
    ]


def decide(
    lake: Lake, source_id: str, version: str, word: str, *, decided_by: str, reason: str
) -> Decision:
    """Record what a person decided on a version that was held back; `version` may be a beginning.

    Said again by the same run, it is recorded once. Raises `QalaError` where no such version was
    held back, or where who or why is not said.
    """
    if word not in get_args(Word):
        raise QalaError(f"{word!r} is no decision.", f"Say one of {', '.join(get_args(Word))}.")
    if not decided_by.strip() or not reason.strip():
        raise QalaError("A decision needs who decided and why.", "Give both.")
    held = named(lake, source_id, version)
    made = Decision(
        source_id=held.source_id,
        version_id=held.version_id,
        decision="released" if word == "released" else "rejected",
        decided_by=decided_by.strip(),
        reason=" ".join(reason.split()),
        decided_at=ops.now(),
        run_id=lake.run_id,
    )
    before = decision(lake, held.source_id, held.version_id)
    if before is not None and replace(before, decided_at=made.decided_at) == made:
        return before
    schema = {name: column.dtype for name, column in ops.FeedDecisions.columns().items()}
    rows = pl.DataFrame([vars(made)], schema=schema)
    lake.write(added=[Added(DECISIONS, ops.FeedDecisions, rows)])
    return made


def named(lake: Lake, source_id: str, version: str) -> HeldVersion:
    """The one version of a source that was held back and whose id begins so. Raises `QalaError`."""
    held = held_back(lake)
    found = [h for h in held if h.source_id == source_id and h.version_id.startswith(version)]
    if version and len(found) == 1:
        return found[0]
    names = [f"{h.source_id} {h.short_id}" for h in held]
    what = f"whose id begins with {version!r}"
    raise QalaError(
        f"{len(found)} versions of {source_id!r} were held back {what}."
        if version and found
        else f"No version of {source_id!r} was held back {what}.",
        f"Held back: {sample_text(names, most=10)}." if names else "None was ever held back.",
    )


def require_usable(
    notices: pl.DataFrame, policy: Policy, source_id: str, version_id: str, service_date: date
) -> None:
    """Raise `QuarantinedFeedError` where the notices of a version stop it, by the city's policy.

    `notices` are the version's rows of `staging.feed_notices`. Not asked of a released version.
    """
    stopping = [
        row for row in notices.iter_rows(named=True) if policy.judge(row, service_date).stops_feed
    ]
    if stopping:
        told = [
            f"{r['notice_code']} in {r['file_name']} ({r['affected_count']:,})" for r in stopping
        ]
        codes = [row["notice_code"] for row in stopping]
        raise held_error(source_id, version_id, ", ".join(told), codes=codes)


def held_error(
    source_id: str, version_id: str, what: str, *, codes: Sequence[str], refused_count: int = 0
) -> QuarantinedFeedError:
    """The error of a load that holds a version back; `what` says why, without a full stop.

    Its sentence (`error.what`) is the reason to record.
    """
    name = f"{source_id} {version_id[:SHORT_ID]}"
    return QuarantinedFeedError(
        f"Version {version_id[:SHORT_ID]} of {source_id} is held back: {what}.",
        f"Ask the publisher to mend it, or decide: qala release {name}, qala reject {name}.",
        codes=codes,
        refused_count=refused_count,
    )


def rejected_error(decision: Decision) -> SourceError:
    """The error of a load that is asked for a version which a person has rejected."""
    name = f"{decision.source_id} {decision.version_id[:SHORT_ID]}"
    return SourceError(
        f"Version {decision.version_id[:SHORT_ID]} of {decision.source_id} was {decision}.",
        f"Ask the publisher for a new version, or take it back: qala release {name}.",
    )


def notices_of(lake: Lake, source_id: str, version_id: str) -> pl.DataFrame:
    """What validation found in a feed version, held back or not."""
    key = version_key(source_id, version_id)
    return lake.read_partitions(NOTICES, FeedNotices, [key])


def stands_in(lake: Lake, held: HeldVersion) -> Governing | None:
    """The version that governed the latest night in the place of one that is held back."""
    named = [held.source_id, held.object_name]
    rows = every_night(lake, "source_id = ? AND object_name = ?", named).filter(
        ~pl.col("version_id").is_in(["", held.version_id])
    )
    if rows.is_empty():
        return None
    return Governing(**rows.sort("service_date").drop("service_date").row(-1, named=True))


def _held(
    lake: Lake, source_id: str | None = None, version_id: str | None = None
) -> list[HeldVersion]:
    rows = lake.read(QUARANTINED, ops.QuarantinedFeeds)
    if source_id is not None:
        rows = rows.filter(source_id=source_id, version_id=version_id)
    ordered = rows.sort("first_night_date", "source_id", "version_id")
    return [HeldVersion(**row) for row in ordered.iter_rows(named=True)]


def _delivered(lake: Lake) -> dict[tuple[str, str], str]:
    """The version that each object of a source had when it was last fetched."""
    attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "version_id <> ''")
    latest = attempts.sort("attempted_at").unique(["source_id", "object_name"], keep="last")
    return {
        (source_id, object_name): version_id
        for source_id, object_name, version_id in latest.select(
            "source_id", "object_name", "version_id"
        ).iter_rows()
    }
