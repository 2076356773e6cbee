"""Dates of service as rules see them, and hostile calendars that must not fill the memory."""

from __future__ import annotations

import gc
from datetime import date

import polars as pl
import pytest

from pipelines.staging.gtfs.rules import service_days as module
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.service_days import service_days
from tests.staging.rules.toys import feed

CALENDAR = "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date"
DATES = "service_id,date,exception_type"


def days(**files: str) -> list[tuple[str, date]]:
    return service_days(feed(**files)).rows()


def test_patterns_and_exceptions_make_the_days() -> None:
    # 2026-03-02 is a Monday. b runs on Mondays, but not on the second; a by calendar_dates alone.
    found = days(
        calendar=f"{CALENDAR} / b,1,0,0,0,0,0,0,20260302,20260316",
        calendar_dates=f"{DATES} / b,20260309,2 / b,20260310,1 / a,20260301,1 / b,20260310,1",
    )
    assert found == [
        ("a", date(2026, 3, 1)),
        ("b", date(2026, 3, 2)),
        ("b", date(2026, 3, 10)),
        ("b", date(2026, 3, 16)),
    ]


def test_weekdays_are_those_of_the_calendar() -> None:
    by_day = " / ".join(
        ",".join([f"d{n}", *("01"[n == k] for k in range(7)), "20260302", "20260308"])
        for n in range(7)
    )
    found = dict(days(calendar=f"{CALENDAR} / {by_day}"))
    assert found == {f"d{n}": date(2026, 3, 2 + n) for n in range(7)}


def test_both_added_and_removed_is_removed() -> None:
    assert days(calendar_dates=f"{DATES} / a,20260301,1 / a,20260301,2 / a,20260303,2") == []


def test_what_cannot_be_read_runs_never() -> None:
    assert (
        days(
            calendar=f"{CALENDAR} / ,1,1,1,1,1,1,1,20260302,20260303 / "
            "a,1,1,1,1,1,1,1,,20260303 / b,1,1,1,1,1,1,1,20260303,20260302 / "
            "c,,,,,,,,20260302,20260302",
            calendar_dates=f"{DATES} / d,,1 / e,20260302,",
        )
        == []
    )


def test_a_feed_without_calendars_has_no_days() -> None:
    assert service_days(feed()).schema == {"service_id": pl.String, "date": pl.Date}


def test_endless_periods_are_cut_to_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PATTERN_DAYS", 13)
    every_day = "1,1,1,1,1,1,1"
    found = days(
        calendar=f"{CALENDAR} / a,{every_day},00010101,99991231 / "
        f"b,{every_day},20260302,20260303 / c,{every_day},19000101,29991231"
    )
    # b has 2 days; 11 are left for the other two: 5 each.
    assert [found.count((s, d)) for s, d in found] == [1] * 12
    assert [d for s, d in found if s == "a"] == [
        *(date(1, 1, day) for day in (1, 2, 3)),
        *(date(9999, 12, day) for day in (30, 31)),
    ]
    assert [d for s, d in found if s == "b"] == [date(2026, 3, 2), date(2026, 3, 3)]


@pytest.mark.slow
def test_results_are_remembered_as_long_as_their_subject() -> None:
    seen: list[int] = []

    @once
    def height(frame: pl.DataFrame) -> int:
        seen.append(frame.height)
        return frame.height

    frame, other = pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1, 2]})
    assert [height(frame), height(frame), height(other)] == [1, 1, 2]
    assert seen == [1, 2]
    # Others take the place of the first in memory: none gets its result.
    del frame
    gc.collect()
    assert [height(pl.DataFrame({"a": range(n)})) for n in range(3, 60)] == list(range(3, 60))
