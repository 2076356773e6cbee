"""Small networks as plain data, as the frames a router reads, and searched the long way.

The search knows nothing of lanes or events: it walks the graph of rides that one may sit in, for
one departure at a time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.reach.routing.changes import link
from pipelines.marts.reach.routing.feeds import Feeds
from pipelines.marts.reach.routing.router import DRAWS, Router
from pipelines.marts.reach.routing.stations import Doors
from pipelines.marts.reach.routing.timetable import Departures, Timetable, read_timetable

DAY = date(2026, 11, 18)
ZONE = "Asia/Almaty"
FEED = {"source_id": "toy", "version_id": "v1"}


@dataclass(frozen=True)
class Call:
    """A call at a stop; times are seconds after the service date's start."""

    stop: int
    arrival: int
    departure: int
    can_board: bool = True
    can_alight: bool = True


@dataclass(frozen=True)
class Trip:
    """A trip of one date (days before or after D), or repeated at start, start + headway ..."""

    calls: tuple[Call, ...]
    route: int = 0
    day: int = 0
    repeats: tuple[int, int, int] | None = None  # start, end, headway
    is_exact: bool = True
    route_type: int = 3
    wheelchair: int | None = None


@dataclass(frozen=True)
class Rule:
    """A row of transfers.txt; trips and routes by their numbers."""

    from_stop: int | None
    to_stop: int | None
    transfer_type: int
    seconds: int | None = None
    from_trip: int | None = None
    to_trip: int | None = None
    from_route: int | None = None
    to_route: int | None = None


@dataclass(frozen=True)
class Network:
    """Stops (latitude, longitude), trips, walks between stops, rules; walks of cells in seconds."""

    stops: tuple[tuple[float, float], ...]
    trips: tuple[Trip, ...]
    foot: dict[tuple[int, int], int] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    access: dict[tuple[int, int], int] = field(default_factory=dict)  # (cell, stop)
    egress: dict[tuple[int, int], int] = field(default_factory=dict)  # (cell, stop)
    direct: dict[tuple[int, int], int] = field(default_factory=dict)  # (from, to)
    cells: int = 2


def in_a_row(count: int, apart_m: float = 300.0) -> tuple[tuple[float, float], ...]:
    """Stops north of one another."""
    return tuple((43.2 + number * apart_m / 111_195, 76.9) for number in range(count))


def feeds_of(network: Network) -> Feeds:
    """The network as staged frames."""
    days = sorted({trip.day for trip in network.trips})
    routes = {trip.route: trip.route_type for trip in network.trips}
    return Feeds(
        feed_versions=_frame([{**FEED, "agency_timezone": ZONE}]),
        service_dates=_frame(
            [
                {**FEED, "service_id": f"day{day}", "service_date": DAY + timedelta(days=day)}
                for day in days
            ],
            {"service_id": pl.String, "service_date": pl.Date},
        ),
        trips=_frame(
            [
                {
                    **FEED,
                    "trip_id": _trip(number),
                    "route_id": f"r{trip.route}",
                    "service_id": f"day{trip.day}",
                    "wheelchair_accessible": trip.wheelchair,
                }
                for number, trip in enumerate(network.trips)
            ],
            {
                "trip_id": pl.String,
                "route_id": pl.String,
                "service_id": pl.String,
                "wheelchair_accessible": pl.Int32,
            },
        ),
        stop_times=_frame(
            [
                {
                    **FEED,
                    "trip_id": _trip(number),
                    "stop_sequence": place,
                    "arrival_seconds": call.arrival,
                    "departure_seconds": call.departure,
                    "stop_id": f"s{call.stop}",
                    "pickup_type": int(not call.can_board),
                    "drop_off_type": int(not call.can_alight),
                }
                for number, trip in enumerate(network.trips)
                for place, call in enumerate(trip.calls)
            ],
            {
                "trip_id": pl.String,
                "stop_sequence": pl.Int32,
                "arrival_seconds": pl.Int32,
                "departure_seconds": pl.Int32,
                "stop_id": pl.String,
                "pickup_type": pl.Int32,
                "drop_off_type": pl.Int32,
            },
        ),
        frequencies=_frame(
            [
                {
                    **FEED,
                    "trip_id": _trip(number),
                    "start_seconds": trip.repeats[0],
                    "end_seconds": trip.repeats[1],
                    "headway_secs": trip.repeats[2],
                    "exact_times": int(trip.is_exact),
                }
                for number, trip in enumerate(network.trips)
                if trip.repeats
            ],
            {
                "trip_id": pl.String,
                "start_seconds": pl.Int32,
                "end_seconds": pl.Int32,
                "headway_secs": pl.Int32,
                "exact_times": pl.Int32,
            },
        ),
        routes=_frame(
            [
                {**FEED, "route_id": f"r{route}", "route_type": kind}
                for route, kind in routes.items()
            ],
            {"route_id": pl.String, "route_type": pl.Int32},
        ),
        stops=stop_rows(network.stops),
        transfers=_frame(
            [
                {
                    **FEED,
                    "transfer_number": number + 2,
                    "from_stop_id": _named("s", rule.from_stop),
                    "to_stop_id": _named("s", rule.to_stop),
                    "from_route_id": _named("r", rule.from_route),
                    "to_route_id": _named("r", rule.to_route),
                    "from_trip_id": None if rule.from_trip is None else _trip(rule.from_trip),
                    "to_trip_id": None if rule.to_trip is None else _trip(rule.to_trip),
                    "transfer_type": rule.transfer_type,
                    "min_transfer_time": rule.seconds,
                }
                for number, rule in enumerate(network.rules)
            ],
            {
                "transfer_number": pl.Int32,
                **dict.fromkeys(
                    (
                        *("from_stop_id", "to_stop_id", "from_route_id", "to_route_id"),
                        *("from_trip_id", "to_trip_id"),
                    ),
                    pl.String,
                ),
                "transfer_type": pl.Int32,
                "min_transfer_time": pl.Int32,
            },
        ),
        pathways=_frame([], PATHWAYS),
    )


