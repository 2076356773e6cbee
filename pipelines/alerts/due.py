"""What there is to tell now: read from what the nights wrote down, and from the clock.

- *late night*: the latest night whose deadline has passed is not published. The deadline is the
  city's schedule hour and `deadline_minutes` later, on the morning after the service date. A lake
  without any night waits for its first.
- *failed night*, *failed audit*: the latest run of a recent night ended without publication.
- *stale source*: an object that governs the latest night came good last at least `cadence_days`
  of its source ago, or nothing of it ever came.
- *quality warning*: a check that does not hold the night back failed on the latest night and not
  on the night before.
- *feed held back*, *failed delivery*, *old backup*: a person has to act.

An alert is the same as long as its kind and subject are: `telling` tells each once. Left out: what
is over by now, but for nights that failed and were then published, of which nobody is told either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.audit import read_results
from pipelines.city_file import City
from pipelines.errors import sample_text
from pipelines.release import waiting
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.night_sources import governing

RECENT_DAYS = 7  # what happened longer ago is history: nobody is woken for it
MOST_NAMED = 5


@dataclass(frozen=True)
class Alert:
    """Something people are to be told; `subject` tells it from others of its kind."""

    kind: str
    subject: str
    what: str
    since: str


def due_alerts(lake: Lake, city: City, now: datetime) -> list[Alert]:
    """Everything there is to tell at a moment, told before or not."""
    today = now.astimezone(ZoneInfo(city.city.time_zone)).date()
    first_date = today - timedelta(days=RECENT_DAYS)
    nights = _Nights.read(lake, first_date)
    return [
        *_late_night(city, nights, now, today),
        *_failed_nights(nights),
        *_stale_sources(lake, city, nights),
        *_quality_warnings(lake, nights),
        *_held_back(lake),
        *_failed_deliveries(lake, first_date),
        *_old_backup(lake, city, now),
    ]


@dataclass(frozen=True)
class _Nights:
    """Recent nights: which are published, and the last step of each kind that each of them ran."""

    first_date: date | None  # of all that the lake knows
    published: frozenset[date]
    steps: pl.DataFrame

    @staticmethod
    def read(lake: Lake, first_date: date) -> _Nights:
        out = lake.read("ops.publications", ops.Publications).get_column("service_date")
        steps = lake.read("ops.steps", ops.Steps)
        recent = steps.filter(pl.col("service_date") >= first_date).sort("ended_at")
        last = recent.unique(["service_date", "step"], keep="last").sort("service_date", "ended_at")
        return _Nights(steps.select(pl.min("service_date")).item(), frozenset(out), last)

    @property
    def closed(self) -> pl.DataFrame:
        return self.steps.filter(step="close")

    @property
    def latest_date(self) -> date | None:
        latest: date | None = self.closed.get_column("service_date").max()  # type: ignore[assignment]  # a column of dates
        return latest


def _late_night(city: City, nights: _Nights, now: datetime, today: date) -> Iterator[Alert]:
    allowed = timedelta(minutes=city.schedule.deadline_minutes)
    for back in (1, 2):
        day = today - timedelta(days=back)
        deadline = city.morning_after(day, city.schedule.hour) + allowed
        if now >= deadline:
            is_expected = nights.first_date is not None and day >= nights.first_date
            if is_expected and day not in nights.published:
                text = f"The night of {day} is not published, and its deadline has passed."
                yield Alert("late_night", str(day), text, f"{deadline:%Y-%m-%d %H:%M %z}")
            return


def _failed_nights(nights: _Nights) -> Iterator[Alert]:
    failed_audits = nights.steps.filter(step="audit", outcome="failed")
    held = set(failed_audits.select("service_date", "run_id").rows())
    for row in nights.closed.filter(outcome="failed").iter_rows(named=True):
        night = (row["service_date"], row["run_id"])
        kind = "failed_audit" if night in held else "failed_night"
        since = f"{row['ended_at']:%Y-%m-%d %H:%M} UTC"
        yield Alert(kind, f"{night[0]} {night[1]}", row["note"], since)


def _stale_sources(lake: Lake, city: City, nights: _Nights) -> Iterator[Alert]:
    night = nights.latest_date
    if night is None:
        return
    for item in governing(lake, night):
        source = city.sources.get(item.source_id)
        if source is None or not (item.is_stale or not item.version_id):
            continue
        good = item.good_date
        if good and (night - good).days < source.cadence_days:
            continue
        name = " ".join(filter(None, (item.source_id, item.object_name)))
        text = f"{name} is stale on the night of {night}: {item.reason or 'no version governs'}"
        since = str(good) if good else "it never came"
        yield Alert("stale_source", f"{name} {since}", text, since)


def _quality_warnings(lake: Lake, nights: _Nights) -> Iterator[Alert]:
    night = nights.latest_date
    if night is None:
        return
    tonight, before = (_warnings(lake, day) for day in (night, night - timedelta(days=1)))
    if fresh := sorted(tonight - before):
        named = sample_text([f"{table}: {check}" for table, check in fresh], MOST_NAMED)
        text = f"{len(fresh)} checks warn on the night of {night} that did not before: {named}."
        yield Alert("quality_warning", str(night), text, str(night))


def _warnings(lake: Lake, night: date) -> set[tuple[str, str]]:
    failed = read_results(lake, night).filter(~pl.col("is_passed"), severity="warning")
    return set(failed.select("table_name", "description").rows())


def _held_back(lake: Lake) -> Iterator[Alert]:
    for held in waiting(lake):
        since = f"the night of {held.first_night_date}"
        yield Alert("feed_held_back", f"{held.source_id} {held.short_id}", held.reason, since)


def _failed_deliveries(lake: Lake, first_date: date) -> Iterator[Alert]:
    rows = lake.read("ops.deliveries", ops.Deliveries, "service_date >= ?", [first_date])
    last = rows.sort("delivered_at").unique(["service_date", "target", "file_name"], keep="last")
    failed = last.filter(outcome="failed").sort("service_date", "target", "file_name")
    for files in failed.partition_by("service_date", "target", maintain_order=True):
        first = files.sort("delivered_at").row(0, named=True)
        day, target = first["service_date"], first["target"]
        text = f"{files.height} files of {day} were not delivered to {target}: {first['reason']}."
        since = f"{first['delivered_at']:%Y-%m-%d %H:%M} UTC"
        yield Alert("failed_delivery", f"{day} {target}", text, since)


def _old_backup(lake: Lake, city: City, now: datetime) -> Iterator[Alert]:
    """One for each last backup that is older than the city file allows, if it says so."""
    if city.upkeep.backup_days is None:
        return
    done = lake.read("ops.upkeeps", ops.Upkeeps, "act = 'backup'").get_column("done_at")
    latest: datetime | None = done.max()  # type: ignore[assignment]  # a column of instants
    if latest is None or now - latest > timedelta(days=city.upkeep.backup_days):
        since = f"{latest:%Y-%m-%d %H:%M} UTC" if latest else "ever"
        what = f"The last backup is of {since}" if latest else "There is no backup"
        limit = f"{city.upkeep.backup_days} days are allowed"
        yield Alert("old_backup", since, f"{what}; {limit}.", since)
