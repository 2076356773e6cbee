"""Maps of reach, drawn from coordinates alone: residents' cells, districts, metro lines, stations.

A plain projection: degrees of longitude are shortened by the cosine of the middle latitude, north
is up. A cell is a square as wide as the grid's step. Cells without residents are left out; streets,
water and hills are not drawn, since the brief has no map of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Any

import polars as pl
import shapely
from markupsafe import Markup
from shapely.geometry.base import BaseGeometry

from pipelines.brief.cells import plain
from pipelines.brief.material import Material

WIDTH = 560
MARGIN = 8
METRO, BUS, NEITHER = "metro", "bus", "neither"
# Upper ends of the classes of the map of districts.
SHARE_CLASSES = (0.2, 0.4, 0.6, 0.8, 1.0)
# Boundaries are drawn to about 30 m.
_SIMPLE_DEGREES = 0.0003


@dataclass(frozen=True)
class Projection:
    """Degrees to pixels of a drawing `WIDTH` wide."""

    west: float
    north: float
    pixels_per_degree: float  # of latitude
    shortened: float
    height: int

    def at(self, latitude: float, longitude: float) -> tuple[float, float]:
        """Pixels from left and top."""
        return (
            MARGIN + (longitude - self.west) * self.shortened * self.pixels_per_degree,
            MARGIN + (self.north - latitude) * self.pixels_per_degree,
        )


def project(latitudes: Sequence[float], longitudes: Sequence[float]) -> Projection:
    """The projection in which all points fit; neither list may be empty."""
    south, north, west, east = min(latitudes), max(latitudes), min(longitudes), max(longitudes)
    shortened = cos(radians((south + north) / 2))
    room = WIDTH - 2 * MARGIN
    across = max((east - west) * shortened, 1e-3)
    down = max(north - south, 1e-3)
    scale = min(room / across, 1.25 * room / down)
    west -= (room / scale - across) / 2 / shortened
    return Projection(west, north, scale, shortened, round(down * scale) + 2 * MARGIN)


def cell_classes(cells: pl.DataFrame, distances: Mapping[str, float]) -> pl.DataFrame:
    """Cells with residents, with the column `reach`: metro, bus or neither.

    A cell has the metro where its walk to it is no longer than `distances` says; else the bus.
    """
    near = {name: pl.col(f"{name}_walk_m") <= metres for name, metres in distances.items()}
    return cells.filter(pl.col("population_p50") > 0).with_columns(
        reach=pl.when(near[METRO])
        .then(pl.lit(METRO))
        .when(near[BUS])
        .then(pl.lit(BUS))
        .otherwise(pl.lit(NEITHER))
    )


def cell_map(material: Material, cells: pl.DataFrame) -> Markup:
    """The map of reach by cell; `cells` are those of `cell_classes`."""
    if cells.is_empty():
        return Markup("")
    shapes = _shapes(material)
    view = _view(shapes, cells)
    high = _step(cells, "latitude") * view.pixels_per_degree
    wide = _step(cells, "longitude") * view.shortened * view.pixels_per_degree
    squares = Markup("").join(
        Markup('<path class="reach-{}" d="{}"/>').format(
            name, _squares(cells.filter(reach=name), view, wide, high)
        )
        for name in (NEITHER, BUS, METRO)
    )
    outlines = _outlines(shapes, view, fill=None)
    return _svg("cell-map", view, squares, outlines, _metro(material, view))


def district_map(
    material: Material, cells: pl.DataFrame, shares: Mapping[str, float | None]
) -> Markup:
    """The map of a share by district, each with its share class; as large as that of cells."""
    shapes = _shapes(material)
    if not shapes:
        return Markup("")
    view = _view(shapes, cells)
    return _svg("district-map", view, _outlines(shapes, view, fill=shares), _metro(material, view))


def share_class(share: float | None) -> int | None:
    """Which of the classes a share falls into, from 0 on; None where it isn't known."""
    if share is None:
        return None
    return sum(share > end for end in SHARE_CLASSES[:-1])


def _view(shapes: Mapping[str, BaseGeometry], cells: pl.DataFrame) -> Projection:
    """The projection in which districts and cells fit."""
    latitudes = cells.get_column("latitude").to_list()
    longitudes = cells.get_column("longitude").to_list()
    if shapes:
        west, south, east, north = shapely.total_bounds(list(shapes.values())).tolist()
        latitudes, longitudes = [*latitudes, south, north], [*longitudes, west, east]
    return project(latitudes, longitudes)


def _svg(name: str, view: Projection, *layers: Markup) -> Markup:
    return Markup(
        '<svg class="map" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title"'
        ' aria-describedby="{}-text">{}</svg>'
    ).format(WIDTH, view.height, name, name, Markup("").join(layers))


def _step(cells: pl.DataFrame, column: str) -> float:
    """The grid's step: the middle of the gaps between neighbouring values; 0.005 of a lone cell."""
    values = cells.get_column(column).round(6).unique().sort()
    gaps = values.diff().drop_nulls()
    step = gaps.median()
    return float(step) if isinstance(step, float) else 0.005


def _squares(cells: pl.DataFrame, view: Projection, wide: float, high: float) -> str:
    corners = (
        view.at(latitude, longitude)
        for latitude, longitude in cells.sort("cell_id").select("latitude", "longitude").iter_rows()
    )
    return "".join(
        f"M{x - wide / 2:.1f} {y - high / 2:.1f}h{wide:.2f}v{high:.2f}h-{wide:.2f}z"
        for x, y in corners
    )


def _shapes(material: Material) -> dict[str, BaseGeometry]:
    rows = material.districts.sort("district_id")
    return {
        row["district_id"]: shapely.simplify(shapely.from_wkb(row["geometry"]), _SIMPLE_DEGREES)
        for row in rows.iter_rows(named=True)
    }


def _outlines(
    shapes: Mapping[str, BaseGeometry],
    view: Projection,
    fill: Mapping[str, float | None] | None,
) -> Markup:
    drawn = Markup("")
    for district_id, shape in shapes.items():
        style = "outline"
        if fill is not None:
            found = share_class(fill.get(district_id))
            style = "district unknown" if found is None else f"district share-{found}"
        drawn += Markup('<path class="{}" d="{}"/>').format(style, _rings(shape, view))
    return drawn


def _rings(shape: BaseGeometry, view: Projection) -> str:
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
    return "".join(
        _line(view.at(latitude, longitude) for longitude, latitude in ring.coords) + "z"
        for ring in rings
    )


def _line(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _metro(material: Material, view: Projection) -> Markup:
    lines = Markup("").join(
        Markup('<path class="track" d="{}"/>').format(_line(view.at(*point) for point in line))
        for line in material.lines
        if len(line) > 1
    )
    rows: list[dict[str, Any]] = material.stations.to_dicts()
    stops = Markup("")
    for row in rows:
        x, y = view.at(row["stop_lat"], row["stop_lon"])
        stops += Markup(
            '<circle class="station" cx="{}" cy="{}" r="4"><title>{}</title></circle>'
        ).format(f"{x:.1f}", f"{y:.1f}", plain(row["stop_name"] or ""))
    return lines + stops
