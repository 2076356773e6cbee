"""A street network for buses: a grid inside the city's districts, and radials to the suburbs.

Crossings of a grid of about 430 m (350-500 m between neighbours), where people live by the pattern
of `places`; every third street is an avenue that buses prefer; some blocks have no street between
them. Radials run straight from towns around the city to the grid, with a node every 350-500 m.
All of it is ours: no real street is meant. Nodes are where buses stop.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipelines.sample.facts import DISTRICTS
from pipelines.sample.places import district_of, settlement_weight, to_degrees, to_plane
from pipelines.sample.seeds import generator

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BLOCK_M, BLOCK_SHIFT_M = 430.0, 30.0
GRID_EAST, GRID_NORTH = (-36, 36), (-24, 40)
LEAST_SETTLEMENT = 0.03
MISSING_SHARE = 0.08
AVENUE_EVERY, AVENUE_COST = 3, 0.7
RADIAL_STEP_M = 430.0

# Towns around the city with which suburban routes connect it: roughly, from general knowledge.
TOWNS = (
    ("Каскелен", 43.205, 76.625),
    ("Шамалган", 43.375, 76.625),
    ("Иргели", 43.27, 76.70),
    ("Боралдай", 43.385, 76.845),
    ("Байсерке", 43.465, 77.035),
    ("Отеген Батыр", 43.42, 77.02),
    ("Бесагаш", 43.30, 77.065),
    ("Талгар", 43.303, 77.235),
)


@dataclass(frozen=True)
class Streets:
    """Nodes with their positions and names, and what it costs to drive between neighbours."""

    east_m: Floats
    north_m: Floats
    names: list[str]
    weights: Floats  # people around the node, relative; 0 on radials
    neighbours: list[list[tuple[int, float]]]
    town_nodes: list[int]  # the outer end of each radial, in order of TOWNS

    def metres(self, path: list[int]) -> Floats:
        """Length of each leg of a path."""
        east: Floats = np.diff(self.east_m[path])
        north: Floats = np.diff(self.north_m[path])
        legs: Floats = np.hypot(east, north)
        return legs.round(1)

    def shortest_path(self, source: int, target: int) -> list[int]:
        """Nodes of the cheapest way, both ends included; empty where there is none."""
        best = {source: 0.0}
        came_from: dict[int, int] = {}
        queue = [(0.0, source)]
        while queue:
            cost, node = heapq.heappop(queue)
            if node == target:
                return _trace(came_from, source, target)
            if cost > best[node]:
                continue
            for neighbour, step in self.neighbours[node]:
                through = cost + step
                if through < best.get(neighbour, np.inf):
                    best[neighbour] = through
                    came_from[neighbour] = node
                    heapq.heappush(queue, (through, neighbour))
        return []


def _trace(came_from: dict[int, int], source: int, target: int) -> list[int]:
    path = [target]
    while path[-1] != source:
        path.append(came_from[path[-1]])
    return path[::-1]


def _grid(rng: np.random.Generator) -> tuple[Floats, Floats, Integers, Integers]:
    """Positions of the grid's nodes in the settled city, and their column and row."""
    columns, rows = np.arange(*GRID_EAST), np.arange(*GRID_NORTH)
    column_m = np.round(
        columns * BLOCK_M + rng.uniform(-BLOCK_SHIFT_M, BLOCK_SHIFT_M, len(columns))
    )
    row_m = np.round(rows * BLOCK_M + rng.uniform(-BLOCK_SHIFT_M, BLOCK_SHIFT_M, len(rows)))
    row, column = (index.ravel() for index in np.indices((len(rows), len(columns))))
    latitude, longitude = to_degrees(column_m[column], row_m[row])
    is_settled = (district_of(latitude, longitude) >= 0) & (
        settlement_weight(latitude, longitude) > LEAST_SETTLEMENT
    )
    column, row = column[is_settled], row[is_settled]
    return column_m[column], row_m[row], column, row


