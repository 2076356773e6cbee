"""What the nights did: `ops.*`. Run times and snapshots live here, never in what goes out."""

from __future__ import annotations

from datetime import UTC, datetime

import dataframely as dy

from pipelines.contracts.figure import one_of


def _instant(description: str) -> dy.Datetime:
    return dy.Datetime(time_unit="us", time_zone="UTC", description=description)


class FetchAttempts(dy.Schema):
    """One row per attempt at one object of one source."""

    service_date = dy.Date(description="Night that the attempt was made for.")
    source_id = dy.String(description="Source as the city file names it.")
    object_name = dy.String(description="Object as the source lists it; empty: the listing failed.")
    outcome = one_of("new", "unchanged", "failed", description="What came of it.")
    reason = dy.String(description="Why it failed; empty where it did not.")
    sha256 = dy.String(description="Hash of the bytes; empty where there are none.")
    version_id = dy.String(description="Hash of the contents; empty where there are none.")
    size_bytes = dy.Int64(
        description="Bytes received; 0 where nothing was.", metadata={"unit": "B"}
    )
    etag = dy.String(nullable=True, description="ETag that came with it.")
    last_modified = dy.String(nullable=True, description="Last-Modified that came with it.")
    duration_seconds = dy.Float64(description="How long it took.", metadata={"unit": "s"})
    run_id = dy.String(description="Run of the DAG.")
    attempted_at = _instant("When the attempt ended.")


class NightSources(dy.Schema):
    """One row per object of a source that governs a night; of a series, per object that differs
    from the night before (`warehouse.night_sources`)."""

    service_date = dy.Date(primary_key=True, description="The night.")
    source_id = dy.String(primary_key=True, description="Source as the city file names it.")
    object_name = dy.String(primary_key=True, description="Object as the source lists it.")
    version_id = dy.String(description="Version that governs; empty: none does.")
    sha256 = dy.String(description="Hash of the landed bytes; empty: none governs.")
    kind = dy.String(description="Kind of source.")
    mark = dy.String(description="What the source is: measured, modelled, published, synthetic.")
    is_stale = dy.Bool(description="Whether tonight failed and an earlier version stands in.")
    good_date = dy.Date(nullable=True, description="Latest night on which the version came good.")
    reason = dy.String(
        description="Why tonight's attempt failed or no version governs; empty where all is well."
    )
    is_assumed = dy.Bool(
        description="Whether the version bridges days that no version of the feed covers."
    )


class Partitions(dy.Schema):
    """One row per partition of a table as it stands now."""

    table_name = dy.String(primary_key=True, description="Table.")
    partition_key = dy.String(primary_key=True, description="Service date, or source/version.")
    input_hash = dy.String(description="Hash of code, parameters and inputs it was made from.")
    content_hash = dy.String(description="SHA-256 of the rows as CSV in key order.")
    row_count = dy.Int64(description="Rows.")
    refused_count = dy.Int64(description="Rows in quarantine.")
    run_id = dy.String(description="Run that made it.")
    built_at = _instant("When it was made.")


class TableAudits(dy.Schema):
    """One row per table: the contents and checks of its latest audit, and the night it was for."""

    table_name = dy.String(primary_key=True, description="Table that was checked.")
    audit_hash = dy.String(description="Hash of its contents, its checks and all they look at.")
    service_date = dy.Date(description="Night whose check results hold what was found.")
    clean_parts = dy.String(
        nullable=True,
        description="Marks of its partitions of which all checks of the contract held.",
    )


class QuarantinedFeeds(dy.Schema):
    """One row per feed version that was held back, decided upon or not."""

    source_id = dy.String(primary_key=True, description="Source as the city file names it.")
    version_id = dy.String(primary_key=True, description="Hash of the contents held back.")
    object_name = dy.String(description="Object as the source lists it.")
    first_night_date = dy.Date(description="First night for which it was held back.")
    reason = dy.String(description="Why it is held back.")
    notice_codes = dy.String(description="Codes of the notices that stop it, ', ' between them.")
    refused_count = dy.Int64(min=0, description="Rows of it that are refused.")
    run_id = dy.String(description="Run that held it back last.")


class FeedDecisions(dy.Schema):
    """One row per decision of a person on a feed version; the latest one counts."""

    source_id = dy.String(description="Source as the city file names it.")
    version_id = dy.String(description="Hash of the contents decided upon.")
    decision = one_of("released", "rejected", description="What was decided.")
    decided_by = dy.String(description="Who decided.")
    reason = dy.String(description="Why, in that person's words.")
    decided_at = _instant("When it was decided.")
    run_id = dy.String(description="Run of the DAG, or 'command line'.")


class Forgotten(dy.Schema):
    """One row per version of a source of single vehicles whose rows and bytes were deleted."""

    source_id = dy.String(primary_key=True, description="Source as the city file names it.")
    version_id = dy.String(primary_key=True, description="Hash of the contents that were deleted.")
    night_date = dy.Date(description="Night that deleted them.")
    first_date = dy.Date(description="Local day of the earliest of its rows, or of its arrival.")
    run_id = dy.String(description="Run of the DAG.")
    forgotten_at = _instant("When they were deleted.")


class Steps(dy.Schema):
    """One row per step of a night that ran."""

    service_date = dy.Date(description="The night.")
    run_id = dy.String(description="Run of the DAG.")
    step = dy.String(description="Step, e.g. build marts.metro_reach.")
    outcome = dy.String(description="done, unchanged, failed, stale.")
    row_count = dy.Int64(nullable=True, description="Rows that the step stands for, if any.")
    duration_seconds = dy.Float64(description="How long it took.", metadata={"unit": "s"})
    note = dy.String(description="What a reader of the log should know; empty if nothing.")
    ended_at = _instant("When it ended.")


