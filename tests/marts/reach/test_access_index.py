"""TfL's index: the worked example, and which routes count."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.marts.reach.access_index import access_indices, band, nearest_routes

METRO_PER_HOUR = 3600 / 338


def index_of(*routes: tuple[str, float, float]) -> float:
    """Index of one cell from (mode, walk in m, departures an hour) of each route."""
    frame = pl.DataFrame(
        [(0, *route) for route in routes],
        schema=["cell", "mode", "walk_m", "departures_per_hour"],
        orient="row",
    )
    found: float = access_indices(frame).get_column("ptal_index").item()
    return found


def test_the_worked_example() -> None:
    # EDF 4.0 in full, 2.5 by half, and 2.2113 in full for the other mode.
    assert index_of(("bus", 240, 12)) == 4.0
    assert index_of(("bus", 400, 6)) == 2.5
    assert index_of(("metro", 800, METRO_PER_HOUR)) == 2.2113
    index = index_of(("bus", 240, 12), ("bus", 400, 6), ("metro", 800, METRO_PER_HOUR))
    assert index == 7.4613
    assert pl.select(band(pl.lit(index))).item() == "2"


def test_the_wait_counts_how_late_vehicles_are() -> None:
    # A published SQL version takes SWT for AWT: 30 / (3 + 2.5) = 5.4545.
    assert index_of(("bus", 240, 12)) != 5.4545


def test_rail_tram_and_metro_are_modes_of_their_own() -> None:
    one = index_of(("metro", 80, 4))
    three = index_of(("metro", 80, 4), ("tram", 80, 4), ("suburban rail", 80, 4))
    assert three == pytest.approx(3 * one, abs=2e-4)
    assert index_of(("metro", 80, 4), ("metro", 80, 4)) == pytest.approx(1.5 * one, abs=2e-4)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        *((0, "0"), (0.01, "1a"), (2.5, "1a"), (2.51, "1b"), (5, "1b"), (10, "2"), (10.01, "3")),
        *((15, "3"), (20, "4"), (25, "5"), (25.01, "6a"), (40, "6a"), (40.01, "6b"), (None, None)),
    ],
)
def test_bands_begin_above_their_bounds(index: float | None, expected: str | None) -> None:
    assert pl.select(band(pl.lit(index, pl.Float64))).item() == expected


def counted(
    walks: list[tuple[str, int, float]], rates: list[tuple[str, int, int, int, str, float]]
) -> list[tuple[object, ...]]:
    """Rows (mode, walk, departures) of one cell, from walks (mode, stop, metres) and rates
    (mode, stop, place, route, direction, departures)."""
    walked = pl.DataFrame(
        [(0, *walk) for walk in walks], schema=["cell", "mode", "stop", "distance_m"], orient="row"
    )
    columns = ["mode", "stop", "place", "route", "direction", "departures_per_hour"]
    rated = pl.DataFrame(rates, schema=columns, orient="row")
    return nearest_routes(walked, rated).drop("cell").rows()


def test_a_route_counts_at_its_nearest_place_alone() -> None:
    walks = [("bus", 1, 300.0), ("bus", 2, 200.0)]
    rates = [("bus", 1, 1, 7, "0", 30.0), ("bus", 2, 2, 7, "0", 6.0)]
    assert counted(walks, rates) == [("bus", 200.0, 6.0)]


def test_a_route_counts_by_its_more_frequent_direction() -> None:
    # Both sides of a street are one place: the walk is to the nearer kerb.
    walks = [("bus", 1, 200.0), ("bus", 2, 220.0)]
    rates = [("bus", 1, 1, 7, "0", 4.0), ("bus", 2, 1, 7, "1", 6.0)]
    assert counted(walks, rates) == [("bus", 200.0, 6.0)]


def test_platforms_of_one_direction_add_up() -> None:
    # Platform 2 is beyond the limit, yet of the place.
    walks = [("metro", 1, 950.0)]
    rates = [("metro", 1, 1, 7, "0", 4.0), ("metro", 2, 1, 7, "0", 5.0)]
    rates += [("metro", 2, 1, 7, "1", 8.0)]
    assert counted(walks, rates) == [("metro", 950.0, 9.0)]


def test_a_stop_too_far_for_the_mode_does_not_count() -> None:
    walks = [("bus", 1, 640.0), ("bus", 2, 640.1), ("metro", 3, 960.0)]
    rates = [("bus", 1, 1, 7, "0", 1.0), ("bus", 2, 2, 8, "0", 2.0), ("metro", 3, 3, 9, "0", 3.0)]
    assert counted(walks, rates) == [("bus", 640.0, 1.0), ("metro", 960.0, 3.0)]


def test_a_route_is_boarded_where_it_calls() -> None:
    # Stop 2 is nearer and of the same place, but the route does not call there.
    walks = [("bus", 1, 300.0), ("bus", 2, 260.0)]
    rates = [("bus", 1, 1, 7, "0", 6.0), ("bus", 2, 1, 8, "0", 1.0)]
    assert counted(walks, rates) == [("bus", 300.0, 6.0), ("bus", 260.0, 1.0)]
