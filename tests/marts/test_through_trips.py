"""Through trips by pair: by hand, beside the totals, and nothing small left by subtraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl
import pytest

from pipelines.marts import through_trips as mart
from pipelines.marts.matched_trips import CELL, MatchedTrips, bin_of
from pipelines.marts.ring_road.limits import BALANCE, FREE_FLOW
from pipelines.marts.ring_road_diversion import compute_ring_road_diversion
from pipelines.marts.through_trips import compute_through_trips
from pipelines.marts.toll_audits import TollAudits
from pipelines.staging.passages import PassageDays, ReadAudits
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations
from tests.marts.toy_passages import (
    DAY,
    NOVEMBER,
    PERFECT,
    a_night,
    matched,
    some_trips,
    the_audits,
    the_days,
    the_passages,
    the_stations,
)

NIGHT = date(2026, 12, 5)
PAIRS = tuple(permutations(("east", "north", "west"), 2))
Counts = Mapping[tuple[str, str], tuple[int, int]]  # trips past the ring and through the city
Row = Mapping[str, Any]
TOLD = ("matched_count", "matched_ring_count", "other_count")


def counted(
    counts: Counts, vehicle_class: str = "heavy", day: date = DAY, ring_minutes: float = 60
) -> pl.DataFrame:
    """Trips of an hour, some minutes past g1 and 80 through the city."""
    rows = []
    for (entry, exit_), (ring, city) in counts.items():
        for minutes, readers, count in ((ring_minutes, ("", "any", "g1"), ring), (80, ("",), city)):
            cell = (day, vehicle_class, entry, exit_, "in out", 8, 1, bin_of(minutes))
            rows += [
                {**dict(zip(CELL, cell, strict=True)), "reader": reader, "trip_count": count}
                for reader in readers
                if count
            ]
    schema = {name: column.dtype for name, column in MatchedTrips.columns().items()}
    return pl.DataFrame(rows, schema=schema)


def inputs(
    trips: pl.DataFrame, rates: Mapping[str, tuple[int, int]] = PERFECT
) -> dict[str, dy.DataFrame]:
    return {
        "matched_trips": MatchedTrips.validate(trips),
        "passage_days": PassageDays.create_empty(),
        "count_stations": CountStations.validate(the_stations()),
        "read_audits": ReadAudits.validate(the_audits(dict(rates))),
        "toll_audits": TollAudits.create_empty(),
    }


def computed(
    trips: pl.DataFrame,
    rates: Mapping[str, tuple[int, int]] = PERFECT,
    service_date: date = NIGHT,
) -> pl.DataFrame:
    return compute_through_trips(a_night(service_date), **inputs(trips, rates))


def totals(
    trips: pl.DataFrame,
    rates: Mapping[str, tuple[int, int]] = PERFECT,
    service_date: date = NIGHT,
) -> pl.DataFrame:
    return compute_ring_road_diversion(
        a_night(service_date), **inputs(trips, rates), forgotten_days=()
    )


def with_other(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(other_count=pl.col("matched_count") - pl.col("matched_ring_count"))


# By hand


def test_a_pair_is_told_with_its_share_and_the_times_of_both_ways() -> None:
    row = computed(counted({("west", "east"): (12, 8)})).row(0, named=True)
    assert (row["month_date"], row["vehicle_class"]) == (NOVEMBER, "heavy")
    assert (row["entry_station_id"], row["exit_station_id"]) == ("west", "east")
    assert (row["matched_count"], row["matched_ring_count"]) == (20, 12)
    assert (row["diversion_share"], row["trips_per_day"]) == (0.6, 20.0)
    assert row["diversion_share_low"] == pytest.approx(0.3866, abs=1e-4)  # Wilson, 12 of 20
    assert row["diversion_share_high"] == pytest.approx(0.7812, abs=1e-4)
    assert (row["read_rate_cordon"], row["read_rate_ring"]) == (1.0, 1.0)
    # A bin is 2.5 % wide, and its middle is told.
    assert row["ring_minutes"] == pytest.approx(60, rel=0.0125)
    assert row["city_minutes"] == pytest.approx(80, rel=0.0125)
    assert row["limit_minutes"] == pytest.approx(80 * 1.75, rel=0.025)
    assert (row["limit_source"], row["reason"], row["method"]) == (FREE_FLOW, None, mart.METHOD)


def test_times_are_geometric_means_of_the_trips() -> None:
    counts = {("west", "east"): (10, 10)}
    other_day = DAY - timedelta(days=2)
    trips = [counted(counts, ring_minutes=50), counted(counts, day=other_day, ring_minutes=72)]
    row = computed(pl.concat(trips)).row(0, named=True)
    assert row["ring_minutes"] == pytest.approx(60, rel=0.0125)


def test_a_way_that_nobody_took_has_no_time() -> None:
    row = computed(counted({("west", "east"): (0, 20)})).row(0, named=True)
    assert (row["diversion_share"], row["ring_minutes"]) == (0.0, None)
    assert row["city_minutes"] is not None


def test_trips_a_day_are_over_the_days_with_passages_and_corrected() -> None:
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    trips = pl.concat([counted({("west", "east"): (6, 4)}, day=day) for day in days])
    rates = {**PERFECT, "west": (100, 80), "east": (100, 50)}
    row = computed(trips, rates).row(0, named=True)
    assert row["trips_per_day"] == 10 / (0.8 * 0.5)
    assert row["read_rate_cordon"] == pytest.approx((0.8 * 0.5) ** 0.5, abs=1e-6)


def test_many_trips_in_two_heaps_have_a_balance_for_a_limit() -> None:
    drives, stays = counted({("west", "east"): (0, 240)}), counted({("west", "east"): (0, 60)})
    later = stays.with_columns(minutes_bin=pl.lit(bin_of(400), pl.Int32))
    row = computed(pl.concat([drives, later])).row(0, named=True)
    assert (row["matched_count"], row["limit_source"]) == (240, BALANCE)
    assert 80 < row["limit_minutes"] < 400


def test_pairs_are_those_of_the_passages() -> None:
    # From the readings on: 12 go west to east, 9 come back, 8 by the ring each.
    readings = some_trips(8, 4 + 5) + some_trips(8, 5, "back", ends=("east", "west"))
    passages = the_passages(readings)
    rows = compute_through_trips(
        a_night(NIGHT),
        **{
            **inputs(matched(passages)),
            "passage_days": the_days(passages),
        },
    )
    told = rows.select("entry_station_id", "exit_station_id", *TOLD[:2]).rows()
    assert told == [("east", "west", 13, 8), ("west", "east", 17, 8)]
    assert rows.get_column("ring_minutes").to_list() == pytest.approx([60, 60], rel=0.0125)


def test_the_running_month_is_left_out() -> None:
    trips = counted({("west", "east"): (12, 8)})
    assert computed(trips, service_date=date(2026, 11, 30)).is_empty()
    assert computed(trips, service_date=date(2026, 12, 1)).height == 1
    assert totals(trips, service_date=date(2026, 11, 30)).height == 1


def test_nothing_known_has_no_rows() -> None:
    assert computed(MatchedTrips.create_empty()).is_empty()
    without_ring = inputs(counted({("west", "east"): (12, 8)}))
    without_ring["count_stations"] = CountStations.validate(the_stations(["west", "east"]))
    assert compute_through_trips(a_night(NIGHT), **without_ring).is_empty()


def test_without_audits_a_pair_has_a_range_and_the_reason() -> None:
    row = computed(counted({("west", "east"): (12, 8)}), {}).row(0, named=True)
    assert row["diversion_share"] is row["trips_per_day"] is row["read_rate_ring"] is None
    assert (row["matched_count"], row["reason"]) == (20, mart.NO_AUDITS)
    assert row["diversion_share_low"] < 0.6 < row["diversion_share_high"]


# What is hidden


def test_a_small_count_hides_the_next_smallest_pair_with_it() -> None:
    rows = computed(
        counted({("west", "east"): (30, 20), ("east", "west"): (9, 3), ("west", "north"): (7, 6)})
    )
    assert rows.filter(pl.col("reason").is_null()).select("entry_station_id", *TOLD[:2]).rows() == [
        ("west", 50, 30)
    ]
    hidden = rows.filter(pl.col("reason").is_not_null())
    assert hidden.get_column("reason").to_list() == [mart.SUPPRESSED] * 2
    key = {*mart.ThroughTrips.primary_key(), "reason"}
    told = [name for name in mart.ThroughTrips.column_names() if name not in key]
    values = hidden.select(set(told) - {"day_type", "departure_window", "method", "mark"})
    assert values.null_count().row(0) == (2,) * values.width


def test_classes_and_months_are_hidden_apart() -> None:
    heavy = counted(
        {("west", "east"): (30, 20), ("east", "west"): (9, 3), ("west", "north"): (7, 6)}
    )
    light = counted({("west", "east"): (10, 10), ("east", "west"): (10, 10)}, "light")
    before = counted({("west", "east"): (10, 10)}, day=date(2026, 10, 20))
    rows = computed(pl.concat([heavy, light, before]))
    told = rows.group_by("month_date", "vehicle_class").agg(pl.col("reason").count()).sort(pl.all())
    assert told.rows() == [(date(2026, 10, 1), "heavy", 0), (NOVEMBER, "heavy", 2),
                           (NOVEMBER, "light", 0)]  # fmt: skip


def test_a_single_pair_with_a_small_way_is_hidden_with_its_total() -> None:
    trips = counted({("west", "east"): (3, 40)})
    assert computed(trips).row(0, named=True)["matched_count"] is None
    total = totals(trips).filter(month_date=NOVEMBER).row(0, named=True)
    assert (total["matched_count"], total["matched_ring_count"]) == (43, None)


CASES = [
    {PAIRS[0]: (2, 10), PAIRS[1]: (0, 10), PAIRS[2]: (0, 10), PAIRS[3]: (0, 10)},
    {PAIRS[0]: (0, 1), PAIRS[1]: (0, 1), PAIRS[2]: (5, 5), PAIRS[3]: (6, 6)},
    {PAIRS[0]: (4, 0), PAIRS[1]: (0, 4), PAIRS[2]: (0, 40)},
    {PAIRS[0]: (5, 5), PAIRS[1]: (1, 9)},
]


def in_months(cases: Sequence[Counts]) -> pl.DataFrame:
    """Each case as the trips of a month and class of its own, months far enough apart."""
    return pl.concat(
        counted(counts, vehicle_class, date(2000 + place // 4, place % 4 * 3 + 1, 20))
        for number, counts in enumerate(cases)
        for place, vehicle_class in [(number // 4, VEHICLE_CLASSES[number % 4])]
    )


def side_by_side(trips: pl.DataFrame, **rates: tuple[int, int]) -> list[tuple[pl.DataFrame, Row]]:
    """Told pairs and told total of each month and class with trips."""
    pairs, every = (with_other(rows(trips, PERFECT | rates)) for rows in (computed, totals))
    key = ["month_date", "vehicle_class"]
    return [
        (rows, every.filter(month_date=month, vehicle_class=name).row(0, named=True))
        for (month, name), rows in pairs.group_by(key, maintain_order=True)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_no_small_count_can_be_told_from_pairs_and_totals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    likely = np.array([0, 0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 9, 40])
    drawn = rng.choice(likely, (90, len(PAIRS), 2)) * rng.integers(0, 2, (90, len(PAIRS), 1))
    drawn[:, 0, 0] += 1  # none without a trip
    cases = [dict(zip(PAIRS, map(tuple, counts.tolist()), strict=True)) for counts in drawn]
    compared = side_by_side(in_months([*CASES, *cases]))
    assert len(compared) == len(cases) + len(CASES)
    for pairs, total in compared:
        for name in TOLD:
            values = pairs.get_column(name).drop_nulls().to_list()
            assert not [value for value in values if 0 < value < 5]
            if total[name] is not None:
                assert not 0 < total[name] - sum(values) < 5
                # What is left belongs to at least two pairs, or to the only one.
                hidden = pairs.height - len(values)
                assert hidden != 1 or pairs.height == 1
    hidden = [rows.filter(pl.col("matched_count").is_null()).height for rows, _ in compared]
    assert {0, 2, 3} < set(hidden)


def test_where_nothing_is_hidden_pairs_add_up_to_the_total() -> None:
    rng = np.random.default_rng(3)
    drawn = rng.choice([5, 6, 8, 13, 21], (40, len(PAIRS), 2))
    drawn[:, :, 0] *= rng.integers(0, 2, (40, len(PAIRS)))  # a way that nobody took
    cases = [dict(zip(PAIRS, map(tuple, counts.tolist()), strict=True)) for counts in drawn]
    rates = {"west": (100, 85), "east": (100, 75), "north": (100, 95), "g1": (100, 90)}
    compared = side_by_side(in_months(cases), **rates)
    assert len(compared) == len(cases)
    for pairs, total in compared:
        for name in TOLD:
            assert pairs.get_column(name).sum() == total[name]
        # One day with passages; trips are told to a tenth in the total, to a hundredth by pair.
        trips, share = pairs.get_column("trips_per_day"), pairs.get_column("diversion_share")
        assert trips.sum() == pytest.approx(total["denominator_count"], abs=0.1)
        assert (trips * share).sum() == pytest.approx(total["numerator_count"], abs=0.1)


def test_a_pair_of_a_station_that_is_no_longer_listed_does_not_stop_the_night() -> None:
    trips = counted({("west", "east"): (12, 8), ("west", "gone"): (12, 8)})
    rows = computed(trips)
    assert rows.get_column("exit_station_id").to_list() == ["east"]
    total = totals(trips).filter(month_date=NOVEMBER).row(0, named=True)
    assert (total["matched_count"], total["denominator_count"]) == (20, 20.0)
