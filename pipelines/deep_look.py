"""`qala doctor --deep`: what stands in lake, landing and publication is looked at itself.

Every landed object is hashed (or a sample, the same all day), every file that the catalog names is
there and of its size, the published file opens and counts, extracts verify by the trusted keys, and
what lies about is told: files without a snapshot, backups too old, channels without their secrets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from pipelines.city_file import load_city
from pipelines.errors import QalaError, SourceError, sample_text
from pipelines.findings import Finding
from pipelines.settings import Settings, load_secrets
from pipelines.sources.landing import Landing
from pipelines.trusted_keys import read_trusted_keys
from pipelines.upkeep import REMOVALS, UNUSED_FOR, UPKEEPS, landed_objects
from pipelines.verification import verify_folder
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from pipelines.warehouse.maintenance import live_files, missing_files, orphans
from pipelines.warehouse.publish import open_published

OLD_BACKUP_DAYS = 7  # where the city file does not say


def look_at_landing(lake: Lake, settings: Settings, most: int | None) -> Iterator[Finding]:
    """Landed objects."""
    gone = set(lake.read(REMOVALS, ops.Removals).get_column("sha256"))
    gone |= set(_forgotten(lake))
    wanted = sorted({one.sha256 for one in landed_objects(lake)} - gone)
    if most is not None and most < len(wanted):
        chosen = random.Random(datetime.now(UTC).date().isoformat()).sample(wanted, most)  # noqa: S311  # a sample, not a secret
    else:
        chosen = wanted
    wrong = [sha256 for sha256 in chosen if not _is_whole(Landing(settings.landing), sha256)]
    remedy = f"Restore {sample_text(wrong)} from a backup." if wrong else ""
    found = f"{len(chosen)} of {len(wanted)} hashed, {len(wrong)} missing or changed"
    yield Finding("landed objects", found, remedy)


def look_at_files(lake: Lake, settings: Settings) -> Iterator[Finding]:
    """The lake's files."""
    if "://" in settings.objects:
        yield Finding("the lake's files", f"{len(live_files(lake))} named, in {settings.objects}")
        return
    missing = missing_files(lake)
    remedy = f"Restore from a backup: {sample_text(missing)}." if missing else ""
    found = f"{len(live_files(lake))} named, {len(missing)} missing or of another size"
    yield Finding("the lake's files", found, remedy)
    loose = orphans(lake, datetime.now(UTC) - UNUSED_FOR)
    yield Finding(
        "files without a snapshot", str(len(loose)), "qala upkeep removes them." if loose else ""
    )


def look_at_publication(settings: Settings) -> Iterator[Finding]:
    """Published file."""
    city = load_city(settings.city_file)
    with open_published(settings.publish / f"{city.city.id}.duckdb") as connection:
        row = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
    yield Finding("published file", f"opens, {row[0] if row else 0} tables")


def look_at_extracts(settings: Settings) -> Iterator[Finding]:
    """Extracts."""
    trusted = read_trusted_keys(settings.trusted_keys)
    folders = sorted((settings.publish / "extracts").glob("????-??-??"))
    wrong: list[str] = []
    for folder in folders:
        findings = verify_folder(folder, trusted)
        # Without any trusted key a city's extracts are unsigned by its own will.
        if any(trusted.keys or finding.kind != "unsigned" for finding in findings):
            wrong.append(folder.name)
    remedy = f"qala verify tells more; publish {sample_text(wrong)} again." if wrong else ""
    yield Finding("extracts", f"{len(folders)} nights, {len(wrong)} not as signed", remedy)


def look_at_backups(lake: Lake, settings: Settings) -> Iterator[Finding]:
    """Backups."""
    days = load_city(settings.city_file).upkeep.backup_days or OLD_BACKUP_DAYS
    done = lake.read(UPKEEPS, ops.Upkeeps, "act = 'backup'").sort("done_at")
    if done.is_empty():
        yield Finding("last backup", "there is none", "qala backup FOLDER, every day.")
        return
    last = done.row(-1, named=True)
    is_old = datetime.now(UTC) - last["done_at"] > timedelta(days=days)
    remedy = f"qala backup FOLDER: it is older than {days} days." if is_old else ""
    yield Finding("last backup", f"{last['done_at']:%Y-%m-%d %H:%M} UTC: {last['text']}", remedy)


def look_at_channels(settings: Settings) -> Iterator[Finding]:
    """Channels of alerts."""
    channels = load_city(settings.city_file).alerts
    if not channels:
        remedy = "Write [[alerts]] into the city file: docs/add-a-city.md."
        yield Finding("channels of alerts", "none: nobody is told anything", remedy)
    for channel in channels:
        missing = set(channel.secret_names) - set(load_secrets(channel.secret_names, {}))
        kinds = ", ".join(channel.kinds) or "all kinds"
        elsewhere = f"; {sample_text(sorted(missing))} must be Airflow connections"
        text = f"{channel.by}: {kinds}{elsewhere if missing else ''}"
        yield Finding(f"alerts to {channel.name}", text)


def look_deep(settings: Settings, most_landed: int | None = None) -> Iterator[Finding]:
    """Everything; what can't be looked at is a finding with its remedy."""
    yield from _safely(lambda: look_at_publication(settings), "published file")
    yield from _safely(lambda: look_at_extracts(settings), "extracts")
    yield from _safely(lambda: look_at_channels(settings), "channels of alerts")

    def of_the_lake() -> Iterator[Finding]:
        with open_lake(settings) as lake:
            yield from look_at_files(lake, settings)
            yield from look_at_landing(lake, settings, most_landed)
            yield from look_at_backups(lake, settings)

    yield from _safely(of_the_lake, "lake")


def _safely(look: Callable[[], Iterator[Finding]], subject: str) -> Iterator[Finding]:
    try:
        yield from look()
    except QalaError as error:
        yield Finding(subject, error.what, error.remedy or "See docs/runbook.md.")


def _is_whole(landing: Landing, sha256: str) -> bool:
    try:
        landing.read(sha256)
    except SourceError:
        return False
    return True


def _forgotten(lake: Lake) -> list[str]:
    """Bytes of single vehicles that were deleted for good."""
    forgotten = lake.read("ops.forgotten", ops.Forgotten).select("source_id", "version_id")
    attempts = lake.read("ops.fetch_attempts", ops.FetchAttempts, "sha256 <> ''")
    return list(attempts.join(forgotten, on=forgotten.columns, how="semi").get_column("sha256"))
