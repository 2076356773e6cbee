"""Classes of access by departures an hour, and which place counts."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.marts.reach.access_class import access_class, best_departures


@pytest.mark.parametrize(
    ("bus_tram", "metro_rail", "expected"),
    [
        (10.1, 10.1, "very high"),
        (10.1, 10.0, "high"),
        (0.0, 10.1, "high"),
        (10.0, 10.0, "medium"),
        (4.0, 0.0, "medium"),
        (3.9, 3.9, "low"),
        (0.1, 0.0, "low"),
        (0.0, 0.0, "none"),
        (None, 12.0, None),
    ],
)
def test_classes_by_both_kinds(
    bus_tram: float | None, metro_rail: float | None, expected: str | None
) -> None:
    slow, fast = pl.lit(bus_tram, pl.Float64), pl.lit(metro_rail, pl.Float64)
    assert pl.select(access_class(slow, fast)).item() == expected


def best(
    walks: list[tuple[str, int, float]], rates: list[tuple[str, int, int, float]]
) -> list[tuple[object, ...]]:
    """(bus or tram, metro or rail) departures of one cell, from walks (mode, stop, metres)
    and rates (mode, stop, place, departures)."""
    walked = pl.DataFrame(
        [(0, *walk) for walk in walks], schema=["cell", "mode", "stop", "distance_m"], orient="row"
    )
    columns = ["mode", "stop", "place", "departures_per_hour"]
    rated = pl.DataFrame(rates, schema=columns, orient="row")
    return best_departures(walked, rated).drop("cell").rows()


def test_departures_of_one_place_add_up_and_the_best_place_counts() -> None:
    # Place 1 is both sides of a street; only one kerb lies within 400 m.
    walks = [("bus", 1, 390.0), ("bus", 2, 410.0), ("bus", 3, 100.0)]
    rates = [("bus", 1, 1, 4.0), ("bus", 2, 1, 4.0), ("bus", 3, 2, 6.0)]
    assert best(walks, rates) == [(8.0, 0.0)]


def test_a_stop_where_nothing_leaves_opens_no_place() -> None:
    # Buses of place 1 end at stop 1, near by, and begin at stop 2, too far.
    walks = [("bus", 1, 390.0), ("bus", 2, 410.0), ("bus", 3, 100.0)]
    assert best(walks, [("bus", 2, 1, 8.0), ("bus", 3, 2, 6.0)]) == [(6.0, 0.0)]


def test_five_minutes_to_buses_and_trams_ten_to_metro_and_rail() -> None:
    walks = [("bus", 1, 400.0), ("tram", 2, 400.1), ("metro", 3, 800.0)]
    walks += [("suburban rail", 4, 800.1)]
    rates = [("bus", 1, 1, 1.0), ("tram", 2, 2, 2.0), ("metro", 3, 3, 3.0)]
    rates += [("suburban rail", 4, 4, 4.0)]
    assert best(walks, rates) == [(1.0, 3.0)]


def test_buses_and_trams_of_one_place_are_one_kind() -> None:
    walks = [("bus", 1, 10.0), ("tram", 2, 20.0), ("metro", 3, 30.0)]
    rates = [("bus", 1, 1, 1.0), ("tram", 2, 1, 2.0), ("metro", 3, 1, 4.0)]
    assert best(walks, rates) == [(3.0, 4.0)]
