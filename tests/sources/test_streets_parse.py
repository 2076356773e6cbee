"""An extract of OpenStreetMap becomes a network of what people may walk on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import osmium
import polars as pl
import pytest
import shapely

from pipelines.errors import SourceError
from pipelines.sources.streets.parse import parse_streets
from pipelines.sources.streets.walkable import is_walkable
from pipelines.warehouse.extensions import CONFIG, load_extensions
from tests.toy_streets import MILLIDEGREE_M, extract, metres, staged_streets, street_source

STREET = {"highway": "residential"}


@pytest.mark.parametrize(
    ("tags", "walkable"),
    [
        ("highway=residential", True),
        ("highway=steps", True),
        ("highway=trunk", True),
        ("highway=trunk motorroad=yes", False),
        ("highway=trunk motorroad=yes foot=yes", True),
        ("highway=motorway foot=yes", False),
        ("highway=motorway_link", False),
        ("highway=residential foot=no", False),
        ("highway=primary foot=use_sidepath", False),
        ("highway=service access=private", False),
        ("highway=service access=private foot=yes", True),
        ("highway=service access=no foot=designated", True),
        ("highway=service access=customers", True),
        ("highway=service access=yes foot=private", False),
        ("highway=cycleway", False),
        ("highway=cycleway foot=designated", True),
        ("highway=construction construction=residential", False),
        ("highway=proposed foot=yes", False),
        ("highway=pedestrian area=yes", True),
        ("railway=platform", True),
        ("public_transport=platform access=no", False),
        ("man_made=pier", True),
        ("highway=raceway railway=platform", False),
        ("railway=rail", False),
        ("route=ferry foot=yes", False),
        ("", False),
    ],
)
def test_where_people_may_walk(tags: str, walkable: bool) -> None:
    assert is_walkable(dict(tag.split("=") for tag in tags.split())) == walkable


#       4             a main street 1-2-3 with a bend at 2, a lane 4-2-5 across it at 2,
#       |             and a path 3-6-7 that goes on where the street ends
#   1---2---3---6---7
#       |
#       5
CROSS = {
    1: (43.200, 76.900),
    2: (43.200, 76.901),
    3: (43.201, 76.902),
    4: (43.201, 76.901),
    5: (43.199, 76.901),
    6: (43.202, 76.902),
    7: (43.203, 76.902),
}


def test_streets_are_linked_where_they_share_a_node(tmp_path: Path) -> None:
    ways = [([1, 2, 3], STREET), ([4, 2, 5], STREET), ([3, 6, 7], {"highway": "path"})]
    nodes, links = staged_streets(extract(tmp_path, CROSS, ways))
    # Node 6 lies within the path: it is none of the network.
    places = nodes.select("latitude", "longitude").rows()
    assert places == [CROSS[number] for number in (1, 2, 3, 4, 5, 7)]
    assert links.select("from_index", "to_index").rows() == [(0, 1), (1, 2), (1, 3), (1, 4), (2, 5)]
    path = links.row(-1, named=True)
    assert path["length_m"] == pytest.approx(2 * MILLIDEGREE_M, abs=0.002)
    points = shapely.get_coordinates(shapely.from_wkb(path["geometry"])).tolist()
    assert points == [[76.902, 43.201], [76.902, 43.202], [76.902, 43.203]]


def test_the_order_of_ways_and_their_direction_make_no_difference(tmp_path: Path) -> None:
    ways = [([1, 2, 3], STREET), ([4, 2, 5], STREET), ([3, 6, 7], STREET)]
    turned = [(refs[::-1], tags) for refs, tags in ways[::-1]]
    one, other = (staged_streets(extract(tmp_path, CROSS, these)) for these in (ways, turned))
    assert one[0].equals(other[0])
    assert one[1].equals(other[1])


def test_what_two_ways_both_draw_is_one_link(tmp_path: Path) -> None:
    ways = [([1, 2, 3], STREET), ([3, 2], {"highway": "footway"})]
    _, links = staged_streets(extract(tmp_path, CROSS, ways))
    assert links.select("from_index", "to_index").rows() == [(0, 1), (1, 2)]


def test_loops_squares_and_streets_side_by_side(tmp_path: Path) -> None:
    ways = [
        ([2, 4, 3, 2], {"highway": "pedestrian", "area": "yes"}),  # its outline, joined at 2 alone
        ([5, 2], STREET),
        ([5, 1, 2], STREET),
    ]
    nodes, links = staged_streets(extract(tmp_path, CROSS, ways))
    assert nodes.select("latitude", "longitude").rows() == [CROSS[2], CROSS[5]]
    assert links.select("from_index", "to_index").rows() == [(0, 0), (0, 1), (0, 1)]
    around = metres(CROSS[2], CROSS[4]) + metres(CROSS[4], CROSS[3]) + metres(CROSS[3], CROSS[2])
    assert links.item(0, "length_m") == pytest.approx(around, abs=0.002)


def test_a_street_ends_where_the_extract_does(tmp_path: Path) -> None:
    held = {number: place for number, place in CROSS.items() if number != 6}
    ways = [([1, 1, 2, 2, 3, 6, 7], STREET), ([6, 7], STREET)]
    nodes, links = staged_streets(extract(tmp_path, held, ways))
    assert nodes.select("latitude", "longitude").rows() == [CROSS[1], CROSS[3]]
    assert links.select("from_index", "to_index").rows() == [(0, 1)]


def test_two_nodes_on_one_point_are_a_millimetre_apart(tmp_path: Path) -> None:
    places = {1: (43.2, 76.9), 2: (43.2, 76.9), 3: (43.201, 76.9)}
    _, links = staged_streets(extract(tmp_path, places, [([1, 2], STREET), ([2, 3], STREET)]))
    assert links.get_column("length_m").to_list() == pytest.approx([0.001, MILLIDEGREE_M], abs=1e-3)


def test_what_is_no_extract_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = extract(tmp_path, CROSS, [([1, 2], STREET)])
    for payload in (b"", b"latitude,longitude\n43.2,76.9\n" * 9, whole[:-1], whole[:40]):
        with pytest.raises(SourceError, match=r"no readable OpenStreetMap extract: .+"):
            parse_streets(payload, street_source())
    with pytest.raises(SourceError, match=r"format 'osm'.*no street network"):
        parse_streets(whole, street_source("streets.osm", "osm"))


def test_an_extract_without_streets_is_refused(tmp_path: Path) -> None:
    rails = extract(tmp_path, CROSS, [([1, 2], {"railway": "rail"})])
    with pytest.raises(SourceError, match=r"no street to walk on.* have 0 points"):
        parse_streets(rails, street_source())
    elsewhere = extract(tmp_path, {1: CROSS[1]}, [([1, 2, 3], STREET)])
    with pytest.raises(SourceError, match=r"no street to walk on.* have 3 points"):
        parse_streets(elsewhere, street_source())


def test_an_extract_with_history_is_refused(tmp_path: Path) -> None:
    header = osmium.io.Header()
    header.has_multiple_object_versions = True
    payload = extract(tmp_path, CROSS, [([1, 2], STREET)], header)
    with pytest.raises(SourceError, match="keeps history"):
        parse_streets(payload, street_source())


# The same network by another reader (DuckDB's) and in other words.
COUNTED_BY_SQL = """
WITH read AS (SELECT * FROM ST_ReadOSM('{path}')),
walked AS (
    SELECT id, refs, coalesce(tags['foot'], '') AS foot, coalesce(tags['access'], '') AS access,
        tags['highway'] AS highway,
        'platform' IN (tags['railway'], tags['public_transport']) OR tags['man_made'] = 'pier'
            AS is_platform
    FROM read
    WHERE kind = 'way' AND CASE
        WHEN highway IN ('cycleway', 'bridleway', 'busway', 'bus_guideway') THEN foot IN {open}
        WHEN regexp_matches(highway, '^(trunk|primary|secondary|tertiary)(_link)?$')
            OR highway IN ('footway', 'pedestrian', 'path', 'steps', 'corridor', 'platform',
                'crossing', 'living_street', 'residential', 'service', 'unclassified', 'road',
                'track')
            OR (highway IS NULL AND is_platform)
        THEN foot IN {open}
            OR (foot NOT IN ('no', 'private', 'use_sidepath', 'separate')
                AND access NOT IN ('no', 'private') AND coalesce(tags['motorroad'], '') <> 'yes')
        ELSE false END
),
points AS (
    SELECT walked.id AS way, walked.refs[nth_ref] AS node, nth_ref,
        row_number() OVER (PARTITION BY walked.id ORDER BY nth_ref) AS nth,
        count(*) OVER (PARTITION BY walked.id) AS size, read.lat, read.lon
    FROM walked, generate_series(1, len(walked.refs)) AS places (nth_ref)
    JOIN read ON read.kind = 'node' AND read.id = walked.refs[nth_ref]
),
breaks AS (
    SELECT node FROM points GROUP BY node HAVING count(*) > 1 OR bool_or(nth = 1 OR nth = size)
),
steps AS (
    SELECT ST_Distance_Sphere(ST_Point(lat, lon), ST_Point(next_lat, next_lon)) AS metres
    FROM (SELECT lat, lon, lead(lat) OVER along AS next_lat, lead(lon) OVER along AS next_lon
        FROM points WINDOW along AS (PARTITION BY way ORDER BY nth_ref))
    WHERE next_lat IS NOT NULL
),
-- Each link as its nodes; one that two ways both draw counts once.
lines AS (SELECT way, list(node ORDER BY nth) AS nodes FROM points GROUP BY way),
links AS (
    SELECT nodes[first:last] AS nodes
    FROM (SELECT way, nth AS first, lead(nth) OVER (PARTITION BY way ORDER BY nth) AS last
        FROM points SEMI JOIN breaks USING (node))
    JOIN lines USING (way)
    WHERE last IS NOT NULL
)
SELECT (SELECT count(*) FROM breaks),
    (SELECT count(DISTINCT least(nodes, list_reverse(nodes))) FROM links),
    (SELECT sum(metres) FROM steps)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "node_count", "link_count"),
    [
        ("access/r5r_poa/poa_osm.pbf", 19_146, 26_377),
        ("access/newport/newport-2023-06-13.osm.pbf", 13_629, 16_934),
    ],
)
def test_real_extracts(shared_data: Path, path: str, node_count: int, link_count: int) -> None:
    nodes, links = staged_streets((shared_data / path).read_bytes())
    assert (nodes.height, links.height) == (node_count, link_count)
    words = ("yes", "designated", "official", "permissive", "destination", "customers", "public")
    sql = COUNTED_BY_SQL.format(path=shared_data / path, open=words)
    with duckdb.connect(config=CONFIG) as connection:
        load_extensions(connection, ("spatial",))
        counted: tuple[Any, ...] | None = connection.sql(sql).fetchone()
    assert counted is not None
    assert counted[:2] == (node_count, link_count)
    assert counted[2] == pytest.approx(links.get_column("length_m").sum(), rel=1e-3)


@pytest.mark.slow
def test_almaty_of_2013_has_its_streets(shared_data: Path) -> None:
    _, links = staged_streets((shared_data / "almaty/osm/almaty_2013-12.osm.pbf").read_bytes())
    assert links.get_column("length_m").sum() == pytest.approx(2_936_000, rel=1e-3)
    assert links.select(pl.col("geometry").bin.size().min()).item() == 9 + 2 * 16
