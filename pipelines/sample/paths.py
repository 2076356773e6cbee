"""Ways that heavy vehicles take through the valley, as readers in order with free-flow minutes.

- *through* from one cordon station to another: on the ring past its gantries, or through the city
  past the screenlines at its edge (and the centre, where the way crosses it).
- *arrive* from a cordon station in the city, straight or along the ring to another radial.
- *leave* the city over a cordon station.
- *ring trip* between places inside the cordon, past one gantry or several; *city trip* past one
  screenline.

Speeds, detours and demand between cordon stations are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from pipelines.sample.places import to_plane
from pipelines.sample.stations import (
    CITY_CENTRE,
    CITY_EDGE,
    CORDON,
    READERS,
    RING,
    STATION_INDEX,
    Station,
)

Floats = npt.NDArray[np.float64]

RADIAL_KMH, RING_KMH, CITY_KMH = 65.0, 80.0, 34.0
DETOUR = 1.25  # road over straight distance
# Nearer pairs of radials exchange no through traffic over the valley; farther ones more.
NEAREST_PAIR_KM = 8.0
ACROSS_CENTRE_KM = 15.0
INWARD, OUTWARD = 0, 1


@dataclass(frozen=True)
class Path:
    """Readers passed in order, direction at each, and minutes since the start in free flow."""

    stations: npt.NDArray[np.int64]
    directions: npt.NDArray[np.int64]
    minutes: Floats
    is_ring: bool


@dataclass(frozen=True)
class Leg:
    """A piece of a path: the reader at its end, the direction there, and minutes to it."""

    station_id: str
    direction: int
    minutes: float


def _path(legs: list[Leg], *, is_ring: bool) -> Path:
    return Path(
        np.array([STATION_INDEX[leg.station_id] for leg in legs]),
        np.array([leg.direction for leg in legs]),
        np.round(np.cumsum([leg.minutes for leg in legs]), 4),
        is_ring,
    )


def _straight_km(first: Station, second: Station) -> float:
    east_m, north_m = to_plane(
        np.array([first.latitude, second.latitude]), np.array([first.longitude, second.longitude])
    )
    return float(np.hypot(np.diff(east_m), np.diff(north_m))[0]) / 1000


def _road_minutes(first: Station, second: Station, speed_kmh: float) -> float:
    return _straight_km(first, second) * DETOUR / speed_kmh * 60


def _approach_minutes(cordon: Station) -> float:
    """From the cordon to the ring: to the nearest gantry's distance less the way along the ring."""
    nearest = min(RING, key=lambda gantry: abs(gantry.ring_km - cordon.ring_km))
    straight_km = _straight_km(cordon, nearest)
    off_ring_km = max(4.0, straight_km - abs(nearest.ring_km - cordon.ring_km))
    return off_ring_km * DETOUR / RADIAL_KMH * 60


def gantries_between(from_km: float, to_km: float) -> list[Station]:
    """Gantries passed on the way along the ring, in order of travel."""
    passed = [g for g in RING if min(from_km, to_km) < g.ring_km < max(from_km, to_km)]
    return passed if from_km < to_km else passed[::-1]


def _along_ring(from_km: float, to_km: float, minutes: float) -> list[Leg]:
    """Legs to the gantries between two chainages; the first one adds `minutes` before the ring."""
    direction = INWARD if from_km < to_km else OUTWARD
    legs = []
    at_km = from_km
    for gantry in gantries_between(from_km, to_km):
        minutes += abs(gantry.ring_km - at_km) / RING_KMH * 60
        legs.append(Leg(gantry.station_id, direction, minutes))
        at_km, minutes = gantry.ring_km, 0.0
    return legs


def _through_ring(origin: Station, destination: Station) -> Path:
    gantries = gantries_between(origin.ring_km, destination.ring_km)
    last_km = abs(destination.ring_km - gantries[-1].ring_km)
    legs = [
        Leg(origin.station_id, INWARD, 0.0),
        *_along_ring(origin.ring_km, destination.ring_km, _approach_minutes(origin)),
        Leg(
            destination.station_id,
            OUTWARD,
            last_km / RING_KMH * 60 + _approach_minutes(destination),
        ),
    ]
    return _path(legs, is_ring=True)


def _through_city(origin: Station, destination: Station) -> Path:
    entry, exit_ = edge_of(origin), edge_of(destination)
    legs = [
        Leg(origin.station_id, INWARD, 0.0),
        Leg(entry.station_id, INWARD, _road_minutes(origin, entry, RADIAL_KMH)),
    ]
    at = entry
    if abs(origin.ring_km - destination.ring_km) >= ACROSS_CENTRE_KM:
        centre = READERS[STATION_INDEX[CITY_CENTRE]]
        eastbound = INWARD if origin.ring_km < destination.ring_km else OUTWARD
        legs.append(Leg(CITY_CENTRE, eastbound, _road_minutes(entry, centre, CITY_KMH)))
        at = centre
    legs += [
        Leg(exit_.station_id, OUTWARD, _road_minutes(at, exit_, CITY_KMH)),
        Leg(destination.station_id, OUTWARD, _road_minutes(exit_, destination, RADIAL_KMH)),
    ]
    return _path(legs, is_ring=False)


