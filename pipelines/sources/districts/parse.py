"""District boundaries as GeoJSON: one feature per district.

A FeatureCollection in WGS 84 longitude and latitude (RFC 7946). The city file's `columns` map the
features' properties; a district has a `district_name`, and without a `district_id` it is named by
its name in lower case with hyphens. The geometry stays GeoJSON text here, so that what is refused
can be read.

Left out: other coordinate systems (the older `crs` member is read only to refuse them).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.table import described, map_table, require_columns

# Longitude before latitude, WGS 84, under the names that GeoJSON of before RFC 7946 has for it.
WGS_84_NAMES = ("CRS84", "EPSG::4326", "EPSG:4326")


def parse_districts(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame ``districts``: one row per feature, properties as text, `geometry` as GeoJSON.

    SourceError where the file is no FeatureCollection in WGS 84, is empty, or lacks the names.
    """
    features = _features(payload, source)
    properties = [feature.get("properties") or {} for feature in features]
    names = list(dict.fromkeys(name for row in properties for name in row))
    table = pl.DataFrame(
        [[_text(row.get(name)) for name in names] for row in properties],
        schema=dict.fromkeys(names, pl.String),
        orient="row",
    )
    districts = map_table(table, source)
    require_columns(districts, source, ["district_name"])
    if "district_id" not in districts.columns:
        districts = districts.with_columns(district_id=slug("district_name"))
    geometry = [_text(feature.get("geometry")) for feature in features]
    return {"districts": districts.with_columns(geometry=pl.Series(geometry, dtype=pl.String))}


def slug(column: str) -> pl.Expr:
    """A name in lower case, every run of other signs than letters and digits one hyphen."""
    name = pl.col(column).str.normalize("NFC").str.to_lowercase()
    return name.str.replace_all(r"[^\p{L}\p{N}]+", "-").str.strip_chars("-")


def _features(payload: bytes, source: SourceVersion) -> Sequence[Mapping[str, Any]]:
    try:
        collection = json.loads(payload.decode("utf-8-sig"))
    except ValueError as error:
        raise SourceError(
            f"{described(source)} is no readable JSON.", "Ask who delivers the boundaries."
        ) from error
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or not all(isinstance(item, dict) for item in features):
        raise SourceError(
            f"{described(source)} is no GeoJSON FeatureCollection.",
            "Ask who delivers the boundaries for a FeatureCollection (RFC 7946).",
        )
    if not features:
        raise SourceError(f"{described(source)} has no features.", "Ask who delivers it.")
    system = json.dumps(collection.get("crs"))
    if system != "null" and not any(name in system for name in WGS_84_NAMES):
        raise SourceError(
            f"{described(source)} has the coordinate system {system}.",
            "Ask who delivers the boundaries for longitude and latitude in WGS 84 (RFC 7946).",
        )
    return features


def _text(value: object) -> str | None:
    """A JSON value as a cell of text: whole numbers without decimals, objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
