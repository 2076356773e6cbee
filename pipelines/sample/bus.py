"""Bus and trolleybus network of Almaty's size as GTFS, as an operator's dispatch would export it.

About 130 routes (110 permanent, the others begin or end on fixed dates) on the grid of `streets`,
some of them suburban; about 3,000 stops, one for each side of a street, shared between routes; a
shape for each direction with distances in metres. Headways differ by route and time of day, run
times by the time of departure. Two thirds of the trips run daily, the others from Monday to
Friday except on public holidays. Accessibility of stops and vehicles is partly unknown.
All of it is synthetic; only the size is Almaty's. Left out: fares, transfers, short workings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample import gtfs
from pipelines.sample.days import calendar_window, days_between, is_holiday
from pipelines.sample.places import to_degrees
from pipelines.sample.routes import SIDES, BusRoute, build_route, routes_between
from pipelines.sample.seeds import generator
from pipelines.sample.streets import Streets, build_streets

Integers = npt.NDArray[np.int64]

AGENCY_NAME = "Автобусы и троллейбусы (синтетические данные)"
DWELL_SECONDS = 20
CITY_KMH, RADIAL_KMH = 22.0, 42.0
# Run time over the timetable's base by clock hour of departure.
DELAY_BY_HOUR = np.array([
    0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.95, 1.15, 1.3, 1.2, 1.1, 1.08,
    1.08, 1.08, 1.1, 1.12, 1.18, 1.28, 1.35, 1.22, 1.05, 0.98, 0.94, 0.9,
])  # fmt: skip
# Headway over the peak's from a time of day (hours) on.
HEADWAY_FACTORS = ((5.0, 1.6), (7.0, 1.0), (9.5, 1.35), (16.5, 1.05), (20.0, 2.0), (22.5, 2.6))
EVENING_FROM_SECONDS = 20 * 3600
STOP_OFFSET_M = 10.0
STOP_ACCESS_SHARES = (0.45, 0.35, 0.20)  # unknown, accessible, not accessible


@dataclass(frozen=True)
class Pattern:
    """One direction of a route: nodes, stop ids, metres along, and base seconds to each stop."""

    route: BusRoute
    direction_id: int
    nodes: Integers
    stop_ids: list[str]
    metres: npt.NDArray[np.float64]
    seconds: Integers

    @property
    def shape_id(self) -> str:
        """Name of the direction's shape."""
        return f"{self.route.route_id}-{self.direction_id}"


def _sides(streets: Streets, nodes: Integers) -> Integers:
    """Side of the street at each node: 0 for trips going on east or north, 1 for the others."""
    east, north = np.diff(streets.east_m[nodes]), np.diff(streets.north_m[nodes])
    onward = np.where(np.abs(east) >= np.abs(north), east, north) < 0
    sides: Integers = np.append(onward, onward[-1]).astype(np.int64)
    return sides


def stop_id(node: int, side: int) -> str:
    """Name of a stop: its node and the side of the street."""
    return f"S{node:04d}{SIDES[side]}"


@lru_cache(maxsize=512)
def patterns(route: BusRoute, seed: int) -> tuple[Pattern, Pattern]:
    """Both directions of a route."""
    streets = build_streets(seed)
    there = build_route(route, seed)
    both = []
    for direction_id, nodes in enumerate((there, there[::-1])):
        legs = streets.metres(nodes.tolist())
        on_radial = (streets.weights[nodes] == 0)[:-1] & (streets.weights[nodes] == 0)[1:]
        running = legs / np.where(on_radial, RADIAL_KMH, CITY_KMH) * 3.6 + DWELL_SECONDS
        both.append(
            Pattern(
                route,
                direction_id,
                nodes,
                [
                    stop_id(node, side)
                    for node, side in zip(
                        nodes.tolist(), _sides(streets, nodes).tolist(), strict=True
                    )
                ],
                np.round(np.concatenate([[0.0], np.cumsum(legs)]), 1),
                np.round(np.concatenate([[0.0], np.cumsum(running)])).astype(np.int64),
            )
        )
    return both[0], both[1]


