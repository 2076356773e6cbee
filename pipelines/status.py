"""`publish/status.json`: how the last night ended, and how old what is published is.

The one file that goes out with wall-clock times: it is neither compared nor signed.
"""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.city_file import City
from pipelines.errors import QalaError
from pipelines.forgetting import forget
from pipelines.marts.feed_health import FeedHealth
from pipelines.settings import Settings
from pipelines.sources.landing import Landing
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.night_sources import governing

Status = dict[str, Any]
STATIONS = "count_stations"


def close_night(
    lake: Lake, settings: Settings, city: City, service_date: date, *, published: bool
) -> tuple[str, int | None, str]:
    """Write the status of the night that ends; of one that was published, forget what is too old.

    Passages wait for a night that counts them: one that is published, and has the list of stations
    that the city file names. Raises `QalaError` where it was not published.
    """
    status = night_status(lake, city, service_date, published=published)
    write_status(settings, status)
    if published:
        return "done", None, _forget(lake, settings, city, service_date)
    reasons = [failure["reason"] for failure in status["last_night"]["failures"]]
    stays = status["published"]
    kept = f"The night of {stays['service_date']} stays published." if stays else ""
    raise QalaError(
        f"The night of {service_date} was not published: "
        + ("; ".join(reasons) or "a task ended without a word, see its log."),
        kept or "Nothing was ever published.",
    )


def _forget(lake: Lake, settings: Settings, city: City, service_date: date) -> str:
    """Forget what the city no longer keeps; what was done in words."""
    has_list = any(source.kind == STATIONS for source in city.sources.values())
    if has_list and not any(one.version_id for one in governing(lake, service_date, [STATIONS])):
        return "no passages deleted: there is no list of stations yet by which they were counted"
    first_kept = city.first_kept_date(service_date)
    count = forget(lake, Landing(settings.landing), first_kept, service_date)
    return f"{count} objects with passages before {first_kept} deleted" if count else ""


def night_status(lake: Lake, city: City, service_date: date, *, published: bool) -> Status:
    """The status as a tree of JSON-able values."""
    now = ops.now()
    today = now.astimezone(ZoneInfo(city.city.time_zone)).date()
    return {
        "city": city.city.id,
        "published": _published(lake, today),
        "last_night": {
            "service_date": service_date.isoformat(),
            "outcome": "published" if published else "failed",
            "ended_at": now.isoformat(timespec="seconds"),
            "run_id": lake.run_id,
            "failures": [] if published else _failures(lake, service_date),
        },
        "stale_sources": [
            {
                "source_id": source.source_id,
                "object_name": source.object_name,
                "good_date": source.good_date and source.good_date.isoformat(),
                "reason": source.reason,
            }
            for source in governing(lake, service_date)
            if source.is_stale
        ],
        "feeds": _feeds(lake, service_date),
        "checks": _checks(lake, service_date),
    }


def write_status(settings: Settings, status: Status) -> None:
    """Put a new status in place of the old one in one step."""
    target = settings.publish / "status.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(".status.building-*"):  # of a process that was killed
        left.unlink(missing_ok=True)
    building = target.with_name(f".status.building-{os.getpid()}.json")
    building.write_text(json.dumps(status, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    building.replace(target)


def _published(lake: Lake, today: date) -> Status | None:
    rows = lake.read("ops.publications", ops.Publications).sort("service_date")
    if rows.is_empty():
        return None
    last = rows.row(-1, named=True)
    return {
        "service_date": last["service_date"].isoformat(),
        "published_at": last["published_at"].isoformat(timespec="seconds"),
        # A night is one day old at best: it is about the day that has just ended.
        "age_days": (today - last["service_date"]) // timedelta(days=1),
        "file_sha256": last["file_sha256"],
        "manifest_sha256": last["manifest_sha256"],
    }


def _failures(lake: Lake, service_date: date) -> list[Status]:
    """Steps of this run whose last word was a failure."""
    steps = lake.read(
        "ops.steps", ops.Steps, "service_date = ? AND run_id = ?", [service_date, lake.run_id]
    )
    last = steps.sort("ended_at").unique("step", keep="last", maintain_order=True)
    # A failed fetch is an outcome: where it fails the night, its load says so.
    is_failure = (pl.col("outcome") == "failed") & ~pl.col("step").str.contains("^(fetch|close)")
    failed = last.filter(is_failure)
    return [{"step": row["step"], "reason": row["note"]} for row in failed.iter_rows(named=True)]


def _feeds(lake: Lake, service_date: date) -> list[Status]:
    """Which version of each feed governs the night, for how long yet, and what to warn of."""
    rows = lake.read("marts.feed_health", FeedHealth, "service_date = ?", [service_date])
    return [
        {
            "source_id": row["source_id"],
            "version_id": row["version_id"],
            "is_assumed": row["is_assumed"],
            "days_left": row["days_left_count"],
            "warning": row["warning"],
        }
        for row in rows.sort("source_id").iter_rows(named=True)
    ]


def _checks(lake: Lake, service_date: date) -> Status:
    from pipelines.contracts.check_results import CheckResults

    rows = lake.read("quality.check_results", CheckResults, "service_date = ?", [service_date])
    failed = rows.filter(~pl.col("is_passed"))
    critical = failed.filter(pl.col("severity") == "critical").height
    return {
        "passed": rows.height - failed.height,
        "warnings": failed.height - critical,
        "critical_failures": critical,
    }
