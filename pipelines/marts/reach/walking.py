"""Walks between places, along streets or, where a city has none, in straight lines made longer.

Along streets a place is linked to the nearest point of the nearest street within `SNAP_LIMIT_M`;
its walk goes straight to that point, then by the shortest way along streets, then straight to the
other place. A place is 0 m from itself. A straight line is the great-circle distance times
`DETOUR_FACTOR`. Streets are walked in both directions. All lengths are whole millimetres, so that
a walk is as long as the walk back, and as long in whatever order it is computed.

Streets that hang together with few others (a mapper's slip, a platform without a path to it) would
cut off the places beside them: a place is linked to a large part of the network where it can be,
and to a small one only where nothing else is near (`pipelines.marts.reach.streets`).

Left out: slopes, crossings and waiting at them, and walks across open ground between two places
that lie nearer to each other than to any street.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dataframely as dy
import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from pipelines.marts.reach.assumptions import DETOUR_FACTOR
from pipelines.marts.reach.catchment import EARTH_RADIUS_M, Booleans, Floats, arc_m, on_unit_sphere
from pipelines.marts.reach.streets import MILLIMETRES, Linked, Streets
from pipelines.staging.streets import StreetLinks, StreetNodes

# Walks of this many places are computed at a time, since neighbours share a part of the network; of
# fewer where the part is so large that a table of places by nodes would have more values than this.
# One after the other: scipy's shortest paths hold Python's lock, so that threads gain nothing.
PLACES_AT_ONCE = 128
MOST_VALUES = 10_000_000
WALKS = {"from_index": pl.UInt32, "to_index": pl.UInt32, "distance_m": pl.Float32}


@dataclass(frozen=True)
class Walkways:
    """Where people walk: `method` names it, for every figure that stands on it."""

    method: str
    streets: Streets | None = None

    @classmethod
    def of(
        cls, street_nodes: dy.DataFrame[StreetNodes], street_links: dy.DataFrame[StreetLinks]
    ) -> Walkways:
        """Walks along these streets; in straight lines where there are none."""
        if street_links.is_empty():
            return cls.straight()
        return cls("OpenStreetMap streets", Streets.of(street_nodes, street_links))

    @classmethod
    def straight(cls) -> Walkways:
        """Walks in straight lines times `DETOUR_FACTOR`."""
        return cls(f"straight line x {DETOUR_FACTOR}")

    def walks(self, origins: Floats, destinations: Floats, limit_m: float) -> pl.DataFrame:
        """One row per pair within the limit: from_index, to_index, distance_m, sorted.

        Places are (n, 2) arrays of latitude and longitude in degrees; indexes count their rows. A
        place without a street has no walk but to itself (`unlinked`).
        """
        if not len(origins) or not len(destinations):
            return pl.DataFrame(schema=WALKS)
        limit_mm = round(limit_m * MILLIMETRES)
        if self.streets is None:
            found = _straight_walks(origins, destinations, limit_mm)
        elif len(origins) <= len(destinations):
            found = _street_walks(self.streets, origins, destinations, limit_mm)
        else:
            back = _street_walks(self.streets, destinations, origins, limit_mm)
            found = back.rename({"from_index": "to_index", "to_index": "from_index"})
        shortest = found.group_by("from_index", "to_index").agg(pl.col("walk_mm").min())
        return shortest.sort("from_index", "to_index").select(
            pl.col("from_index", "to_index").cast(pl.UInt32),
            distance_m=(pl.col("walk_mm") / MILLIMETRES).cast(pl.Float32),
        )

    def unlinked(self, places: Floats) -> Booleans:
        """Which places no street passes within `SNAP_LIMIT_M`; none where walks are straight."""
        if self.streets is None:
            return np.zeros(len(places), dtype=np.bool_)
        return ~self.streets.link(places).is_linked

    def beyond(self, places: Floats) -> Booleans:
        """Which places lie outside the extent of the streets, their convex hull.

        An unlinked stop is an error of feed or network, but for one beyond: there the extract ends.
        """
        if self.streets is None:
            return np.zeros(len(places), dtype=np.bool_)
        return self.streets.beyond(places)


def _straight_walks(origins: Floats, destinations: Floats, limit_mm: int) -> pl.DataFrame:
    farthest = limit_mm / MILLIMETRES / DETOUR_FACTOR / EARTH_RADIUS_M
    # A little more than the chord of the limit: what is farther is left out by its millimetres.
    chord = 2 * np.sin(min(farthest, np.pi) / 2) * (1 + 1e-9)
    here, there = cKDTree(on_unit_sphere(origins)), cKDTree(on_unit_sphere(destinations))
    pairs = here.sparse_distance_matrix(there, chord, output_type="ndarray")
    walk_mm = np.rint(arc_m(pairs["v"]) * DETOUR_FACTOR * MILLIMETRES)
    found = _pairs(pairs["i"], pairs["j"], walk_mm)
    return found.filter(pl.col("walk_mm") <= limit_mm)


def _street_walks(
    streets: Streets, origins: Floats, destinations: Floats, limit_mm: int
) -> pl.DataFrame:
    """Pairs within the limit and their walks; a pair may come more than once."""
    here = streets.link(origins)
    there = here if destinations is origins else streets.link(destinations)
    found = [
        _along_one_street(here, there),
        _at_one_place(origins, destinations),
        *_along_streets(streets, here, there, limit_mm),
    ]
    return pl.concat(found).filter(pl.col("walk_mm") <= limit_mm)


def _along_one_street(here: Linked, there: Linked) -> pl.DataFrame:
    """Walks between places on one link, along it."""
    ours, theirs = here.on_links(), there.on_links()
    both = ours.join(theirs, on="link_index", suffix="_there")
    between = (pl.col("from_start_mm") - pl.col("from_start_mm_there")).abs()
    return both.select(
        from_index="place_index",
        to_index="place_index_there",
        walk_mm=pl.col("leg_mm") + between + pl.col("leg_mm_there"),
    )


def _at_one_place(origins: Floats, destinations: Floats) -> pl.DataFrame:
    """No walk at all, between a place and itself."""
    here, there = (
        pl.DataFrame({"latitude": places[:, 0], "longitude": places[:, 1]}).with_row_index("at")
        for places in (origins, destinations)
    )
    both = here.join(there, on=["latitude", "longitude"])
    at = both.select(pl.col("at", "at_right").cast(pl.Int64))
    return at.select(from_index="at", to_index="at_right", walk_mm=pl.lit(0, pl.Int64))


def _along_streets(
    streets: Streets, here: Linked, there: Linked, limit_mm: int
) -> Iterator[pl.DataFrame]:
    """Walks by way of the ends of links, of neighbouring origins at a time.

    Nobody gets farther along streets than in a straight line, so that a part of the network around
    the origins is enough for them.
    """
    order = streets.neighbours_together(here, limit_mm)
    waiting = [order[at : at + PLACES_AT_ONCE] for at in range(0, len(order), PLACES_AT_ONCE)]
    while waiting:
        origins = waiting.pop()
        part = streets.part_around(here, origins, limit_mm)
        destinations = part.within(there)
        if len(origins) > 1 and len(origins) * max(part.size, len(destinations)) > MOST_VALUES:
            waiting += np.array_split(origins, 2)
            continue
        to_ends_mm = part.shortest_mm(here, origins, limit_mm)
        start, end = (
            part.position[there.start[destinations]],
            part.position[there.end[destinations]],
        )
        by_start = to_ends_mm[:, start] + there.from_start_mm[destinations]
        by_end = to_ends_mm[:, end] + there.from_end_mm[destinations]
        walk_mm = np.minimum(by_start, by_end) + there.leg_mm[destinations]
        row, column = np.nonzero(walk_mm <= limit_mm)
        yield _pairs(origins[row], destinations[column], walk_mm[row, column])


def _pairs(from_index: np.ndarray, to_index: np.ndarray, walk_mm: np.ndarray) -> pl.DataFrame:
    columns = {"from_index": from_index, "to_index": to_index, "walk_mm": walk_mm}
    return pl.DataFrame({name: of.astype(np.int64) for name, of in columns.items()})