def departures(pattern: Pattern, seed: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Seconds at which trips leave the terminal, and which of them run on working days only."""
    rng = generator(seed, "departures", pattern.shape_id)
    leaving = pattern.route.first_seconds + int(rng.integers(0, 12)) * 60
    seconds = []
    while leaving <= pattern.route.last_seconds:
        seconds.append(leaving)
        factor = [f for hour, f in HEADWAY_FACTORS if hour * 3600 <= leaving][-1]
        leaving += max(180, round(pattern.route.headway_minutes * factor * 2) * 30)
    leaves = np.array(seconds, dtype=np.int64)
    extra = (np.arange(len(leaves)) % 3 == 2) & (leaves < EVENING_FROM_SECONDS)
    return leaves, extra


def _service_id(route: BusRoute, *, is_extra: bool) -> str:
    kind = "weekday" if is_extra else "daily"
    return kind if route.is_permanent else f"{kind}-{route.route_id}"


def _trips(every: list[Pattern], seed: int) -> pl.DataFrame:
    """trips.txt."""
    parts = []
    for pattern in every:
        _, extra = departures(pattern, seed)
        kinds = [_service_id(pattern.route, is_extra=is_extra) for is_extra in extra.tolist()]
        parts.append(
            pl.DataFrame(
                {
                    "route_id": [pattern.route.route_id] * len(extra),
                    "service_id": kinds,
                    "trip_id": _trip_ids(pattern, len(extra)),
                    "trip_headsign": [build_streets(seed).names[pattern.nodes[-1]]] * len(extra),
                    "direction_id": [pattern.direction_id] * len(extra),
                    "shape_id": [pattern.shape_id] * len(extra),
                    "wheelchair_accessible": [pattern.route.wheelchair_accessible] * len(extra),
                }
            )
        )
    return pl.concat(parts)


def _trip_ids(pattern: Pattern, count: int) -> list[str]:
    return [f"{pattern.shape_id}-{number:03d}" for number in range(count)]


def _stop_times(every: list[Pattern], seed: int) -> pl.DataFrame:
    """stop_times.txt: every trip calls at every stop of its pattern."""
    parts = []
    for pattern in every:
        leaves, _ = departures(pattern, seed)
        delay = DELAY_BY_HOUR[leaves // 3600 % 24]
        since_start = np.round(delay[:, None] * pattern.seconds[None, :]).astype(np.int64)
        arriving = leaves[:, None] + since_start
        departing = arriving.copy()
        departing[:, 1:-1] += DWELL_SECONDS // 2
        count, stops = arriving.shape
        parts.append(
            pl.DataFrame(
                {
                    "trip_id": pl.Series(_trip_ids(pattern, count)).gather(
                        np.repeat(np.arange(count), stops)
                    ),
                    "arrival_time": gtfs.clock_text(arriving.ravel()),
                    "departure_time": gtfs.clock_text(departing.ravel()),
                    "stop_id": pl.Series(pattern.stop_ids).gather(np.tile(np.arange(stops), count)),
                    "stop_sequence": np.tile(np.arange(1, stops + 1), count),
                    "shape_dist_traveled": np.tile(pattern.metres, count),
                }
            )
        )
    return pl.concat(parts)


def _shapes(every: list[Pattern], seed: int) -> pl.DataFrame:
    """shapes.txt: a point at each node, metres along."""
    streets = build_streets(seed)
    parts = []
    for pattern in every:
        latitude, longitude = to_degrees(
            streets.east_m[pattern.nodes], streets.north_m[pattern.nodes]
        )
        parts.append(
            pl.DataFrame(
                {
                    "shape_id": [pattern.shape_id] * len(pattern.nodes),
                    "shape_pt_lat": latitude,
                    "shape_pt_lon": longitude,
                    "shape_pt_sequence": np.arange(1, len(pattern.nodes) + 1),
                    "shape_dist_traveled": pattern.metres,
                }
            )
        )
    return pl.concat(parts)


def _stops(every: list[Pattern], seed: int) -> pl.DataFrame:
    """stops.txt: the stops that any pattern serves, beside the street on the right-hand side."""
    streets = build_streets(seed)
    served = sorted({name for pattern in every for name in pattern.stop_ids})
    node = np.array([int(name[1:5]) for name in served])
    side = np.array([SIDES.index(name[5]) for name in served])
    shift = np.where(side == 0, STOP_OFFSET_M, -STOP_OFFSET_M)
    latitude, longitude = to_degrees(streets.east_m[node] + shift, streets.north_m[node] - shift)
    # By node, so that a stop's flag does not depend on which other stops are served.
    flags = generator(seed, "stop access").choice(
        3, size=(len(streets.names), 2), p=STOP_ACCESS_SHARES
    )
    return pl.DataFrame(
        {
            "stop_id": served,
            "stop_name": [streets.names[number] for number in node.tolist()],
            "stop_lat": latitude,
            "stop_lon": longitude,
            "wheelchair_boarding": flags[node, side],
        }
    )


def _routes(every: list[Pattern], seed: int) -> pl.DataFrame:
    """routes.txt."""
    names = build_streets(seed).names
    there = [pattern for pattern in every if pattern.direction_id == 0]
    return pl.DataFrame(
        {
            "route_id": [pattern.route.route_id for pattern in there],
            "agency_id": ["bus"] * len(there),
            "route_short_name": [pattern.route.short_name for pattern in there],
            "route_long_name": [
                f"{names[pattern.nodes[0]]} - {names[pattern.nodes[-1]]}" for pattern in there
            ],
            "route_type": [pattern.route.route_type for pattern in there],
        }
    )


def _calendars(
    routes: list[BusRoute], first: date, last: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """calendar.txt and calendar_dates.txt: permanent routes share services, others own theirs."""
    spans = {"": (first, last)}
    for route in routes:
        if not route.is_permanent:
            span = (max(first, route.first_date), min(last, route.last_date))
            spans[f"-{route.route_id}"] = span
    rows = [
        gtfs.calendar_row(f"{kind}{ending}", flags, *span)
        for ending, span in spans.items()
        for kind, flags in (("daily", "1111111"), ("weekday", "1111100"))
    ]
    removed = [
        (f"weekday{ending}", day, 2)
        for ending, span in spans.items()
        for day in days_between(*span)
        if is_holiday(day) and day.weekday() < 5
    ]
    return pl.DataFrame(rows), gtfs.calendar_dates(removed)


def make_bus_feed(service_date: date, seed: int) -> bytes:
    """GTFS zip of all routes that run on any day of `days.calendar_window`."""
    first, last = calendar_window(service_date)
    routes = routes_between(first, last, seed)
    every = [pattern for route in routes for pattern in patterns(route, seed)]
    calendar, calendar_dates = _calendars(routes, first, last)
    return gtfs.write_feed(
        {
            "agency": gtfs.agency("bus", AGENCY_NAME),
            "calendar": calendar,
            "calendar_dates": calendar_dates,
            "feed_info": gtfs.feed_info(AGENCY_NAME, first, last),
            "routes": _routes(every, seed),
            "shapes": _shapes(every, seed),
            "stop_times": _stop_times(every, seed),
            "stops": _stops(every, seed),
            "trips": _trips(every, seed),
        }
    )
