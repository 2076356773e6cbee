"""Zones of service on request: locations.geojson, and what calls make of them.

The file is a FeatureCollection; each feature has an id, properties and a Polygon or MultiPolygon.
Findings have no row: they name the member at fault by its path, such as
``features[3].geometry.type``, the first feature being 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import shapely

from pipelines.staging.gtfs.rules.feed import ZONES, Feed
from pipelines.staging.gtfs.rules.flex import WINDOW
from pipelines.staging.gtfs.rules.rule import (
    ERROR,
    FOUND_SCHEMA,
    INFO,
    ROW,
    Found,
    found,
    found_file,
    rule,
)
from pipelines.staging.gtfs.rules.zones import GEOMETRIES, Features, Zones, read_zones, zone_ids

ROOT_MEMBERS = ("type", "features")
FEATURE_MEMBERS = ("type", "id", "properties", "geometry")
GEOMETRY_MEMBERS = ("type", "coordinates")
# Trips call at a handful of zones. Of one that calls at more, so many calls are compared.
MOST_ZONE_CALLS = 300


def _zones(feed: Feed) -> Zones:
    return read_zones(feed.geojson or b"")


def _told(members: Iterator[tuple[str, object]]) -> Found:
    rows = [(None, path, None if value is None else str(value)) for path, value in members]
    return Found(ZONES, pl.DataFrame(rows, schema=FOUND_SCHEMA, orient="row"))


@rule("malformed_json", ERROR, ZONES)
def no_json(feed: Feed) -> Iterator[Found]:
    """locations.geojson is not JSON."""
    problem = _zones(feed).problem
    if problem:
        yield found_file(ZONES, None, problem)


@rule("geo_json_duplicated_element", ERROR, ZONES)
def member_named_twice(feed: Feed) -> Iterator[Found]:
    """An object of locations.geojson has two members of one name."""
    yield _told((name, None) for name in _zones(feed).repeated)


@rule("geo_json_unknown_element", INFO, ZONES)
def member_unknown(feed: Feed) -> Iterator[Found]:
    """locations.geojson has a member that GTFS does not define; names of stops and zones belong to
    the properties."""
    zones = _zones(feed)

    def unknown() -> Iterator[tuple[str, object]]:
        for name in zones.root:
            if name not in ROOT_MEMBERS:
                yield name, None
        for path, feature in zones.features:
            yield from ((f"{path}.{name}", None) for name in feature if name not in FEATURE_MEMBERS)
            geometry = feature.get("geometry")
            if isinstance(geometry, dict):
                for name in geometry:
                    if name not in GEOMETRY_MEMBERS:
                        yield f"{path}.geometry.{name}", None

    yield _told(unknown())


@rule("unsupported_geo_json_type", ERROR, ZONES)
def no_feature_collection(feed: Feed) -> Iterator[Found]:
    """The root of locations.geojson is no FeatureCollection."""
    zones = _zones(feed)
    kind = zones.root.get("type")
    if not zones.problem and ("type" in zones.root) and kind != "FeatureCollection":
        yield found_file(ZONES, "type", str(kind))


@rule("missing_required_element", ERROR, ZONES)
def member_missing(feed: Feed) -> Iterator[Found]:
    """locations.geojson lacks a required member: type or features of the root; id, type, properties
    or geometry of a feature; type or coordinates of a geometry. An id may not be empty."""
    zones = _zones(feed)

    def missing() -> Iterator[tuple[str, object]]:
        for name in ROOT_MEMBERS:
            if not zones.problem and name not in zones.root:
                yield name, None
        for path, feature in zones.features:
            for name in FEATURE_MEMBERS:
                if name not in feature or (name == "id" and feature[name] in ("", None)):
                    yield f"{path}.{name}", None
            geometry = feature.get("geometry", {"type": "", "coordinates": ()})
            for name in GEOMETRY_MEMBERS:
                if not isinstance(geometry, dict) or name not in geometry:
                    yield f"{path}.geometry.{name}", None

    yield _told(missing())


@rule("unsupported_feature_type", ERROR, ZONES)
def no_feature(feed: Feed) -> Iterator[Found]:
    """A member of features is of another type than Feature."""
    features = _zones(feed).features
    yield _told(
        (f"{path}.type", feature["type"])
        for path, feature in features
        if "type" in feature and feature["type"] != "Feature"
    )


@rule("unsupported_geometry_type", ERROR, ZONES)
def no_polygon(feed: Feed) -> Iterator[Found]:
    """A zone's geometry is neither a Polygon nor a MultiPolygon."""
    yield _told(
        (f"{path}.geometry.type", geometry["type"])
        for path, geometry in _geometries(_zones(feed).features)
        if "type" in geometry and geometry["type"] not in GEOMETRIES
    )


