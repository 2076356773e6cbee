"""Which bus routes there are, when they run, and the way they take through the streets.

Permanent routes: 96 in the city (8 of them trolleybuses) and 14 suburban ones. Every year six
routes begin on fixed dates; four of them end two years later, two stay. So in any 13 months about
six begin and four end, on the same dates whenever one asks. A route is drawn by its own generator:
its way does not depend on which other routes run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from pipelines.sample.seeds import generator
from pipelines.sample.streets import TOWNS, Streets, build_streets

Integers = npt.NDArray[np.int64]

CITY_ROUTES, SUBURBAN_ROUTES, TROLLEYBUS_EVERY = 96, 14, 12
BUS_TYPE, TROLLEYBUS_TYPE = 3, 11
SIDES = "AB"
BEGINNINGS = ((2, 2), (4, 6), (6, 1), (8, 3), (9, 1), (10, 5))  # month, day
ENDINGS = ((1, 31), (5, 31), (8, 31), (11, 30))
YEARS_IN_SERVICE = 2
FIRST_CHANGE_YEAR, LAST_CHANGE_YEAR = 2021, 2035
FIRST_CHANGING_NUMBER, FIRST_SUBURBAN_NUMBER = 201, 401
ALWAYS = (date(2000, 1, 1), date(2099, 12, 31))

PEAK_HEADWAYS_MINUTES = (6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0, 20.0)
SUBURBAN_HEADWAYS_MINUTES = (10.0, 12.0, 15.0, 20.0)
CITY_ROUTE_KM = (6.0, 14.0)
WAYPOINTS_TRIED = 8
WAYPOINT_DETOUR = 1.2
# Terminals lie where people live, but thinner: by the square root of density.
TERMINAL_POWER = 0.5


@dataclass(frozen=True)
class BusRoute:
    """A route with its times; the headway is the peak's."""

    number: int
    route_type: int
    town: int | None  # index into streets.TOWNS of a suburban route
    headway_minutes: float
    first_seconds: int
    last_seconds: int
    wheelchair_accessible: int
    first_date: date
    last_date: date

    @property
    def route_id(self) -> str:
        """`R` and the route's number."""
        return f"R{self.number:03d}"

    @property
    def short_name(self) -> str:
        """The number people know."""
        return str(self.number)

    @property
    def is_permanent(self) -> bool:
        """Whether it ran before and will run after any feed."""
        return (self.first_date, self.last_date) == ALWAYS


def _route(number: int, seed: int, span: tuple[date, date]) -> BusRoute:
    rng = generator(seed, "route", number)
    is_suburban = number >= FIRST_SUBURBAN_NUMBER
    is_trolleybus = number <= CITY_ROUTES and number % TROLLEYBUS_EVERY == 0
    headways = SUBURBAN_HEADWAYS_MINUTES if is_suburban else PEAK_HEADWAYS_MINUTES
    flag = 1 if is_trolleybus else int(rng.choice(3, p=(0.35, 0.5, 0.15)))
    return BusRoute(
        number=number,
        route_type=TROLLEYBUS_TYPE if is_trolleybus else BUS_TYPE,
        town=(number - FIRST_SUBURBAN_NUMBER) % len(TOWNS) if is_suburban else None,
        headway_minutes=float(rng.choice(headways)),
        first_seconds=int(rng.integers(11, 13)) * 1800,
        last_seconds=int(rng.integers(44, 49)) * 1800,
        wheelchair_accessible=flag,
        first_date=span[0],
        last_date=span[1],
    )


def _changing_spans() -> list[tuple[int, tuple[date, date]]]:
    """Number and first and last day of every route that is not permanent."""
    spans = []
    number = FIRST_CHANGING_NUMBER
    for year in range(FIRST_CHANGE_YEAR, LAST_CHANGE_YEAR + 1):
        for order, beginning in enumerate(BEGINNINGS):
            last = ALWAYS[1]
            if order < len(ENDINGS):
                last = date(year + YEARS_IN_SERVICE, *ENDINGS[order])
            spans.append((number, (date(year, *beginning), last)))
            number += 1
    return spans


def routes_between(first: date, last: date, seed: int) -> list[BusRoute]:
    """Routes that run on some day from first to last, by number."""
    suburban = range(FIRST_SUBURBAN_NUMBER, FIRST_SUBURBAN_NUMBER + SUBURBAN_ROUTES)
    permanent = [(number, ALWAYS) for number in (*range(1, CITY_ROUTES + 1), *suburban)]
    entries = [
        (number, span)
        for number, span in (*permanent, *_changing_spans())
        if span[0] <= last and span[1] >= first
    ]
    return [_route(number, seed, span) for number, span in sorted(entries)]


def build_route(route: BusRoute, seed: int) -> Integers:
    """Nodes of the route's way in its first direction, none twice.

    City routes join two places a fair distance apart by a way with some detour; suburban ones go
    from their town straight to a place in the city.
    """
    streets = build_streets(seed)
    rng = generator(seed, "way", route.number)
    by_people = streets.weights**TERMINAL_POWER
    chances = np.round(by_people / by_people.sum(), 12)
    chances /= chances.sum()
    if route.town is not None:
        return np.array(
            streets.shortest_path(
                streets.town_nodes[route.town], int(rng.choice(len(chances), p=chances))
            )
        )
    way: list[int] = []
    while not way:
        first, last = rng.choice(len(chances), size=2, p=chances).tolist()
        candidates = rng.choice(len(chances), size=WAYPOINTS_TRIED, p=chances)
        if CITY_ROUTE_KM[0] <= _km(streets, first, last) <= CITY_ROUTE_KM[1]:
            middle = _waypoint(streets, candidates, first, last)
            way = _without_loops(
                streets.shortest_path(first, middle)[:-1] + streets.shortest_path(middle, last)
            )
    return np.array(way)


def _km(streets: Streets, first: int, second: int) -> float:
    return float(streets.metres([first, second])[0]) / 1000


def _waypoint(streets: Streets, candidates: Integers, first: int, last: int) -> int:
    """The candidate whose detour comes nearest to the wanted one."""
    wanted = WAYPOINT_DETOUR * _km(streets, first, last)
    over = [
        abs(_km(streets, first, node) + _km(streets, node, last) - wanted)
        for node in candidates.tolist()
    ]
    return int(candidates[int(np.argmin(over))])


def _without_loops(way: list[int]) -> list[int]:
    """The way without what lies between two visits of the same node."""
    kept: list[int] = []
    for node in way:
        if node in kept:
            del kept[kept.index(node) :]
        kept.append(node)
    return kept
