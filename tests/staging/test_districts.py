"""Districts under contract: areas, repair, overlaps, and the real boundaries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyproj
import pytest
import shapely

from pipelines.night import SourceVersion
from pipelines.sources.districts.parse import parse_districts
from pipelines.staging.districts import stage_districts
from pipelines.staging.sift import Staged

SOURCE = SourceVersion("districts", "v1", "districts.geojson", "geojson")
BOW_TIE = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def staged(**geometries: shapely.Geometry | dict[str, Any] | None) -> Staged:
    features = [
        {
            "properties": {"district_name": name, "latitude": "not ours"},
            "geometry": shapely.geometry.mapping(geometry)
            if isinstance(geometry, shapely.Geometry)
            else geometry,
        }
        for name, geometry in geometries.items()
    ]
    payload = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    return stage_districts(parse_districts(payload, SOURCE), SOURCE)


@pytest.mark.parametrize("south", [0, 43, 60, 80, -44])
def test_area_is_that_of_the_ellipsoid(south: float) -> None:
    ring = shapely.box(76, south, 76.4, south + 0.3).difference(
        shapely.box(76.1, south + 0.1, 76.2, south + 0.2)
    )
    area_km2 = staged(a=ring).rows.item(0, "area_km2")
    edges = shapely.orient_polygons(shapely.segmentize(ring, 0.001))
    expected_m2, _ = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(edges)
    assert area_km2 == pytest.approx(expected_m2 / 1e6, rel=1e-6)


def test_a_boundary_that_crosses_itself_is_repaired_and_marked() -> None:
    rows = staged(crossed=BOW_TIE, fine=shapely.box(2, 0, 3, 1)).rows
    assert rows.get_column("is_geometry_repaired").to_list() == [True, False]
    repaired = shapely.from_wkb(rows.item(0, "geometry"))
    assert repaired.is_valid
    assert repaired.area == pytest.approx(0.5)


def test_repair_keeps_what_has_an_area() -> None:
    spike = shapely.Polygon([(0, 0), (1, 0), (1, 1), (1, 3), (1, 1), (0, 1)])
    rows = staged(spike=spike).rows
    assert shapely.from_wkb(rows.item(0, "geometry")).equals(shapely.box(0, 0, 1, 1))


def test_districts_that_overlap_are_refused_and_neighbours_are_not() -> None:
    result = staged(
        west=shapely.box(0, 0, 1, 1),
        sliver=shapely.box(0.9995, 0, 2, 1),
        east=shapely.box(2, 0, 3, 1),
        on_east=shapely.box(2.9, 0, 4, 1),
    )
    assert result.rows.get_column("district_id").to_list() == ["west", "sliver"]
    assert result.quarantine.select("row_number", "rule").rows() == [
        (4, "overlaps_no_other"),
        (5, "overlaps_no_other"),
    ]


@pytest.mark.parametrize(
    ("geometry", "rule"),
    [
        (shapely.Point(1, 1), "geometry|unparsable"),
        (shapely.LineString([(0, 0), (1, 1), (1, 0), (0, 0)]), "geometry|unparsable"),
        ({"type": "Polygon", "coordinates": "none"}, "geometry|unparsable"),
        ({"type": "Polygon", "coordinates": []}, "geometry|unparsable"),
        (None, "geometry|nullability"),
        (shapely.box(0, 95, 1, 96), "latitude|max"),
    ],
)
def test_what_is_no_polygon_on_earth_is_refused(geometry: Any, rule: str) -> None:
    result = staged(fine=shapely.box(2, 0, 3, 1), wrong=geometry)
    assert result.rows.get_column("district_id").to_list() == ["fine"]
    assert rule in result.quarantine.get_column("rule").to_list()
    assert result.refused == 1


def test_heights_are_dropped() -> None:
    flat = shapely.box(0, 0, 1, 1)
    rows = staged(a=shapely.force_3d(flat, z=800.0)).rows
    assert not shapely.from_wkb(rows.item(0, "geometry")).has_z
    assert rows.item(0, "latitude") == pytest.approx(0.5)


@pytest.mark.slow
def test_the_real_districts_of_almaty(shared_data: Path) -> None:
    payload = (shared_data / "almaty/boundaries/almaty_districts_osm.geojson").read_bytes()
    source = SourceVersion("osm", "v1", "d.geojson", "geojson", columns={"name": "district_name"})
    result = stage_districts(parse_districts(payload, source), source)
    assert result.refused == 0
    assert result.rows.get_column("district_id").to_list() == [
        "alatau",
        "almaly",
        "auezov",
        "bostandyk",
        "jetysu",
        "medeu",
        "nauryzbai",
        "turksib",
    ]
    assert not result.rows.get_column("is_geometry_repaired").any()
    geod = pyproj.Geod(ellps="WGS84")
    for wkb, area_km2 in result.rows.select("geometry", "area_km2").iter_rows():
        boundary = shapely.orient_polygons(shapely.from_wkb(wkb))
        expected_m2, _ = geod.geometry_area_perimeter(boundary)
        assert area_km2 == pytest.approx(expected_m2 / 1e6, rel=1e-5)
    assert result.rows.select(pl.col("area_km2").sum()).item() == pytest.approx(702.8, abs=0.1)
