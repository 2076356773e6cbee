"""Dates of service, the feed's period and headways: broken feeds beside sound ones; edges exactly.

Unless said otherwise, today is Wednesday 2026-11-18.
"""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import service
from tests.staging.rules.toys import Case, case, check, findings, on, rules_broken, rules_in

WEEK = "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date"
DATES = "service_id,date,exception_type"
PERIOD = "feed_start_date,feed_end_date"
HEADWAYS = "trip_id,start_time,end_time,headway_secs"


def daily(name: str, start: str, end: str) -> str:
    return f" / {name},1,1,1,1,1,1,1,{start},{end}"


def window(start: str, end: str, trips: int = 4) -> dict[str, str]:
    """A feed with so many trips every day of a period."""
    rows = "".join(f" / t{n},s" for n in range(trips))
    return {"calendar": WEEK + daily("s", start, end), "trips": f"trip_id,service_id{rows}"}


CASES = [
    case(
        "service_has_no_active_day_of_the_week",
        ("calendar", 2, "monday", "0"),
        calendar=(
            f"{WEEK} / a,0,0,0,0,0,0,0,20260101,20261231 / b,0,0,0,0,0,0,1,20260101,20261231"
        ),
    ),
    case(
        "calendar_of_one_day",
        ("calendar", 3, "end_date", "20260101"),
        calendar=WEEK + daily("a", "20260101", "20260102") + daily("b", "20260101", "20260101"),
    ),
    # a ends on Tuesday 17 November, b today; c was prolonged, d cut short, e is of dates alone.
    case(
        "expired_calendar",
        ("calendar", 2, "service_id", "a 20261117"),
        ("calendar", 5, "service_id", "d 20261117"),
        calendar=(
            WEEK
            + daily("a", "20260101", "20261117")
            + daily("b", "20260101", "20261118")
            + daily("c", "20260101", "20261117")
            + daily("d", "20260101", "20261118")
        ),
        calendar_dates=f"{DATES} / c,20261130,1 / d,20261118,2 / e,20200101,1",
    ),
    case(
        "expired_calendar",
        ("calendar_dates", 2, "service_id", "a 20261116"),
        ("calendar_dates", 4, "service_id", "b 20261117"),
        calendar_dates=f"{DATES} / a,20261115,1 / a,20261116,1 / b,20261117,1",
    ),
    case("expired_calendar", calendar_dates=f"{DATES} / a,20261117,1 / b,20261118,1"),
    case(
        "future_calendar",
        ("calendar", None, "start_date", "20261119"),
        calendar=WEEK
        + daily("a", "20261119", "20261231")
        + daily("unused", "20260101", "20261231"),
        trips="trip_id,service_id / t,a",
    ),
    case(
        "future_calendar",
        calendar=WEEK + daily("a", "20261118", "20261231"),
        trips="trip_id,service_id / t,a",
    ),
    case(
        "future_feed",
        ("feed_info", 2, "feed_start_date", "20261119"),
        feed_info=f"{PERIOD} / 20261119,",
    ),
    case("future_feed", feed_info=f"{PERIOD} / 20261118,"),
    case("future_feed", feed_info=f"{PERIOD} / 20261119, / 20261101,"),
    # Six days ahead; seven; 29; 30; past.
    case(
        "feed_expiration_date7_days",
        ("feed_info", 2, "feed_end_date", "20261124"),
        ("feed_info", 3, "feed_end_date", "20261101"),
        feed_info=f"{PERIOD} / ,20261124 / ,20261101 / ,20261125 / ,",
    ),
    case(
        "feed_expiration_date30_days",
        ("feed_info", 3, "feed_end_date", "20261125"),
        ("feed_info", 4, "feed_end_date", "20261217"),
        feed_info=f"{PERIOD} / ,20261124 / ,20261125 / ,20261217 / ,20261218 / ,",
    ),
    case(
        "missing_feed_info_date",
        ("feed_info", 2, "feed_end_date", None),
        ("feed_info", 3, "feed_start_date", None),
        feed_info=f"{PERIOD} / 20260101, / ,20261231 / , / 20260101,20261231",
    ),
    case(
        "missing_feed_contact_email_and_url",
        ("feed_info", 2, "feed_contact_email", None),
        feed_info="feed_contact_email,feed_contact_url / , / a@b.kz, / ,https://b.kz",
    ),
    # Service from 15 January to 31 October: 14 days before and after are fine, 15 are not.
    case(
        "feed_valid_beyond_total_service_window",
        **window("20260115", "20261031"),
        feed_info=f"{PERIOD} / 20260101,20261114",
    ),
    case(
        "feed_valid_beyond_total_service_window",
        ("feed_info", 2, "feed_end_date", "20261115"),
        ("feed_info", 2, "feed_start_date", "20251231"),
        **window("20260115", "20261031"),
        feed_info=f"{PERIOD} / 20251231,20261115",
    ),
    # Only the part of a period in which service runs counts; d is used by no trip.
    case(
        "service_window_outside_feed_period",
        ("calendar", 3, "service_id", "b 20261201"),
        ("calendar_dates", 2, "service_id", "c 20251231"),
        calendar=(
            f"{WEEK} / a,1,1,1,1,1,1,1,20260101,20261130 / b,0,1,0,0,0,0,0,20260101,20261205"
            " / d,1,1,1,1,1,1,1,20200101,20301231"
        ),
        calendar_dates=f"{DATES} / c,20251231,1",
        trips="trip_id,service_id / t,a / u,b / v,c",
        feed_info=f"{PERIOD} / 20260101,20261130",
    ),
    case(
        "service_window_outside_feed_period",
        **window("20260101", "20261031"),
        feed_info=f"{PERIOD} / 20260201,",
    ),
    # 730 days after today is 2028-11-17.
    case(
        "service_extends_far_in_the_future",
        ("calendar", 3, "service_id", "b 20281118"),
        calendar=WEEK + daily("a", "20260101", "20281117") + daily("b", "20260101", "20281118"),
        calendar_dates=f"{DATES} / c,20301231,1",
    ),
    # a pauses for 13 days, b for 14, c begins and ends with pauses; d runs on two dates alone.
    case(
        "big_gap_in_service",
        ("calendar", 3, "service_id", "b 20260216"),
        calendar=(
            WEEK
            + daily("a", "20260101", "20260331")
            + daily("b", "20260101", "20260331")
            + daily("c", "20260101", "20260331")
        ),
        calendar_dates=DATES
        + "".join(f" / a,202602{day:02},2" for day in range(2, 15))
        + "".join(f" / b,202602{day:02},2" for day in range(2, 16))
        + "".join(f" / c,202601{day:02},2" for day in range(1, 25))
        + " / d,20260101,1 / d,20260601,1",
    ),
    # Service today and on the seventh day from now; a day less; from tomorrow.
    case("trip_coverage_not_active_for_next7_days", **window("20261118", "20261125")),
    case(
        "trip_coverage_not_active_for_next7_days",
        ("calendar", None, "end_date", "20261101 to 20261124"),
        **window("20261101", "20261124"),
    ),
    case(
        "trip_coverage_not_active_for_next7_days",
        ("calendar", None, "end_date", "20261119 to 20261231"),
        **window("20261119", "20261231"),
    ),
    # Three of four trips go on (the floor of 0.75 x 4), two do not suffice.
    case(
        "trip_coverage_not_active_for_next7_days",
        calendar=WEEK + daily("s", "20261101", "20261120") + daily("r", "20261121", "20261130"),
        trips="trip_id,service_id / a,s / b,s / c,s / d,s / e,r / f,r / g,r",
    ),
    case(
        "trip_coverage_not_active_for_next7_days",
        ("calendar", None, "end_date", "20261101 to 20261120"),
        calendar=WEEK + daily("s", "20261101", "20261120") + daily("r", "20261121", "20261130"),
        trips="trip_id,service_id / a,s / b,s / c,s / d,s / e,r / f,r",
    ),
    # One trip of r leaves four times from 07:00 to 07:39:59, that is as often as all of s.
    case(
        "trip_coverage_not_active_for_next7_days",
        calendar=WEEK + daily("s", "20261101", "20261120") + daily("r", "20261121", "20261130"),
        trips="trip_id,service_id / a,s / b,s / c,s / d,s / e,r",
        frequencies=f"{HEADWAYS} / e,07:00:00,07:20:00,600 / e,07:20:00,07:39:59,600",
    ),
    case(
        "overlapping_frequency",
        ("frequencies", 2, "start_time", "8:59:59"),
        frequencies=(
            f"{HEADWAYS} / t,08:59:59,10:00:00,600 / t,07:00:00,09:00:00,600"
            " / t,10:00:00,11:00:00,600 / u,07:30:00,08:00:00,600"
        ),
    ),
    case(
        "frequency_shorter_than_headway",
        ("frequencies", 3, "end_time", "7:09:59"),
        frequencies=(
            f"{HEADWAYS} / t,07:00:00,07:10:00,600 / t,07:00:00,07:09:59,600"
            " / t,07:00:00,07:00:00,600 / t,07:00:00,06:00:00,600"
        ),
    ),
    on(
        "2026-12-31",
        "expired_calendar",
        ("calendar", 2, "service_id", "s 20261130"),
        calendar=WEEK + daily("s", "20260101", "20261130"),
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(service)


def test_usual_service_is_measured_below_the_thirty_busiest_days() -> None:
    # 400 days with one trip, 31 of them with nine more: the rank is 370 (400 - 30), not 360.
    ordinary = daily("s", "20260101", "20270204")
    busy = "".join(daily(f"b{n}", "20260101", "20260131") for n in range(9))
    trips = "trip_id,service_id / t,s" + "".join(f" / u{n},b{n}" for n in range(9))
    told = findings(
        "trip_coverage_not_active_for_next7_days", calendar=WEEK + ordinary + busy, trips=trips
    )
    # Rank 370 is the first but one of the 31 busy days, so usual service ended in January.
    assert told == [("calendar", None, "end_date", "20260101 to 20260131")]


@pytest.mark.slow
def test_a_service_without_dates_says_nothing() -> None:
    calendar = f"{WEEK} / a,0,0,0,0,0,0,0,20260101,20261231 / b,1,1,1,1,1,1,1,20261231,20260101"
    trips = "trip_id,service_id / t,a / u,b"
    for code in rules_in(service) - {"service_has_no_active_day_of_the_week"}:
        feed_info = f"{PERIOD},feed_contact_url / 20260101,20271231,https://a.kz"
        assert findings(code, calendar=calendar, trips=trips, feed_info=feed_info) == []


def test_absurd_periods_have_no_pauses_told() -> None:
    calendar = WEEK + "".join(daily(name, "00010101", "99991231") for name in "abcdef")
    removed = "".join(f" / a,202602{day:02},2" for day in range(1, 20))
    assert findings("big_gap_in_service", calendar=calendar, calendar_dates=DATES + removed) == []
