"""Walks along toy streets by hand, along random ones by brute force, and along real ones."""

from __future__ import annotations

import heapq
import io
import math
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.reach import walking
from pipelines.marts.reach.assumptions import ACCESS_LIMIT_M, DETOUR_FACTOR, SNAP_LIMIT_M
from pipelines.marts.reach.streets import LARGE_PART_SHARE
from pipelines.marts.reach.walking import Walkways
from tests.toy_streets import MILLIDEGREE_M, Frames, metres, network, staged_streets

Floats = npt.NDArray[np.float64]
Walks = dict[tuple[int, int], float]

WEST, LAT = 76.900, 43.200
# 0.001 degrees of longitude at that latitude.
EAST_M = MILLIDEGREE_M * math.cos(math.radians(LAT))


def at(north: float, east: float) -> tuple[float, float]:
    """A place so many thousandths of a degree north and east of the toy's origin."""
    return LAT + north / 1_000, WEST + east / 1_000


def places(*where: tuple[float, float]) -> Floats:
    return np.array([at(*one) for one in where]).reshape(-1, 2)


def walked(walkways: Walkways, here: Floats, there: Floats, limit_m: float = 5_000) -> Walks:
    rows = walkways.walks(here, there, limit_m).iter_rows()
    return {(one, other): distance_m for one, other, distance_m in rows}


#   2 ------- 3
#   |         |      a square of 4 x 4 thousandths, node 0 in the south-west, and a street 3-4 east
#   0 ------- 1
SQUARE = network(
    [at(0, 0), at(0, 4), at(4, 0), at(4, 4), at(4, 9)],
    [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)],
)
NORTH_M = MILLIDEGREE_M


def test_a_walk_goes_to_the_street_along_it_and_to_the_place() -> None:
    # From 1 east of node 0 and 1 south of the street, to 1 west of the street 0-2, 2 up.
    here, there = places((-1, 1)), places((2, -1))
    expected = NORTH_M + EAST_M + 2 * NORTH_M + EAST_M
    assert walked(Walkways.of(*SQUARE), here, there) == {(0, 0): pytest.approx(expected, abs=0.05)}


def test_the_shorter_way_round_is_taken() -> None:
    # On 0-2, 1 up; on 1-3, 3 up (north is 1.37 times as long as east).
    walks = walked(Walkways.of(*SQUARE), places((1, 0), (2.5, 0)), places((3, 4), (1.0, 4)))
    by_south, by_north = (lambda up: up * NORTH_M + 4 * EAST_M), 8 * NORTH_M + 4 * EAST_M
    expected = {
        (0, 0): by_south(1 + 3),
        (0, 1): by_south(1 + 1),
        (1, 0): by_north - 5.5 * NORTH_M,
        (1, 1): by_south(2.5 + 1),
    }
    assert walks == {pair: pytest.approx(length, abs=0.05) for pair, length in expected.items()}


def test_places_on_one_street_walk_along_it() -> None:
    walks = walked(Walkways.of(*SQUARE), places((0.5, 1), (0, 3)), places((-0.5, 2), (0, 3)))
    assert walks == {
        (0, 0): pytest.approx(EAST_M + NORTH_M, abs=0.05),
        (0, 1): pytest.approx(2 * EAST_M + 0.5 * NORTH_M, abs=0.05),
        (1, 0): pytest.approx(EAST_M + 0.5 * NORTH_M, abs=0.05),
        (1, 1): 0,
    }


def test_along_a_long_bend_it_may_be_shorter_to_leave_the_street() -> None:
    # 0-1 goes far round by the north, and another street joins its ends directly.
    bent = network([at(0, 0), at(0, 4)], [(0, 1, at(4, 0), at(4, 4)), (1, 0)])
    walks = walked(Walkways.of(*bent), places((1, 0)), places((1, 4)))
    assert walks[0, 0] == pytest.approx(2 * NORTH_M + 4 * EAST_M, abs=0.05)


def test_a_loop_is_walked_both_ways() -> None:
    loop = network([at(0, 0), at(0, -9)], [(0, 0, at(0, 4), at(4, 4), at(4, 0)), (0, 1)])
    walks = walked(Walkways.of(*loop), places((0, -1)), places((0, 3), (3, 0)))
    assert walks == {
        (0, 0): pytest.approx(4 * EAST_M, abs=0.05),
        (0, 1): pytest.approx(EAST_M + 3 * NORTH_M, abs=0.05),
    }


def test_places_on_nodes_and_at_each_other() -> None:
    corners = places((0, 0), (4, 4), (4, 4))
    walks = walked(Walkways.of(*SQUARE), corners, corners)
    across = pytest.approx(4 * (NORTH_M + EAST_M), abs=0.1)
    assert [walks[0, 1], walks[0, 2], walks[1, 0], walks[2, 0]] == [across] * 4
    assert walks[1, 2] == walks[2, 1] == walks[0, 0] == walks[1, 1] == 0


