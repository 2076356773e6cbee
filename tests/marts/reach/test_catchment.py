"""Distances and districts against brute force."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance_matrix

from pipelines.marts.reach.catchment import (
    EARTH_RADIUS_M,
    NOWHERE,
    arc_m,
    district_of,
    on_unit_sphere,
)

Floats = npt.NDArray[np.float64]


def haversine_m(places: Floats, stops: Floats) -> Floats:
    """Every distance between two sets of points, by the textbook formula."""
    lat1, lon1 = np.radians(places).T[:, :, None]
    lat2, lon2 = np.radians(stops).T[:, None, :]
    a = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    distances: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(a))
    return distances


def points(north: float, count: int, seed: int) -> Floats:
    """Random points within about 30 km of a place at that latitude, 180 degrees from Greenwich."""
    offsets = np.random.default_rng(seed).uniform(-0.2, 0.2, (count, 2))
    return np.array([north, 179.95]) + offsets


def arcs_m(places: Floats, stops: Floats) -> Floats:
    """Every distance between two sets of points, by chords."""
    return arc_m(distance_matrix(on_unit_sphere(places), on_unit_sphere(stops)))


@pytest.mark.slow
@given(
    north=st.sampled_from([0.0, 30.0, 43.25, -30.0, 60.0, 75.0]),
    cells=st.integers(1, 60),
    stops=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_distances_equal_the_textbook(north: float, cells: int, stops: int, seed: int) -> None:
    places, served = points(north, cells, seed), points(north, stops, seed + 1)
    expected = haversine_m(places, served)
    np.testing.assert_allclose(arcs_m(places, served), expected, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("north", [0.0, 43.25, 60.0])
def test_a_thousandth_of_a_degree_north_is_111_metres(north: float) -> None:
    arc = arcs_m(np.array([[north, 10.0]]), np.array([[north + 0.001, 10.0]])).item()
    assert arc == pytest.approx(EARTH_RADIUS_M * np.pi / 180_000, rel=1e-9)
    assert arc == pytest.approx(111.195, abs=0.001)


def test_at_60_north_a_degree_east_is_half_as_long() -> None:
    place, east = np.array([[60.0, 30.0]]), np.array([[60.0, 30.01]])
    assert arcs_m(place, east).item() == pytest.approx(1_111.95 / 2, rel=1e-5)


WEST, EAST = shapely.box(76, 43, 77, 44), shapely.box(77, 43, 78, 44)


def test_a_place_on_a_shared_border_goes_to_the_first_district() -> None:
    places = np.array([[43.5, 76.5], [43.5, 77.0], [43.5, 77.5], [43.5, 78.5], [43.0, 77.0]])
    west_first = district_of(places, [WEST.wkb, EAST.wkb])
    east_first = district_of(places, [EAST.wkb, WEST.wkb])
    assert west_first.tolist() == [0, 0, 1, NOWHERE, 0]
    assert east_first.tolist() == [1, 0, 0, NOWHERE, 0]


def test_a_hole_belongs_to_who_lies_in_it() -> None:
    lake = shapely.box(76.4, 43.4, 76.6, 43.6)
    places = np.array([[43.5, 76.5], [43.1, 76.1]])
    assert district_of(places, [WEST.difference(lake).wkb]).tolist() == [NOWHERE, 0]
    assert district_of(places, [WEST.difference(lake).wkb, lake.wkb]).tolist() == [1, 0]


def test_no_districts_and_no_places() -> None:
    assert district_of(points(43, 2, 1), []).tolist() == [NOWHERE, NOWHERE]
    assert district_of(np.empty((0, 2)), [WEST.wkb]).tolist() == []


@pytest.mark.slow
@given(count=st.integers(1, 200), seed=st.integers(0, 2**32 - 1))
def test_districts_equal_brute_force(count: int, seed: int) -> None:
    ring = np.random.default_rng(seed).uniform(0.05, 0.2, 12)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    star = shapely.Polygon(
        np.column_stack((179.95 + ring * np.cos(angles), 43 + ring * np.sin(angles)))
    )
    around = shapely.box(179.9, 42.8, 180.15, 43.2).difference(star)
    places = points(43, count, seed)
    expected = [
        next((i for i, shape in enumerate((star, around)) if shape.intersects(point)), NOWHERE)
        for point in shapely.points(places[:, ::-1])
    ]
    assert district_of(places, [star.wkb, around.wkb]).tolist() == expected
