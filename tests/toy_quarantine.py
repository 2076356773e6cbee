"""Feed versions of the toy city that are held back, as a night's load leaves them in the lake."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import polars as pl

from pipelines.release import quarantine_partition
from pipelines.staging.gtfs import FeedNotices
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, Partition
from pipelines.warehouse.night_sources import Governing, SourceNights
from pipelines.warehouse.state import version_key

DAY = date(2026, 11, 18)
BROKEN, BROKEN_TOO, GOOD = "b1" * 32, "b2" * 32, "a0" * 32


def notice(code: str, file: str, **more: object) -> dict[str, Any]:
    """A row of `staging.feed_notices`, an ERROR unless told otherwise; `sample` is a list."""
    sample = more.pop("sample", [{"row": None, "field": None, "value": None}])
    row = {
        "source_id": "transit",
        "version_id": BROKEN,
        "notice_code": code,
        "file_name": file,
        "severity": "ERROR",
        "affected_count": 1,
        "affected_sample": json.dumps(sample),
        "is_extension": False,
        "description": f"What {code} means.",
    }
    return row | more


def notices(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `staging.feed_notices` under their contract."""
    schema = {name: column.dtype for name, column in FeedNotices.columns().items()}
    return FeedNotices.validate(pl.DataFrame(list(rows), schema=schema))


def attempt(version_id: str, *, source_id: str = "transit", number: int = 0) -> Added:
    """A fetch that brought a version; the one with the highest number is the latest."""
    row = {
        **dict.fromkeys(ops.FetchAttempts.column_names(), ""),
        "service_date": DAY,
        "source_id": source_id,
        "object_name": f"{source_id}.zip",
        "outcome": "failed",
        "version_id": version_id,
        "size_bytes": 1,
        "duration_seconds": 0.1,
        "attempted_at": ops.now() + timedelta(seconds=number),
    }
    schema = {name: column.dtype for name, column in ops.FetchAttempts.columns().items()}
    return Added("ops.fetch_attempts", ops.FetchAttempts, pl.DataFrame([row], schema=schema))


def hold_back(
    lake: Lake,
    version_id: str = BROKEN,
    *,
    source_id: str = "transit",
    day: date = DAY,
    number: int = 0,
) -> None:
    """Write what a load writes that holds a version back: it lacks stops.txt."""
    told = notice("missing_required_file", "stops.txt", sample=[SAMPLE])
    told |= {"source_id": source_id, "version_id": version_id}
    held = quarantine_partition(
        lake,
        source_id,
        version_id,
        object_name=f"{source_id}.zip",
        service_date=day,
        reason=f"Version {version_id[:12]} of {source_id} is held back: no stops.",
        codes=["missing_required_file"],
        refused_count=7,
    )
    key = version_key(source_id, version_id)
    found = Partition("staging.feed_notices", key, FeedNotices, notices(told))
    lake.write([held, found], [attempt(version_id, source_id=source_id, number=number)])


# A value that is Jinja, Markdown and a table's border at once.
SAMPLE = {"row": 2, "field": "stop_id", "value": "{{ 7 * 7 }} | `x` **y**\nz"}


def good_version(lake: Lake, day: date = DAY) -> None:
    """Write that an earlier version governed a night of `transit`."""
    blank = dict.fromkeys(Governing.__dataclass_fields__, "")
    told = {"source_id": "transit", "object_name": "transit.zip", "version_id": GOOD}
    flags = {name: False for name in Governing.__dataclass_fields__ if name.startswith("is_")}
    good = Governing(**{**blank, **flags, **told, "good_date": day})  # type: ignore[arg-type]
    lake.write(SourceNights(lake, "transit").partitions(day, [good]))
