"""Blank times: by hand, and against a slow computation of the same definition in exact numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.staging.gtfs.interpolation import interpolate_times

# On the equator a degree is the same length everywhere; Z has no coordinates.
STOPS = pl.DataFrame(
    {
        "stop_id": ["A", "B", "C", "D", "Z"],
        "stop_lat": [0.0, 0.0, 0.0, 0.0, None],
        "stop_lon": [76.00, 76.01, 76.03, 76.04, None],
    }
)
Call = tuple[str, str, int | None, int | None, float | None]


def calls(*rows: Call) -> pl.DataFrame:
    """Calls (trip, stop, arrival, departure, distance) in order, numbered from 1."""
    frame = pl.DataFrame(
        rows,
        schema={
            "trip_id": pl.String,
            "stop_id": pl.String,
            "arrival_seconds": pl.Int32,
            "departure_seconds": pl.Int32,
            "shape_dist_traveled": pl.Float64,
        },
        orient="row",
    )
    return frame.with_columns(stop_sequence=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))


def times(*rows: Call) -> list[tuple[int | None, int | None, bool]]:
    filled = interpolate_times(calls(*rows), STOPS)
    return filled.select("arrival_seconds", "departure_seconds", "is_interpolated").rows()


def blank(stop_id: str, distance: float | None = None, trip_id: str = "t") -> Call:
    return (trip_id, stop_id, None, None, distance)


def timed(stop_id: str, seconds: int, distance: float | None = None, trip_id: str = "t") -> Call:
    return (trip_id, stop_id, seconds, seconds, distance)


def test_nothing_blank_stays_as_it_is() -> None:
    rows = calls(timed("A", 0), timed("B", 60))
    filled = interpolate_times(rows, STOPS)
    assert filled.drop("is_interpolated").equals(rows)
    assert filled.get_column("is_interpolated").to_list() == [False, False]


def test_one_time_of_the_two_stands_for_both() -> None:
    rows: list[Call] = [("t", "A", None, 60, None), ("t", "B", 90, None, None)]
    assert times(*rows) == [(60, 60, False), (90, 90, False)]


def test_distance_along_the_shape_comes_first() -> None:
    # A quarter of 4 units, three quarters of 1,000 s: B at 250, whatever the map says.
    rows = [timed("A", 0, 10), blank("B", 11), blank("C", 13), timed("D", 1000, 14)]
    assert [row[0] for row in times(*rows)] == [0, 250, 750, 1000]


def test_a_gap_goes_from_departure_to_arrival() -> None:
    rows: list[Call] = [("t", "A", 0, 100, 0), blank("B", 1), ("t", "C", 200, 900, 2)]
    assert times(*rows)[1] == (150, 150, True)


def test_straight_lines_where_a_distance_is_missing_or_falls() -> None:
    # A-B-C-D lie 1, 2 and 1 hundredths of a degree apart.
    for distances in (
        [0, None, 3, 4],
        [None, 1, 3, 4],
        [0, 1, 3, None],
        [0, 3, 2, 4],
        [5, 5, 5, 5],
    ):
        a, b, c, d = distances
        rows = [timed("A", 0, a), blank("B", b), blank("C", c), timed("D", 1000, d)]
        assert [row[0] for row in times(*rows)] == [0, 250, 750, 1000], distances


def test_distances_that_are_no_lengths_are_passed_over() -> None:
    for wrong in (math.nan, math.inf, -1.0):
        rows = [timed("A", 0, 0), blank("B", 3), timed("D", 1000, wrong)]
        assert [row[0] for row in times(*rows)] == [0, 250, 1000], wrong


def test_evenly_where_a_stop_has_no_place_or_none_is_moved_from() -> None:
    for stop in ("Z", "not in stops.txt"):
        rows = [timed("A", 0), blank(stop), blank("C"), timed("D", 900)]
        assert [row[0] for row in times(*rows)] == [0, 300, 600, 900]
    rows = [timed("A", 0), blank("A"), blank("A"), timed("A", 900)]
    assert [row[0] for row in times(*rows)] == [0, 300, 600, 900]


def test_of_two_stops_with_one_id_the_first_counts() -> None:
    rows = calls(timed("A", 0), blank("B"), timed("D", 1000))
    twice = pl.concat([STOPS, STOPS.with_columns(pl.col("stop_lon") ** 2)])
    assert interpolate_times(rows, twice).equals(interpolate_times(rows, STOPS))


def test_two_calls_at_one_place_are_at_one_time() -> None:
    rows = [timed("A", 0), blank("B"), blank("B"), timed("D", 1000)]
    assert [row[0] for row in times(*rows)] == [0, 250, 250, 1000]


def test_each_gap_is_measured_for_itself() -> None:
    rows = [
        *(timed("A", 0, 0), blank("B", 9), timed("C", 100, 10)),
        *(blank("Z", None), timed("A", 200, 20)),
    ]
    assert [row[0] for row in times(*rows)] == [0, 90, 100, 150, 200]


def test_half_a_second_is_rounded_up() -> None:
    rows = [timed("A", 10, 0), blank("B", 1), timed("C", 13, 2)]
    assert times(*rows)[1][0] == 12


def test_ends_are_not_extrapolated_nor_taken_from_another_trip() -> None:
    rows = [
        *(timed("A", 0, 0, "t"), timed("B", 60, 1, "t"), blank("C", 2, "t")),
        *(blank("A", 0, "u"), timed("B", 600, 1, "u"), blank("C", 2, "u"), timed("D", 720, 3, "u")),
        *(blank("A", 0, "v"), blank("B", 1, "v")),
    ]
    assert [row[0] for row in times(*rows)] == [0, 60, None, None, 600, 660, 720, None, None]
    assert [row[2] for row in times(*rows)] == [*([False] * 5), True, *([False] * 3)]


def test_a_gap_that_ends_before_it_begins_stays_blank() -> None:
    assert times(timed("A", 600, 0), blank("B", 1), timed("C", 500, 2))[1] == (None, None, False)


def test_nothing_comes_of_nothing() -> None:
    filled = interpolate_times(calls(), STOPS)
    assert filled.height == 0
    assert filled.schema["is_interpolated"] == pl.Boolean
    assert times(blank("A"), blank("B")) == [(None, None, False)] * 2


LINE = {"A": 0, "B": 1, "C": 3, "D": 4}  # hundredths of a degree


def by_hand(rows: list[Call]) -> list[int | None]:
    """Arrival of each call, gap by gap, in exact numbers."""
    found: list[int | None] = [row[2] for row in rows]
    known = [n for n, row in enumerate(rows) if row[2] is not None]
    for first, last in pairwise(known):
        start, end = rows[first][3], rows[last][2]
        gap = rows[first : last + 1]
        if start is None or end is None or rows[first][0] != rows[last][0] or end < start:
            continue
        for n in range(first + 1, last):
            share = _share(gap, n - first)
            found[n] = math.floor(start + (end - start) * share + Fraction(1, 2))
    return found


def _share(gap: list[Call], place: int) -> Fraction:
    told = [row[4] for row in gap]
    if all(distance is not None for distance in told):
        at = [Fraction(distance or 0) for distance in told]
        if all(a <= b for a, b in pairwise(at)) and at[-1] > at[0]:
            return (at[place] - at[0]) / (at[-1] - at[0])
    if all(row[1] in LINE for row in gap):
        legs = [Fraction(abs(LINE[a[1]] - LINE[b[1]])) for a, b in pairwise(gap)]
        if sum(legs):
            return sum(legs[:place], Fraction(0)) / sum(legs)
    return Fraction(place, len(gap) - 1)


@st.composite
def timetables(draw: st.DrawFn) -> list[Call]:
    rows: list[Call] = []
    for trip in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(1, 7))):
            seconds = draw(st.none() | st.none() | st.integers(0, 5000))
            distance = draw(st.none() | st.integers(0, 8))
            stop = draw(st.sampled_from("ABCDZ"))
            rows.append((f"t{trip}", stop, seconds, seconds, distance))
    return rows


@pytest.mark.slow
@settings(deadline=None)
@given(timetables())
def test_any_timetable_equals_the_definition(rows: list[Call]) -> None:
    found, expected = [row[0] for row in times(*rows)], by_hand(rows)
    # Straight lines in whole millimetres and floats may turn a half the other way.
    assert [value is None for value in found] == [value is None for value in expected]
    assert all(abs((a or 0) - (b or 0)) <= 1 for a, b in zip(found, expected, strict=True))


@pytest.mark.slow
@settings(deadline=None)
@given(timetables())
def test_times_stay_between_the_ends_of_their_gap_and_never_fall(rows: list[Call]) -> None:
    filled = interpolate_times(calls(*rows), STOPS)
    known = filled.filter(pl.col("arrival_seconds").is_not_null()).with_columns(
        before=pl.col("departure_seconds").shift().over("trip_id"),
        after=pl.col("arrival_seconds").shift(-1).over("trip_id"),
    )
    computed = known.filter("is_interpolated")
    assert (computed.get_column("before") <= computed.get_column("arrival_seconds")).all()
    assert (computed.get_column("departure_seconds") <= computed.get_column("after")).all()
    told = filled.filter(~pl.col("is_interpolated"))
    assert told.drop("is_interpolated").equals(
        calls(*rows).join(told, on="stop_sequence", how="semi", maintain_order="left")
    )


@pytest.mark.slow
@settings(deadline=None)
@given(timetables(), timetables())
def test_a_trip_does_not_depend_on_the_others(one: list[Call], other: list[Call]) -> None:
    renamed = [("x" + row[0], *row[1:]) for row in other]
    assert times(*renamed, *one)[len(renamed) :] == times(*one)
