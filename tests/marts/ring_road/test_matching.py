"""Matching: equal to a plain search plate by plate, over midnight, months and late days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.ring_road import matching
from pipelines.marts.ring_road.matching import match_day
from pipelines.marts.ring_road.read_rates import stations_on_the_way
from tests.marts.toy_passages import (
    ALMATY,
    DAY,
    MORNING,
    STATIONS,
    Reading,
    a_trip,
    matched,
    some_trips,
    the_passages,
    the_stations,
)

NAMES = [name for name in STATIONS if name != "avenue"]
MIDNIGHT = datetime(2026, 11, 20, 19, tzinfo=UTC)  # the 21st begins in Almaty

Match = tuple[datetime, str, str, str, tuple[str, ...]]


def without_repeats(readings: Sequence[Reading]) -> list[Reading]:
    """One plate's readings in order, each row of readings at one station once."""
    kept: list[Reading] = []
    previous: Reading | None = None
    for reading in sorted(readings, key=lambda r: (r[2], NAMES.index(r[1]))):
        is_repeat = (
            previous is not None
            and previous[1] == reading[1]
            and (reading[2] - previous[2]).total_seconds() <= matching.REPEAT_SECONDS
        )
        if not is_repeat:
            kept.append(reading)
        previous = reading
    return kept


def longest_seconds(entry: str, exit_: str) -> float:
    (_, north, east), (_, north_2, east_2) = STATIONS[entry], STATIONS[exit_]
    across = (east_2 - east) * np.cos(np.radians((north + north_2) / 2))
    km = matching.EARTH_RADIUS_KM * np.radians(np.hypot(north_2 - north, across))
    return float(km / matching.SLOWEST_KMH * 3600)


def searched(readings: Sequence[Reading]) -> list[Match]:
    """Matches by a loop over each plate's readings: entry, ends, directions, ring stations."""
    found: list[Match] = []
    for plate in {reading[0] for reading in readings}:
        kept = without_repeats([reading for reading in readings if reading[0] == plate])
        cordon = [n for n, reading in enumerate(kept) if STATIONS[reading[1]][0] == "cordon"]
        for here, there in pairwise(cordon):
            entry, exit_ = kept[here], kept[there]
            seconds = (exit_[2] - entry[2]).total_seconds()
            if entry[1] != exit_[1] and seconds <= longest_seconds(entry[1], exit_[1]):
                ring = tuple(sorted({reading[1] for reading in kept[here + 1 : there]}))
                directions = f"{entry[3]} {exit_[3]}"
                found.append((entry[2], entry[1], exit_[1], directions, ring))
    return sorted(found)


def matched_by_day(readings: Sequence[Reading], days: Sequence[date]) -> list[Match]:
    stations = the_stations(NAMES)
    found: list[Match] = []
    for day in days:
        matches, ring = match_day(the_passages(readings), stations, ALMATY, day)
        read = dict(ring.group_by("match_id").agg("station_id").rows())
        found += [
            (row["entry_at"], row["entry_station_id"], row["exit_station_id"], row["directions"],
             tuple(sorted(read.get(row["match_id"], ()))))
            for row in matches.iter_rows(named=True)
        ]  # fmt: skip
    return sorted(found)


readings_round_midnight = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(NAMES),
        st.integers(-20, 20).map(lambda n: MIDNIGHT + timedelta(minutes=3 * n)),
        st.sampled_from(["in", "out"]),
    ),
    max_size=60,
    unique_by=lambda reading: (reading[0], reading[2]),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(readings_round_midnight)
def test_matching_day_by_day_equals_a_search_plate_by_plate(readings: list[Reading]) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    assert matched_by_day(readings, days) == searched(readings)


def test_a_trip_over_midnight_belongs_to_the_day_of_its_entry_and_is_found_once() -> None:
    readings = a_trip("x", start=MIDNIGHT - timedelta(minutes=20), ring=("g1",))
    rows = matched(the_passages(readings))
    assert rows.get_column("service_date").to_list() == [DAY] * 3  # all, any, g1
    assert rows.get_column("reader").sort().to_list() == ["", "any", "g1"]
    assert rows.get_column("entry_hour").unique().to_list() == [23]


def test_a_vehicle_that_queues_over_midnight_enters_once_on_the_day_before() -> None:
    queue = [("x", "west", MIDNIGHT + timedelta(minutes=n), "in") for n in (-4, 0, 4)]
    readings = [*queue, ("x", "east", MIDNIGHT + timedelta(minutes=60), "out")]
    rows = matched(the_passages(readings))
    assert rows.select("service_date", "reader", "trip_count").rows() == [(DAY, "", 1)]


@pytest.mark.parametrize("has_overlap", [True, False])
def test_a_trip_over_the_change_of_the_key_is_followed_by_the_overlap(has_overlap: bool) -> None:
    start = datetime(2026, 10, 31, 18, 30, tzinfo=UTC)  # 23:30 on October 31 in Almaty
    passages = the_passages(a_trip("x", start=start, ring=("g1",)))
    if not has_overlap:
        passages = passages.with_columns(overlap_hash=pl.lit(None, pl.String))
    rows = matched(passages).filter(pl.col("reader") == "any")
    expected = [(date(2026, 10, 31), 1)] if has_overlap else []
    assert rows.select("service_date", "trip_count").rows() == expected


def test_a_plate_of_another_month_is_another_plate() -> None:
    start = datetime(2026, 10, 31, 18, 30, tzinfo=UTC)
    readings = [a_trip("x", start=start)[0], ("y", "east", start + timedelta(hours=1), "out")]
    assert matched(the_passages(readings)).is_empty()


def test_directions_are_kept_so_that_swapped_ones_show() -> None:
    swapped = [
        (plate, station, moment, "in" if direction == "out" else "out")
        for plate, station, moment, direction in some_trips(0, 5)
    ]
    rows = matched(the_passages(swapped))
    assert rows.select("directions", pl.col("trip_count").sum()).unique().rows() == [("out in", 5)]


def test_the_class_is_that_of_the_entry() -> None:
    readings = a_trip("x")
    passages = the_passages(readings).with_columns(vehicle_class=pl.Series(["medium", "heavy"]))
    assert matched(passages).get_column("vehicle_class").to_list() == ["medium"]


def test_the_way_of_a_pair_is_that_of_its_return() -> None:
    read = pl.DataFrame(
        {
            "month_date": [date(2026, 11, 1)] * 3,
            "entry_station_id": ["west", "east", "east"],
            "exit_station_id": ["east", "west", "west"],
            "station_id": ["g1", "g1", "g2"],
            "trip_count": [1, 1, 1],
        }
    )
    way = stations_on_the_way(read).drop("month_date")
    assert way.rows() == [
        ("east", "west", "g1"),
        ("east", "west", "g2"),
        ("west", "east", "g1"),
        ("west", "east", "g2"),
    ]


def test_readings_far_from_the_day_change_nothing() -> None:
    readings = a_trip("x") + a_trip("y", start=MORNING + timedelta(days=9))
    assert matched_by_day(readings, [DAY]) == searched(a_trip("x"))