def edge_of(cordon: Station) -> Station:
    """Screenline at the edge of the city on the cordon station's radial."""
    return READERS[STATION_INDEX[CITY_EDGE[cordon.station_id]]]


def _arrive(origin: Station, radial: Station) -> Path:
    """Into the city on the origin's own radial, or along the ring to another one."""
    legs = [Leg(origin.station_id, INWARD, 0.0)]
    on_ring = origin is not radial
    if on_ring:
        legs += _along_ring(origin.ring_km, radial.ring_km, _approach_minutes(origin))
    edge = edge_of(radial)
    legs.append(Leg(edge.station_id, INWARD, _road_minutes(radial, edge, RADIAL_KMH)))
    return _path(legs, is_ring=on_ring)


def _leave(destination: Station) -> Path:
    edge = edge_of(destination)
    legs = [
        Leg(edge.station_id, OUTWARD, 0.0),
        Leg(destination.station_id, OUTWARD, _road_minutes(edge, destination, RADIAL_KMH)),
    ]
    return _path(legs, is_ring=False)


Entry = tuple[tuple[str, int, int], Path]


@cache
def paths() -> tuple[Path, ...]:
    """All paths; `path_numbers` says where each kind lies."""
    return tuple(path for _, path in _catalogue())


@cache
def _catalogue() -> list[Entry]:
    return [*_through_entries(), *_city_entries(), *_ring_trip_entries(), *_city_trip_entries()]


def _through_entries() -> list[Entry]:
    entries: list[Entry] = []
    for origin, destination in through_pairs():
        ends = (CORDON[origin], CORDON[destination])
        entries.append((("through ring", origin, destination), _through_ring(*ends)))
        entries.append((("through city", origin, destination), _through_city(*ends)))
    return entries


def _city_entries() -> list[Entry]:
    cordon = range(len(CORDON))
    leaving: list[Entry] = [(("leave", k, k), _leave(CORDON[k])) for k in cordon]
    arriving: list[Entry] = [
        (("arrive", origin, radial), _arrive(CORDON[origin], CORDON[radial]))
        for origin in cordon
        for radial in cordon
        if origin == radial or (origin, radial) in through_pairs()
    ]
    return leaving + arriving


def _ring_trip_entries() -> list[Entry]:
    ring = range(len(RING))
    return [
        (("ring trip", first, last), _ring_trip(first, last, direction))
        for first in ring
        for last in ring
        for direction in ((INWARD, OUTWARD) if first == last else (int(first > last),))
    ]


def _city_trip_entries() -> list[Entry]:
    return [
        (
            ("city trip", number, direction),
            _path([Leg(station.station_id, direction, 0.0)], is_ring=False),
        )
        for number, station in enumerate(READERS)
        if station.role == "screenline"
        for direction in (INWARD, OUTWARD)
    ]


def _ring_trip(first: int, last: int, direction: int) -> Path:
    start_km = RING[first].ring_km - (1.0 if direction == INWARD else -1.0)
    end_km = RING[last].ring_km + (1.0 if direction == INWARD else -1.0)
    return _path(_along_ring(start_km, end_km, 0.0), is_ring=True)


@cache
def path_numbers(kind: str) -> dict[tuple[int, int], int]:
    """Index into `paths` by the two ends of a kind of path."""
    return {
        (first, second): number
        for number, ((entry, first, second), _) in enumerate(_catalogue())
        if entry == kind
    }


@cache
def through_pairs() -> tuple[tuple[int, int], ...]:
    """Pairs of cordon stations between which trucks pass through the valley."""
    return tuple(
        (a, b)
        for a, b in permutations(range(len(CORDON)), 2)
        if abs(CORDON[a].ring_km - CORDON[b].ring_km) >= NEAREST_PAIR_KM
        and gantries_between(CORDON[a].ring_km, CORDON[b].ring_km)
    )


@cache
def cordon_weights() -> Floats:
    """Share of each cordon station in heavy vehicles entering."""
    heavy = np.array([station.daily_vehicles * station.heavy_share for station in CORDON])
    weights: Floats = heavy / heavy.sum()
    return weights


@cache
def pair_weights() -> Floats:
    """Share of each of `through_pairs` in through traffic: more the farther, entries as counted."""
    demand = np.zeros((len(CORDON), len(CORDON)))
    for a, b in through_pairs():
        demand[a, b] = abs(CORDON[a].ring_km - CORDON[b].ring_km)
    for _ in range(50):  # fitted to the stations' shares, rows and columns in turn
        demand *= (cordon_weights() / demand.sum(axis=1))[:, None]
        demand *= (cordon_weights() / demand.sum(axis=0))[None, :]
    weights: Floats = np.round([demand[a, b] / demand.sum() for a, b in through_pairs()], 9)
    weights /= weights.sum()
    return weights


@cache
def ring_advantage() -> Floats:
    """Minutes that the ring saves in free flow, by `through_pairs`; negative where it costs."""
    by_ring, by_city = path_numbers("through ring"), path_numbers("through city")
    return np.array(
        [
            paths()[by_city[pair]].minutes[-1] - paths()[by_ring[pair]].minutes[-1]
            for pair in through_pairs()
        ]
    )
