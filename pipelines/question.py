"""What a person is asked about a feed version that is held back, in Markdown.

Shown: the feed and version, why it is held back, what validation found (errors first), and what
stands in for it until somebody decides. Values come from the feed: they are shown as code, so that
nothing in them is taken for Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from pipelines.release import HeldVersion, notices_of, stands_in
from pipelines.warehouse.lake import Lake
from pipelines.warehouse.night_sources import Governing

MOST_NOTICES = 25
MOST_SAMPLES = 3
SAMPLE_WIDTH, REASON_WIDTH = 60, 600
SEVERITIES = ("ERROR", "WARNING", "INFO")
WHAT_ANSWERS_DO = (
    "**Release** has it loaded at the next load, although it breaks these rules; rows that "
    "can't be used stay out all the same. **Reject** never tries this version again. Who answers, "
    "and why, is recorded."
)


@dataclass(frozen=True)
class Question:
    """The headline and the text of one question."""

    subject: str
    body: str


def question(lake: Lake, held: HeldVersion, today: date) -> Question:
    """What is asked about a version on a day (for the age of what stands in)."""
    feed = f"**Feed** {_code(held.source_id)} ({_code(held.object_name)})"
    parts = [
        f"{feed}, version {_code(held.short_id)}, since the night of {held.first_night_date}.",
        _code(held.reason, REASON_WIDTH),
        "\n".join(_notice_lines(notices_of(lake, held.source_id, held.version_id))),
        _stand_in(stands_in(lake, held), today),
        WHAT_ANSWERS_DO,
    ]
    subject = f"Release {held.source_id} {held.short_id}?"
    return Question(subject, "\n\n".join(part for part in parts if part))


def _stand_in(last: Governing | None, today: date) -> str:
    if last is None:
        return "**Until then** the feed has no timetable: no other version of it was ever good."
    text = f"**Until then** version {_code(last.version_id[:12])} stands in"
    if last.good_date is None:
        return f"{text}."
    age = (today - last.good_date).days
    return f"{text}, last good for the night of {last.good_date}, {age} days ago."


def _notice_lines(notices: pl.DataFrame) -> Iterator[str]:
    if notices.is_empty():
        return
    rank = pl.col("severity").replace_strict({s: n for n, s in enumerate(SEVERITIES)}, default=9)
    ranked = notices.sort(
        rank, -pl.col("affected_count"), "notice_code", "file_name", maintain_order=True
    )
    yield "| notice | severity | file | count | first of them |"
    yield "|---|---|---|---:|---|"
    for row in ranked.head(MOST_NOTICES).iter_rows(named=True):
        cells = (
            _code(row["notice_code"]),
            row["severity"],
            _code(row["file_name"]),
            f"{row['affected_count']:,}",
            "; ".join(_samples(row["affected_sample"])),
        )
        yield f"| {' | '.join(cells)} |"
    if ranked.height > MOST_NOTICES:
        yield f"\n{ranked.height - MOST_NOTICES} further notices are in `staging.feed_notices`."


def _samples(text: str) -> Iterator[str]:
    for item in json.loads(text)[:MOST_SAMPLES]:
        yield _code(_sample(item))


def _sample(item: Mapping[str, Any]) -> str:
    row = "" if item.get("row") is None else f"row {item['row']}"
    value = "" if item.get("value") is None else f"= {item['value']}"
    return " ".join(filter(None, (row, item.get("field") or "", value)))


def _code(text: str, width: int = SAMPLE_WIDTH) -> str:
    """Text as Markdown code in a table's cell: no line break, no mark that would end either."""
    shown = " ".join(text.split()).replace("`", "'").replace("|", "¦")
    return f"`{shown[:width]}`" if shown else ""
