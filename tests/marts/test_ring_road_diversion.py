"""Ring-road diversion: toy readings derivable by hand, and the sample city with its known share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.marts import ring_road_diversion as mart
from pipelines.marts.ring_road import shares
from pipelines.marts.ring_road.read_rates import audited_rates, ring_rates
from pipelines.marts.ring_road_diversion import compute_ring_road_diversion
from pipelines.marts.toll_audits import TollAudits
from pipelines.night import SourceVersion
from pipelines.sample import list_objects, make_object
from pipelines.sample.truth import TRUTH
from pipelines.sources.traffic.parse import parse_count_stations
from pipelines.sources.traffic.passages import parse_passages, parse_read_audits
from pipelines.staging.passages import ReadAudits, stage_passages, stage_read_audits
from pipelines.staging.traffic import CountStations, stage_count_stations
from tests.marts.toy_passages import (
    ALMATY,
    DAY,
    MORNING,
    NOVEMBER,
    PERFECT,
    STATIONS,
    Reading,
    a_night,
    a_trip,
    matched,
    some_trips,
    the_audits,
    the_days,
    the_passages,
    the_stations,
    typed,
)

DAYS_1, DAYS_2 = timedelta(days=1), timedelta(days=2)


def computed(
    passages: pl.DataFrame,
    rates: dict[str, tuple[int, int]] | None = None,
    stations: pl.DataFrame | None = None,
    service_date: date = DAY,
    forgotten_days: Collection[date] = (),
) -> pl.DataFrame:
    listed = CountStations.validate(the_stations() if stations is None else stations)
    return compute_ring_road_diversion(
        a_night(service_date),
        count_stations=listed,
        matched_trips=matched(passages, listed),
        passage_days=the_days(passages),
        read_audits=ReadAudits.validate(the_audits(PERFECT if rates is None else rates)),
        toll_audits=TollAudits.create_empty(),
        forgotten_days=forgotten_days,
    )


def this_month(rows: pl.DataFrame, month: date = NOVEMBER) -> dict[str, object]:
    of_month = rows.filter(pl.col("month_date") == month, pl.col("vehicle_class") == "heavy")
    return of_month.row(0, named=True)


# Shares by hand


def test_with_perfect_readers_the_share_is_a_count() -> None:
    row = this_month(computed(the_passages(some_trips(12, 8))))
    assert row["diversion_share"] == row["diversion_share_naive"] == 0.6
    assert (row["matched_ring_count"], row["matched_count"]) == (12, 20)
    assert (row["numerator_count"], row["denominator_count"]) == (12.0, 20.0)
    assert (row["passage_day_count"], row["is_complete_month"]) == (1, False)
    # One day: Wilson's interval of 12 in 20 (0.3866 to 0.7812).
    assert row["diversion_share_low"] == pytest.approx(0.3866, abs=1e-4)
    assert row["diversion_share_high"] == pytest.approx(0.7812, abs=1e-4)
    assert row["method"] == mart.METHOD
    assert row["reason"] is None


@pytest.mark.slow
def test_a_thousand_trucks_of_which_forty_percent_take_the_ring() -> None:
    # 722.5 of 1,000 are matched at r = 0.85 an end, 274.55 also read by the ring at r = 0.95;
    # forty times as many, for whole trucks.
    readings = some_trips(10_982, 28_900 - 10_982)
    rates = {"west": (1000, 850), "east": (1000, 850), "g1": (1000, 950)}
    row = this_month(computed(the_passages(readings), rates))
    assert (row["matched_count"], row["matched_ring_count"]) == (28_900, 10_982)
    assert row["diversion_share_naive"] == 0.38
    assert row["diversion_share"] == 0.4
    assert (row["read_rate_cordon"], row["read_rate_ring"]) == (0.85, 0.95)
    assert (row["numerator_count"], row["denominator_count"]) == (16_000.0, 40_000.0)


def test_pairs_are_weighed_by_what_their_ends_read() -> None:
    # West-east: 10 trips, all on the ring, read 1 in 2 at each end: they stand for 40.
    # North-east: 10 trips, none on the ring, all read in the north, 1 in 2 in the east: 20.
    readings = some_trips(10, 0) + some_trips(0, 10, "n", ends=("north", "east"))
    rates = PERFECT | {"west": (100, 50), "east": (100, 50)}
    row = this_month(computed(the_passages(readings), rates))
    assert row["diversion_share_naive"] == 0.5
    assert row["diversion_share"] == pytest.approx(40 / 60, abs=1e-6)
    assert row["denominator_count"] == 60.0


def test_one_reading_of_several_gantries_is_enough() -> None:
    # r_g = 1 - (1 - 0.8) (1 - 0.5) = 0.9 on the way past both gantries.
    readings = [
        reading
        for number in range(10)
        for reading in a_trip(number, ring=("g1",) if number < 5 else ("g1", "g2"))
    ]
    readings += some_trips(0, 10, "c")
    row = this_month(computed(the_passages(readings), PERFECT | {"g1": (50, 40), "g2": (50, 25)}))
    assert row["read_rate_ring"] == pytest.approx(0.9)
    assert row["diversion_share"] == pytest.approx(10 / 0.9 / 20, abs=1e-6)


def test_a_gantry_that_hardly_reads_a_pair_is_not_on_its_way() -> None:
    readings = some_trips(9, 10) + a_trip("stray", ring=("g1", "g2"))
    row = this_month(computed(the_passages(readings), PERFECT | {"g1": (100, 80), "g2": (100, 80)}))
    assert row["read_rate_ring"] == pytest.approx(0.8)


def test_rates_fall_back_from_the_quarter_of_the_day_to_station_and_role() -> None:
    stations = the_stations(["west", "east", "g1"])
    hours = [("west", 1, 50, 45), ("west", 12, 30, 15), ("east", 12, 10, 0), ("g1", 1, 20, 19)]
    audits = typed(
        ReadAudits,
        (
            {
                "station_id": name,
                "audit_date": DAY,
                "hour_of_day": hour,
                "vehicles_seen_count": seen,
                "plates_read_count": read,
            }
            for name, hour, seen, read in hours
        ),
    )
    rates = {
        (name, band): (rate, seen)
        for _, name, _, band, rate, seen in audited_rates(audits, stations, [NOVEMBER]).rows()
    }
    assert rates["west", 0] == (0.9, 50)  # its own 50 vehicles
    assert rates["west", 2] == (0.75, 80)  # 30 are too few: 60 of the station's 80
    assert rates["east", 2] == (60 / 90, 90)  # 10 are too few: 60 of the role's 90
    assert rates["g1", 3] == (0.95, 20)  # the role has no others


def test_the_slope_of_the_ring_s_rate_is_its_derivative() -> None:
    on_the_way = pl.DataFrame(
        {
            "month_date": [NOVEMBER] * 2,
            "entry_station_id": ["w"] * 2,
            "exit_station_id": ["e"] * 2,
            "station_id": ["g1", "g2"],
        }
    )

    def rate(first: float) -> pl.DataFrame:
        rates = pl.DataFrame(
            {
                "month_date": [NOVEMBER] * 2,
                "station_id": ["g1", "g2"],
                "role": ["ring"] * 2,
                "band": [0, 0],
                "read_rate": [first, 0.7],
                "seen_count": [100, 100],
            }
        )
        return ring_rates(on_the_way, rates).sort("station_id")

    at, above = rate(0.8).row(0, named=True), rate(0.8 + 1e-6).row(0, named=True)
    assert at["ring_rate"] == pytest.approx(1 - 0.2 * 0.3)
    assert at["slope"] == pytest.approx((above["ring_rate"] - at["ring_rate"]) / 1e-6)
    assert at["rate_variance"] == pytest.approx(0.8 * 0.2 / 100)


# What is a through trip


@pytest.mark.parametrize(
    ("readings", "vehicle_class"),
    [
        pytest.param(a_trip("x", minutes=700), "heavy", id="slower than on foot"),
        pytest.param(a_trip("x", minutes=180), "heavy", id="three times as long as the others"),
        pytest.param(a_trip("x", ends=("west", "west")), "heavy", id="turned back"),
        pytest.param(a_trip("x"), "medium", id="no heavy vehicle"),
        pytest.param(a_trip("x")[:1], "heavy", id="stayed"),
        pytest.param(
            [("x", "west", MORNING, "out"), ("x", "east", MORNING + timedelta(hours=1), "in")],
            "heavy",
            id="outside the cordon",
        ),
        pytest.param(
            [("x", "west", MORNING, None), ("x", "east", MORNING + timedelta(hours=1), "out")],
            "heavy",
            id="untold direction",
        ),
        pytest.param(
            [
                ("x", "west", MORNING, "in"),
                ("x", "north", MORNING + timedelta(minutes=30), "in"),
                ("y", "east", MORNING + timedelta(minutes=60), "out"),
            ],
            "heavy",
            id="another plate",
        ),
    ],
)
def test_what_is_no_through_trip(readings: list[Reading], vehicle_class: str) -> None:
    trips = the_passages(some_trips(15, 15))
    others = the_passages(readings, vehicle_class).with_columns(version_id=pl.lit("v2"))
    rows = computed(pl.concat([trips, others]))
    assert this_month(rows)["matched_count"] == 30


def test_readings_of_the_ring_before_the_entry_or_after_the_exit_are_no_diversion() -> None:
    readings = some_trips(10, 10)
    readings += [(f"p{n}", "g1", MORNING - timedelta(minutes=20), "in") for n in range(20)]
    readings += [(f"p{n}", "g2", MORNING + timedelta(minutes=90), "in") for n in range(20)]
    readings += [(f"p{n}", "avenue", MORNING + timedelta(minutes=30), "in") for n in range(20)]
    assert this_month(computed(the_passages(readings)))["diversion_share"] == 0.5


def test_repeats_are_one_reading() -> None:
    readings = some_trips(10, 10)
    again = [
        (plate, station, moment + timedelta(seconds=4), direction)
        for plate, station, moment, direction in readings
    ]
    row = this_month(computed(the_passages(readings + again + readings)))
    assert (row["matched_ring_count"], row["matched_count"]) == (10, 20)


def test_slow_trips_through_the_city_are_not_cut_off_by_fast_ones_on_the_ring() -> None:
    readings = some_trips(60, 0, minutes=45) + some_trips(0, 40, "c", minutes=150)
    assert this_month(computed(the_passages(readings)))["diversion_share"] == 0.6


# Days


def test_entries_whose_limit_ends_after_the_last_day_delivered_are_not_counted() -> None:
    # 60 minutes are the pair's free-flow time, so its limit is 105 minutes. An entry in the hour
    # from 22:00 could still leave after midnight: neither the fast nor the slow way may be counted.
    late = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
    in_time = late - timedelta(minutes=31)
    readings = some_trips(10, 10)
    readings += some_trips(20, 0, "late", start=late)
    readings += some_trips(5, 0, "in time", start=in_time)
    row = this_month(computed(the_passages(readings)))
    assert (row["matched_ring_count"], row["matched_count"]) == (15, 25)
    next_day = some_trips(5, 5, "next", start=MORNING + timedelta(days=1))
    rows = computed(the_passages(readings + next_day), service_date=date(2026, 11, 21))
    assert this_month(rows)["matched_count"] == 25 + 20 + 10
    # As known on the 20th, the 21st has not happened.
    assert this_month(computed(the_passages(readings + next_day)))["matched_count"] == 25


def test_a_day_in_between_that_was_not_delivered_ends_a_block() -> None:
    # In at 23:00 on the 18th and out at 23:50; slower ones left on the 19th, which is not there.
    late = datetime(2026, 11, 18, 18, 0, tzinfo=UTC)
    readings = some_trips(10, 10) + some_trips(20, 0, "late", start=late, minutes=50)
    row = this_month(computed(the_passages(readings)))
    assert (row["matched_count"], row["passage_day_count"]) == (20, 2)


def test_a_trip_belongs_to_the_local_month_of_its_entry() -> None:
    # 20:00 UTC on October 31 is 01:00 on November 1 in Almaty; 18:00 UTC is 23:00 on October 31.
    before = datetime(2026, 10, 31, 18, 0, tzinfo=UTC)
    readings = some_trips(5, 15, "o", start=before)
    readings += some_trips(15, 5, "n", start=before + timedelta(hours=2))
    rows = computed(the_passages(readings))
    assert rows.get_column("month_date").to_list() == [date(2026, 10, 1), NOVEMBER]
    assert rows.get_column("diversion_share").to_list() == [0.25, 0.75]


def test_a_month_is_complete_when_every_day_was_delivered() -> None:
    start = datetime(2026, 2, 1, 5, tzinfo=UTC)
    readings = [
        reading
        for day in range(28)
        for reading in some_trips(5, 5, f"{day}-", start=start + timedelta(days=day))
    ]
    rows = computed(the_passages(readings))
    assert rows.height == 10  # each month between has a row
    assert this_month(rows, date(2026, 7, 1))["reason"] == mart.NO_PASSAGES
    february = this_month(rows, date(2026, 2, 1))
    assert (february["passage_day_count"], february["is_complete_month"]) == (28, True)
    assert february["matched_count"] == 280
    assert this_month(rows)["reason"] == mart.NO_PASSAGES


def test_days_whose_passages_are_deleted_count_and_are_told() -> None:
    start = datetime(2026, 11, 4, 5, tzinfo=UTC)
    days = [start + timedelta(days=day) for day in range(5)]
    readings = [r for day in days for r in some_trips(6, 4, f"{day}-", start=day)]
    passages = the_passages(readings)
    known = this_month(computed(passages))
    assert (known["passage_day_count"], known["replayed_day_count"]) == (5, 0)
    # Two days of this month, and one that was never delivered.
    forgotten = [day.date() for day in days[:2]] + [date(2026, 10, 1)]
    row = this_month(computed(passages, forgotten_days=forgotten))
    assert row == {**known, "replayed_day_count": 2}


def test_a_deleted_day_that_no_list_of_passages_tells_of_is_known_by_its_trips() -> None:
    passages = the_passages(some_trips(6, 4) + some_trips(6, 4, "n", start=MORNING - DAYS_2))
    rows = compute_ring_road_diversion(
        a_night(),
        count_stations=CountStations.validate(the_stations()),
        matched_trips=matched(passages),
        passage_days=the_days(passages.filter(pl.col("passed_at") > MORNING - DAYS_1)),
        read_audits=ReadAudits.validate(the_audits(PERFECT)),
        toll_audits=TollAudits.create_empty(),
        forgotten_days=[(MORNING - DAYS_2).date()],
    )
    row = this_month(rows)
    assert (row["passage_day_count"], row["replayed_day_count"]) == (2, 1)
    assert row["matched_count"] == 20


# Classes


def test_each_class_that_is_read_has_its_own_share() -> None:
    light = the_passages(some_trips(5, 15, "l"), "light").with_columns(version_id=pl.lit("v2"))
    rows = computed(pl.concat([the_passages(some_trips(12, 8)), light]))
    told = rows.select("vehicle_class", "matched_count", "diversion_share").rows()
    assert told == [("heavy", 20, 0.6), ("light", 20, 0.25)]


# Read rates of a month


def test_a_month_s_rate_stands_on_the_year_that_ends_with_it() -> None:
    stations = the_stations(["west", "g1"])
    months = [date(2026, 10, 1), NOVEMBER]
    every = the_audits({"west": (100, 90), "g1": (100, 80)})

    def rates(*others: tuple[date, int]) -> dict[tuple[date, str], float]:
        ring = the_audits({"g1": (100, 0)})
        parts = [every.with_columns(audit_date=pl.lit(date(2026, 10, 31)))]
        parts += [
            ring.with_columns(audit_date=pl.lit(day), plates_read_count=pl.lit(read, pl.Int32))
            for day, read in others
        ]
        rows = audited_rates(pl.concat(parts), stations, months).filter(band=2).rows(named=True)
        return {(row["month_date"], row["station_id"]): row["read_rate"] for row in rows}

    first, second = ((month, "g1") for month in months)
    assert rates()[first] == rates()[second] == 0.8
    # What is audited in November is of November, and no night changes October's rate by it.
    assert rates((date(2026, 11, 1), 40))[first] == 0.8
    assert rates((date(2026, 11, 1), 40))[second] == 0.6
    # Of the year before: from November 1, 2025, for October 2026.
    assert rates((date(2025, 11, 1), 40))[first] == 0.6
    assert rates((date(2025, 10, 31), 40))[first] == 0.8
    assert rates((date(2025, 11, 30), 40))[second] == 0.8


def test_a_month_before_all_audits_stands_on_them() -> None:
    audits = the_audits({"west": (100, 90), "g1": (100, 80)})  # of November
    rates = audited_rates(audits, the_stations(["west", "g1"]), [date(2026, 1, 1)])
    assert set(rates.get_column("read_rate")) == {0.9, 0.8}


# No number


@pytest.mark.parametrize(
    ("ring", "city", "matched", "share"),
    [(4, 20, 24, None), (20, 4, 24, None), (2, 2, None, None), (0, 20, 20, 0.0), (20, 0, 20, 1.0)],
)
def test_small_counts_are_suppressed_with_what_would_tell_them(
    ring: int, city: int, matched: int | None, share: float | None
) -> None:
    row = this_month(computed(the_passages(some_trips(ring, city))))
    assert (row["matched_count"], row["diversion_share"]) == (matched, share)
    assert row["reason"] == (mart.SUPPRESSED if share is None else None)
    if share is None:
        assert (
            row["matched_ring_count"] is row["numerator_count"] is row["denominator_count"] is None
        )
        assert row["diversion_share_naive"] is row["diversion_share_low"] is None


@pytest.mark.parametrize("rates", [{}, {"west": (100, 85), "east": (100, 85)}])
def test_without_audits_a_range_is_published_and_no_share(
    rates: dict[str, tuple[int, int]],
) -> None:
    row = this_month(computed(the_passages(some_trips(380, 620)), rates))
    assert row["diversion_share"] is row["numerator_count"] is row["read_rate_ring"] is None
    assert (row["diversion_share_naive"], row["matched_count"]) == (0.38, 1000)
    low, high = shares.wilson_interval(np.array([0.38]), np.array([1000.0]))
    assert row["diversion_share_low"] == pytest.approx(low[0], abs=1e-6)
    assert row["diversion_share_high"] == pytest.approx(high[0] / 0.70, abs=1e-6)
    assert (row["reason"], row["method"]) == (mart.NO_AUDITS, mart.METHOD_WITHOUT_AUDITS)


@pytest.mark.parametrize(
    ("readings", "stations", "reason"),
    [
        ([], list(STATIONS), mart.NO_PASSAGES),
        (a_trip("x")[:1], list(STATIONS), mart.NO_TRIPS),
        (some_trips(10, 10), ["west", "east"], mart.NO_STATIONS),
        (some_trips(10, 10), [], mart.NO_STATIONS),
    ],
)
def test_what_is_missing_is_a_row_with_the_reason(
    readings: list[Reading], stations: list[str], reason: str
) -> None:
    rows = computed(the_passages(readings), stations=the_stations(stations))
    assert rows.height == 1
    row = this_month(rows)
    assert row["reason"] == reason
    values = [name for name, unit in row.items() if name.startswith(("diversion", "matched"))]
    assert [row[name] for name in values] == [None] * len(values)


# Intervals


def test_wilson_s_interval_by_hand() -> None:
    low, high = shares.wilson_interval(np.array([0.5]), np.array([10.0]))
    assert (low[0], high[0]) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def days_of_trips(month: date, taken: Collection[tuple[int, int]]) -> pl.DataFrame:
    """Counts of west-east trips, day after day: (read on the ring, others)."""
    rows = [
        (month + timedelta(days=day), way, count)
        for day, counts in enumerate(taken)
        for way, count in zip((True, False), counts, strict=True)
        if count
    ]
    trips = pl.DataFrame(
        rows, schema=["service_date", "is_read_on_ring", "trip_count"], orient="row"
    )
    return trips.with_columns(
        month_date=pl.lit(month),
        vehicle_class=pl.lit("heavy"),
        entry_station_id=pl.lit("west"),
        exit_station_id=pl.lit("east"),
        entry_band=pl.lit(1, pl.Int32),
        exit_band=pl.lit(1, pl.Int32),
        log_minutes=pl.lit(4.0),
    )


def rates_of(months: list[date], ring: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Perfectly known rates: 1 at the cordon, and of the one gantry on the way."""
    many = 10_000_000
    seen = {"west": (many, many), "east": (many, many), "g1": (many, int(many * ring))}
    rates = audited_rates(the_audits(seen), the_stations(["west", "east", "g1"]), months)
    way = pl.DataFrame({"month_date": months}).with_columns(
        entry_station_id=pl.lit("west"),
        exit_station_id=pl.lit("east"),
        station_id=pl.lit("g1"),
    )
    return rates, ring_rates(way, rates)


