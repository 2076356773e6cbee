"""A population grid: where people live, one cell per row.

A table (CSV, XLSX, Parquet) gives each cell's centroid as `latitude` and `longitude` (WGS 84) and
its residents as `population_p10`, `population_p50`, `population_p90`, or as one `population`, which
is then the middle estimate. A GeoPackage (format ``gpkg``) gives the residents the same way and the
place by its geometry (`pipelines.sources.features`). A cell without
`cell_id` is named by its place.

Left out: raster grids.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.features import read_features
from pipelines.sources.table import read_table, require_columns


def parse_population(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame ``population_cells``: one row per cell of the file.

    SourceError where the file can't be read, or lacks a place or the residents.
    """
    is_geopackage = source.format == "gpkg"
    cells = read_features(payload, source) if is_geopackage else read_table(payload, source)
    if "population_p50" not in cells.columns and "population" in cells.columns:
        cells = cells.rename({"population": "population_p50"})
    require_columns(cells, source, ("latitude", "longitude", "population_p50"))
    if "cell_id" not in cells.columns:
        place = pl.concat_str(pl.col("latitude", "longitude").cast(pl.String), separator=" ")
        cells = cells.with_columns(cell_id=place)
    return {"population_cells": cells}