def test_the_limit_is_included() -> None:
    walkways, ends = Walkways.of(*SQUARE), places((0, 0), (4, 0))
    length = SQUARE[1].item(1, "length_m")
    assert walked(walkways, ends[:1], ends[1:], length) == {(0, 0): pytest.approx(length)}
    assert walked(walkways, ends[:1], ends[1:], length - 0.001) == {}


def test_who_has_no_street_near_is_told_and_has_no_walks() -> None:
    walkways = Walkways.of(*SQUARE)
    # Within the square all is near; 4 thousandths south are 445 m, 5 are 556 m.
    far = places((2, 2), (-4, 1), (-5, 1), (9, 9))
    assert walkways.unlinked(far).tolist() == [False, False, True, True]
    assert walkways.beyond(far).tolist() == [False, True, True, True]
    walks = walked(walkways, far, far)
    assert {pair for pair in walks if not {2, 3}.isdisjoint(pair)} == {(2, 2), (3, 3)}


def test_a_scrap_of_street_holds_nobody_who_can_reach_others() -> None:
    # A path of 11 m lies nearer to the first place than the street; the second has only the path.
    street, scrap = (0, 1), (2, 3)
    nodes = [at(0, 0), at(0, 100), at(2, 0), at(2.1, 0)]
    walkways = Walkways.of(*network(nodes, [street, scrap]))
    near, only = places((1.5, 0)), places((6, 0))
    assert walked(walkways, near, places((0, 1))) == {
        (0, 0): pytest.approx(1.5 * NORTH_M + EAST_M, abs=0.05)
    }
    assert not walkways.unlinked(only).any()
    assert walked(walkways, only, near) == {}


def test_two_networks_of_two_sources_are_kept_apart() -> None:
    other = network([at(20, 0), at(20, 4)], [(0, 1)], source="t")
    walkways = Walkways.of(*(pl.concat(frames) for frames in zip(other, SQUARE, strict=True)))
    ends = places((20, 0), (20, 4), (0, 0))
    walks = walked(walkways, ends[:1], ends)
    assert walks == {(0, 0): 0, (0, 1): pytest.approx(metres(at(20, 0), at(20, 4)), abs=0.01)}


def test_nobody_walks_to_nowhere() -> None:
    for walkways in (Walkways.of(*SQUARE), Walkways.straight()):
        for here, there in ((places(), places((0, 0))), (places((0, 0)), places())):
            walks = walkways.walks(here, there, 1_000)
            assert walks.is_empty()
            assert walks.schema == {
                "from_index": pl.UInt32,
                "to_index": pl.UInt32,
                "distance_m": pl.Float32,
            }


def test_the_method_is_named() -> None:
    assert Walkways.of(*SQUARE).method == "OpenStreetMap streets"
    nothing = Walkways.of(*(frame.clear() for frame in SQUARE))
    assert nothing.method == Walkways.straight().method == "straight line x 1.3"
    assert nothing.unlinked(places((0, 0))).tolist() == nothing.beyond(places((0, 0))).tolist()


@pytest.mark.slow
@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), limit_m=st.sampled_from([0.0, 300.0, 2_400.0, 50_000.0]))
def test_straight_walks_equal_brute_force(seed: int, limit_m: float) -> None:
    chance = np.random.default_rng(seed)
    middle = np.array([60.0, 179.99])
    here = middle + chance.uniform(-0.02, 0.02, (chance.integers(1, 20), 2))
    there = np.concatenate((middle + chance.uniform(-0.02, 0.02, (9, 2)), here[:1]))
    expected = {
        (one, other): length
        for one, place in enumerate(here)
        for other, goal in enumerate(there)
        if (length := DETOUR_FACTOR * metres(tuple(place), tuple(goal))) <= limit_m
    }
    found = walked(Walkways.straight(), here, there, limit_m)
    assert found == {pair: pytest.approx(length, abs=0.002) for pair, length in expected.items()}