PATHWAYS = {
    "pathway_id": pl.String,
    "from_stop_id": pl.String,
    "to_stop_id": pl.String,
    "pathway_mode": pl.Int32,
    "is_bidirectional": pl.Int32,
    "length": pl.Float64,
    "traversal_time": pl.Int32,
}
STOPS = {
    "stop_id": pl.String,
    "stop_lat": pl.Float64,
    "stop_lon": pl.Float64,
    "location_type": pl.Int32,
    "parent_station": pl.String,
    "wheelchair_boarding": pl.Int32,
}


def stop_rows(places: tuple[tuple[float, float], ...]) -> pl.DataFrame:
    """Plain stops s0, s1 ..."""
    return _frame(
        [
            {**FEED, "stop_id": f"s{number}", "stop_lat": lat, "stop_lon": lon, "location_type": 0}
            for number, (lat, lon) in enumerate(places)
        ],
        STOPS,
    )


def _trip(number: int) -> str:
    return f"t{number:03d}"


def _named(prefix: str, number: int | None) -> str | None:
    return None if number is None else f"{prefix}{number}"


def _frame(rows: list[dict[str, object]], columns: dict[str, object] | None = None) -> pl.DataFrame:
    schema = {"source_id": pl.String, "version_id": pl.String, **(columns or {})}
    if columns is None:
        return pl.DataFrame(rows)
    return pl.DataFrame(rows, schema=schema)  # type: ignore[arg-type]  # classes of types