def _grid_edges(
    rng: np.random.Generator, column: Integers, row: Integers
) -> list[tuple[int, int, float]]:
    """Pairs of neighbouring grid nodes with the cost of a metre between them."""
    at = {(c, r): n for n, (c, r) in enumerate(zip(column.tolist(), row.tolist(), strict=True))}
    edges = []
    for (c, r), node in at.items():
        for east, north in ((1, 0), (0, 1)):
            other = at.get((c + east, r + north))
            is_avenue = (r if east else c) % AVENUE_EVERY == 0
            lot = rng.random()
            if other is None or (lot < MISSING_SHARE and not is_avenue):
                continue
            edges.append((node, other, AVENUE_COST if is_avenue else 1.0 + round(lot, 6) / 4))
    return edges


def _grid_with_edges(
    rng: np.random.Generator,
) -> tuple[Floats, Floats, list[tuple[int, int, float]]]:
    east_m, north_m, column, row = _grid(rng)
    return east_m, north_m, _grid_edges(rng, column, row)


def _connected(
    east_m: Floats, north_m: Floats, edges: list[tuple[int, int, float]]
) -> tuple[Floats, Floats, list[tuple[int, int, float]]]:
    """The largest part of the grid in which every node can be reached from every other."""
    part = np.arange(len(east_m))
    ends = np.array([edge[:2] for edge in edges])
    while True:
        before = part.copy()
        lowest = np.minimum(part[ends[:, 0]], part[ends[:, 1]])
        np.minimum.at(part, ends[:, 0], lowest)
        np.minimum.at(part, ends[:, 1], lowest)
        if (part == before).all():
            break
    is_kept = part == np.bincount(part).argmax()
    number = np.cumsum(is_kept) - 1
    kept_edges = [(int(number[a]), int(number[b]), cost) for a, b, cost in edges if is_kept[a]]
    return east_m[is_kept], north_m[is_kept], kept_edges


@lru_cache(maxsize=2)
def build_streets(seed: int) -> Streets:
    """The network of a seed."""
    east_m, north_m, edges = _connected(*_grid_with_edges(generator(seed, "streets")))
    latitude, longitude = to_degrees(east_m, north_m)
    names = _grid_names(latitude, longitude)
    weights = settlement_weight(latitude, longitude)
    town_nodes = []
    all_east, all_north = [east_m], [north_m]
    for town, town_latitude, town_longitude in TOWNS:
        end_east, end_north = to_plane(np.array([town_latitude]), np.array([town_longitude]))
        distance_m = np.hypot(east_m - end_east, north_m - end_north)
        nearest = int(np.argmin(distance_m))
        steps = max(2, round(float(distance_m[nearest]) / RADIAL_STEP_M))
        share = np.arange(1, steps + 1) / steps
        all_east.append(np.round(east_m[nearest] + share * (end_east - east_m[nearest])))
        all_north.append(np.round(north_m[nearest] + share * (end_north - north_m[nearest])))
        chain = [nearest, *range(len(names), len(names) + steps)]
        edges += [(a, b, 1.0) for a, b in pairwise(chain)]
        names += [f"{town} {steps - number}" for number in range(steps)]
        town_nodes.append(chain[-1])
    every_east, every_north = np.concatenate(all_east), np.concatenate(all_north)
    on_radials = np.zeros(len(names) - len(weights))
    return Streets(
        every_east,
        every_north,
        names,
        np.concatenate([weights, on_radials]),
        _neighbours(edges, every_east, every_north),
        town_nodes,
    )


def _grid_names(latitude: Floats, longitude: Floats) -> list[str]:
    """District and a number within it."""
    counted: dict[int, int] = {}
    names = []
    for index in district_of(latitude, longitude).tolist():
        counted[index] = counted.get(index, 0) + 1
        names.append(f"{DISTRICTS[index].name_ru} {counted[index]}")
    return names


def _neighbours(
    edges: list[tuple[int, int, float]], east_m: Floats, north_m: Floats
) -> list[list[tuple[int, float]]]:
    lists: list[list[tuple[int, float]]] = [[] for _ in range(len(east_m))]
    for a, b, cost in edges:
        metres = float(np.hypot(east_m[a] - east_m[b], north_m[a] - north_m[b]))
        lists[a].append((b, round(cost * metres, 3)))
        lists[b].append((a, round(cost * metres, 3)))
    return lists
