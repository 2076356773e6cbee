"""Second readings from tolls: who paid at a gantry, and whether its reader read it too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.ring_road.second_readings import second_readings

NOON = datetime(2026, 11, 20, 7, tzinfo=UTC)  # 12:00 in Almaty
ALMATY = "Asia/Almaty"
Row = tuple[str, datetime, str | None]  # station, moment, plate
HASHES = ("plate_hash", "overlap_hash")


def rows_of(moment: str, rows: list[Row], vehicle_class: str = "heavy") -> pl.DataFrame:
    """Rows as staging has them; of a plate "a|b" b is hashed under the key of the month before."""
    hashes = [(plate or "").partition("|")[::2] for *_, plate in rows]
    return pl.DataFrame(
        {
            "station_id": [station for station, *_ in rows],
            moment: [at for _, at, _ in rows],
            "vehicle_class": [vehicle_class] * len(rows),
            "plate_hash": [first or None for first, _ in hashes],
            "overlap_hash": [second or None for _, second in hashes],
        },
        schema_overrides={
            "station_id": pl.String,
            moment: pl.Datetime("ms", "UTC"),
            "vehicle_class": pl.String,
            **dict.fromkeys(HASHES, pl.String),
        },
    )


def second(
    paid: list[Row], passed: list[Row], vehicle_class: str = "heavy"
) -> list[tuple[str, date, int, int, int]]:
    tolls, passages = rows_of("paid_at", paid, vehicle_class), rows_of("passed_at", passed)
    return second_readings(tolls, passages, ALMATY).rows()


def seconds(count: float) -> datetime:
    return NOON + timedelta(seconds=count)


def test_of_those_who_paid_some_were_read() -> None:
    paid = [("g1", seconds(60 * n), f"p{n}") for n in range(4)] + [("g1", NOON, None)]
    passed = [("g1", seconds(60 * n + 2), f"p{n}") for n in range(3)] + [("g2", NOON, "p3")]
    assert second(paid, passed) == [("g1", date(2026, 11, 20), 12, 4, 3)]


@pytest.mark.parametrize(
    ("late", "count"), [(-300.001, 0), (-300, 1), (0, 1), (300, 1), (300.001, 0)]
)
def test_a_reading_within_five_minutes_is_of_the_same_passing(late: float, count: int) -> None:
    witness = [("g1", NOON, "w")]
    found = second([("g1", NOON, "p"), *witness], [("g1", seconds(late), "p"), *witness])
    assert found == [("g1", date(2026, 11, 20), 12, 2, 1 + count)]


def test_hours_and_days_are_local() -> None:
    before = datetime(2026, 11, 19, 18, 59, 59, tzinfo=UTC)
    after = before + timedelta(seconds=1)
    both: list[Row] = [("g1", before, "p"), ("g1", after, "q")]
    assert second(both, both) == [
        ("g1", date(2026, 11, 19), 23, 1, 1),
        ("g1", date(2026, 11, 20), 0, 1, 1),
    ]


def test_repeats_of_a_reading_count_once_and_each_payment_once() -> None:
    paid: list[Row] = [("g1", NOON, "p"), ("g1", seconds(3600), "p")]
    passed: list[Row] = [("g1", seconds(-1), "p"), ("g1", seconds(1), "p")]
    assert second(paid, passed) == [
        ("g1", date(2026, 11, 20), 12, 1, 1),
        ("g1", date(2026, 11, 20), 13, 1, 0),
    ]


def test_over_the_change_of_the_key_the_hash_before_counts() -> None:
    midnight = datetime(2026, 10, 31, 19, tzinfo=UTC)
    before, after = midnight - timedelta(seconds=1), midnight + timedelta(seconds=1)
    others: list[Row] = [("g2", before, "x"), ("g2", after, "y|x")]  # both days were delivered
    assert second([("g1", before, "old")], [("g1", after, "new|old"), *others]) == [
        ("g1", date(2026, 10, 31), 23, 1, 1)
    ]
    assert second([("g1", after, "new|old")], [("g1", before, "old"), *others]) == [
        ("g1", date(2026, 11, 1), 0, 1, 1)
    ]
    assert second([("g1", after, "new|old")], [("g1", after, "new|old")]) == [
        ("g1", date(2026, 11, 1), 0, 1, 1)
    ]


def test_days_and_stations_without_passages_tell_nothing() -> None:
    paid = [("g1", NOON, "p"), ("g1", seconds(86_400), "p"), ("g9", NOON, "p")]
    assert second(paid, [("g1", NOON, "p")]) == [("g1", date(2026, 11, 20), 12, 1, 1)]


def test_a_reader_that_is_silent_for_a_day_is_told() -> None:
    paid: list[Row] = [("g1", NOON, "p"), ("g1", seconds(86_400), "q"), ("g2", NOON, "q")]
    passed: list[Row] = [("g1", NOON, "p"), ("g2", seconds(86_400), "z")]
    assert second(paid, passed) == [
        ("g1", date(2026, 11, 20), 12, 1, 1),
        ("g1", date(2026, 11, 21), 12, 1, 0),
        ("g2", date(2026, 11, 20), 12, 1, 0),
    ]


def test_under_another_key_there_is_no_second_reading() -> None:
    october = datetime(2026, 10, 20, 7, tzinfo=UTC)
    paid = [("g1", NOON, "x"), ("g1", october, "p")]
    assert second(paid, [("g1", NOON, "p"), ("g1", october, "p")]) == [
        ("g1", date(2026, 10, 20), 12, 1, 1)
    ]


def test_other_classes_are_left_out() -> None:
    assert second([("g1", NOON, "p")], [("g1", NOON, "p")], vehicle_class="light") == []


def test_nothing_paid_and_nothing_read() -> None:
    assert (
        second([], []) == second([("g1", NOON, "p")], []) == second([], [("g1", NOON, "p")]) == []
    )


READINGS = st.lists(
    st.tuples(st.sampled_from(["g1", "g2"]), st.integers(0, 1_500), st.sampled_from("pqr")),
    max_size=12,
)


@settings(max_examples=60)
@given(READINGS, READINGS)
def test_equals_a_search_through_all_pairs(
    paid: list[tuple[str, int, str]], passed: list[tuple[str, int, str]]
) -> None:
    witness = ("g1", 0, "w")
    paid, passed = [*paid, witness], [*passed, witness]
    readers = {station for station, _, _ in passed}
    expected: dict[str, list[bool]] = {}
    for station, at, plate in paid:
        is_read = any((s, p) == (station, plate) and abs(t - at) <= 300 for s, t, p in passed)
        if station in readers:
            expected.setdefault(station, []).append(is_read)
    found = second(
        [(station, seconds(at), plate) for station, at, plate in paid],
        [(station, seconds(at), plate) for station, at, plate in passed],
    )
    assert {station: (seen, read) for station, _, _, seen, read in found} == {
        station: (len(reads), sum(reads)) for station, reads in expected.items()
    }
