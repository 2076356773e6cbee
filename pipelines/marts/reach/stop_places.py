"""Stops of one place: both sides of a street, the platforms of a station, the bays of a terminal.

Stops of one station (`parent_station`) are one place, and so are stops within 50 m of each other in
a straight line, stops between them included. Feeds and modes make no difference.

Left out: names (stops of one name may lie far apart, and one place may bear several).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pipelines.marts.reach.catchment import EARTH_RADIUS_M, on_unit_sphere
from pipelines.marts.reach.people import places
from pipelines.marts.service import FEED

# Ours: a wide avenue is 40 m from kerb to kerb. DG REGIO clusters "stops near to each other (both
# sides of a street, bus stations)"; how near, we have not found.
SAME_PLACE_M = 50.0


def place_numbers(stops: pl.DataFrame) -> pl.Series:
    """For each stop (latitude, longitude, parent_station) the number of its place, from 0."""
    if stops.is_empty():
        return pl.Series("place", [], dtype=pl.UInt32)
    chord = 2 * np.sin(SAME_PLACE_M / EARTH_RADIUS_M / 2)
    near = cKDTree(on_unit_sphere(places(stops))).query_pairs(chord, output_type="ndarray")
    numbered = stops.select(*FEED, "parent_station", number=pl.int_range(pl.len()))
    of_station = pl.col("number").min().over(*FEED, "parent_station")
    is_alone = pl.col("parent_station").is_null()
    first = numbered.select("number", first=pl.when(is_alone).then("number").otherwise(of_station))
    pairs = np.concatenate([near, first.to_numpy()])
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(stops.height,) * 2)
    _, labels = connected_components(links, directed=False)
    return pl.Series("place", labels, dtype=pl.UInt32)