def _walks(walks: dict[tuple[int, int], int], one: str, other: str) -> pl.DataFrame:
    rows = [(*pair, seconds) for pair, seconds in sorted(walks.items())]
    schema = {one: pl.UInt32, other: pl.UInt32, "seconds": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def cell_walks(network: Network) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Access, egress and direct walks as a router takes them (stop n lies at place n)."""
    return (
        _walks(network.access, "cell", "place"),
        _walks(network.egress, "cell", "place"),
        _walks(network.direct, "from_index", "to_index"),
    )


def timetable_of(network: Network, departures: Departures) -> Timetable:
    """The network's timetable on D."""
    return read_timetable(feeds_of(network), DAY, ZONE, departures)


def router_of(
    network: Network,
    departures: Departures,
    *,
    max_rides: int | None = None,
    draws: int = DRAWS,
) -> Router:
    """A router over the network."""
    feeds = feeds_of(network)
    timetable = read_timetable(feeds, DAY, ZONE, departures)
    foot = Doors.of(feeds).foot(_walks(network.foot, "from_index", "to_index"))
    links = link(timetable, foot, feeds.transfers)
    return Router.of(timetable, links, departures, max_rides=max_rides, draws=draws)


@dataclass(frozen=True)
class _Run:
    trip: int
    shift: int

    def calls(self, network: Network) -> list[Call]:
        return [
            Call(
                call.stop,
                call.arrival + self.shift,
                call.departure + self.shift,
                call.can_board,
                call.can_alight,
            )
            for call in network.trips[self.trip].calls
        ]


def _runs(network: Network) -> Iterator[_Run]:
    for number, trip in enumerate(network.trips):
        day = trip.day * 86_400
        if trip.repeats is None:
            yield _Run(number, day)
            continue
        start, end, headway = trip.repeats
        for leaves in range(start, end, headway):
            yield _Run(number, day + leaves - trip.calls[0].departure)


def _straight_seconds(network: Network, one: int, other: int) -> int:
    (lat, lon), (to_lat, to_lon) = (
        [math.radians(degrees) for degrees in network.stops[stop]] for stop in (one, other)
    )
    half = math.sin((to_lat - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(to_lat) * math.sin((to_lon - lon) / 2) ** 2
    metres = 2 * 6_371_008.8 * math.asin(math.sqrt(half)) * 1.3
    return math.ceil(metres / (80 / 60))


def change_seconds(
    network: Network, from_trip: int, from_stop: int, to_trip: int, to_stop: int
) -> int | None:
    """Seconds of a change between two trips at two stops, None where there is none."""
    walk = 0 if from_stop == to_stop else network.foot.get((from_stop, to_stop))

    def fits(rule: Rule) -> bool:
        wanted = (
            (rule.from_stop, from_stop),
            (rule.to_stop, to_stop),
            (rule.from_trip, from_trip),
            (rule.to_trip, to_trip),
            (rule.from_route, network.trips[from_trip].route),
            (rule.to_route, network.trips[to_trip].route),
        )
        if rule.transfer_type >= 4:
            return False
        return all(named is None or named == own for named, own in wanted)

    def specific(rule: Rule) -> int:
        ends = [
            2 if trip is not None else 1 if route is not None else 0
            for trip, route in (
                (rule.from_trip, rule.from_route),
                (rule.to_trip, rule.to_route),
            )
        ]
        order = [[0, 0], [0, 1], [1, 1], [0, 2], [1, 2], [2, 2]]
        return order.index(sorted(ends))

    fitting = [rule for rule in network.rules if fits(rule)]
    if not fitting:
        return walk
    best = max(fitting, key=lambda rule: (specific(rule), -network.rules.index(rule)))
    if best.transfer_type == 3:
        return None
    if best.transfer_type == 2 and best.seconds is not None:
        return best.seconds
    return _straight_seconds(network, from_stop, to_stop) if walk is None else walk


def search(network: Network, cell: int, leaves: int, max_rides: int | None = None) -> list[float]:
    """Seconds from a cell to all cells, leaving at a moment: every ride that one may sit in."""
    runs = [(run.trip, run.calls(network)) for run in _runs(network)]
    rides: dict[tuple[int, int], int] = {}
    waiting = deque((number, place, 1) for number, place in _first(network, runs, cell, leaves))
    while waiting:
        number, place, count = waiting.popleft()
        if rides.get((number, place), math.inf) <= count or (max_rides and count > max_rides):
            continue
        rides[number, place] = count
        if place + 2 < len(runs[number][1]):
            waiting.appendleft((number, place + 1, count))
        else:
            waiting.extendleft((to, 0, count) for to in _seated(network, runs, number))
        waiting.extend((to, at, count + 1) for to, at in _changes(network, runs, number, place))
    ends = [runs[number][1][place + 1] for number, place in rides]
    return [
        min(
            [
                network.direct.get((cell, to), math.inf),
                *(
                    call.arrival + network.egress[to, call.stop] - leaves
                    for call in ends
                    if call.can_alight and (to, call.stop) in network.egress
                ),
            ]
        )
        for to in range(network.cells)
    ]


Runs = list[tuple[int, list[Call]]]


def _first(network: Network, runs: Runs, cell: int, leaves: int) -> Iterator[tuple[int, int]]:
    """The rides that one walks to from a cell."""
    for number, (_, calls) in enumerate(runs):
        for place, call in enumerate(calls[:-1]):
            walk = network.access.get((cell, call.stop))
            if walk is not None and call.can_board and leaves + walk <= call.departure:
                yield number, place


def _changes(network: Network, runs: Runs, number: int, place: int) -> Iterator[tuple[int, int]]:
    """The rides that one changes to at the end of a ride."""
    trip, call = runs[number][0], runs[number][1][place + 1]
    if not call.can_alight:
        return
    for to, (to_trip, to_calls) in enumerate(runs):
        for at, to_call in enumerate(to_calls[:-1]):
            seconds = change_seconds(network, trip, call.stop, to_trip, to_call.stop)
            if seconds is None or not to_call.can_board:
                continue
            if call.arrival + seconds <= to_call.departure:
                yield to, at


def _seated(network: Network, runs: Runs, number: int) -> Iterator[int]:
    """The runs that one stays seated for."""
    trip, calls = runs[number]
    for to_trip in {
        rule.to_trip
        for rule in network.rules
        if rule.transfer_type == 4 and rule.from_trip == trip and rule.to_trip is not None
    }:
        if network.trips[to_trip].day != network.trips[trip].day:
            continue
        after = [
            (to_calls[0].departure, to)
            for to, (of_trip, to_calls) in enumerate(runs)
            if of_trip == to_trip and to_calls[0].departure >= calls[-1].arrival
        ]
        if after:
            yield min(after)[1]


def searched(
    network: Network, departures: Departures, max_rides: int | None = None
) -> npt.NDArray[np.float64]:
    """`search` for all cells and departures: (origin, destination, departure)."""
    leaves = [
        departures.start_seconds + n * departures.step_seconds for n in range(departures.count)
    ]
    times = [
        [search(network, cell, moment, max_rides) for moment in leaves]
        for cell in range(network.cells)
    ]
    found = np.array(times).transpose(0, 2, 1)
    return np.where(found > 7200, np.inf, found)
