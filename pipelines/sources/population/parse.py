"""A population grid: where people live, one cell per row.

A table (CSV, XLSX, Parquet) gives each cell's centroid as `latitude` and `longitude` (WGS 84) and
its residents as `population_p10`, `population_p50`, `population_p90`, or as one `population`, which
is then the middle estimate. A GeoPackage (format ``gpkg``) gives the residents the same way and the
place by its geometry: a point, or a polygon's centroid, brought to WGS 84. A cell without
`cell_id` is named by its place.

Left out: raster grids, and geometry of a GeoPackage without a coordinate system.
"""

from __future__ import annotations

import warnings

import polars as pl
import pyarrow as pa
import pyogrio
import pyproj
import shapely

from pipelines.errors import SourceError, sample_text
from pipelines.night import SourceVersion
from pipelines.sources.table import described, map_table, read_table, require_columns

WGS_84 = "EPSG:4326"
# A cell's name from its place: 6 decimals of a degree are about 0.1 m.
PLACE_DECIMALS = 6


def parse_population(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame ``population_cells``: one row per cell of the file.

    SourceError where the file can't be read, or lacks a place or the residents.
    """
    is_geopackage = source.format == "gpkg"
    cells = _read_geopackage(payload, source) if is_geopackage else read_table(payload, source)
    if "population_p50" not in cells.columns and "population" in cells.columns:
        cells = cells.rename({"population": "population_p50"})
    require_columns(cells, source, ("latitude", "longitude", "population_p50"))
    if "cell_id" not in cells.columns:
        place = pl.concat_str(pl.col("latitude", "longitude").cast(pl.String), separator=" ")
        cells = cells.with_columns(cell_id=place)
    return {"population_cells": cells}


def _read_geopackage(payload: bytes, source: SourceVersion) -> pl.DataFrame:
    try:
        with warnings.catch_warnings():
            # The file lies in memory, without a name of its own.
            warnings.filterwarnings("ignore", ".*non conformant file extension", RuntimeWarning)
            layers = [name for name, geometry in pyogrio.list_layers(payload) if geometry]
            if len(layers) != 1:
                raise SourceError(
                    f"{described(source)} has {len(layers)} layers with a geometry"
                    f"{': ' if layers else ''}{sample_text(layers)}; one is expected.",
                    "Ask who delivers the grid for a GeoPackage of one layer.",
                )
            meta, table = pyogrio.raw.read_arrow(payload, layer=layers[0])
    except pyogrio.errors.DataSourceError as error:
        raise SourceError(
            f"{described(source)} is no readable GeoPackage.", "Ask who delivers the grid."
        ) from error
    latitude, longitude = _centroids(meta, table, source)
    attributes = pl.DataFrame(pl.from_arrow(table.drop_columns([meta["geometry_name"]])))
    return map_table(attributes, source).with_columns(latitude=latitude, longitude=longitude)


def _centroids(
    meta: dict[str, str], table: pa.Table, source: SourceVersion
) -> tuple[pl.Series, pl.Series]:
    """Latitude and longitude (WGS 84) of each geometry's centroid; null where there is none."""
    geometry = shapely.from_wkb(table.column(meta["geometry_name"]).to_numpy())
    centroid = shapely.centroid(geometry)
    try:
        to_wgs_84 = pyproj.Transformer.from_crs(meta["crs"], WGS_84, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise SourceError(
            f"{described(source)} names no coordinate system that is known ({meta['crs']!r}).",
            "Ask who delivers the grid for one in EPSG:4326.",
        ) from error
    x, y = to_wgs_84.transform(shapely.get_x(centroid), shapely.get_y(centroid))
    latitude, longitude = (
        pl.Series(axis).fill_nan(None).round(PLACE_DECIMALS + 2) for axis in (y, x)
    )
    return latitude, longitude
