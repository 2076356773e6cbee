"""Stops on shapes: small maps, and the search against its definition in plain Python and shapely.

Maps are in metres east and north of a place on the equator, where both degrees are as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.staging.gtfs.rules import shape_matching, shape_places
from pipelines.staging.gtfs.rules.shape_lines import Lines, lines_of
from pipelines.staging.gtfs.rules.shape_places import Targets, near_places, spots_m
from pipelines.staging.gtfs.rules.sphere import EARTH_RADIUS_M
from tests.staging.rules.toys import Case, case, check, feed, findings, rules_broken, rules_in

METRE = math.degrees(1 / EARTH_RADIUS_M)
FAR = "stop_too_far_from_shape"
FAR_BY_DISTANCE = "stop_too_far_from_shape_using_user_distance"
MANY = "stop_has_too_many_matches_for_shape"
DISORDER = "stops_match_shape_out_of_order"
ROUTES = "route_id,route_type / bus,3 / rail,2"
TRIPS = "trip_id,route_id,shape_id"
CALLS = "trip_id,stop_sequence,stop_id,shape_dist_traveled"
Metres = tuple[float, float]


def shapes(**lines: Sequence[float]) -> str:
    """Lines as x and y of each point, or x, y and shape_dist_traveled."""
    text = ["shape_id,shape_pt_sequence,shape_pt_lat,shape_pt_lon,shape_dist_traveled"]
    for shape, points in lines.items():
        for at, (x, y, *distance) in enumerate(points):
            told = distance[0] if distance else ""
            text.append(f"{shape},{at},{y * METRE!r},{10 + x * METRE!r},{told}")
    return " / ".join(text)


def stops(**places: Metres) -> str:
    rows = (f"{stop},{y * METRE!r},{10 + x * METRE!r}" for stop, (x, y) in places.items())
    return " / ".join(["stop_id,stop_lat,stop_lon", *rows, "nowhere,,"])


def calls(**trips: str) -> str:
    """Stops of trips by name, a distance after a colon: ``A="a b:0.5"``."""
    rows = [
        f"{trip},{at},{call.partition(':')[0]},{call.partition(':')[2]}"
        for trip, text in trips.items()
        for at, call in enumerate(text.split())
    ]
    return " / ".join([CALLS, *rows])


def off(*rows: tuple[int, str]) -> list[tuple[str, int, str, str]]:
    return [("stop_times", row, "stop_id", stop) for row, stop in rows]


STRAIGHT = [(0, 0, 0), (1000, 0, 1000)]
THERE_AND_BACK = [(0, 0, 0), (1000, 0, 1000), (0, 0, 2000)]


def zigzag(crossings: int) -> list[Metres]:
    """A line that crosses y = 0 so often, going 500 m to either side of it."""
    return [(at, 500 * (-1) ** at) for at in range(crossings + 1)]


CASES = [
    # 99 and 101 m beside the line, 101 m beyond its end; B passes what A has passed, and d.
    case(
        FAR,
        *off((3, "b"), (4, "c"), (7, "d")),
        shapes=shapes(s=STRAIGHT),
        stops=stops(a=(0, 99), b=(500, 101), c=(1101, 0), d=(500, -150)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,s / C,bus,s",
        stop_times=calls(A="a b c", B="b c d", C="a b c"),
    ),
    # A shape of one point; stops without place, trips without shape or route are passed over.
    case(
        FAR,
        *off((3, "b")),
        shapes=shapes(s=[(0, 0)]),
        stops=stops(a=(0, 99), b=(0, 101)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,x / C,bus, / D,x,s",
        stop_times=calls(A="a b nowhere", B="b", C="b", D="b"),
    ),
    # At the ends of rail trips 400 m are near, else 100 m; a bus on the same shape is a bus.
    case(
        FAR,
        *off((3, "b"), (4, "c"), (5, "a")),
        shapes=shapes(s=STRAIGHT),
        stops=stops(a=(0, 300), b=(500, 300), c=(1000, 401)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,rail,s / B,bus,s",
        stop_times=calls(A="a b c", B="a"),
    ),
    # b is 99 m from where its distance says, then 101 m; c is far in any case, a has none.
    case(
        FAR_BY_DISTANCE,
        *off((7, "b")),
        shapes=shapes(s=STRAIGHT),
        stops=stops(a=(0, 0), b=(500, 0), c=(700, 150), d=(1000, 0)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,s",
        stop_times=calls(A="a:0 b:599 c:700 d:1000", B="a b:601 d:1001"),
    ),
    # The last stop time, or the shape, has no distance above 0.
    case(
        FAR_BY_DISTANCE,
        shapes=shapes(s=STRAIGHT, z=[(0, 0, 0), (1000, 0, 0)]),
        stops=stops(a=(0, 0), b=(500, 0)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,z",
        stop_times=calls(A="a:900 b", B="a:900 b:100"),
    ),
    case(
        MANY,
        *off((3, "b")),
        shapes=shapes(s=zigzag(21), t=zigzag(20)),
        stops=stops(a=(0, 590), b=(10, 0)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,t / C,bus,s",
        stop_times=calls(A="a b", B="a b", C="b b"),
    ),
    # b lies behind c; on the way back it does not, nor is it wrong to stand still.
    case(
        DISORDER,
        *off((4, "b")),
        shapes=shapes(s=STRAIGHT, t=THERE_AND_BACK),
        stops=stops(a=(200, 0), b=(400, 0), c=(800, 0)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,s / C,bus,t / D,bus,s",
        stop_times=calls(A="a c b a", B="a c b a", C="a c b a", D="a a b c c"),
    ),
    # By place a may come before b, by distance it comes on the way back.
    case(
        DISORDER,
        *off((3, "b")),
        shapes=shapes(t=THERE_AND_BACK),
        stops=stops(a=(200, 0), b=(800, 0)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,t / B,bus,t",
        stop_times=calls(A="a:1800 b:800", B="a:200 b:1200"),
    ),
    # Stops without distance are looked for near the line: c between two others can't be there.
    case(
        DISORDER,
        *off((6, "b")),
        shapes=shapes(t=THERE_AND_BACK),
        stops=stops(a=(200, 0), b=(800, 0), c=(500, 0)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,t / B,bus,t",
        stop_times=calls(A="a:200 c b:800", B="a:1800 b c:1500"),
    ),
    # A pattern with a stop off its shape has no order; that stop is told by itself.
    case(
        DISORDER,
        shapes=shapes(s=STRAIGHT),
        stops=stops(a=(200, 0), b=(400, 0), c=(800, 500)),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s",
        stop_times=calls(A="b a c"),
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_shown_broken() -> None:
    assert rules_broken(CASES) == rules_in(shape_matching)


@pytest.mark.parametrize("code", sorted(rules_in(shape_matching)))
@pytest.mark.parametrize("empty", ["shapes", "trips", "stop_times", "stops"])
def test_a_feed_without_rows_breaks_nothing(code: str, empty: str) -> None:
    files = {
        "shapes": shapes(s=STRAIGHT),
        "stops": stops(a=(0, 5000)),
        "routes": ROUTES,
        "trips": f"{TRIPS} / A,bus,s",
        "stop_times": calls(A="a:1 a:2"),
    }
    header_alone = files[empty].partition(" / ")[0]
    assert findings(code, **{**files, empty: header_alone}) == []


def test_shapes_may_cross_the_antimeridian() -> None:
    points = "s,1,0,179.99 / s,2,0,-179.99 / t,1,0,-179.99 / t,2,0,-179.98"
    found = findings(
        FAR,
        shapes=f"shape_id,shape_pt_sequence,shape_pt_lat,shape_pt_lon / {points}",
        stops="stop_id,stop_lat,stop_lon / east,0,-179.9999 / west,0,179.9999 / other,0,0",
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,t",
        stop_times=calls(A="west east other", B="east"),
    )
    # t begins a kilometre east of the stop named east.
    assert found == off((4, "other"), (5, "east"))


def test_points_that_are_not_on_earth_are_not_on_the_line() -> None:
    found = findings(
        FAR,
        shapes="shape_id,shape_pt_sequence,shape_pt_lat,shape_pt_lon / s,1,0,10 / s,2,999,10 / "
        "s,3,0,10.01 / s,4,,11 / z,1,0,1e300",
        stops="stop_id,stop_lat,stop_lon / on,0,10.005 / off,0.002,10.005 / lost,999,10",
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s / B,bus,z",
        stop_times=calls(A="on off lost", B="on"),
    )
    assert found == off((3, "off"))


XY = st.tuples(
    st.integers(-8, 8).map(lambda n: 50.0 * n), st.integers(-8, 8).map(lambda n: 50.0 * n)
)
LINES = st.lists(st.lists(XY, min_size=1, max_size=40), min_size=1, max_size=3)
Line = list[Metres]


def lines_in(drawn: list[Line]) -> Lines:
    named = {f"s{number}": line for number, line in enumerate(drawn)}
    return lines_of(feed(shapes=shapes(**named))["shapes"])


def every(drawn: list[Line], points: list[Metres], near_m: float) -> Targets:
    """Each point as a target on each line."""
    pairs = list(product(range(len(drawn)), points))
    return Targets(
        line=np.array([line for line, _ in pairs]),
        lat=np.array([y * METRE for _, (_, y) in pairs]),
        lon=np.array([10 + x * METRE for _, (x, _) in pairs]),
        near_m=np.full(len(pairs), near_m),
    )


def segments(line: Line) -> list[tuple[Metres, Metres]]:
    return list(pairwise(line)) or [(line[0], line[0])]


def nearest_on(a: Metres, b: Metres, p: Metres) -> tuple[float, float]:
    """Distance from p to the segment from a to b, and the share of it before the nearest spot."""
    (ax, ay), (bx, by), (px, py) = a, b, p
    length = (bx - ax) ** 2 + (by - ay) ** 2
    share = ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length if length else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.dist(p, (ax + share * (bx - ax), ay + share * (by - ay))), share


def places_by_definition(line: Line, p: Metres, near_m: float) -> list[float]:
    """Places of a line near p, walking along it a segment at a time."""
    places: list[tuple[float, float]] = []  # distance and place, the best of each stretch
    was_near, away_at = False, 0.0
    led_away = False
    for at, (a, b) in enumerate(segments(line)):
        metres, share = nearest_on(a, b, p)
        if metres <= near_m:
            if not was_near or (led_away and metres < away_at - 0.001):
                places.append((metres, at + share))
            elif metres < places[-1][0] - 0.001:
                places[-1] = (metres, at + share)
        was_near, away_at = metres <= near_m, math.dist(p, b)
        led_away = away_at > metres + 0.001
    return [place for _, place in places]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(drawn=LINES, points=st.lists(XY, min_size=1, max_size=6))
def test_places_are_those_of_the_definition(drawn: list[Line], points: list[Metres]) -> None:
    # No distance of this grid is within a millimetre of 101.3 m.
    near_m = 101.3
    lines = lines_in(drawn)
    targets = every(drawn, points, near_m)
    found = near_places(lines, targets)
    for number, (line, p) in enumerate(product(range(len(drawn)), points)):
        places = found.place[found.target == number] - lines.first[line]
        expected = places_by_definition(drawn[line], p, near_m)
        assert places.tolist() == pytest.approx(expected, abs=1e-4)
        metres = spots_m(
            lines,
            np.full(places.size, line),
            places + lines.first[line],
            np.full(places.size, p[1] * METRE),
            np.full(places.size, 10 + p[0] * METRE),
        )
        as_line = shapely.LineString(drawn[line] * (2 if len(drawn[line]) == 1 else 1))
        nearest = shapely.distance(as_line, shapely.Point(p))
        assert (places.size > 0) == (nearest <= near_m)
        if places.size:
            assert metres.min() == pytest.approx(nearest, abs=0.01)


def test_a_search_in_portions_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [zigzag(50), [(float(x), 0.0) for x in range(0, 3000, 10)], zigzag(3)]
    lines = lines_in(drawn)
    targets = every(drawn, [(10.0, 0.0), (500.0, 20.0), (9000.0, 0.0)], 100.0)
    whole = near_places(lines, targets)
    monkeypatch.setattr(shape_places, "MOST_SEGMENTS", 100)
    parts = near_places(lines, targets)
    assert (parts.target.tolist(), parts.place.tolist()) == (
        whole.target.tolist(),
        whole.place.tolist(),
    )
    assert whole.target.size == 50 + 1 + 1 + 3


def test_a_stop_in_too_many_places_has_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first places are kept: nothing is said of an order that may need the others."""
    files = {
        "shapes": shapes(s=zigzag(6)),
        "stops": stops(a=(0, 0), b=(6, 590)),
        "routes": ROUTES,
        "trips": f"{TRIPS} / A,bus,s / B,bus,s",
        "stop_times": calls(A="a b a b a b", B="a b a b a b a"),
    }
    assert findings(DISORDER, **files) == off((14, "a"))
    monkeypatch.setattr(shape_places, "MOST_KEPT_PLACES", 3)
    monkeypatch.setattr(shape_matching, "MOST_KEPT_PLACES", 3)
    assert findings(DISORDER, **files) == []


def order_fails_at(choices: list[list[float]]) -> int | None:
    """The first stop up to which no choice of places never goes back."""
    for last in range(len(choices)):
        chosen = product(*choices[: last + 1])
        if not any(all(a <= b for a, b in pairwise(c)) for c in chosen):
            return last
    return None


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    line=st.lists(XY, min_size=2, max_size=8),
    pattern=st.lists(XY, min_size=1, max_size=5),
)
def test_order_fails_where_no_choice_of_places_is_left(line: Line, pattern: Line) -> None:
    lines = lines_in([line])
    found = near_places(lines, every([line], pattern, 100.0))
    choices = [found.place[found.target == at].tolist() for at in range(len(pattern))]
    failing = order_fails_at(choices) if all(choices) else None
    names = {f"p{at}": place for at, place in enumerate(pattern)}
    told = findings(
        DISORDER,
        shapes=shapes(s0=line),
        stops=stops(**names),
        routes=ROUTES,
        trips=f"{TRIPS} / A,bus,s0",
        stop_times=calls(A=" ".join(names)),
    )
    assert told == ([] if failing is None else off((failing + 2, f"p{failing}")))