def test_days_that_differ_widen_the_interval_by_hand() -> None:
    # Seven days with 4 or 6 of 10, one with 5: variance 8/7 * squares / 80^2, t(7) = 2.3646.
    taken = [(4, 6), (6, 4)] * 3 + [(4, 6), (5, 5)]
    trips = days_of_trips(NOVEMBER, taken)
    rates, ring = rates_of([NOVEMBER], 1.0)
    row = shares.shares(trips, rates, ring, ["month_date"]).row(0, named=True)
    share = 39 / 80
    squares = sum((on - share * 10) ** 2 for on, _ in taken)
    half = 2.364624 * (8 / 7 * squares / 80**2) ** 0.5
    assert row["share"] == pytest.approx(share)
    assert row["low"] == pytest.approx(share - half, abs=1e-6)
    assert row["high"] == pytest.approx(share + half, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("days", "spread"), [(10, 0.08), (28, 0.05), (1, 0.0), (3, 0.0)])
def test_intervals_hold_the_true_share_about_as_often_as_they_say(days: int, spread: float) -> None:
    rng = np.random.default_rng(20230616)
    months = [date(2000 + month // 12, month % 12 + 1, 1) for month in range(200)]
    parts = []
    for month in months:
        counts = rng.integers(150, 250, days)
        true = np.clip(rng.normal(0.4, spread, days), 0, 1)
        read = rng.binomial(counts, true * 0.9)
        parts.append(days_of_trips(month, list(zip(read.tolist(), (counts - read).tolist()))))  # noqa: B905  # of one length
    rates, ring = rates_of(months, 0.9)
    found = shares.shares(pl.concat(parts), rates, ring, ["month_date"])
    assert found.height == 200
    assert 181 <= found.filter(pl.lit(0.4).is_between("low", "high")).height <= 197


def test_few_audited_vehicles_widen_the_interval() -> None:
    passages = the_passages(some_trips(400, 600))
    wide = this_month(computed(passages, PERFECT | {"g1": (50, 45)}))
    narrow = this_month(computed(passages, PERFECT | {"g1": (5000, 4500)}))
    assert wide["diversion_share"] == narrow["diversion_share"]
    # 1.96 * share / r * sqrt(r (1 - r) / n) in quadrature with the same sampling error.
    share = 0.4 / 0.9
    sampling = share - shares.wilson_interval(np.array([0.4]), np.array([1000.0]))[0][0] / 0.9
    audit = 1.959964 * share / 0.9 * (0.09 / 50) ** 0.5
    low = share - (sampling**2 + audit**2) ** 0.5
    assert wide["diversion_share_low"] == pytest.approx(low, abs=1e-6)
    assert narrow["diversion_share_low"] > wide["diversion_share_low"]  # type: ignore[operator]  # two floats


# The same whatever the order


def shuffled_readings() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    readings: list[Reading] = []
    for number in range(3000):
        ends = [("west", "east"), ("east", "north"), ("north", "west")][number % 3]
        start = MORNING + timedelta(
            days=int(rng.integers(-12, 0)), minutes=int(rng.integers(0, 600))
        )
        ring = [("g1",), ("g1", "g2"), ()][int(rng.integers(0, 3))]
        minutes = float(rng.integers(50, 120))
        readings += a_trip(number, ends=ends, start=start, minutes=minutes, ring=ring)
    return the_passages(readings)


RATES = {"west": (97, 81), "east": (89, 71), "north": (83, 79), "g1": (61, 47), "g2": (67, 59)}


@pytest.mark.slow
def test_the_figure_does_not_depend_on_the_order_of_the_rows() -> None:
    passages = shuffled_readings()
    rows = computed(passages, RATES)
    for seed in range(3):
        again = passages.sample(fraction=1.0, shuffle=True, seed=seed)
        assert computed(again, RATES).equals(rows)


@pytest.mark.slow
def test_the_figure_does_not_depend_on_the_number_of_threads() -> None:
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('toy', {str(Path(__file__))!r})\n"
        "toy = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(toy)\n"
        "sys.stdout.write(toy.computed(toy.shuffled_readings(), toy.RATES).write_csv())\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
        ).stdout
        for threads in ("1", "3")
    }
    assert len(told) == 1
    assert told.pop() == computed(shuffled_readings(), RATES).write_csv()


