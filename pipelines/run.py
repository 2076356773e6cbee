"""One step of the flow for one night, or one decision of a person: what a task of a DAG calls.

Each step takes the night's key (its service date as text, the run's partition key) and the run's
id, and returns a JSON-able report: step, outcome (done, unchanged, stale, failed), rows, seconds,
text. Everything heavy is imported inside the steps, since this module is read when DAGs are parsed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipelines import flow
from pipelines.city_file import City, load_city
from pipelines.errors import CriticalSourceError, QalaError, TransientSourceError
from pipelines.settings import Settings, load_settings
from pipelines.settings import lake_writers as writers_of_lake

if TYPE_CHECKING:
    from pipelines.delivery import OpenFiles
    from pipelines.policy import Policy
    from pipelines.warehouse.lake import Lake

Report = dict[str, Any]


@dataclass(frozen=True)
class Schedule:
    """What the DAGs need of the city file when they are parsed. Times are local, "HH:MM"."""

    city_id: str
    city_name: str
    time_zone: str
    hour: str
    cut_off: str
    deadline_minutes: int
    owner: str
    tags: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]  # by group, in the city file's order; none is empty
    day_tasks: int
    marts: tuple[str, ...]  # tables' names, in an order in which each comes after what it reads


def schedule() -> Schedule:
    """The schedule in the city file. Raises `SettingsError` where the file is wrong."""
    city = load_city(load_settings().city_file)
    return Schedule(
        city_id=city.city.id,
        city_name=city.city.name,
        time_zone=city.city.time_zone,
        hour=city.schedule.hour.strftime("%H:%M"),
        cut_off=city.schedule.cut_off.strftime("%H:%M"),
        deadline_minutes=city.schedule.deadline_minutes,
        owner=city.schedule.owner,
        tags=city.schedule.tags,
        sources=_sources_by_group(city),
        day_tasks=city.schedule.day_tasks,
        marts=tuple(mart.name for mart in flow.marts(city.city.marts)),
    )


def lake_writers() -> int:
    """How many tasks may write to the lake at once. Raises `SettingsError`."""
    return writers_of_lake(load_settings())


def _sources_by_group(city: City) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {kind.group: [] for kind in flow.SOURCE_KINDS}
    for name, source in city.sources.items():
        found[flow.source_kind(source.kind).group].append(name)
    return {group: tuple(names) for group, names in found.items() if names}


def service_date(key: str | None) -> str:
    """Check a run's key, a service date written YYYY-MM-DD. Raises `QalaError` for any other."""
    try:
        if key is None or date.fromisoformat(key).isoformat() != key:
            raise ValueError(key)
    except ValueError:
        raise QalaError(
            f"A run needs its service date as partition key; this one has {key!r}.",
            "Trigger it with partition_key set to a date such as 2026-11-20.",
        ) from None
    return key


def secret_names(source_id: str) -> list[str]:
    """Names of the secrets that the city file names for a source."""
    return load_city(load_settings().city_file).sources[source_id].secret_names


def tables_of(source_id: str) -> list[str]:
    """Names of the staging tables that a source fills."""
    source = load_city(load_settings().city_file).sources[source_id]
    return [table.name for table in flow.staging_tables(source.kind)]


def fetch(
    source_id: str,
    key: str,
    run_id: str,
    *,
    may_wait: bool = False,
    secrets: Mapping[str, str] | None = None,
) -> Report:
    """Bring a source's objects of a night to landing. What fails is an outcome in the report.

    With `may_wait` a source that does not answer raises `TransientSourceError` until the city's
    cut-off hour has passed, so that the caller tries again later. `secrets` are those that the
    caller has found, by name; the others are looked for in the environment.
    """
    from pipelines import ingest
    from pipelines.forgetting import forgotten_hashes
    from pipelines.sources.fetch import Fetched
    from pipelines.warehouse.lake import open_lake

    started = time.monotonic()
    settings, city, day = _night(key)
    with open_lake(settings, run_id=run_id) as lake:
        known = ingest.known_objects(lake, source_id)
        forgotten = forgotten_hashes(lake, source_id, city.sources[source_id].kind)
    tries: list[Fetched] = []
    attempts = ingest.fetch(
        settings,
        city,
        source_id,
        day,
        known,
        forgotten=forgotten,
        connections=secrets or {},
        failed_try=tries.append,
    )
    failed = [attempt for attempt in attempts if attempt.outcome == "failed"]
    passing = [attempt for attempt in failed if attempt.is_transient]
    cut_off = city.morning_after(day, city.schedule.cut_off)
    if may_wait and passing and datetime.now(UTC) < cut_off:
        # No step follows that would record them.
        with open_lake(settings, run_id=run_id) as lake:
            lake.write(added=[ingest.attempt_rows(lake, source_id, day, [*tries, *attempts])])
        raise TransientSourceError(passing[0].reason, f"It is tried again until {cut_off:%H:%M}.")
    new = sum(attempt.outcome == "new" for attempt in attempts)
    text = f"{new} new, {len(attempts) - new - len(failed)} unchanged, {len(failed)} failed"
    outcome = "failed" if failed else "done" if new else "unchanged"
    report = _report(f"fetch {source_id}", outcome, len(attempts), started, text)
    return {
        **report,
        "attempts": [attempt.as_dict() for attempt in attempts],
        "failed_tries": [attempt.as_dict() for attempt in tries],
    }


