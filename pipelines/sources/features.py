"""Points or areas with attributes (GeoPackage, GeoJSON) become a table with a place for each.

The place is the geometry: a point, or a polygon's centroid, brought to WGS 84 as `latitude` and
`longitude`. Attributes are mapped as the columns of a table are (`pipelines.sources.table`).

Left out: files of several layers, and geometry without a coordinate system that is known.
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
from pipelines.sources.table import described, map_table

WGS_84 = "EPSG:4326"
# Files of features by the format that the city file names.
FORMATS = {"gpkg": "GeoPackage", "geojson": "GeoJSON"}
# Decimals of a degree: 8 are about 1 mm.
PLACE_DECIMALS = 8


def read_features(payload: bytes, source: SourceVersion) -> pl.DataFrame:
    """One row per feature: its attributes under our names, `latitude` and `longitude` in degrees.

    A feature without geometry has no place (null). SourceError where the file can't be read in the
    source's format, has no layer or several, or no coordinate system that is known.
    """
    name = FORMATS[source.format]
    try:
        with warnings.catch_warnings():
            # The file lies in memory, without a name of its own.
            warnings.filterwarnings("ignore", ".*non conformant file extension", RuntimeWarning)
            layers = {
                layer: number
                for number, (layer, geometry) in enumerate(pyogrio.list_layers(payload))
                if geometry
            }
            if len(layers) != 1:
                raise SourceError(
                    f"{described(source)} has {len(layers)} layers with a geometry"
                    f"{': ' if layers else ''}{sample_text(list(layers))}; one is expected.",
                    f"Ask who delivers the file for a {name} of one layer.",
                )
            # By number: a GeoJSON's layer is named for a file in memory that is gone.
            meta, table = pyogrio.raw.read_arrow(payload, layer=next(iter(layers.values())))
    except pyogrio.errors.DataSourceError as error:
        raise SourceError(
            f"{described(source)} is no readable {name}.", "Ask who delivers the file."
        ) from error
    latitude, longitude = _centroids(meta, table, source)
    # A layer that names its geometry's column does, one that does not has OGR's name for it.
    geometry = meta["geometry_name"] or "wkb_geometry"
    attributes = pl.DataFrame(pl.from_arrow(table.drop_columns([geometry])))
    return map_table(attributes, source).with_columns(latitude=latitude, longitude=longitude)


def _centroids(
    meta: dict[str, str], table: pa.Table, source: SourceVersion
) -> tuple[pl.Series, pl.Series]:
    """Latitude and longitude (WGS 84) of each geometry's centroid; null where there is none."""
    geometry = shapely.from_wkb(table.column(meta["geometry_name"] or "wkb_geometry").to_numpy())
    centroid = shapely.centroid(geometry)
    try:
        to_wgs_84 = pyproj.Transformer.from_crs(meta["crs"], WGS_84, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise SourceError(
            f"{described(source)} names no coordinate system that is known ({meta['crs']!r}).",
            "Ask who delivers the file for one in EPSG:4326.",
        ) from error
    x, y = to_wgs_84.transform(shapely.get_x(centroid), shapely.get_y(centroid))
    latitude, longitude = (pl.Series(axis).fill_nan(None).round(PLACE_DECIMALS) for axis in (y, x))
    return latitude, longitude
