"""Who lives near which stop: distances in a straight line, and the district a point lies in.

Distance is the great-circle (haversine) distance on a sphere of the Earth's mean radius. It is
found by the chord through the sphere, which grows with it: no projection, so the answer is exact
at any latitude. The sphere itself differs from the WGS 84 ellipsoid by at most 0.6 % of a distance
(0.3 % at 43 degrees of latitude, 0.4 % at 60).

Left out: the way along streets, which is longer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

# Mean radius of the Earth, (2a + b) / 3 of GRS 80 (Moritz 2000, Geodetic Reference System 1980).
EARTH_RADIUS_M = 6_371_008.8

NOWHERE = -1

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def nearest_stop_m(places: Floats, stops: Floats) -> Floats:
    """Metres from each place to its nearest stop; infinity where there are no stops.

    Both are (n, 2) arrays of latitude and longitude in degrees.
    """
    if not len(places) or not len(stops):
        return np.full(len(places), np.inf)
    chord, _ = cKDTree(_on_unit_sphere(stops)).query(_on_unit_sphere(places))
    return 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(np.asarray(chord) / 2, 1))


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


def _on_unit_sphere(places: Floats) -> Floats:
    latitude, longitude = np.radians(places).T
    return np.column_stack(
        (
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        )
    )
