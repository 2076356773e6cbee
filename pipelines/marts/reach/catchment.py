"""Where places lie: distances in a straight line, and the district that holds a place.

Distance is the great-circle (haversine) distance on a sphere of the Earth's mean radius. It is
found by the chord through the sphere, which grows with it: no projection, so the answer is exact
at any latitude. The sphere itself differs from the WGS 84 ellipsoid by at most 0.6 % of a distance
(0.3 % at 43 degrees of latitude, 0.4 % at 60).

Left out: the way along streets, which is longer (`pipelines.marts.reach.walking`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

# Mean radius of the Earth, (2a + b) / 3 of GRS 80 (Moritz 2000, Geodetic Reference System 1980).
EARTH_RADIUS_M = 6_371_008.8

NOWHERE = -1

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def district_of(places: Floats, boundaries: list[bytes]) -> Integers:
    """Position in `boundaries` of the first that holds each place, or `NOWHERE`.

    `places` are latitude and longitude in degrees, boundaries polygons as WKB in the same datum.
    A place on a shared border belongs to the first of the two.
    """
    found = np.full(len(places), len(boundaries), dtype=np.int64)
    points = np.asarray(shapely.points(places[:, ::-1]))
    boundary, place = shapely.STRtree(points).query(
        shapely.from_wkb(np.array(boundaries, dtype=object)), predicate="intersects"
    )
    np.minimum.at(found, place, boundary)
    return np.where(found == len(boundaries), NOWHERE, found)


def arc_m(chord: Floats) -> Floats:
    """Great-circle metres for chords through a sphere of radius 1."""
    metres: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(chord / 2, 1))
    return metres


def on_unit_sphere(places: Floats) -> Floats:
    """Places (latitude, longitude in degrees) as points x, y, z on a sphere of radius 1."""
    latitude, longitude = np.radians(places).T
    return np.column_stack(
        (
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        )
    )
