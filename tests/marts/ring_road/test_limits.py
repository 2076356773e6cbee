"""Limits: where drives end and stays begin, on simulated times with known truth, and by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from math import exp, log

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from pipelines.marts.matched_trips import BIN_WIDTH, CELL, MatchedTrips, bin_of
from pipelines.marts.ring_road.limits import (
    BALANCE,
    FEWEST_TRIPS_OF_A_MIXTURE,
    FREE_FLOW,
    LIMIT_FACTOR,
    balance_columns,
    limits,
    trip_cells,
)
from tests.marts.toy_passages import DAY, NOVEMBER

FACTOR_BINS = int(log(LIMIT_FACTOR) / BIN_WIDTH)
Minutes = npt.NDArray[np.float64]


def cells(
    minutes: Iterable[float],
    *,
    ring: bool = False,
    hour: int = 8,
    pair: tuple[str, str] = ("west", "east"),
    day: date = DAY,
) -> pl.DataFrame:
    """Trips of one pair and way that took some minutes, a row each."""
    bins = [bin_of(taken) for taken in minutes]
    return pl.DataFrame({"minutes_bin": bins}, schema={"minutes_bin": pl.Int32}).with_columns(
        service_date=pl.lit(day),
        vehicle_class=pl.lit("heavy"),
        entry_station_id=pl.lit(pair[0]),
        exit_station_id=pl.lit(pair[1]),
        directions=pl.lit("in out"),
        entry_hour=pl.lit(hour, pl.Int32),
        exit_band=pl.lit(1, pl.Int32),
        trip_count=pl.lit(1, pl.Int64),
        is_read_on_ring=pl.lit(ring),
        month_date=pl.lit(day.replace(day=1)),
    )


def limit(trips: pl.DataFrame, hour: int = 8, month: date = NOVEMBER) -> tuple[int, str]:
    [row] = limits(trips).filter(entry_hour=hour, month_date=month).rows(named=True)
    return row["limit_bin"], row["limit_source"]


def drives_and_stays(
    seed: int, drives: tuple[int, float, float], stays: tuple[int, float, float]
) -> Minutes:
    """Times whose logs are two normal heaps: trips, median minutes, spread of the log."""
    rng = np.random.default_rng(seed)
    heaps = [rng.normal(log(median), spread, count) for count, median, spread in (drives, stays)]
    return np.exp(np.concatenate(heaps))


def true_balance(drives: tuple[int, float, float], stays: tuple[int, float, float]) -> float:
    """Minutes beyond which as many drives lie as stays before them."""
    (many, fast, narrow), (few, slow, wide) = drives, stays

    def surplus(place: float) -> float:
        beyond = many * norm.sf(place, log(fast), narrow)
        return float(beyond - few * norm.cdf(place, log(slow), wide))

    return exp(brentq(surplus, log(fast), log(slow)))


# Where times fall in two heaps

HEAPS = [
    pytest.param((3000, 60.0, 0.12), (1000, 240.0, 0.40), id="stays of hours"),
    pytest.param((900, 75.0, 0.15), (900, 300.0, 0.35), id="as many stays as drives"),
    pytest.param((5000, 45.0, 0.10), (250, 200.0, 0.30), id="few stays"),
]


@pytest.mark.parametrize(("drives", "stays"), HEAPS)
@pytest.mark.parametrize("seed", range(4))
def test_the_balance_of_two_heaps_is_found(
    seed: int, drives: tuple[int, float, float], stays: tuple[int, float, float]
) -> None:
    minutes = drives_and_stays(seed, drives, stays)
    found, source = limit(cells(minutes))
    assert source == BALANCE
    assert found * BIN_WIDTH == pytest.approx(log(true_balance(drives, stays)), abs=0.12)
    # What the balance is for: as many trips count as there were drives.
    within = sum(bin_of(taken) <= found for taken in minutes)
    assert within == pytest.approx(drives[0], rel=0.02)


def test_one_heap_has_no_balance() -> None:
    minutes = drives_and_stays(7, (2000, 60.0, 0.15), (0, 1.0, 1.0))
    found, source = limit(cells(minutes))
    quartile = sorted(bin_of(taken) for taken in minutes)[499]
    assert (found, source) == (quartile + FACTOR_BINS, FREE_FLOW)


def test_each_row_of_counts_has_a_balance_of_its_own() -> None:
    rng = np.random.default_rng(11)
    place = np.arange(80)
    two = np.bincount(rng.normal(20, 3, 2000).round().astype(int), minlength=80)
    two += np.bincount(rng.normal(60, 4, 2000).round().astype(int), minlength=80)
    one = 4000 * norm.pdf(place, 40, 9)
    found = balance_columns(np.stack([two.astype(float), one, two[::-1].astype(float)]))
    assert 34 <= found[0] <= 43
    assert found[1] == -1
    assert 36 <= found[2] <= 45


def test_a_thin_second_heap_is_none() -> None:
    minutes = np.concatenate([drives_and_stays(3, (3000, 60.0, 0.12), (0, 1, 1)), np.full(9, 400)])
    assert limit(cells(minutes))[1] == FREE_FLOW


# Where they don't


def test_few_trips_have_the_free_flow_time_and_a_factor() -> None:
    few = FEWEST_TRIPS_OF_A_MIXTURE - 1
    minutes = np.concatenate([np.full(few - 60, 60.0), np.full(60, 300.0)])
    assert limit(cells(minutes)) == (bin_of(60) + FACTOR_BINS, FREE_FLOW)
    # One trip more, and the times fall in two heaps.
    assert limit(cells([*minutes, 60.0]))[1] == BALANCE


def test_the_free_flow_time_is_the_lower_quartile() -> None:
    minutes = [50.0] * 2 + [60.0] * 6
    assert limit(cells(minutes))[0] == bin_of(50) + FACTOR_BINS
    assert limit(cells([50.0, *minutes[2:], 60.0]))[0] == bin_of(60) + FACTOR_BINS


def test_the_limit_is_that_of_the_slower_way() -> None:
    trips = pl.concat([cells([45.0] * 30, ring=True), cells([90.0] * 10)])
    assert limit(trips)[0] == bin_of(90) + FACTOR_BINS


def test_a_way_of_fewer_than_eight_trips_tells_nothing() -> None:
    ring = cells([45.0] * 30, ring=True)
    assert limit(pl.concat([ring, cells([90.0] * 7)]))[0] == bin_of(45) + FACTOR_BINS
    assert limit(pl.concat([ring, cells([90.0] * 8)]))[0] == bin_of(90) + FACTOR_BINS


def test_where_no_way_has_eight_trips_both_tell_together() -> None:
    both = pl.concat([cells([45.0] * 3, ring=True), cells([90.0] * 7)])
    assert limit(both) == (bin_of(45) + FACTOR_BINS, FREE_FLOW)
    assert limit(cells([90.0])) == (bin_of(90) + FACTOR_BINS, FREE_FLOW)


def test_a_balance_below_the_free_flow_time_parts_no_stays_from_drives() -> None:
    # A fifth took the ring unread and are fast: 45 minutes against 110, and nobody stayed.
    minutes = drives_and_stays(5, (200, 45.0, 0.05), (800, 110.0, 0.08))
    found, source = limit(cells(minutes))
    quartile = sorted(bin_of(taken) for taken in minutes)[249]
    assert quartile > bin_of(90)
    assert (found, source) == (quartile + FACTOR_BINS, FREE_FLOW)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(100, 240), min_size=8, max_size=40),
    st.integers(1, 30),
    st.booleans(),
)
def test_no_limit_is_below_the_free_flow_quartile(bins: list[int], times: int, ring: bool) -> None:
    trips = cells([exp((b + 0.5) * BIN_WIDTH) for b in bins], ring=ring).with_columns(
        trip_count=pl.lit(times, pl.Int64)
    )
    quartile = sorted(bins)[-(-len(bins) // 4) - 1]
    assert limit(trips)[0] > quartile


# Hours and months


def a_slow_morning(count: int) -> pl.DataFrame:
    """Two pairs: 60 and 90 minutes by day, at eight half as long again for `count` of each."""
    pairs = {("west", "east"): 60.0, ("west", "north"): 90.0}
    by_day = [cells([usual] * 100, hour=13, pair=pair) for pair, usual in pairs.items()]
    early = [cells([1.5 * usual] * count, hour=8, pair=pair) for pair, usual in pairs.items()]
    return pl.concat([*by_day, *early])


def test_an_hour_in_which_all_are_slower_has_a_longer_limit() -> None:
    found = limits(a_slow_morning(25)).select("exit_station_id", "entry_hour", "limit_bin")
    told = {(exit_, hour): longest for exit_, hour, longest in found.rows()}
    for exit_, usual in (("east", 60), ("north", 90)):
        assert told[exit_, 13] == bin_of(usual) + FACTOR_BINS
        # The delay of the hour is one for all pairs, in whole bins.
        assert abs(told[exit_, 8] - bin_of(1.5 * usual) - FACTOR_BINS) <= 1


def test_an_hour_of_fewer_than_fifty_trips_has_the_limit_of_the_others() -> None:
    found = limits(a_slow_morning(24)).filter(exit_station_id="east")
    assert found.get_column("limit_bin").to_list() == [bin_of(60) + FACTOR_BINS] * 2


def test_a_month_stands_on_itself_and_the_two_before() -> None:
    july, september, october = (cells([60.0] * 8, day=date(2026, m, 9)) for m in (7, 9, 10))
    slow = cells([120.0] * 24, day=DAY)
    alone = limit(slow)[0]
    assert limit(pl.concat([slow, july]))[0] == alone == bin_of(120) + FACTOR_BINS
    assert limit(pl.concat([slow, september]))[0] == bin_of(60) + FACTOR_BINS
    # What comes later changes no month that has gone out.
    then = limit(pl.concat([october, slow]), month=date(2026, 10, 1))
    assert then == limit(october, month=date(2026, 10, 1))


def test_the_order_of_the_rows_changes_nothing() -> None:
    minutes = drives_and_stays(1, (600, 60.0, 0.15), (200, 240.0, 0.4))
    trips = pl.concat([cells(minutes), cells(minutes * 0.7, ring=True, hour=17)])
    shuffled = trips.sample(fraction=1.0, shuffle=True, seed=3)
    assert limits(shuffled).equals(limits(trips))


def test_no_trips_have_no_limits() -> None:
    assert limits(trip_cells(MatchedTrips.create_empty())).is_empty()


# What is counted


def test_trips_are_told_by_the_way_they_took() -> None:
    base = dict(zip(CELL, (DAY, "heavy", "west", "east", "in out", 8, 1, 160), strict=True))
    rows = [
        {**base, "reader": "", "trip_count": 10},
        {**base, "reader": "any", "trip_count": 6},
        {**base, "reader": "g1", "trip_count": 6},
        {**base, "reader": "g2", "trip_count": 4},
        {**base, "minutes_bin": 161, "reader": "", "trip_count": 3},
        {**base, "minutes_bin": 162, "reader": "", "trip_count": 2},
        {**base, "minutes_bin": 162, "reader": "any", "trip_count": 2},
        {**base, "directions": "out in", "reader": "", "trip_count": 9},
    ]
    matched = MatchedTrips.validate(pl.DataFrame(rows), cast=True)
    told = trip_cells(matched).sort("minutes_bin", "is_read_on_ring")
    assert told.select("minutes_bin", "is_read_on_ring", "trip_count").rows() == [
        (160, False, 4),
        (160, True, 6),
        (161, False, 3),
        (162, True, 2),
    ]
    assert told.get_column("month_date").unique().to_list() == [NOVEMBER]