class Plain:
    """Streets in plain Python: the nearest link by a look at all, the shortest way by a heap."""

    def __init__(self, nodes: pl.DataFrame, links: pl.DataFrame) -> None:
        self.links = []
        self.steps: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for one, other, length, shape in links.select(
            "from_index", "to_index", "length_m", "geometry"
        ).iter_rows():
            line = [(y, x) for x, y in shapely.get_coordinates(shapely.from_wkb(shape)).tolist()]
            self.links.append((one, other, length, line))
            self.steps[one].append((other, length))
            self.steps[other].append((one, length))
        self.boxes = [
            (*map(min, zip(*line, strict=True)), *map(max, zip(*line, strict=True)))
            for *_, line in self.links
        ]
        part = self._parts(nodes.height)
        lengths: dict[int, float] = defaultdict(float)
        for one, _, length, _ in self.links:
            lengths[part[one]] += length
        least = LARGE_PART_SHARE * sum(lengths.values())
        self.is_large = [lengths[part[one]] >= least for one, *_ in self.links]

    def _parts(self, count: int) -> list[int]:
        """A number for each node, the same for all that hang together."""
        part = [-1] * count
        for first in range(count):
            waiting = [first] if part[first] < 0 else []
            while waiting:
                node = waiting.pop()
                if part[node] < 0:
                    part[node] = first
                    waiting += [other for other, _ in self.steps[node]]
        return part

    def link(self, place: tuple[float, float]) -> tuple[int, float, float] | None:
        """The link's number, how far along it, and the straight line to it."""
        lat, lon = place
        found = [
            (*_nearest_on(self.links[number][3], place), number)
            for number, (south, west, north, east) in enumerate(self.boxes)
            # 500 m are 0.0045 degrees of latitude, and less than 0.009 of longitude up to 60 north.
            if south - 0.005 < lat < north + 0.005 and west - 0.01 < lon < east + 0.01
        ]
        for wanted in (True, False):
            near = [
                (leg, number, share)
                for leg, share, number in found
                if leg <= SNAP_LIMIT_M and self.is_large[number] == wanted
            ]
            if near:
                leg, number, share = min(near)
                return number, share * self.links[number][2], leg
        return None

    def walks(self, here: Floats, there: Floats, limit_m: float) -> Walks:
        goals = [(number, self.link(tuple(goal))) for number, goal in enumerate(there)]
        walks: Walks = {}
        for origin, place in enumerate(here):
            for other in np.flatnonzero((there == place).all(axis=1)):
                walks[origin, int(other)] = 0.0
            found = self.link(tuple(place))
            if found is None:
                continue
            number, along, leg = found
            one, other, length, _ = self.links[number]
            reached = self._reach([(along, one), (length - along, other)], limit_m)
            for goal, linked in goals:
                if linked is None or (origin, goal) in walks:
                    continue
                its_number, its_along, its_leg = linked
                start, end, its_length, _ = self.links[its_number]
                ways = [
                    reached.get(start, math.inf) + its_along,
                    reached.get(end, math.inf) + its_length - its_along,
                ]
                if its_number == number:
                    ways.append(abs(along - its_along))
                if leg + min(ways) + its_leg <= limit_m:
                    walks[origin, goal] = leg + min(ways) + its_leg
        return walks

    def _reach(self, waiting: list[tuple[float, int]], limit_m: float) -> dict[int, float]:
        heapq.heapify(waiting)
        reached: dict[int, float] = {}
        while waiting:
            length, node = heapq.heappop(waiting)
            if node in reached or length > limit_m:
                continue
            reached[node] = length
            for other, step in self.steps[node]:
                heapq.heappush(waiting, (length + step, other))
        return reached


def _nearest_on(line: list[tuple[float, float]], place: tuple[float, float]) -> tuple[float, float]:
    """Distance of a place to a line, and the share of the line that lies before that point."""
    # A flat Earth around the place: exact to a part in a million at half a kilometre.
    stretch = math.cos(math.radians(place[0]))
    flat = [
        ((lon - place[1]) * 1e3 * MILLIDEGREE_M * stretch, (lat - place[0]) * 1e3 * MILLIDEGREE_M)
        for lat, lon in line
    ]
    best, before, total = (math.inf, 0.0), 0.0, 0.0
    for (x, y), (to_x, to_y) in pairwise(flat):
        length = math.hypot(to_x - x, to_y - y)
        part = -(x * (to_x - x) + y * (to_y - y)) / length**2 if length else 0.0
        part = min(max(part, 0.0), 1.0)
        leg = math.hypot(x + part * (to_x - x), y + part * (to_y - y))
        if leg < best[0]:
            best = (leg, total + part * length)
        total += length
    before = best[1] / total if total else 0.0
    return best[0], before


