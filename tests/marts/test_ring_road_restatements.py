"""Ring-road restatements: what one night tells otherwise than the night before, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dataframely as dy
import polars as pl
import pytest

from pipelines.marts.ring_road_diversion import RingRoadDiversion, compute_ring_road_diversion
from pipelines.marts.ring_road_restatements import (
    OTHER_DAYS,
    OTHER_RATES,
    OTHER_TRIPS,
    compute_ring_road_restatements,
)
from pipelines.marts.toll_audits import TollAudits
from pipelines.staging.passages import ReadAudits
from pipelines.staging.traffic import CountStations
from tests.marts.toy_passages import (
    NOVEMBER,
    PERFECT,
    Reading,
    a_night,
    a_trip,
    matched,
    some_trips,
    the_audits,
    the_days,
    the_passages,
    the_stations,
)

FIRST, SECOND = date(2026, 12, 3), date(2026, 12, 4)
TOLD = (
    "month_date",
    "vehicle_class",
    "before_date",
    "diversion_share_before",
    "diversion_share",
    "passage_day_count_before",
    "passage_day_count",
    "cause",
)


def night_of(
    service_date: date,
    passages: pl.DataFrame,
    audits: pl.DataFrame | None = None,
) -> dy.DataFrame[RingRoadDiversion]:
    stations = CountStations.validate(the_stations())
    return compute_ring_road_diversion(
        a_night(service_date),
        count_stations=stations,
        matched_trips=matched(passages, stations),
        passage_days=the_days(passages),
        read_audits=ReadAudits.validate(the_audits(PERFECT) if audits is None else audits),
        toll_audits=TollAudits.create_empty(),
        forgotten_days=(),
    )


def restated(now: pl.DataFrame, *past: pl.DataFrame) -> list[tuple[object, ...]]:
    nights = [RingRoadDiversion.create_empty(), *past]
    rows = compute_ring_road_restatements(
        a_night(now.get_column("service_date").max() if now.height else SECOND),  # type: ignore[arg-type]  # a date
        ring_road_diversion=RingRoadDiversion.validate(now),
        past_ring_road_diversion=RingRoadDiversion.validate(pl.concat(nights)),
    )
    return rows.select(TOLD).rows()


def at(day: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, 3, tzinfo=UTC)


def some_days(days: Sequence[int], ring: int = 6, city: int = 4) -> list[Reading]:
    """As many trips past the ring and through the city on each of some days of November."""
    return [
        reading
        for day in days
        for reading in some_trips(ring, city, f"{day}-", start=at(day))  # hashes are of a month
    ]


@pytest.fixture(scope="module")
def before() -> pl.DataFrame:
    return night_of(FIRST, the_passages(some_days([19, 20])))


def test_a_first_night_restates_nothing(before: pl.DataFrame) -> None:
    assert restated(before) == []


def test_two_nights_that_know_nothing_restate_nothing() -> None:
    empty = RingRoadDiversion.create_empty()
    assert restated(empty) == []


def test_a_night_that_knows_the_same_restates_nothing(before: pl.DataFrame) -> None:
    assert restated(night_of(SECOND, the_passages(some_days([19, 20]))), before) == []


def test_a_day_that_came_late_is_told_with_both_values(before: pl.DataFrame) -> None:
    late = some_days([19, 20]) + some_days([21], 0, 10)
    assert restated(night_of(SECOND, the_passages(late)), before) == [
        (NOVEMBER, "heavy", FIRST, 0.6, 0.4, 2, 3, OTHER_DAYS)
    ]


def test_passages_that_came_late_of_a_day_told_before(before: pl.DataFrame) -> None:
    late = some_days([19, 20]) + some_trips(0, 10, "late", start=at(20))
    assert restated(night_of(SECOND, the_passages(late)), before) == [
        (NOVEMBER, "heavy", FIRST, 0.6, 0.4, 2, 2, OTHER_TRIPS)
    ]


def audits_of(audit_date: date, ring: tuple[int, int]) -> pl.DataFrame:
    rates = {**PERFECT, "g1": ring, "g2": ring}
    return the_audits(rates).with_columns(audit_date=pl.lit(audit_date))


def test_audits_of_that_time_change_the_rates_and_later_ones_do_not(before: pl.DataFrame) -> None:
    passages = the_passages(some_days([19, 20]))
    then = pl.concat([the_audits(PERFECT), audits_of(date(2026, 11, 25), (1000, 500))])
    changed = restated(night_of(SECOND, passages, then), before)
    # Of 2,000 vehicles 1,500 were read: 12 read on the ring are 16 of 20.
    assert changed == [(NOVEMBER, "heavy", FIRST, 0.6, 0.8, 2, 2, OTHER_RATES)]
    later = pl.concat([the_audits(PERFECT), audits_of(date(2026, 12, 1), (1000, 500))])
    assert restated(night_of(SECOND, passages, later), before) == []


def test_the_running_month_and_the_one_that_ran_the_night_before_are_left_out() -> None:
    last, next_day = date(2026, 11, 30), date(2026, 12, 1)
    passages, more = some_days([19, 20]), some_days([30], 10, 0)
    known = night_of(last, the_passages(passages))
    assert restated(night_of(next_day, the_passages(passages + more)), known) == []
    # On the night after, a change of November is one.
    ended = night_of(next_day, the_passages(passages))
    changed = restated(night_of(date(2026, 12, 2), the_passages(passages + more)), ended)
    assert [row[-1] for row in changed] == [OTHER_DAYS]


def test_a_month_that_vanishes_is_told(before: pl.DataFrame) -> None:
    nothing = night_of(SECOND, the_passages([]))
    assert restated(nothing, before) == [
        (NOVEMBER, "heavy", FIRST, 0.6, None, 2, None, OTHER_DAYS),
    ]


def test_a_month_that_was_not_known_is_told(before: pl.DataFrame) -> None:
    october = [
        reading
        for number in range(20)
        for reading in a_trip(number, start=at(5, 10), ring=("g1",) if number < 10 else ())
    ]
    late = night_of(SECOND, the_passages(october + some_days([19, 20])))
    assert restated(late, before) == [
        (date(2026, 10, 1), "heavy", FIRST, None, 0.5, None, 1, OTHER_DAYS)
    ]


def test_a_class_that_is_read_for_the_first_time_restates_no_month(before: pl.DataFrame) -> None:
    light = the_passages(some_trips(6, 4, "light", start=at(2, 12)), "light")
    both = pl.concat(
        [the_passages(some_days([19, 20])), light.with_columns(version_id=pl.lit("l"))]
    )
    now = night_of(SECOND, both)
    assert "light" in now.filter(month_date=NOVEMBER).get_column("vehicle_class")
    assert restated(now, before) == []


def test_a_night_is_compared_with_the_latest_one_before_it(before: pl.DataFrame) -> None:
    same = the_passages(some_days([19, 20]))
    older = night_of(FIRST - timedelta(days=1), the_passages(some_days([19])))
    assert restated(night_of(SECOND, same), older, before) == []
    assert len(restated(night_of(SECOND, same), before, older)) == 0
    assert len(restated(before, older)) == 1


def test_a_share_that_is_no_longer_told_is_told(before: pl.DataFrame) -> None:
    nobody = the_audits(PERFECT).clear()
    changed = restated(night_of(SECOND, the_passages(some_days([19, 20])), nobody), before)
    assert changed == [(NOVEMBER, "heavy", FIRST, 0.6, None, 2, 2, OTHER_RATES)]
