"""Distances on the Earth taken as a sphere of its mean radius (IUGG), in metres."""

from __future__ import annotations

import numpy as np
import polars as pl

EARTH_RADIUS_M = 6_371_008.8


def great_circle_m(lat: pl.Expr, lon: pl.Expr, other_lat: pl.Expr, other_lon: pl.Expr) -> pl.Expr:
    """Great-circle (haversine) distance between places in degrees; null where one is unknown."""
    rise = (other_lat - lat).radians() / 2
    turn = (other_lon - lon).radians() / 2
    bend = rise.sin() ** 2 + lat.radians().cos() * other_lat.radians().cos() * turn.sin() ** 2
    return 2 * EARTH_RADIUS_M * bend.sqrt().clip(0, 1).arcsin()


def nearest_m(lat: pl.Series, lon: pl.Series) -> pl.Series:
    """Distance of each place to the nearest other; 0 where it is there twice, infinite alone."""
    from scipy.spatial import KDTree  # half a second to import, for one rule

    places = pl.DataFrame({"lat": lat, "lon": lon})
    single = places.unique()
    chords = np.full(single.height, np.inf)
    if single.height > 1:
        on_sphere = _unit_vectors(single)
        chords = KDTree(on_sphere).query(on_sphere, k=2)[0][:, 1]
    apart = single.with_columns(
        metres=2 * EARTH_RADIUS_M * pl.Series(chords / 2).clip(0, 1).arcsin()
    )
    told = places.join(apart, on=["lat", "lon"], how="left", maintain_order="left")
    return told.select(pl.when(places.is_duplicated()).then(0.0).otherwise("metres")).to_series()


def _unit_vectors(places: pl.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    lat, lon = (np.radians(places.get_column(name).to_numpy()) for name in ("lat", "lon"))
    return np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
