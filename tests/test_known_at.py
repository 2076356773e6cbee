"""Instants as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.errors import QalaError
from pipelines.known_at import parse_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        # Almaty is five hours ahead: its 20th ends at 19:00 UTC.
        ("2026-11-20", datetime(2026, 11, 20, 18, 59, 59, 999_999, UTC)),
        ("2026-11-20T08:00", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("2026-11-20 08:00:30", datetime(2026, 11, 20, 3, 0, 30, tzinfo=UTC)),
        ("2026-11-20T08:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00+01:00", datetime(2026, 11, 20, 7, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_end_and_a_time_the_city_s(text: str, instant: datetime) -> None:
    assert parse_instant(text, "Asia/Almaty") == instant


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-20T25:00", "2026/11/20"])
def test_anything_else_is_one_sentence(text: str) -> None:
    with pytest.raises(QalaError, match="is no date and no time"):
        parse_instant(text, "Asia/Almaty")
