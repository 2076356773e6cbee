"""locations.geojson read as far as it can be: members, features with their paths, shapes.

Nothing here is refused: `geojson` says what is wrong. A feature's id may be text or a number; it is
compared as text. Coordinates beyond longitude and latitude are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NoReturn

import polars as pl
import shapely

GEOMETRIES = ("Polygon", "MultiPolygon")
# A ring is closed: a triangle has four points.
LEAST_RING_POINTS = 4

Member = dict[str, object]
Features = Sequence[tuple[str, Member]]


@dataclass(frozen=True)
class Shapes:
    """Shapes of zones by id, and the reason why a feature, by path, has none."""

    valid: Mapping[str, shapely.Geometry]
    invalid: Mapping[str, str]


@dataclass(frozen=True)
class Zones:
    """The root's members, the names of members told twice, and why the text can't be read."""

    root: Member = field(default_factory=dict)
    repeated: tuple[str, ...] = ()
    problem: str = ""

    @cached_property
    def features(self) -> Features:
        """Path and members of each feature that is an object."""
        features = self.root.get("features")
        if not isinstance(features, list):
            return ()
        return [(f"features[{n}]", f) for n, f in enumerate(features) if isinstance(f, dict)]

    @cached_property
    def ids(self) -> Sequence[tuple[str, str]]:
        """Path and id of each feature that has one."""
        return [
            (path, str(feature["id"]))
            for path, feature in self.features
            if isinstance(feature.get("id"), str | int | float) and feature["id"] != ""
        ]

    @cached_property
    def shapes(self) -> Shapes:
        """Shapes of the polygons; of zones with one id the first counts."""
        valid: dict[str, shapely.Geometry] = {}
        invalid: dict[str, str] = {}
        ids = dict(self.ids)
        for path, feature in self.features:
            geometry = feature.get("geometry")
            if not isinstance(geometry, dict) or "coordinates" not in geometry:
                continue
            if geometry.get("type") not in GEOMETRIES:
                continue
            try:
                shape = _shape(str(geometry["type"]), geometry["coordinates"])
            except (TypeError, ValueError, OverflowError, shapely.errors.ShapelyError) as problem:
                invalid[path] = str(problem)
                continue
            if not shapely.is_valid(shape):
                invalid[path] = shapely.is_valid_reason(shape)
            elif path in ids:
                valid.setdefault(ids[path], shape)
        return Shapes(valid, invalid)


@lru_cache(maxsize=1)
def read_zones(payload: bytes) -> Zones:
    """Read locations.geojson (UTF-8 with or without mark, UTF-16 or UTF-32). Never raises."""
    repeated: list[str] = []

    def members(pairs: list[tuple[str, object]]) -> Member:
        told = dict(pairs)
        if len(told) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return told

    try:
        root = json.loads(payload, object_pairs_hook=members, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        return Zones(problem=str(problem))
    if not isinstance(root, dict):
        return Zones(problem="The root is no object.")
    return Zones(root, tuple(repeated))


def zone_ids(payload: bytes | None) -> pl.Series:
    """Ids of all zones, those told twice once."""
    ids = dict.fromkeys(zone_id for _, zone_id in read_zones(payload or b"").ids)
    return pl.Series("id", list(ids), dtype=pl.String)


def zone_points(payload: bytes | None) -> pl.DataFrame:
    """Points of all shapes that can be read: zone_id, lat, lon."""
    valid = read_zones(payload or b"").shapes.valid
    places = [
        (zone, y, x) for zone, shape in valid.items() for x, y in shapely.get_coordinates(shape)
    ]
    schema = {"zone_id": pl.String, "lat": pl.Float64, "lon": pl.Float64}
    return pl.DataFrame(places, schema=schema, orient="row")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number.")


def _shape(kind: str, coordinates: object) -> shapely.Geometry:
    """The polygon or polygons. ValueError or TypeError where rings can't be read or are open."""
    parts = _items(coordinates) if kind == "MultiPolygon" else [coordinates]
    polygons = []
    for part in parts:
        shell, *holes = (_ring(ring) for ring in _items(part))
        polygons.append(shapely.Polygon(shell, holes))
    return polygons[0] if kind == "Polygon" else shapely.MultiPolygon(polygons)


def _ring(points: object) -> list[tuple[float, float]]:
    ring = [_place(point) for point in _items(points)]
    if len(ring) < LEAST_RING_POINTS:
        raise ValueError("A ring has fewer than four points.")
    if ring[0] != ring[-1]:
        raise ValueError("A ring is open.")
    return ring


def _place(point: object) -> tuple[float, float]:
    match point:
        case [int() | float() as lon, int() | float() as lat, *_]:
            return float(lon), float(lat)
    raise TypeError("A point is not two numbers.")


def _items(value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise TypeError("Coordinates are nested in another way.")
    return value