def load(source_id: str, report: Report, key: str, run_id: str) -> Report:
    """Stage what was fetched and write which versions govern the night.

    Raises `CriticalSourceError` where a source has failed that the city file calls critical.
    """
    from pipelines import ingest
    from pipelines.sources.fetch import Fetched

    step = f"load {source_id}"
    settings, city, day = _night(key)

    def work(lake: Lake) -> tuple[str, int, str]:
        tries = [Fetched(**attempt) for attempt in report["failed_tries"]]
        lake.write(added=[ingest.attempt_rows(lake, source_id, day, tries)])
        loading = ingest.Load(lake, settings, city, source_id, day)
        loading.run([Fetched(**attempt) for attempt in report["attempts"]])
        if not loading.failures:
            return "done" if loading.computed else "unchanged", loading.staged_rows, ""
        reason = ingest.failure_text(loading.failures)
        if city.sources[source_id].critical:
            raise CriticalSourceError(
                f"Source {source_id} failed, and the city file calls it critical: {reason}",
                "The last good night stays published.",
            )
        carried = any(item.version_id for item in loading.objects)
        return "stale" if carried else "failed", loading.staged_rows, reason

    return _step(step, key, run_id, work, before=report)


def build(table: str, key: str, run_id: str, *, share: tuple[int, int] = (0, 1)) -> Report:
    """Make one mart for one night, where its inputs or code have changed.

    Where a table `is_shared` by tasks, `share` says which of how many this one is.
    """
    from pipelines.build import Build
    from pipelines.fingerprint import code_hash
    from pipelines.settings import keep_compiled_code

    settings, city, day = _night(key)
    if flow.table(table).by == "inputs":
        keep_compiled_code(settings, code_hash(flow.COMPILED)[:12])
    policy = _policy(settings, city) if "policy" in flow.table(table).takes else None

    def work(lake: Lake) -> tuple[str, int, str]:
        built = Build(lake, city, flow.table(table), day, policy, share).run()
        text = f"{built.computed} partitions made" if built.computed else ""
        return "done" if built.computed else "unchanged", built.row_count, text

    place, count = share
    part = f", {place + 1} of {count}" if count > 1 else ""
    return _step(f"build {table}{part}", key, run_id, work)


def audit(key: str, run_id: str) -> Report:
    """Check every table of the night. Raises `AuditError` where a critical check failed."""
    from pipelines.audit import audit_night

    _, city, day = _night(key)
    return _step("audit", key, run_id, lambda lake: audit_night(lake, city, day))


def publish(key: str, run_id: str) -> Report:
    """Build what goes out aside, check it, and swap it in. Raises `PublishError`."""
    from pipelines.publication import publish_night

    settings, city, day = _night(key)
    return _step("publish", key, run_id, lambda lake: publish_night(lake, settings, city, day))


def close(key: str, run_id: str, *, published: bool) -> Report:
    """Say in `publish/status.json` how the night ended; runs after success and failure alike.

    `published` says whether this run's publication ended well. Raises `QalaError` where it did
    not, so that the run fails.
    """
    from pipelines.status import close_night

    settings, city, day = _night(key)
    return _step(
        "close", key, run_id,
        lambda lake: close_night(lake, settings, city, day, published=published),
    )  # fmt: skip


def deliver(key: str, run_id: str, *, open_files: OpenFiles | None = None) -> Report:
    """Hand the night's extracts over. A file that fails does not hold back the others.

    `open_files` opens the file system of a scheme (sftp, s3) by the name of its connection.
    """
    from pipelines.delivery import deliver_night

    settings, city, day = _night(key)
    return _step(
        "deliver", key, run_id, lambda lake: deliver_night(lake, settings, city, day, open_files)
    )


def withdraw(key: str, run_id: str, *, reason: str, successor: str | None = None) -> Report:
    """Withdraw the latest extracts of a service date; `successor` is the date in their place."""
    from pipelines.withdrawal import withdraw_extracts

    settings, city, day = _night(key)
    successor_date = date.fromisoformat(service_date(successor)) if successor else None

    def work(lake: Lake) -> tuple[str, int | None, str]:
        text = withdraw_extracts(
            lake, settings, city, day, reason=reason, successor_date=successor_date
        )
        return "done", None, text

    return _step("withdraw", key, run_id, work)


