"""Degrees to metres: the transverse Mercator projection of the UTM zone that a place lies in.

Krüger's series to the third order in the third flattening (Karney 2011, "Transverse Mercator with
an accuracy of a few nanometers", equations 7-12): within a millimetre of the exact projection in a
zone and its neighbours. Lengths are those of UTM, 0.04 % short at the central meridian.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# WGS84 and UTM (EPSG:4326, EPSG:32601-32760).
EQUATORIAL_RADIUS_M = 6_378_137.0
FLATTENING = 1 / 298.257_223_563
CENTRAL_SCALE = 0.9996
ZONE_WIDTH_DEGREES = 6


def utm_meridian(longitudes: Floats) -> float:
    """Central meridian of the UTM zone in the middle of these longitudes (NaN are passed over)."""
    known = longitudes[np.isfinite(longitudes)]
    middle = (known.min() + known.max()) / 2 if known.size else 0.0
    zone = np.floor(middle / ZONE_WIDTH_DEGREES)
    return float(zone * ZONE_WIDTH_DEGREES + ZONE_WIDTH_DEGREES / 2)


def to_plane(latitudes: Floats, longitudes: Floats, meridian: float) -> Floats:
    """Metres east of the meridian and north of the equator, an array of shape (n, 2)."""
    n = FLATTENING / (2 - FLATTENING)
    radius = EQUATORIAL_RADIUS_M / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    series = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16,
        13 * n**2 / 48 - 3 * n**3 / 5,
        61 * n**3 / 240,
    )
    sine = np.sin(np.radians(latitudes))
    away = np.radians(longitudes - meridian)
    eccentricity = 2 * np.sqrt(n) / (1 + n)
    conformal = np.sinh(np.arctanh(sine) - eccentricity * np.arctanh(eccentricity * sine))
    xi = np.arctan2(conformal, np.cos(away))
    eta = np.arctanh(np.sin(away) / np.sqrt(1 + conformal**2))
    east, north = eta.copy(), xi.copy()
    for order, weight in enumerate(series, start=1):
        east += weight * np.cos(2 * order * xi) * np.sinh(2 * order * eta)
        north += weight * np.sin(2 * order * xi) * np.cosh(2 * order * eta)
    return CENTRAL_SCALE * radius * np.column_stack([east, north])
