"""Ways as sequences of nodes become a network: nodes where streets end or meet, and links between.

A node of the network is an end of a way or a place that ways share (or that one way passes twice).
What lies between two of them is one link: its length is the sum of the great-circle distances from
point to point, its geometry the line through them. Where a way leaves the extract it ends.

Left out: crossings of ways that share no point (bridges, tunnels), as in the source.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from pipelines.staging.gtfs.rules.sphere import great_circle_m

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

MILLIMETRES = 1_000
NODES_SCHEMA = {"node_index": pl.Int32, "latitude": pl.Float64, "longitude": pl.Float64}
LINKS_SCHEMA = {
    "link_index": pl.Int32,
    "from_index": pl.Int32,
    "to_index": pl.Int32,
    "length_m": pl.Float64,
    "geometry": pl.Binary,
}


def build_network(
    refs: Integers, ways: Integers, latitude: Floats, longitude: Floats
) -> dict[str, pl.DataFrame]:
    """The frames ``street_nodes`` and ``street_links``, the same for any order of the ways.

    One value for each point along all ways, one way after the other: the id of its node, the number
    of its way, and its place in degrees, which is NaN where the node lies outside the extract.
    Nodes are numbered in the order of their ids, links run from the lower number to the higher.
    """
    kept, run = _runs(refs, ways, is_known=np.isfinite(latitude) & np.isfinite(longitude))
    if not len(kept):
        return {
            "street_nodes": pl.DataFrame(schema=NODES_SCHEMA),
            "street_links": pl.DataFrame(schema=LINKS_SCHEMA),
        }
    points = np.column_stack((latitude, longitude))[kept]
    _, first, at = np.unique(refs[kept], return_index=True, return_inverse=True)
    is_last = np.append(run[1:] != run[:-1], True)
    is_first = np.roll(is_last, 1)
    breaks = np.flatnonzero(is_first | is_last | (np.bincount(at)[at] > 1))
    length_mm = np.add.reduceat(np.where(is_last, 0, _steps_mm(points)), breaks)
    is_link = ~is_last[breaks]  # from this break to the next
    start, end = breaks[is_link], breaks[np.flatnonzero(is_link) + 1]
    nodes = np.unique(at[breaks])
    ends = np.searchsorted(nodes, np.stack((at[start], at[end])))
    links = pl.DataFrame(
        {
            "from_index": ends.min(axis=0),
            "to_index": ends.max(axis=0),
            # Two nodes may lie on one point; a link without length would be none.
            "length_m": np.maximum(length_mm[is_link], 1) / MILLIMETRES,
            "geometry": _lines(points[:, ::-1], start, end, is_turned=ends[0] > ends[1]),
        }
    )
    order = ("from_index", "to_index", "length_m", "geometry")
    numbered = links.unique(order).sort(order).with_row_index("link_index")
    places = points[first[nodes]]
    return {
        "street_nodes": pl.DataFrame(
            {
                "node_index": np.arange(len(nodes)),
                "latitude": places[:, 0],
                "longitude": places[:, 1],
            },
            schema=NODES_SCHEMA,
        ),
        "street_links": numbered.cast(LINKS_SCHEMA),  # type: ignore[arg-type]  # a mapping
    }


def _runs(refs: Integers, ways: Integers, *, is_known: Booleans) -> tuple[Integers, Integers]:
    """Positions of the points of unbroken pieces of ways, and the piece that each is of.

    A piece has two points or more, and no point twice in a row.
    """
    is_new = np.append(True, (ways[1:] != ways[:-1]) | ~is_known[:-1])[: len(refs)]
    kept, run = np.flatnonzero(is_known), np.cumsum(is_new)[is_known]
    is_repeated = (refs[kept][1:] == refs[kept][:-1]) & (run[1:] == run[:-1])
    is_first = np.append(True, ~is_repeated)[: len(kept)]
    kept, run = kept[is_first], run[is_first]
    is_piece = np.bincount(run)[run] > 1
    return kept[is_piece], run[is_piece]


def _steps_mm(points: Floats) -> Integers:
    """Whole millimetres from each point to the next; 0 from the last."""
    places = pl.DataFrame({"lat": points[:, 0], "lon": points[:, 1]})
    lat, lon = pl.col("lat"), pl.col("lon")
    metres = great_circle_m(lat, lon, lat.shift(-1), lon.shift(-1))
    return (
        places.select((metres * MILLIMETRES).round().fill_null(0))
        .to_series()
        .to_numpy()
        .astype(np.int64)
    )


def _lines(points: Floats, start: Integers, end: Integers, *, is_turned: Booleans) -> pl.Series:
    """Lines (WKB) through the points (x, y) from `start` to `end`, or back where turned."""
    count = end - start + 1
    link = np.repeat(np.arange(len(start)), count)
    step = np.arange(len(link)) - np.repeat(np.cumsum(count) - count, count)
    position = np.where(is_turned[link], end[link] - step, start[link] + step)
    lines = shapely.linestrings(points[position], indices=link)
    return pl.Series(shapely.to_wkb(lines), dtype=pl.Binary)
