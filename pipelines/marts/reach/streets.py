"""The network of streets as arrays: which point of it is nearest to a place, and how far ends are.

Nodes lie on the Mercator map of a sphere of radius 1. It is conformal: near a place all directions
are stretched alike (by 1 / cos latitude), so that the nearest street on the map is the nearest on
Earth. Lengths are not taken from the map: those of links are their own, those of the straight lines
to them great-circle distances, all in whole millimetres. Only the share of a link that lies before
a point of it is the map's: 3 cm off at most on a link of 1 km at 45 degrees of latitude.

Left out: streets across the 180th meridian, and within 5 degrees of the poles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from pipelines.marts.reach.assumptions import SNAP_LIMIT_M
from pipelines.marts.reach.catchment import (
    EARTH_RADIUS_M,
    Booleans,
    Floats,
    Integers,
    arc_m,
    on_unit_sphere,
)

MILLIMETRES = 1_000
# Streets that hang together are a large part of the network from this share of its length on. In
# extracts of Porto Alegre, Newport and Almaty the largest part has 97 % and more, the next 0.5 %.
LARGE_PART_SHARE = 0.01
MOST_LATITUDE = 85.0
NO_LINK = -1

Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Linked:
    """Where places are linked to the network; arrays of one value for each place.

    `link` is `NO_LINK` for one that is not; `start` and `end` are the nodes at the link's ends,
    `from_start_mm` and `from_end_mm` the ways along it, `leg_mm` the straight line to it.
    """

    xy: Floats
    link: Integers
    start: Integers
    end: Integers
    from_start_mm: Integers
    from_end_mm: Integers
    leg_mm: Integers

    @property
    def is_linked(self) -> Booleans:
        """Which of the places have a link."""
        return np.asarray(self.link != NO_LINK)

    def on_links(self) -> pl.DataFrame:
        """One row per linked place: place_index, link_index, from_start_mm, leg_mm."""
        at = np.flatnonzero(self.is_linked)
        return pl.DataFrame(
            {
                "place_index": at,
                "link_index": self.link[at],
                "from_start_mm": self.from_start_mm[at],
                "leg_mm": self.leg_mm[at],
            }
        )


@dataclass(frozen=True)
class Part:
    """A part of the network: the nodes of a rectangle on the map, and the steps between them.

    `position` is each node's place in the part; nodes of the network that are not of the part share
    the last one, which no step leads to.
    """

    least: Floats
    most: Floats
    position: Integers
    size: int
    start: Integers
    end: Integers
    length_mm: Integers

    def within(self, places: Linked) -> Integers:
        """Linked places that lie in the rectangle."""
        inside = (places.xy >= self.least) & (places.xy <= self.most)
        return np.flatnonzero(inside.all(axis=1) & places.is_linked)

    def shortest_mm(self, places: Linked, chosen: Integers, limit_mm: int) -> Floats:
        """Walks from each chosen place (rows) to each position; infinite beyond the limit."""
        own = self.size + np.arange(len(chosen))  # each place is a node that can only be left
        start, end = self.position[places.start[chosen]], self.position[places.end[chosen]]
        leg = places.leg_mm[chosen]
        to_start, to_end = places.from_start_mm[chosen] + leg, places.from_end_mm[chosen] + leg
        is_loop = start == end
        nearer = np.minimum(to_start, to_end)
        length = (self.length_mm, np.where(is_loop, nearer, to_start), to_end[~is_loop])
        row = np.concatenate((self.start, own, own[~is_loop]))
        column = np.concatenate((self.end, start, end[~is_loop]))
        size = self.size + len(chosen)
        # Steps of 0 mm stay in a sparse array that is made of them.
        graph = csr_array((np.concatenate(length).astype(float), (row, column)), shape=(size, size))
        found = dijkstra(graph, directed=True, indices=own, limit=limit_mm)
        return np.asarray(found[:, : self.size])


@dataclass(frozen=True)
class Streets:
    """The whole network: nodes on the map, links, and the shortest steps from node to node."""

    xy: Floats
    start: Integers
    end: Integers
    length_mm: Integers
    lines: Geometries
    steps: tuple[Integers, Integers, Integers]  # from, to, millimetres; each pair once
    trees: tuple[tuple[shapely.STRtree, Integers], ...]  # large parts first: lines, and which

    @classmethod
    def of(cls, street_nodes: pl.DataFrame, street_links: pl.DataFrame) -> Streets:
        """The network of frames under contract; several sources lie side by side."""
        version = ("source_id", "version_id")
        nodes = street_nodes.sort(*version, "node_index").with_row_index("position")
        links = street_links.sort(*version, "link_index")
        start, end = (
            links.join(
                nodes,
                left_on=[*version, column],
                right_on=[*version, "node_index"],
                how="left",
                maintain_order="left",
            )
            .get_column("position")
            .to_numpy()
            .astype(np.int64)
            for column in ("from_index", "to_index")
        )
        xy = _mercator(nodes.select("longitude", "latitude").to_numpy())
        length = np.rint(links.get_column("length_m").to_numpy() * MILLIMETRES).astype(np.int64)
        lines = shapely.transform(
            shapely.from_wkb(links.get_column("geometry").to_numpy()), _mercator
        )
        is_large = _in_large_part(start, end, length, len(xy))
        trees = tuple(
            (shapely.STRtree(lines[which]), which)
            for which in (np.flatnonzero(is_large), np.flatnonzero(~is_large))
            if len(which)
        )
        steps = _shortest_steps(start, end, length)
        return cls(xy, start, end, length, lines, steps, trees)

    def link(self, places: Floats) -> Linked:
        """The nearest point of the nearest link for each place (latitude, longitude in degrees)."""
        xy = _mercator(places[:, ::-1])
        points = np.asarray(shapely.points(xy))
        link = np.full(len(places), NO_LINK)
        share = np.zeros(len(places))
        leg_mm = np.zeros(len(places), dtype=np.int64)
        for tree, which in self.trees:
            left = np.flatnonzero(link == NO_LINK)
            if not len(left):
                break
            nearest = _nearest(tree, points[left], places[left])
            left, nearest = left[nearest != NO_LINK], which[nearest[nearest != NO_LINK]]
            along = shapely.line_locate_point(self.lines[nearest], points[left], normalized=True)
            foot = shapely.line_interpolate_point(self.lines[nearest], along, normalized=True)
            metres = _straight_m(places[left], _degrees(shapely.get_coordinates(foot)))
            is_near = metres <= SNAP_LIMIT_M
            near = left[is_near]
            link[near], share[near] = nearest[is_near], along[is_near]
            leg_mm[near] = np.rint(metres[is_near] * MILLIMETRES)
        length = self.length_mm[link]
        from_start = np.rint(share * length).astype(np.int64)
        return Linked(
            xy, link, self.start[link], self.end[link], from_start, length - from_start, leg_mm
        )

    def beyond(self, places: Floats) -> Booleans:
        """Which places lie outside the convex hull of the network."""
        hull = shapely.convex_hull(shapely.multipoints(self.xy))
        points = shapely.points(_mercator(places[:, ::-1]))
        return np.asarray(~shapely.intersects(hull, points), dtype=np.bool_)

    def neighbours_together(self, places: Linked, limit_mm: int) -> Integers:
        """The linked places, band after band as wide as the limit, each from west to east."""
        linked = np.flatnonzero(places.is_linked)
        x, y = places.xy[linked].T
        band = np.floor(y / _on_map(limit_mm, y.max(initial=0))) if len(linked) else y
        return linked[np.lexsort((x, band))]

    def part_around(self, places: Linked, chosen: Integers, limit_mm: int) -> Part:
        """The part that nobody leaves who walks from the chosen places no farther than the limit.

        The ends of their own links are in it, however far.
        """
        around = places.xy[chosen]
        margin = _on_map(limit_mm, np.abs(around[:, 1]).max())
        least, most = around.min(axis=0) - margin, around.max(axis=0) + margin
        is_in = ((self.xy >= least) & (self.xy <= most)).all(axis=1)
        is_in[places.start[chosen]] = is_in[places.end[chosen]] = True
        nodes = np.flatnonzero(is_in)
        position = np.full(len(self.xy), len(nodes))
        position[nodes] = np.arange(len(nodes))
        start, end, length_mm = self.steps
        is_part = is_in[start] & is_in[end]
        steps = (position[start[is_part]], position[end[is_part]], length_mm[is_part])
        return Part(least, most, position, len(nodes) + 1, *steps)


def _nearest(tree: shapely.STRtree, points: Geometries, places: Floats) -> Integers:
    """Position in the tree of the line nearest to each point within the limit, or `NO_LINK`.

    Of lines equally near it is the first.
    """
    radius = float(np.max(_stretch(np.radians(places[:, 0])))) * SNAP_LIMIT_M / EARTH_RADIUS_M
    point, line = tree.query_nearest(points, max_distance=radius * 1.01)
    found = np.full(len(points), len(tree))
    np.minimum.at(found, point, line)
    return np.where(found == len(tree), NO_LINK, found)


def _in_large_part(start: Integers, end: Integers, length_mm: Integers, count: int) -> Booleans:
    """Which links hang together with at least `LARGE_PART_SHARE` of all streets."""
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(count, count))
    _, part = connected_components(graph, directed=False)
    lengths = np.bincount(part[start], weights=length_mm)
    return np.asarray(lengths[part[start]] >= LARGE_PART_SHARE * lengths.sum(), dtype=np.bool_)


def _shortest_steps(
    start: Integers, end: Integers, length_mm: Integers
) -> tuple[Integers, Integers, Integers]:
    """Both directions of all links, the shortest of those that join the same two nodes."""
    there, back = np.concatenate((start, end)), np.concatenate((end, start))
    length = np.concatenate((length_mm, length_mm))
    order = np.lexsort((length, back, there))
    there, back, length = there[order], back[order], length[order]
    is_first = np.append(True, (there[1:] != there[:-1]) | (back[1:] != back[:-1]))
    return there[is_first], back[is_first], length[is_first]


def _straight_m(one: Floats, other: Floats) -> Floats:
    return arc_m(np.linalg.norm(on_unit_sphere(one) - on_unit_sphere(other), axis=1))


def _mercator(degrees: Floats) -> Floats:
    """Longitude and latitude in degrees to the map of a sphere of radius 1."""
    longitude, latitude = np.radians(degrees).T
    limit = np.radians(MOST_LATITUDE)
    return np.column_stack((longitude, np.arcsinh(np.tan(np.clip(latitude, -limit, limit)))))


def _degrees(xy: Floats) -> Floats:
    """Latitude and longitude in degrees of points on the map."""
    return np.asarray(np.degrees(np.column_stack((np.arctan(np.sinh(xy[:, 1])), xy[:, 0]))))


def _stretch(latitude: Floats) -> Floats:
    """How much longer a short line is on the map than on the sphere; latitude in radians."""
    return 1 / np.cos(np.minimum(np.abs(latitude), np.radians(MOST_LATITUDE)))


def _on_map(distance_mm: int, y: float) -> float:
    """Longest that a distance from y can be on the map, and a metre for what was rounded."""
    distance = (distance_mm / MILLIMETRES + 1) / EARTH_RADIUS_M
    return float(distance * np.cosh(abs(y) + 2 * distance * np.cosh(y)))
