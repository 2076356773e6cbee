"""What validation found in the feeds that govern the service date, as the city judges it.

One row per feed version and notice code, its files taken together: how many findings, the first
few of them, the severity that the validator gives, and the one that counts here. The two differ
only where the city's policy says so, and then the row tells who overrides it, why and until when.
`stops_feed` says that the notice would have stopped the version: where such a version governs all
the same, a person has released it. A feed in which nothing was found has no row. Left out: versions
that are held back, and rules that found nothing (`staging.feed_rules`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.night import Night
from pipelines.policy import Policy
from pipelines.staging.gtfs import FeedNotices

METHOD = "canonical notices, city policy"
SEVERITIES = ("ERROR", "WARNING", "INFO")  # the worst first
MOST_SAMPLES = 5
GRAIN = ("source_id", "version_id", "notice_code")


class FeedQuality(Figure):
    """One row per service date, feed version that governs it, and notice code."""

    source_id = dy.String(primary_key=True, description="Feed.")
    version_id = dy.String(primary_key=True, description="Feed version that governs the date.")
    notice_code = dy.String(
        primary_key=True, description="Code of the Canonical GTFS Validator, or an extension of it."
    )
    severity = one_of(*SEVERITIES, description="Severity by the validator.")
    effective_severity = one_of(*SEVERITIES, description="Severity that counts in this city.")
    stops_feed = dy.Bool(
        description="Whether it stops a version that nobody has released, by the city's policy."
    )
    overridden_by = dy.String(
        nullable=True, description="Who overrides the validator; null where nobody does."
    )
    override_reason = dy.String(nullable=True, description="Why it is overridden.")
    override_expires_date = dy.Date(
        nullable=True, description="First service date for which the override no longer holds."
    )
    file_names = dy.String(description="Files it was found in, ', ' between them.")
    affected_count = dy.Int64(min=1, description="How many findings.")
    affected_sample = dy.String(
        description="The first few as JSON: file, row (the header is 1), field, value."
    )
    is_extension = dy.Bool(description="Whether the code is the project's own.")
    description = dy.String(description="What the code means.")

    @dy.rule()
    def an_override_is_signed(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Who, why and until when are known together, or nothing is overridden."""
        known = pl.col("override_reason").is_not_null()
        same = pl.col("overridden_by").is_not_null() == known
        return same & (pl.col("override_expires_date").is_not_null() == known)


def compute_feed_quality(
    night: Night, *, feed_notices: dy.DataFrame[FeedNotices], policy: Policy
) -> dy.DataFrame[FeedQuality]:
    """The notices of the night's feed versions under the city's policy, sorted by key."""
    ordered = feed_notices.sort(*GRAIN, "file_name")
    groups = ordered.partition_by(*GRAIN, maintain_order=True)
    rows = [_row([*group.iter_rows(named=True)], night, policy) for group in groups]
    schema = {name: c.dtype for name, c in FeedQuality.columns().items()}
    own = {name: dtype for name, dtype in schema.items() if name not in Figure.column_names()}
    stamped = stamp(pl.DataFrame(rows, schema=own), night, method=METHOD)
    return FeedQuality.validate(
        stamped.select(FeedQuality.column_names()).sort(FeedQuality.primary_key())
    )


def _row(notices: Sequence[dict[str, Any]], night: Night, policy: Policy) -> dict[str, object]:
    """One notice code of a version from its rows by file."""
    verdicts = [policy.judge(row, night.service_date) for row in notices]
    samples = {row["file_name"]: json.loads(row["affected_sample"]) for row in notices}
    first, entry = notices[0], verdicts[0].entry
    told = [{"file": name, **found} for name, items in samples.items() for found in items]
    return {
        **{name: first[name] for name in (*GRAIN, "is_extension", "description")},
        "severity": _worst([row["severity"] for row in notices]),
        "effective_severity": _worst([verdict.severity for verdict in verdicts]),
        "stops_feed": any(verdict.stops_feed for verdict in verdicts),
        "overridden_by": entry and entry.owner,
        "override_reason": entry and entry.reason,
        "override_expires_date": entry and entry.expires,
        "file_names": ", ".join(samples),
        "affected_count": sum(row["affected_count"] for row in notices),
        "affected_sample": json.dumps(told[:MOST_SAMPLES], ensure_ascii=False),
    }


def _worst(severities: Sequence[str]) -> str:
    return min(severities, key=SEVERITIES.index)