class PublishedPartitions(dy.Schema):
    """One row per partition that a published night stands on, as it passed the audit."""

    night_date = dy.Date(primary_key=True, description="The night.")
    table_name = dy.String(primary_key=True, description="Table.")
    partition_key = dy.String(primary_key=True, description="Service date, or source/version.")
    content_hash = dy.String(description="Content at the audit.")
    row_count = dy.Int64(description="Rows at the audit.")
    snapshot_id = dy.Int64(description="Snapshot of the lake at which it stood so.")


class Publications(dy.Schema):
    """One row per night that was published, as it went out last."""

    service_date = dy.Date(primary_key=True, description="The night.")
    fingerprint = dy.String(description="Hash of all that went out, and of the code.")
    file_sha256 = dy.String(description="Hash of the published DuckDB file.")
    page_sha256 = dy.String(description="Hash of the page of checks.")
    brief_sha256 = dy.String(nullable=True, description="Hash of the brief; null before it was.")
    manifest_sha256 = dy.String(description="Hash of the extracts' manifest.")
    run_id = dy.String(description="Run of the DAG.")
    published_at = _instant("When it went out.")


class Editions(dy.Schema):
    """One row per edition of a service date's extracts: what was sent, and what it restates.

    A night that is published again with other contents has another edition.
    """

    service_date = dy.Date(primary_key=True, description="The night.")
    edition = dy.Int64(primary_key=True, min=1, description="Number, the first is 1.")
    core_sha256 = dy.String(description="Hash of what its manifest says of the night's contents.")
    core = dy.String(description="That part of the manifest, as canonical JSON.")
    manifest_sha256 = dy.String(description="Hash of the manifest as it went out last.")
    before_date = dy.Date(nullable=True, description="Night before that it was compared with.")
    before_edition = dy.Int64(nullable=True, description="Edition of that night.")
    snapshot_id = dy.Int64(description="Snapshot of the lake at which its rows stood so.")
    run_id = dy.String(description="Run of the DAG.")
    published_at = _instant("When it went out.")


class Withdrawals(dy.Schema):
    """One row per edition of extracts that was withdrawn."""

    service_date = dy.Date(primary_key=True, description="The night.")
    edition = dy.Int64(primary_key=True, description="Edition that is withdrawn.")
    reason = dy.String(description="Why.")
    successor_date = dy.Date(
        nullable=True, description="Night whose extracts stand in its place, if another's do."
    )
    run_id = dy.String(description="Run of the DAG, or 'command line'.")
    withdrawn_at = _instant("When it was withdrawn.")


class Deliveries(dy.Schema):
    """One row per file handed over."""

    service_date = dy.Date(description="The night.")
    file_name = dy.String(description="File, relative to the extract's folder.")
    target = dy.String(description="Where it went.")
    sha256 = dy.String(description="Hash of what arrived, read back.")
    size_bytes = dy.Int64(description="Bytes.", metadata={"unit": "B"})
    outcome = one_of("delivered", "unchanged", "failed", description="What came of it.")
    reason = dy.String(description="Why it failed; empty where it did not.")
    run_id = dy.String(description="Run of the DAG.")
    delivered_at = _instant("When it was handed over.")


class Upkeeps(dy.Schema):
    """One row per act of upkeep: what was done to lake and landing, and when."""

    act = one_of("upkeep", "backup", "restore", description="What was done.")
    text = dy.String(description="What came of it, in words.")
    run_id = dy.String(description="Run of the DAG, or 'command line'.")
    code_version = dy.String(description="Version of the code that did it.")
    done_at = _instant("When it ended.")


class LegalHolds(dy.Schema):
    """One row per decision to hold objects, or to hold them no more; the latest of an id counts.

    A hold is on a source, on single bytes, on nights, or on what is all of these.
    """

    hold_id = dy.String(description="Name of the hold, e.g. the number of the case.")
    decision = one_of("held", "lifted", description="What was decided.")
    source_id = dy.String(description="Source that is held; empty: every source.")
    sha256 = dy.String(
        description="Bytes that are held, by the beginning of their hash; empty: all."
    )
    first_date = dy.Date(
        nullable=True, description="First night that is held; null: the first one."
    )
    last_date = dy.Date(nullable=True, description="Last night that is held; null: no end.")
    decided_by = dy.String(description="Who decided.")
    reason = dy.String(description="Why, in that person's words.")
    decided_at = _instant("When it was decided.")


class Removals(dy.Schema):
    """One row per landed object that the city's retention removed."""

    sha256 = dy.String(primary_key=True, description="Hash of the bytes that were removed.")
    source_id = dy.String(primary_key=True, description="Source that had brought them.")
    last_date = dy.Date(description="Last night that they governed or were fetched for.")
    run_id = dy.String(description="Run of the DAG, or 'command line'.")
    removed_at = _instant("When they were removed.")


class Alerts(dy.Schema):
    """One row per alert that a channel has taken: nobody is told the same twice."""

    kind = dy.String(primary_key=True, description="Kind of alert.")
    subject = dy.String(primary_key=True, description="What it is about, e.g. a night or a source.")
    channel = dy.String(primary_key=True, description="Channel as the city file names it.")
    what = dy.String(description="What was told.")
    since = dy.String(description="Since when it was so.")
    run_id = dy.String(description="Run of the DAG, or 'command line'.")
    told_at = _instant("When the channel took it.")


def now() -> datetime:
    """The clock of everything in `ops`."""
    return datetime.now(UTC)
