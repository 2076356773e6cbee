"""Warnings of a feed's end, on the days around each limit."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.staging.gtfs.expiry import (
    AHEAD,
    EXPIRED,
    FINDINGS,
    SOON,
    expiry_findings,
)

TODAY = date(2026, 11, 20)


def feed(feed_end: int | None, service_end: int | None) -> pl.DataFrame:
    """One feed that ends so many days from today."""

    def day(days: int | None) -> date | None:
        return None if days is None else TODAY + timedelta(days=days)

    row = ("f", "v", day(feed_end), day(service_end))
    schema = {"source_id": pl.String, "version_id": pl.String}
    dates = {"feed_end_date": pl.Date, "service_end_date": pl.Date}
    return pl.DataFrame([row], schema={**schema, **dates}, orient="row")


@pytest.mark.parametrize(
    ("feed_end", "service_end", "codes"),
    [
        (30, 400, []),
        (29, 400, [AHEAD]),
        (7, 400, [AHEAD]),
        (6, 400, [SOON]),
        (0, 0, [SOON]),
        (-1, 400, [SOON]),
        (-1, -1, [EXPIRED, SOON]),
        (400, -1, [EXPIRED]),
        (None, 30, []),
        (None, 29, [AHEAD]),
        (None, 6, [SOON]),
        (None, -1, [EXPIRED, SOON]),
        (None, None, []),
    ],
)
def test_codes_at_the_limits(
    feed_end: int | None, service_end: int | None, codes: list[str]
) -> None:
    found = expiry_findings(feed(feed_end, service_end), TODAY)
    assert found.get_column("notice_code").to_list() == codes
    assert dict(found.schema) == FINDINGS
    assert set(found.get_column("severity")) <= {"WARNING"}


def test_a_finding_says_when_and_how_many_days_are_left() -> None:
    found = expiry_findings(feed(6, 400), TODAY).row(0, named=True)
    assert (found["last_date"], found["days_left_count"]) == (date(2026, 11, 26), 6)
    assert found["description"] == "The timetable ends on 2026-11-26 (6 days left)."
