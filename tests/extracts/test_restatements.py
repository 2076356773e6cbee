"""Restatements: what is told otherwise, and why, on tables that fit on a screen."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.extracts.restatements import causes, changed_rows

KEY = ["service_date", "route_id"]
FIRST, SECOND = date(2026, 11, 18), date(2026, 11, 19)


def routes(*rows: tuple[str, int | None, float]) -> pl.DataFrame:
    names, counts, kilometres = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "service_date": [FIRST] * len(rows),
            "route_id": names,
            "trip_count": pl.Series(counts, dtype=pl.Int64),
            "route_km": kilometres,
        }
    )


def test_of_one_date_every_difference_counts() -> None:
    before = routes(("1", 10, 5.5), ("2", 20, 1.0), ("3", 30, 2.0))
    now = routes(("1", 10, 5.5), ("2", None, 1.0), ("4", 40, 3.0))
    day = FIRST.isoformat()
    assert changed_rows(before, now, KEY) == [
        {
            "key": {"service_date": day, "route_id": "2"},
            "from": {"trip_count": 20},
            "to": {"trip_count": None},
        },
        {
            "key": {"service_date": day, "route_id": "3"},
            "from": {"trip_count": 30, "route_km": 2.0},
            "to": None,
        },
        {
            "key": {"service_date": day, "route_id": "4"},
            "from": None,
            "to": {"trip_count": 40, "route_km": 3.0},
        },
    ]
    assert changed_rows(now, now, KEY) == []


def test_a_column_that_was_not_told_is_no_restatement() -> None:
    now = routes(("1", 10, 5.5))
    assert changed_rows(now.drop("route_km"), now, KEY) == []


def months(service_date: date, *rows: tuple[date, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "service_date": [service_date] * len(rows),
            "day_type": [service_date.isoformat()] * len(rows),
            "month_date": [month for month, _ in rows],
            "trip_count": [count for _, count in rows],
        }
    )


MONTH_KEY = ["service_date", "month_date"]
AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (date(2026, month, 1) for month in (8, 9, 10, 11))


def test_of_two_nights_only_periods_that_had_ended_count() -> None:
    before = months(FIRST, (AUGUST, 1), (SEPTEMBER, 5), (OCTOBER, 6), (NOVEMBER, 7))
    now = months(SECOND, (SEPTEMBER, 5), (OCTOBER, 9), (NOVEMBER, 8))  # August has slid away
    assert changed_rows(before, now, MONTH_KEY, same_date=False) == [
        {"key": {"month_date": "2026-10-01"}, "from": {"trip_count": 6}, "to": {"trip_count": 9}}
    ]
    gone = months(SECOND, (AUGUST, 1), (OCTOBER, 6), (NOVEMBER, 8))
    assert changed_rows(before, gone, MONTH_KEY, same_date=False) == [
        {"key": {"month_date": "2026-09-01"}, "from": {"trip_count": 5}, "to": None}
    ]
    assert changed_rows(before, now.clear(), MONTH_KEY, same_date=False) == []


def test_a_figure_of_the_night_itself_is_not_compared_with_another_night() -> None:
    before, now = routes(("1", 10, 5.5)), routes(("1", 11, 5.5))
    assert changed_rows(before, now.with_columns(service_date=SECOND), KEY, same_date=False) == []


def test_a_period_from_and_to_ends_with_its_last_day() -> None:
    def years(service_date: date, last: date, count: int) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "service_date": [service_date],
                "year_from_date": [date(2025, 11, 1)],
                "year_to_date": [last],
                "trip_count": [count],
            }
        )

    key = ["service_date", "year_from_date"]
    for last, restated in ((date(2026, 11, 17), 1), (FIRST, 0)):
        rows = changed_rows(years(FIRST, last, 1), years(SECOND, last, 2), key, same_date=False)
        assert len(rows) == restated


def source(name: str, version: str, kind: str = "gtfs") -> dict[str, str]:
    return {"source_id": kind, "object_name": name, "kind": kind, "version_id": version}


def test_causes_are_what_has_changed_below() -> None:
    old, new = {"definition_version": "a"}, {"definition_version": "b"}
    before = [source("feed.zip", "1"), source("fleet.csv", "1", "fleet"), source("old.csv", "1")]
    now = [source("feed.zip", "2"), source("fleet.csv", "2", "fleet"), source("late.csv", "1")]
    assert causes(old, new, before, now, {"gtfs"}) == [
        {"cause": "changed definition", "from": "a", "to": "b"},
        {
            "cause": "new version of a source",
            "source_id": "gtfs",
            "object_name": "feed.zip",
            "from": "1",
            "to": "2",
        },
        {"cause": "late data", "source_id": "gtfs", "object_name": "late.csv", "to": "1"},
        {
            "cause": "data of a source went",
            "source_id": "gtfs",
            "object_name": "old.csv",
            "from": "1",
        },
    ]
    assert causes(old, old, now, now, {"gtfs"}) == [{"cause": "other code or libraries"}]