def waiting_feeds() -> list[dict[str, str]]:
    """The feed versions that wait for a person's decision: source_id, version_id, subject, body."""
    from pipelines.question import question
    from pipelines.release import waiting
    from pipelines.warehouse.lake import open_lake

    settings = load_settings()
    city = load_city(settings.city_file)
    today = datetime.now(ZoneInfo(city.city.time_zone)).date()
    with open_lake(settings) as lake:
        return [
            {
                "source_id": held.source_id,
                "version_id": held.version_id,
                **vars(question(lake, held, today)),
            }
            for held in waiting(lake)
        ]


def decide_feed(
    source_id: str, version_id: str, decision: str, *, decided_by: str, reason: str, run_id: str
) -> Report:
    """Record a person's decision (released, rejected) on a feed version that was held back.

    Raises `QalaError` where no such version was, or who or why is not said.
    """
    from pipelines.fingerprint import code_version
    from pipelines.release import decide
    from pipelines.warehouse.lake import open_lake

    started = time.monotonic()
    settings = load_settings()
    with open_lake(settings, run_id=run_id, code_version=code_version()) as lake:
        made = decide(lake, source_id, version_id, decision, decided_by=decided_by, reason=reason)
    return _report(f"decide {source_id} {version_id}", "done", None, started, str(made))


def alert_secret_names() -> list[str]:
    """Names of the secrets that the channels of alerts need."""
    channels = load_city(load_settings().city_file).alerts
    return sorted({name for channel in channels for name in channel.secret_names})


def tell_alerts(run_id: str, *, secrets: Mapping[str, str] | None = None) -> Report:
    """Tell each channel what it was not told yet. Raises `AlertError` where one takes nothing.

    `secrets` are those that the caller has found, by name, as for `fetch`.
    """
    from pipelines.alerts.telling import tell

    started = time.monotonic()
    settings = load_settings()
    city = load_city(settings.city_file)
    count = tell(settings, city, run_id, datetime.now(UTC), secrets or {})
    outcome = "done" if count else "unchanged"
    return _report("tell alerts", outcome, count, started, f"{count} alerts told")


def keep_up(run_id: str, *, dry_run: bool = False) -> Report:
    """Do the upkeep of lake and landing that is due, or say what would be done."""
    from pipelines.fingerprint import code_version
    from pipelines.upkeep import keep_up as do_all
    from pipelines.warehouse.lake import open_lake

    started = time.monotonic()
    settings = load_settings()
    city = load_city(settings.city_file)
    with open_lake(settings, run_id=run_id, code_version=code_version()) as lake:
        text = do_all(lake, settings, city, datetime.now(UTC), dry_run=dry_run)
    return _report("upkeep", "unchanged" if dry_run else "done", None, started, text)


def _policy(settings: Settings, city: City) -> Policy:
    from pipelines.policy import load_policy

    return load_policy(settings.policy_file(city), city.feeds())


def _night(key: str) -> tuple[Settings, City, date]:
    settings = load_settings()
    return settings, load_city(settings.city_file), date.fromisoformat(service_date(key))


def _step(
    step: str,
    key: str,
    run_id: str,
    work: Callable[[Lake], tuple[str, int | None, str]],
    *,
    before: Report | None = None,
) -> Report:
    """Do a step's work on the lake, and record how it ended, success or failure.

    `before` is the report of a step that ran outside the lake's one writer and is recorded here.
    """
    from pipelines.fingerprint import code_version
    from pipelines.tables import make_tables
    from pipelines.warehouse.lake import open_lake
    from pipelines.warehouse.state import step_row

    started = time.monotonic()
    settings, _, day = _night(key)
    with open_lake(settings, run_id=run_id, code_version=code_version()) as lake:
        make_tables(lake)
        ended = [] if before is None else [before]
        try:
            with lake.holding_last_write():
                outcome, rows, text = work(lake)
            report = _report(step, outcome, rows, started, text)
            lake.write(added=[step_row(run_id, day, one) for one in (*ended, report)])
        except Exception as error:
            if isinstance(error, QalaError):
                ended.append(_report(step, "failed", None, started, str(error)))
            lake.write(added=[step_row(run_id, day, one) for one in ended])
            raise
    return report


def _report(step: str, outcome: str, rows: int | None, started: float, text: str) -> Report:
    seconds = round(time.monotonic() - started, 3)
    return {"step": step, "outcome": outcome, "rows": rows, "seconds": seconds, "text": text}
