"""Which version governs which day: by eye, and against the rule read day by day."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.staging.gtfs.governing import (
    AFTER,
    BEFORE,
    IN_FORCE,
    LATER,
    LOOK_AHEAD_DAYS,
    MOST_BRIDGED_DAYS,
    NONE,
    FetchedVersions,
    governing_days,
    governing_on,
    service_periods,
    with_assumed_services,
)

DAY = timedelta(days=1)
K = date(2026, 11, 20)


def on(text: str) -> date:
    """A day of 2026 or, with a year before it, of another: ``11-20``, ``27-01-05``."""
    return date.fromisoformat(("20" if text.count("-") == 2 else "2026-") + text)


def fetched(*runs: tuple[str, str, str]) -> pl.DataFrame:
    """Runs of fetches: version, first night, last night."""
    rows = [("f", n, v, on(a), on(b)) for n, (v, a, b) in enumerate(runs, 1)]
    schema = {name: column.dtype for name, column in FetchedVersions.columns().items()}
    return FetchedVersions.validate(pl.DataFrame(rows, schema=schema, orient="row"))


def periods(**spans: tuple[str, str]) -> pl.DataFrame:
    """The period of each version."""
    rows = [("f", v, on(a), on(b)) for v, (a, b) in spans.items()]
    schema = {
        "source_id": pl.String,
        "version_id": pl.String,
        "start_date": pl.Date,
        "end_date": pl.Date,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def told(days: pl.DataFrame) -> list[tuple[str, str, str | None, str]]:
    return [
        (row["from_date"].strftime("%m-%d"), row["to_date"].strftime("%m-%d"), *rest)
        for row in days.iter_rows(named=True)
        for rest in [(row["version_id"], row["basis"])]
    ]


def test_one_version_goes_on_for_four_weeks_after_its_end() -> None:
    days = governing_days(fetched(("a", "11-18", "11-20")), periods(a=("11-01", "11-25")), K)
    assert told(days) == [
        ("11-18", "11-25", "a", IN_FORCE),
        ("11-26", "12-23", "a", BEFORE),
        ("12-24", "01-19", None, NONE),
    ]
    assert days.get_column("is_assumed").to_list() == [False, True, False]
    assert (on("12-23") - on("11-25")).days == MOST_BRIDGED_DAYS
    assert days.get_column("to_date").max() == K + LOOK_AHEAD_DAYS * DAY


def test_a_version_published_ahead_governs_from_its_first_day() -> None:
    runs = fetched(("a", "11-18", "11-19"), ("b", "11-20", "11-20"))
    spans = periods(a=("01-01", "12-31"), b=("12-01", "27-02-28"))
    days = governing_days(runs, spans, K)
    assert told(days) == [("11-18", "11-30", "a", IN_FORCE), ("12-01", "02-28", "b", IN_FORCE)]
    assert governing_on(days, K).item(0, "version_id") == "a"


def test_a_gap_before_a_version_published_ahead_is_bridged_from_both_sides() -> None:
    runs = fetched(("a", "08-01", "11-19"), ("b", "11-20", "11-20"))
    spans = periods(a=("01-01", "08-31"), b=("12-01", "27-02-28"))
    assert told(governing_days(runs, spans, K)) == [
        ("08-01", "08-31", "a", IN_FORCE),
        ("09-01", "09-28", "a", BEFORE),
        ("09-29", "11-02", None, NONE),
        ("11-03", "11-30", "b", AFTER),
        ("12-01", "02-28", "b", IN_FORCE),
    ]


def test_past_days_keep_the_version_that_was_known_then() -> None:
    # b corrects a from the night it comes; that it covers earlier days too changes nothing.
    runs = fetched(("a", "11-10", "11-14"), ("b", "11-15", "11-18"), ("a", "11-19", "11-20"))
    spans = periods(a=("01-01", "12-31"), b=("01-01", "12-31"))
    assert told(governing_days(runs, spans, K))[:3] == [
        ("11-10", "11-14", "a", IN_FORCE),
        ("11-15", "11-18", "b", IN_FORCE),
        ("11-19", "12-31", "a", IN_FORCE),
    ]
    earlier = governing_days(
        runs.filter(pl.col("first_night_date") <= on("11-16")), spans, on("11-16")
    )
    assert told(earlier)[1] == ("11-15", "12-31", "b", IN_FORCE)


def test_a_day_that_only_a_later_delivery_covers() -> None:
    runs = fetched(("a", "11-10", "11-14"), ("b", "11-15", "11-20"))
    spans = periods(a=("11-14", "12-31"), b=("11-01", "12-31"))
    days = governing_days(runs, spans, K)
    assert told(days)[:2] == [("11-10", "11-13", "b", LATER), ("11-14", "11-14", "a", IN_FORCE)]
    before = governing_days(runs, spans, K, since=on("10-01"))
    assert told(before)[:3] == [
        ("10-01", "10-03", None, NONE),
        ("10-04", "10-31", "b", AFTER),
        ("11-01", "11-13", "b", LATER),
    ]


def test_a_feed_that_ended_before_it_first_came_is_bridged_all_the_same() -> None:
    days = governing_days(fetched(("a", "11-20", "11-20")), periods(a=("01-01", "11-10")), K)
    assert told(days)[:2] == [("11-20", "12-08", "a", BEFORE), ("12-09", "01-19", None, NONE)]


def test_a_version_without_dates_governs_nothing() -> None:
    days = governing_days(fetched(("a", "11-20", "11-20")), periods(), K)
    assert told(days) == [("11-20", "01-19", None, NONE)]


def test_what_came_after_the_night_is_not_known() -> None:
    runs = fetched(("a", "11-18", "11-20"), ("b", "11-21", "11-21"))
    spans = periods(a=("01-01", "12-31"), b=("01-01", "12-31"))
    assert "b" not in governing_days(runs, spans, K).get_column("version_id").to_list()


def test_a_period_is_that_of_feed_info_where_it_makes_sense() -> None:
    schema = dict.fromkeys(("source_id", "version_id"), pl.String) | dict.fromkeys(
        ("feed_start_date", "feed_end_date", "service_start_date", "service_end_date"), pl.Date
    )
    service = (on("02-01"), on("06-30"))
    rows = [
        ("f", "both", on("01-01"), on("12-31"), *service),
        ("f", "end", None, on("12-31"), *service),
        ("f", "neither", None, None, *service),
        ("f", "turned", on("12-31"), on("01-01"), *service),
        ("f", "nothing", None, None, None, None),
        ("f", "past", on("07-01"), None, *service),
    ]
    found = service_periods(pl.DataFrame(rows, schema=schema, orient="row"))
    assert {row[1]: row[2:] for row in found.rows()} == {
        "both": (on("01-01"), on("12-31")),
        "end": (on("02-01"), on("12-31")),
        "neither": service,
        "turned": service,
    }


def services(*rows: tuple[str, str]) -> pl.DataFrame:
    schema = dict.fromkeys(("source_id", "version_id", "service_id"), pl.String)
    return pl.DataFrame(
        [("f", "a", name, on(day)) for name, day in rows],
        schema={**schema, "service_date": pl.Date},
        orient="row",
    )


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("11-23", {"work"}),  # a Monday after the last week: as on Monday the 16th
        ("11-28", {"weekend"}),  # a Saturday: as on the 21st
        ("12-26", {"weekend"}),
        ("11-14", {"weekend"}),  # a Saturday before the first week
        ("11-18", set()),  # within the dates: the version itself says that nothing runs
    ],
)
def test_an_assumed_day_runs_what_the_nearest_same_weekday_runs(
    day: str, expected: set[str]
) -> None:
    known = services(("work", "11-16"), ("work", "11-17"), ("work", "11-20"), ("weekend", "11-21"))
    assumed = with_assumed_services(known, [("f", "a")], [on(day)])
    added = assumed.filter(service_date=on(day)).get_column("service_id").to_list()
    assert set(added) == expected
    assert assumed.filter(pl.col("service_date") != on(day)).equals(known)
    assert with_assumed_services(known, [("f", "b")], [on(day)]).equals(known)


def test_several_assumed_days_do_not_follow_from_each_other() -> None:
    known = services(*(("work", f"11-{day}") for day in range(16, 21)), ("weekend", "11-21"))
    days = [on("12-04"), on("12-05")]
    added = with_assumed_services(known, [("f", "a")], days).slice(known.height)
    assert added.select("service_date", "service_id").rows() == [
        (days[0], "work"),
        (days[1], "weekend"),
    ]


days_of_year = st.integers(0, 150)
Spans = list[tuple[int, int]]
START = date(2026, 1, 1)


@st.composite
def feeds(draw: st.DrawFn) -> tuple[Spans, Spans, int]:
    """A feed's versions (first and last day), its runs of fetches (version, night), and a night."""
    spans = draw(st.lists(st.tuples(days_of_year, days_of_year), min_size=1, max_size=5))
    numbers = draw(st.lists(st.integers(0, len(spans) - 1), min_size=1, max_size=8))
    night, runs = 20, [(numbers[0], 20)]
    for number in numbers[1:]:
        night += draw(st.integers(0, 12))
        if number != runs[-1][0]:
            runs.append((number, night))
    return spans, runs, night + draw(st.integers(0, 20))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(feeds())
