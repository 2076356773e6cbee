"""Streets small enough to check by eye: as an extract of OpenStreetMap, and as staged frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import osmium
import polars as pl
import shapely

from pipelines.night import SourceVersion
from pipelines.sources.streets.parse import parse_streets
from pipelines.staging.streets import (
    StreetLinks,
    StreetNodes,
    stage_street_links,
    stage_street_nodes,
)

Place = tuple[float, float]  # latitude, longitude
Frames = tuple[pl.DataFrame, pl.DataFrame]

# 0.001 degrees along a meridian, on a sphere of 6,371,008.8 m.
MILLIDEGREE_M = 111.195


def street_source(name: str = "streets.osm.pbf", file_format: str = "pbf") -> SourceVersion:
    return SourceVersion("streets", "s1", name, file_format)


def metres(one: Place, other: Place) -> float:
    """Great-circle distance by the textbook formula."""
    (lat, lon), (other_lat, other_lon) = (map(math.radians, place) for place in (one, other))
    bend = math.sin((other_lat - lat) / 2) ** 2
    bend += math.cos(lat) * math.cos(other_lat) * math.sin((other_lon - lon) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(bend))


def extract(
    folder: Path,
    nodes: Mapping[int, Place],
    ways: Sequence[tuple[Sequence[int], Mapping[str, str]]],
    header: osmium.io.Header | None = None,
) -> bytes:
    """An extract (PBF) of nodes by id, and of ways by their nodes and tags, numbered from 1."""
    keeps_history = header is not None and header.has_multiple_object_versions
    path = folder / f"streets.{'osh' if keeps_history else 'osm'}.pbf"
    with osmium.SimpleWriter(str(path), header=header, overwrite=True) as writer:
        for number, (latitude, longitude) in sorted(nodes.items()):
            place = (longitude, latitude)
            writer.add_node(osmium.osm.mutable.Node(id=number, version=1, location=place))
        for number, (refs, tags) in enumerate(ways, start=1):
            way = osmium.osm.mutable.Way(id=number, version=1, nodes=list(refs), tags=dict(tags))
            writer.add_way(way)
    return path.read_bytes()


def staged_streets(payload: bytes) -> Frames:
    """Nodes and links of an extract under contract."""
    source = street_source()
    raw = parse_streets(payload, source)
    nodes, links = stage_street_nodes(raw, source), stage_street_links(raw, source)
    if nodes.refused or links.refused:
        raise AssertionError("the parser's rows break the contract")
    return nodes.rows, links.rows


def network(
    nodes: Sequence[Place], links: Sequence[tuple[int, int, *tuple[Place, ...]]], source: str = "s"
) -> Frames:
    """Staged frames of nodes, and of links by their two ends and what they pass on the way."""
    rows = []
    for number, (one, other, *via) in enumerate(links):
        line = [nodes[one], *via, nodes[other]]
        steps = [round(metres(*pair) * 1000) for pair in pairwise(line)]
        if one > other:
            one, other, line = other, one, line[::-1]  # noqa: PLW2901  # from the lower number
        shape = shapely.LineString([(lon, lat) for lat, lon in line])
        length = max(sum(steps), 1) / 1000
        rows.append((source, "v", number, one, other, length, shapely.to_wkb(shape)))
    places = [(source, "v", number, *place) for number, place in enumerate(nodes)]
    return (
        StreetNodes.validate(_frame(places, StreetNodes.create_empty())),
        StreetLinks.validate(_frame(rows, StreetLinks.create_empty())),
    )


def _frame(rows: Sequence[tuple[object, ...]], like: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=like.schema, orient="row")
