"""How well toy feeds stand: on the days round each limit, stale, bridged, published ahead."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.marts.feed_health import compute_feed_health
from pipelines.marts.governing_versions import compute_governing_versions
from tests.marts.test_governing_versions import DATES, fetched
from tests.marts.two_versions import iso, version
from tests.toy_feeds import FILES, night_of

pytestmark = pytest.mark.slow

INFO = "feed_publisher_name,feed_publisher_url,feed_lang,feed_start_date,feed_end_date\n"
NIGHT = "2026-11-20"


def feed(name: str, first: str, last: str, *, info: str | None = None) -> pl.DataFrame:
    """The row about a version whose services run from one day to another (YYYYMMDD)."""
    calendar = FILES["calendar"].replace("20260101", first).replace("20261231", last)
    said = None if info is None else f"{INFO}Toy,https://example.org,en,{info}\n"
    return version(name, calendar=calendar, calendar_dates=DATES, feed_info=said)["feed_versions"]


def health(
    *versions: pl.DataFrame, runs: tuple[tuple[str, str, str], ...], night: str = NIGHT
) -> dict[str, Any]:
    """The one row of the toy feed."""
    known, runs_known = pl.concat(versions), fetched(*runs)
    days = compute_governing_versions(
        night_of(night), feed_versions=known, fetched_versions=runs_known
    )
    rows = compute_feed_health(
        night_of(night),
        feed_versions=known,
        governing_versions=days,
        fetched_versions=runs_known,
    )
    return rows.row(0, named=True)


A_WEEK = (("a", "2026-11-13", NIGHT),)


@pytest.mark.parametrize(
    ("last", "days", "codes"),
    [
        ("20261220", 30, None),
        ("20261219", 29, "feed_expiration_date30_days"),
        ("20261127", 7, "feed_expiration_date30_days"),
        ("20261126", 6, "feed_expiration_date7_days"),
        ("20261120", 0, "feed_expiration_date7_days"),
        ("20261119", -1, "expired_calendar; feed_expiration_date7_days; service_assumed"),
        ("20261022", -29, "expired_calendar; feed_expiration_date7_days; no_version_governs"),
    ],
)
def test_days_left(last: str, days: int, codes: str | None) -> None:
    row = health(feed("a", "20260101", last), runs=A_WEEK)
    assert (row["days_left_count"], row["warning_codes"]) == (days, codes)
    assert row["is_assumed"] == (codes is not None and "assumed" in codes)
    assert (row["version_id"] is None) == (codes is not None and "no_version" in codes)
    assert row["lead_days_count"] is None  # nothing came before it
    assert (row["newest_since_date"], row["newest_age_days_count"]) == (iso("2026-11-13"), 7)


def test_services_that_end_before_their_feed_says() -> None:
    row = health(feed("a", "20260101", "20261125", info="20260101,20991231"), runs=A_WEEK)
    assert (row["covered_until_date"], row["days_left_count"]) == (iso("2026-11-25"), 5)
    assert row["last_covered_date"] == iso("2099-12-31")
    assert row["warning_codes"] == "feed_expiration_date7_days"


@pytest.mark.parametrize(
    ("starts", "until", "codes"),
    [
        ("20261201", "2027-06-30", None),  # the next version takes over without a gap
        ("20261202", "2026-11-30", "feed_expiration_date30_days"),
    ],
)
def test_a_next_version_published_ahead(starts: str, until: str, codes: str | None) -> None:
    runs = (("a", "2026-11-01", "2026-11-19"), ("b", NIGHT, NIGHT))
    ahead = feed("b", starts, "20270630")
    row = health(feed("a", "20260101", "20261130"), ahead, runs=runs)
    assert (row["version_id"], row["newest_version_id"]) == ("a", "b")
    assert (row["covered_until_date"], row["warning_codes"]) == (iso(until), codes)
    assert row["lead_days_count"] == (iso(row["newest_starts_date"].isoformat()) - iso(NIGHT)).days


@pytest.mark.parametrize(
    ("starts", "night", "lead", "is_told"),
    [
        ("20261126", NIGHT, 6, True),
        ("20261127", NIGHT, 7, False),
        ("20261126", "2026-11-26", 6, True),
        ("20261126", "2026-11-27", 6, False),  # no news after a week
        ("20260101", NIGHT, -323, True),
    ],
)
def test_lead(starts: str, night: str, lead: int, is_told: bool) -> None:
    runs = (("a", "2026-11-01", "2026-11-19"), ("b", NIGHT, night))
    a, b = feed("a", "20260101", "20271231"), feed("b", starts, "20271231")
    row = health(a, b, runs=runs, night=night)
    assert row["lead_days_count"] == lead
    assert (row["warning_codes"] == "feed_lead_time_short") == is_told


def test_a_feed_that_stopped_coming_is_stale_and_in_force() -> None:
    row = health(feed("a", "20260101", "20271231"), runs=(("a", "2026-11-01", "2026-11-15"),))
    assert (row["is_stale"], row["is_assumed"], row["basis"]) == (True, False, "in force")
    assert row["last_fetched_date"] == iso("2026-11-15")
    assert row["warning_codes"] is None


def test_a_feed_that_begins_next_month_and_came_tonight() -> None:
    row = health(feed("a", "20261201", "20271231"), runs=(("a", NIGHT, NIGHT),))
    assert (row["version_id"], row["basis"]) == ("a", "bridged from the version after")
    assert (row["covered_until_date"], row["warning_codes"]) == (None, "service_assumed")