def _geometries(features: Features) -> Iterator[tuple[str, dict[str, object]]]:
    for path, feature in features:
        geometry = feature.get("geometry")
        if isinstance(geometry, dict):
            yield path, geometry


@rule("invalid_geometry", ERROR, ZONES)
def polygon_invalid(feed: Feed) -> Iterator[Found]:
    """A zone's polygon is not valid as OGC Simple Features define it: a ring is open, has too few
    points or crosses itself, or a hole lies outside."""
    yield _told(
        (f"{path}.geometry.coordinates", reason)
        for path, reason in _zones(feed).shapes.invalid.items()
    )


@rule("duplicate_geo_json_key", ERROR, ZONES)
def zone_named_twice(feed: Feed) -> Iterator[Found]:
    """A zone has the id of a zone before it."""
    seen: set[str] = set()

    def repeated() -> Iterator[tuple[str, object]]:
        for path, zone_id in _zones(feed).ids:
            if zone_id in seen:
                yield f"{path}.id", zone_id
            seen.add(zone_id)

    yield _told(repeated())


@rule("duplicate_geography_id", ERROR)
def place_named_twice(feed: Feed) -> Iterator[Found]:
    """One id stands for a stop, a location group or a zone, and for another of these kinds."""
    stops = feed["stops"].get_column("stop_id")
    groups = feed["location_groups"].get_column("location_group_id")
    group_of_stop = pl.col("location_group_id").is_in(stops.implode())
    broken = feed["location_groups"].filter(group_of_stop)
    yield found("location_groups", broken, "location_group_id")
    if feed.geojson is not None:
        zones = zone_ids(feed.geojson)
        taken = zones.filter(zones.is_in(stops.implode()) | zones.is_in(groups.implode()))
        yield _told(("id", zone_id) for zone_id in taken)


@rule(
    "overlapping_zone_and_pickup_drop_off_window",
    ERROR,
    "calls",
    "stop_times.location_id",
    *(f"stop_times.{end}" for end in WINDOW),
    ZONES,
)
def zones_overlap(feed: Feed) -> Iterator[Found]:
    """Two calls of a trip at different zones share their pickup_type or drop_off_type, their
    windows overlap, and so do the zones in part: nobody can say which call a rider books. Of a trip
    with more than 300 calls at zones, the first 300 are compared."""
    types = ("pickup_type", "drop_off_type")
    zoned = feed.calls.select(ROW, "trip_id", "location_id", *WINDOW, *types).drop_nulls(
        ["trip_id", "location_id", *WINDOW]
    )
    if zoned.is_empty():
        return
    compared = zoned.filter(pl.int_range(pl.len()).over("trip_id") < MOST_ZONE_CALLS)
    start, end = WINDOW
    pairs = (
        compared.lazy()
        .join(compared.lazy(), on="trip_id", suffix="_other")
        .filter(
            (pl.col(ROW) < pl.col(f"{ROW}_other"))
            & (pl.col("location_id") != pl.col("location_id_other"))
            & (pl.col(start) < pl.col(f"{end}_other"))
            & (pl.col(f"{start}_other") < pl.col(end))
            & pl.any_horizontal(
                pl.col(name).fill_null(0) == pl.col(f"{name}_other").fill_null(0) for name in types
            )
        )
        .select(f"{ROW}_other", "location_id", "location_id_other")
        .collect()
    )
    zones = pairs.select("location_id", "location_id_other").unique(maintain_order=True)
    overlapping = zones.filter(_overlap(_zones(feed), zones))
    broken = pairs.join(overlapping, on=["location_id", "location_id_other"], maintain_order="left")
    rows = broken.select(pl.col(f"{ROW}_other").alias(ROW), "location_id", "location_id_other")
    told = pl.concat_str("location_id_other", "location_id", separator=" overlaps ")
    yield found("stop_times", rows.unique(ROW, keep="first").sort(ROW), "location_id", told)


def _overlap(zones: Zones, pairs: pl.DataFrame) -> pl.Series:
    """Whether the zones of each pair overlap in part; unknown and invalid ones do not."""
    shapes = zones.shapes.valid
    here, there = (
        np.array([shapes.get(zone) for zone in pairs.get_column(name)], dtype=object)
        for name in pairs.columns
    )
    return pl.Series(shapely.overlaps(here, there), dtype=pl.Boolean)
