"""Local days as instants, the clock change of 2024-03-01, holidays, and windows."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipelines.sample import days


def test_a_day_begins_at_local_midnight() -> None:
    assert days.day_start(date(2024, 2, 28)) == datetime(2024, 2, 27, 18, tzinfo=UTC)
    assert days.day_start(date(2024, 3, 1)) == datetime(2024, 2, 29, 19, tzinfo=UTC)


def test_one_day_has_25_hours() -> None:
    assert days.day_hours(date(2024, 2, 29)) == 25
    assert days.local_hours(date(2024, 2, 29)).tolist()[-3:] == [22, 23, 23]
    assert days.day_hours(date(2024, 2, 28)) == days.day_hours(date(2024, 3, 1)) == 24


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 20), 0),
        (date(2026, 11, 21), 1),
        (date(2026, 11, 22), 2),
        (date(2026, 12, 16), 2),  # Independence Day, a Wednesday
        (date(2026, 10, 26), 2),  # moved from Sunday 2026-10-25
    ],
)
def test_day_types(day: date, expected: int) -> None:
    assert days.day_type(day) == expected


def test_second_tuesday_moves_off_a_holiday() -> None:
    assert days.second_tuesday(date(2026, 9, 1)) == date(2026, 9, 8)
    # 2024-01-02 is a holiday but the first Tuesday; 2027-03-09 is none; 2023-05-09 is both.
    assert days.second_tuesday(date(2023, 5, 1)) == date(2023, 5, 16)


def test_calendar_window_is_whole_months() -> None:
    first, last = days.calendar_window(date(2026, 11, 20))
    assert (first, last) == (date(2025, 10, 1), date(2027, 2, 28))