def random_town(seed: int) -> tuple[Frames, Floats, Floats]:
    """A dozen links between a few nodes, bends among them, and places about them."""
    chance = np.random.default_rng(seed)
    count = int(chance.integers(2, 9))

    def somewhere() -> tuple[float, float]:
        return at(*chance.uniform(0, 12, 2).tolist())

    nodes = [somewhere() for _ in range(count)]
    links = []
    for _ in range(int(chance.integers(1, 12))):
        one, other = chance.integers(0, count, 2).tolist()
        bends = [somewhere() for _ in range(int(chance.integers(0, 3)) + 2 * (one == other))]
        links.append((one, other, *bends))
    here, there = (chance.uniform(-3, 15, (int(n), 2)) for n in chance.integers(1, 12, 2))
    return network(nodes, links), places(*here.tolist()), places(*there.tolist())


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), limit_m=st.sampled_from([400.0, 1_200.0, 2_400.0, 9_000.0]))
def test_random_walks_equal_brute_force(seed: int, limit_m: float) -> None:
    town, here, there = random_town(seed)
    # Links here are kilometres long, and shares of them the map's: decimetres off at most.
    expected = Plain(*town).walks(here, there, limit_m + 0.5)
    found = walked(Walkways.of(*town), here, there, limit_m)
    sure = {pair for pair, length in expected.items() if length <= limit_m - 0.5}
    assert sure <= found.keys() <= expected.keys()
    assert found == {pair: pytest.approx(expected[pair], abs=0.5) for pair in found}


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_way_back_is_as_long_and_no_detour_is_shorter(seed: int) -> None:
    town, here, there = random_town(seed)
    walkways, everywhere = Walkways.of(*town), np.concatenate((here, there))
    forth = walkways.walks(here, there, 3_000)
    back = walkways.walks(there, here, 3_000).rename(
        {"from_index": "to_index", "to_index": "from_index"}
    )
    assert forth.equals(back.select(forth.columns).sort("from_index", "to_index"))
    walks = walked(walkways, everywhere, everywhere, 100_000)
    for (one, middle), first in walks.items():
        for other in range(len(everywhere)):
            if (middle, other) in walks:
                assert walks[one, other] <= first + walks[middle, other] + 0.02


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), at_once=st.integers(1, 5))
def test_walks_are_the_same_in_whatever_pieces(seed: int, at_once: int) -> None:
    town, here, there = random_town(seed)
    walkways = Walkways.of(*town)
    whole = walkways.walks(here, there, 2_400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walking, "PLACES_AT_ONCE", at_once)
        patch.setattr(walking, "MOST_VALUES", 3 * at_once)
        assert walkways.walks(here, there, 2_400).equals(whole)


def stops_of(feed: Path) -> Iterator[tuple[float, float]]:
    with zipfile.ZipFile(feed) as archive:
        stops = pl.read_csv(io.BytesIO(archive.read("stops.txt")), infer_schema=False)
    for latitude, longitude in stops.select("stop_lat", "stop_lon").drop_nulls().iter_rows():
        yield float(latitude), float(longitude)


@pytest.fixture(scope="module")
def porto_alegre(shared_data: Path) -> Frames:
    return staged_streets((shared_data / "access/r5r_poa/poa_osm.pbf").read_bytes())


@pytest.mark.slow
def test_walks_in_porto_alegre(shared_data: Path, porto_alegre: Frames) -> None:
    folder = shared_data / "access/r5r_poa"
    cells = pl.read_csv(folder / "poa_hexgrid.csv").select("lat", "lon").to_numpy()
    stops = np.array([*stops_of(folder / "poa_eptc.zip"), *stops_of(folder / "poa_trensurb.zip")])
    walkways = Walkways.of(*porto_alegre)
    unlinked, beyond = walkways.unlinked(stops), walkways.beyond(stops)
    # The extract is smaller than the feeds: of the stops it misses all but three lie outside it.
    assert (len(stops), int(unlinked.sum()), int((unlinked & ~beyond).sum())) == (4_010, 1_526, 3)
    walks = walkways.walks(cells, stops, ACCESS_LIMIT_M)
    assert walks.height == 58_245
    _agrees(Plain(*porto_alegre), walks, cells, stops)


@pytest.mark.slow
def test_walks_in_newport(shared_data: Path) -> None:
    extract = shared_data / "access/newport/newport-2023-06-13.osm.pbf"
    streets = staged_streets(extract.read_bytes())
    stops = np.array(list(stops_of(shared_data / "gtfs/dsc_newport-20230613_gtfs.zip")))
    walks = Walkways.of(*streets).walks(stops, stops, ACCESS_LIMIT_M)
    assert walks.height == 9_958
    _agrees(Plain(*streets), walks, stops, stops)


def _agrees(plain: Plain, walks: pl.DataFrame, here: Floats, there: Floats) -> None:
    """Walks from some of the places are those of plain Python, but for nearly equal links."""
    origins, goals = np.arange(0, len(here), 100), np.arange(0, len(there), 10)
    expected = {
        (int(origins[one]), int(goals[other])): length
        for (one, other), length in plain.walks(here[origins], there[goals], ACCESS_LIMIT_M).items()
    }
    found = {
        (one, other): length
        for one, other, length in walks.iter_rows()
        if one % 100 == 0 and other % 10 == 0
    }
    assert len(found) > 20
    assert found == {pair: pytest.approx(length, abs=0.1) for pair, length in expected.items()}
