"""Population grids as tables and as GeoPackages."""

from __future__ import annotations

import io
from pathlib import Path

import geopandas
import polars as pl
import pyogrio
import pytest
import shapely

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.population.parse import parse_population

UTM_43_NORTH = "EPSG:32643"


def a_grid(file_format: str, **columns: str) -> SourceVersion:
    return SourceVersion("grid", "v1", f"grid.{file_format}", file_format, columns=columns)


def as_geopackage(cells: geopandas.GeoDataFrame, folder: Path, **options: object) -> bytes:
    file = folder / "grid.gpkg"
    pyogrio.write_dataframe(cells, file, **options)
    return file.read_bytes()


def squares(crs: str = "EPSG:4326") -> geopandas.GeoDataFrame:
    """Two squares of 0.01 degree with centres at 43.205, 76.905 and 43.205, 76.915."""
    return geopandas.GeoDataFrame(
        {"zone": ["west", "east"], "p50": [10.0, 20.5], "p10": [8.0, None], "p90": [11, 30]},
        geometry=[shapely.box(x, 43.2, x + 0.01, 43.21) for x in (76.9, 76.91)],
        crs="EPSG:4326",
    ).to_crs(crs)


def test_a_table_with_one_number_gives_the_middle_estimate() -> None:
    payload = b"id,lon,lat,population,jobs\n89a9,-51.15,-30.05,159,1214\n"
    columns = {"id": "cell_id", "lon": "longitude", "lat": "latitude"}
    cells = parse_population(payload, a_grid("csv", **columns))["population_cells"]
    assert cells.to_dicts() == [
        {
            "cell_id": "89a9",
            "longitude": "-51.15",
            "latitude": "-30.05",
            "population_p50": "159",
            "jobs": "1214",
        }
    ]


def test_a_cell_without_a_name_is_named_by_its_place() -> None:
    cells = parse_population(b"longitude,latitude,population\n76.9,43.2,5\n", a_grid("csv"))
    assert cells["population_cells"].get_column("cell_id").to_list() == ["43.2 76.9"]


@pytest.mark.parametrize("crs", ["EPSG:4326", UTM_43_NORTH, "EPSG:3857"])
def test_a_geopackage_gives_the_centroids_of_its_polygons(tmp_path: Path, crs: str) -> None:
    payload = as_geopackage(squares(crs), tmp_path)
    columns = {"zone": "cell_id", "p10": "population_p10", "p50": "population_p50"}
    cells = parse_population(payload, a_grid("gpkg", **columns, p90="population_p90"))
    west, east = cells["population_cells"].iter_rows(named=True)
    assert west == {
        "cell_id": "west",
        "population_p50": 10.0,
        "population_p10": 8.0,
        "population_p90": 11,
        "latitude": pytest.approx(43.205, abs=1e-5),
        "longitude": pytest.approx(76.905, abs=1e-6),
    }
    assert (east["cell_id"], east["population_p50"], east["population_p10"]) == ("east", 20.5, None)
    assert east["longitude"] == pytest.approx(76.915, abs=1e-6)


def test_a_geopackage_of_points_equals_the_same_grid_as_a_table(tmp_path: Path) -> None:
    points = geopandas.GeoDataFrame(
        {"cell_id": ["a", "b"], "population": [1, 2]},
        geometry=[shapely.Point(76.9, 43.2), shapely.Point(76.95, 43.25)],
        crs="EPSG:4326",
    )
    table = b"cell_id,population,latitude,longitude\na,1,43.2,76.9\nb,2,43.25,76.95\n"
    of_points = parse_population(as_geopackage(points, tmp_path), a_grid("gpkg"))
    of_table = parse_population(table, a_grid("csv"))
    dtypes = {"population_p50": pl.Int64, "latitude": pl.Float64, "longitude": pl.Float64}
    assert of_points["population_cells"].equals(of_table["population_cells"].cast(dtypes))


def test_a_cell_without_geometry_has_no_place(tmp_path: Path) -> None:
    cells = squares()
    cells.loc[1, "geometry"] = None
    parsed = parse_population(as_geopackage(cells, tmp_path), a_grid("gpkg", p50="population_p50"))
    assert parsed["population_cells"].get_column("latitude").is_null().to_list() == [False, True]
    assert parsed["population_cells"].get_column("cell_id").is_null().to_list() == [False, True]


def test_a_geopackage_of_two_layers_is_refused_by_name(tmp_path: Path) -> None:
    as_geopackage(squares(), tmp_path, layer="grid 2025")
    payload = as_geopackage(squares(), tmp_path, layer="grid 2026", append=True)
    with pytest.raises(SourceError, match="2 layers with a geometry: 'grid 2025', 'grid 2026'"):
        parse_population(payload, a_grid("gpkg"))


def test_a_geopackage_without_a_coordinate_system_is_refused(tmp_path: Path) -> None:
    cells = squares().set_crs(None, allow_override=True)
    with pytest.warns(UserWarning, match="'crs' was not provided"):
        payload = as_geopackage(cells, tmp_path)
    with pytest.raises(SourceError, match="no coordinate system that is known"):
        parse_population(payload, a_grid("gpkg", p50="population_p50"))


@pytest.mark.parametrize("length", [0, 40, 3000, 60_000])
def test_a_broken_geopackage_is_refused(tmp_path: Path, length: int) -> None:
    payload = as_geopackage(squares(), tmp_path)[:length]
    with pytest.raises(SourceError, match=r"no readable GeoPackage|is empty"):
        parse_population(payload, a_grid("gpkg"))


def test_a_table_without_residents_names_what_it_has() -> None:
    with pytest.raises(SourceError, match="lacks the column 'population_p50'; it has 'latitude'"):
        parse_population(b"latitude,longitude,p50\n1,2,3\n", a_grid("csv"))


def test_a_grid_may_be_a_workbook_or_parquet() -> None:
    buffer = io.BytesIO()
    grid = pl.DataFrame(
        {"cell_id": ["a"], "latitude": [1.5], "longitude": [2.5], "population": [3]}
    )
    grid.write_parquet(buffer)
    cells = parse_population(buffer.getvalue(), a_grid("parquet"))["population_cells"]
    assert cells.row(0) == ("a", 1.5, 2.5, 3)
