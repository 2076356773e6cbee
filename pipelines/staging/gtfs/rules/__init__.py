"""Validation rules: one function each, in the module of what it speaks of.

Importing this package registers them all; `rule.registered` lists them.
"""

from pipelines.staging.gtfs.rules import (
    blocks,
    fares,
    flex,
    geojson,
    network,
    ranges,
    service,
    shape_matching,
    shapes,
    speed,
    stations,
    stop_times,
    texts,
    transfers,
    translations,
    trips,
)

__all__ = [
    "blocks",
    "fares",
    "flex",
    "geojson",
    "network",
    "ranges",
    "service",
    "shape_matching",
    "shapes",
    "speed",
    "stations",
    "stop_times",
    "texts",
    "transfers",
    "translations",
    "trips",
]