def test_days_are_a_partition_and_follow_the_rule_read_day_by_day(
    feed: tuple[Spans, Spans, int],
) -> None:
    """Each day lies in exactly one run, whose version is the one that the rule names."""
    spans, runs, night = feed
    as_of = START + night * DAY
    days = governing_days(run_frame(runs), span_frame(spans), as_of)
    edges = days.select("from_date", "to_date").rows()
    assert edges[0][0] == START + runs[0][1] * DAY
    assert edges[-1][1] >= as_of + LOOK_AHEAD_DAYS * DAY
    assert all(first <= last for first, last in edges)
    assert all(after[0] == before[1] + DAY for before, after in pairwise(edges))
    for row in days.iter_rows(named=True):
        first, last = ((row[name] - START).days for name in ("from_date", "to_date"))
        for day in {first, (first + last) // 2, last}:
            expected, is_assumed = ruled(spans, runs, day)
            assert (row["version_id"], row["is_assumed"]) == (expected, is_assumed)


def in_force(spans: Spans, runs: Spans, day: int) -> str | None:
    """The version in force on a day, by rules 1 and 2, read as they are written."""
    covers = [(n, night) for n, night in runs if spans[n][0] <= day <= spans[n][1]]
    known_then = [str(n) for n, night in covers if night <= day]
    return known_then[-1] if known_then else str(covers[0][0]) if covers else None


def ruled(spans: Spans, runs: Spans, day: int) -> tuple[str | None, bool]:
    """The version that governs a day, and whether that is assumed, by all four rules."""
    if version := in_force(spans, runs, day):
        return version, False
    steps = range(1, MOST_BRIDGED_DAYS + 1)
    back = (in_force(spans, runs, day - step) for step in steps)
    ahead = (in_force(spans, runs, day + step) for step in steps)
    found = next(filter(None, [*back, *ahead]), None)
    return found, found is not None


def run_frame(runs: Spans) -> pl.DataFrame:
    """Runs of fetches under their contract, each of one night."""
    nights = [START + night * DAY for _, night in runs]
    return FetchedVersions.validate(
        pl.DataFrame(
            {
                "source_id": ["f"] * len(runs),
                "fetch_number": range(1, len(runs) + 1),
                "version_id": [str(number) for number, _ in runs],
                "first_night_date": nights,
                "last_night_date": nights,
            }
        ),
        cast=True,
    )


def span_frame(spans: Spans) -> pl.DataFrame:
    """Periods of versions; one that ends before it begins is none."""
    periods = pl.DataFrame(
        {
            "source_id": ["f"] * len(spans),
            "version_id": [str(number) for number in range(len(spans))],
            "start_date": [START + first * DAY for first, _ in spans],
            "end_date": [START + last * DAY for _, last in spans],
        }
    )
    return periods.filter(pl.col("start_date") <= pl.col("end_date"))
