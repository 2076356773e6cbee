"""Districts: the parts of the city that figures are split by.

A boundary is a polygon in WGS 84. An invalid one (a ring that crosses itself, say) is repaired by
shapely's `make_valid`, keeping what has an area, and marked so. Districts don't overlap: one that
shares more than a sliver of its area with another is refused. The area is measured on the
ellipsoid's cylindrical equal-area projection (Snyder 1987, Map Projections, eq. 3-12 and 10-13 ff.,
standard parallel the equator), exact but for edges being straight in the projection.

Left out: what lies between districts or outside of all.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

# Boundaries that were digitised apart overlap by slivers; a true overlap is larger.
MAX_OVERLAP_SHARE = 0.001
# WGS 84 (NIMA TR8350.2): semi-major axis in km, first eccentricity.
SEMI_MAJOR_AXIS_KM = 6378.137
ECCENTRICITY = 0.0818191908426215

_AREAL = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)

PRECISIONS = ("exact", "lower_bound")

Floats = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]


class Districts(Versioned):
    """One row per district of one version of the boundaries."""

    district_id = dy.String(primary_key=True, description="District; its name's slug if unnamed.")
    district_name = dy.String(description="Name as figures show it.")
    name_kk = dy.String(nullable=True, description="Name in Kazakh.")
    name_ru = dy.String(nullable=True, description="Name in Russian.")
    official_population = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "people"},
        description="Residents as an authority publishes them; null where none does.",
    )
    population_precision = one_of(
        *PRECISIONS,
        nullable=True,
        description="Whether the official population is exact or a lower bound ('over 358,000').",
    )
    annexed_date = dy.Date(
        nullable=True,
        description="When the city annexed it; null for what it was before, or if not known.",
    )
    latitude = dy.Float64(
        min=-90, max=90, metadata={"unit": "degree"}, description="Of the centroid, WGS 84."
    )
    longitude = dy.Float64(
        min=-180, max=180, metadata={"unit": "degree"}, description="Of the centroid, WGS 84."
    )
    area_km2 = dy.Float64(
        min_exclusive=0, metadata={"unit": "km2"}, description="Area on the WGS 84 ellipsoid."
    )
    overlap_share = dy.Float64(
        min=0, max=1, description="Largest share of the area that another district lies on too."
    )
    is_geometry_repaired = dy.Bool(description="Whether the boundary as delivered was invalid.")
    geometry = dy.Binary(description="Boundary, (multi)polygon, WGS 84 degrees, as WKB.")

    @dy.rule()
    def overlaps_no_other(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """No other district lies on more than a sliver of it."""
        return pl.col("overlap_share") <= MAX_OVERLAP_SHARE


def stage_districts(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Districts under contract from the parser's frame ``districts``."""
    features = raw["districts"]
    delivered = shapely.from_geojson(features.get_column("geometry").to_list(), on_invalid="ignore")
    polygons = np.array([_polygonal(geometry) for geometry in delivered], dtype=object)
    centroids = shapely.centroid(polygons)
    measured = {
        "geometry": pl.Series(shapely.to_wkb(polygons).tolist(), dtype=pl.Binary),
        "latitude": _floats(shapely.get_y(centroids)),
        "longitude": _floats(shapely.get_x(centroids)),
        "area_km2": _floats(measure_km2(polygons)).round(6),
        "overlap_share": _floats(_overlap_shares(polygons)).round(9),
        "is_geometry_repaired": pl.Series(~shapely.is_valid(delivered)),
    }
    features = features.drop(measured.keys() - {"geometry"}, strict=False)
    return sift(Districts, features, source, {name: pl.lit(of) for name, of in measured.items()})


def measure_km2(polygons: Geometries) -> Floats:
    """Area of each polygon (WGS 84 degrees) on the ellipsoid in km2; NaN where there is none."""
    areas: Floats = shapely.area(shapely.transform(polygons, _equal_area))
    return areas


def _equal_area(degrees: Floats) -> Floats:
    """Longitude and latitude in degrees to the equal-area cylinder in km."""
    longitude, sine = np.radians(degrees[:, 0]), np.sin(np.radians(degrees[:, 1]))
    e = ECCENTRICITY
    logarithm = np.log((1 - e * sine) / (1 + e * sine))
    q = (1 - e**2) * (sine / (1 - (e * sine) ** 2) - logarithm / (2 * e))
    return SEMI_MAJOR_AXIS_KM * np.column_stack((longitude, q / 2))


def _polygonal(geometry: shapely.Geometry | None) -> shapely.Geometry | None:
    """The geometry's polygons, valid and in two dimensions; None where it has no area."""
    if geometry is None:
        return None
    flat = shapely.force_2d(geometry)
    if shapely.is_valid(flat) and shapely.get_type_id(flat) in _AREAL:
        return None if shapely.is_empty(flat) else flat
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(flat)))
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return shapely.union_all(polygons) if len(polygons) else None


def _overlap_shares(polygons: Geometries) -> Floats:
    """For each polygon the largest share of its area that one other covers."""
    one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    one, other = one[one != other], other[one != other]
    shared = shapely.area(shapely.intersection(polygons[one], polygons[other]))
    largest = np.zeros(len(polygons))
    np.maximum.at(largest, one, np.minimum(shared / shapely.area(polygons[one]), 1))
    return largest


def _floats(values: Floats) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)
