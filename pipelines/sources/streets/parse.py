"""The streets of an OpenStreetMap extract (format ``pbf``) as a network to walk on.

The file is read once, in C++; what comes to Python are the points of its walkable ways. Memory is
needed for the places of all its nodes (16 bytes each) and for the walkable ways: a country is read
like a city.

Left out: areas that relations describe (their outlines are ways without tags of their own).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import osmium
import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.streets.network import Floats, Integers, build_network
from pipelines.sources.streets.walkable import WALKED_FEATURES, is_walkable
from pipelines.sources.table import described

# OpenStreetMap gives places in whole units of this part of a degree.
UNITS_PER_DEGREE = 10_000_000
MOST_DEGREES = 180


def parse_streets(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frames ``street_nodes`` and ``street_links`` (`pipelines.sources.streets.network`).

    SourceError where the file is no readable extract, keeps history, or has no street to walk on.
    """
    if source.format != "pbf":
        raise SourceError(
            f"{described(source)} has the format {source.format!r}, which is no street network.",
            "Name `pbf` as the format of this source in the city file.",
        )
    with _readable(source):
        points = _read_points(payload, source)
    network = build_network(*points)
    if network["street_links"].is_empty():
        raise SourceError(
            f"{described(source)} has no street to walk on: of its ways, those that are open to "
            f"people have {len(points[0]):,} points, and no two in a row have a place.",
            "Ask who delivers the extract for one with all highways, and with their nodes.",
        )
    return network


@contextmanager
def _readable(source: SourceVersion) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        why = str(error).strip().rstrip(".") or type(error).__name__
        raise SourceError(
            f"{described(source)} is no readable OpenStreetMap extract: {why}.",
            "Fetch it again, or ask who delivers the extract for a whole PBF file.",
        ) from error


def _read_points(
    payload: bytes, source: SourceVersion
) -> tuple[Integers, Integers, Floats, Floats]:
    """Of each point along all walkable ways: node id, number of the way, latitude, longitude."""
    extract = osmium.FileProcessor(
        osmium.io.FileBuffer(payload, "pbf"), osmium.osm.NODE | osmium.osm.WAY
    )
    if extract.header.has_multiple_object_versions:
        raise SourceError(
            f"{described(source)} keeps history: streets that are gone are in it too.",
            "Ask who delivers the extract for one of the present day.",
        )
    keys = ("highway", *(key for key, _ in WALKED_FEATURES))
    ways = (
        extract.with_locations("sparse_mem_array")
        .with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
        .with_filter(osmium.filter.KeyFilter(*keys))
    )
    refs, sizes, x, y = array("q"), array("q"), array("i"), array("i")
    for way in ways:
        if isinstance(way, osmium.osm.Way) and is_walkable(way.tags):
            nodes = list(way.nodes)
            sizes.append(len(nodes))
            refs.extend([node.ref for node in nodes])
            x.extend([node.x for node in nodes])
            y.extend([node.y for node in nodes])
    numbers = np.repeat(np.arange(len(sizes)), np.frombuffer(sizes, np.int64))
    return np.frombuffer(refs, np.int64), numbers, _degrees(y), _degrees(x)


def _degrees(units: array[int]) -> Floats:
    """Degrees; NaN for what is nowhere on the Earth, as a node that the extract lacks."""
    degrees = np.frombuffer(units, np.int32) / UNITS_PER_DEGREE
    return np.where(np.abs(degrees) <= MOST_DEGREES, degrees, np.nan)