# The sample city, whose true share is known


def staged_sample(product: str, names: Iterable[str]) -> pl.DataFrame:
    steps = {
        "passages": (parse_passages, stage_passages),
        "read_audits": (parse_read_audits, stage_read_audits),
        "count_stations": (parse_count_stations, stage_count_stations),
    }
    parse, stage = steps[product]
    parts = []
    for name in names:
        source = SourceVersion(product, name, name, name.rpartition(".")[2], time_zone=ALMATY)
        staged = stage(parse(make_object(product, name, DAY), source), source)
        assert not staged.quarantine.height
        parts.append(staged.rows)
    return pl.concat(parts)


@pytest.mark.slow
def test_the_sample_s_true_share_is_found_within_a_few_points() -> None:
    names = [item.name for item in list_objects("passages", DAY)]
    last_week = [f"passages_{DAY - timedelta(days=back):%Y-%m-%d}.parquet" for back in range(7)]
    chosen = [*names[:12:4], *last_week]
    passages = staged_sample("passages", chosen)
    stations = CountStations.validate(staged_sample("count_stations", ["count_stations.csv"]))
    rows = compute_ring_road_diversion(
        a_night(),
        count_stations=stations,
        matched_trips=matched(passages, stations),
        passage_days=the_days(passages),
        read_audits=ReadAudits.validate(staged_sample("read_audits", ["read_audits.csv"])),
        toll_audits=TollAudits.create_empty(),
        forgotten_days=(),
    )
    assert set(rows.get_column("warning")) == {None}
    rows = rows.filter(pl.col("passage_day_count") > 0)
    assert rows.get_column("passage_day_count").to_list() == [1, 1, 1, 7]
    for row in rows.iter_rows(named=True):
        assert row["diversion_share"] == pytest.approx(
            TRUTH.diversion_share(row["month_date"]), abs=0.03
        )
        assert 0.75 < row["read_rate_cordon"] < 0.95
