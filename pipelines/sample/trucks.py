"""Heavy vehicles' journeys of one day of entry, as they truly are: nothing is misread here.

Kinds: through trips (and some returns later the same day), visits to the city (in, hours later
out), arrivals and departures with one cordon reading, trips on the ring and in the city without
any. A through trip takes the ring or the city so that the ring's share is the true one, exactly,
each day; which trips those are depends on what the ring saves on their pair and on chance. Some
stop on the way. A truck makes its journeys of one day at most every third day, and every journey
ends before the next day does. Numbers of trips, stays, stops and delays are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.sample.counts import FREE_PROFILES, WEEKDAY_FACTORS, WORKING_PROFILES
from pipelines.sample.days import day_type, start_ms
from pipelines.sample.paths import (
    cordon_weights,
    pair_weights,
    path_numbers,
    paths,
    ring_advantage,
    through_pairs,
)
from pipelines.sample.seeds import generator
from pipelines.sample.stations import CORDON, READERS
from pipelines.sample.truth import TRUTH

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Journeys on a mean day, of each kind.
THROUGH_TRIPS, VISITS, ARRIVALS, DEPARTURES, RING_TRIPS, CITY_TRIPS = (
    2_900, 2_500, 1_000, 1_000, 4_500, 4_500,
)  # fmt: skip
DAY_SPREAD = 0.04
RETURN_SHARE, RETURN_GAP_HOURS, LATEST_RETURNING_HOUR = 0.04, (6.0, 12.0), 14.0
RING_TO_CITY_SHARE = 0.25
SAME_RADIAL_SHARE = 0.7
STAY_HOURS, STAY_SPREAD, STAY_LIMITS_HOURS = 5.5, 0.45, (1.0, 14.0)
SHORT_STOP_SHARE, SHORT_STOP_MINUTES, SHORT_STOP_SPREAD = 0.10, 25.0, 0.5
LONG_STOP_SHARE, LONG_STOP_HOURS = 0.03, (3.0, 9.0)
TIME_SPREAD_RING, TIME_SPREAD_CITY = 0.10, 0.18
ADVANTAGE_PER_MINUTE = 0.02
# Travel time over free flow by clock hour, in the city; the ring has a fifth of the delay.
CONGESTION = np.array([
    1.0, 1.0, 1.0, 1.0, 1.0, 1.02, 1.1, 1.3, 1.48, 1.38, 1.26, 1.22,
    1.22, 1.22, 1.24, 1.28, 1.34, 1.46, 1.55, 1.4, 1.18, 1.08, 1.03, 1.0,
])  # fmt: skip
RING_DELAY = 0.2
LONG_HAUL_PLATES, LOCAL_PLATES, PLATE_REST_DAYS = 48_000, 66_000, 3
MS_PER_HOUR = 3_600_000


@dataclass(frozen=True)
class Legs:
    """Drives along one path each, in columns: start (ms since 1970 UTC), plate, delay, stop."""

    path: Integers
    start_ms: Integers
    plate: Integers
    factor: Floats
    stop_after: Floats  # share of the way at which the vehicle stops; 2 where it does not
    stop_ms: Integers

    def end_ms(self) -> Integers:
        """When each drive passes its last reader."""
        minutes = np.array([path.minutes[-1] for path in paths()])[self.path]
        stopped = np.where(self.stop_after < 1, self.stop_ms, 0)
        return self.start_ms + np.round(minutes * self.factor * 60_000).astype(np.int64) + stopped


@dataclass(frozen=True)
class Passings:
    """True passings of readers: index into READERS, direction, instant and plate number."""

    station: Integers
    direction: Integers
    passed_ms: Integers
    plate: Integers


def _join(parts: list[Legs]) -> Legs:
    return Legs(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Legs.__annotations__)
    )


def _drive(
    rng: np.random.Generator, path: Integers, start: Integers, plate: Integers, hour: Integers
) -> Legs:
    """Legs with delays by the hour of the start, and without stops."""
    on_ring = np.array([entry.is_ring for entry in paths()])[path]
    delay = CONGESTION[hour] - 1
    spread = np.where(on_ring, TIME_SPREAD_RING, TIME_SPREAD_CITY)
    factor = (1 + np.where(on_ring, RING_DELAY, 1.0) * delay) * np.exp(
        spread * rng.standard_normal(len(path))
    )
    none = np.zeros(len(path), dtype=np.int64)
    return Legs(path, start, plate, np.round(factor, 6), np.full(len(path), 2.0), none)


def _starts(rng: np.random.Generator, day: date, count: int) -> tuple[Integers, Integers]:
    """Instants spread over the day by the freight profile, and their clock hours."""
    profile = (WORKING_PROFILES if day_type(day) == 0 else FREE_PROFILES)[2]
    hour = rng.choice(24, size=count, p=profile)
    within = rng.integers(0, MS_PER_HOUR, count)
    return start_ms(day) + hour * MS_PER_HOUR + within, hour


def _pick(numbers: dict[tuple[int, int], int], first: Integers, second: Integers) -> Integers:
    """Path numbers of many pairs of ends."""
    table = np.full((32, 32), -1, dtype=np.int64)
    for (a, b), number in numbers.items():
        table[a, b] = number
    return table[first, second]


def _with_stops(rng: np.random.Generator, legs: Legs) -> Legs:
    count = len(legs.path)
    lot = rng.random(count)
    short = np.round(SHORT_STOP_MINUTES * np.exp(SHORT_STOP_SPREAD * rng.standard_normal(count)), 3)
    long_minutes = rng.uniform(*LONG_STOP_HOURS, count) * 60
    is_long = lot < LONG_STOP_SHARE
    stops = lot < LONG_STOP_SHARE + SHORT_STOP_SHARE
    minutes = np.where(is_long, long_minutes, short)
    return Legs(
        legs.path,
        legs.start_ms,
        legs.plate,
        legs.factor,
        np.where(stops, rng.random(count), 2.0),
        np.where(stops, np.round(minutes * 60_000), 0).astype(np.int64),
    )


def _on_ring(rng: np.random.Generator, pair: Integers, share: float) -> npt.NDArray[np.bool_]:
    """Which trips take the ring: those that lean to it most, as many as the share says."""
    leaning = np.round(
        ADVANTAGE_PER_MINUTE * ring_advantage()[pair] + rng.standard_normal(len(pair)), 9
    )
    chosen = np.zeros(len(pair), dtype=np.bool_)
    chosen[np.argsort(-leaning, kind="stable")[: round(share * len(pair))]] = True
    return chosen


def _through(rng: np.random.Generator, day: date, count: int, plates: Integers) -> Legs:
    """Through trips of the day, and returns of some of them, all with their way."""
    ends = np.array(through_pairs())
    pair = rng.choice(len(ends), size=count, p=pair_weights())
    start, hour = _starts(rng, day, count)
    returns = np.flatnonzero((rng.random(count) < RETURN_SHARE) & (hour < LATEST_RETURNING_HOUR))
    back = np.array([through_pairs().index((b, a)) for a, b in through_pairs()])[pair[returns]]

    every_pair = np.concatenate([pair, back])
    on_ring = _on_ring(rng, every_pair, TRUTH.diversion_share(day))
    origin, destination = ends[every_pair].T
    path = np.where(
        on_ring,
        _pick(path_numbers("through ring"), origin, destination),
        _pick(path_numbers("through city"), origin, destination),
    )
    first = _with_stops(rng, _drive(rng, path[:count], start, plates, hour))
    gap_ms = np.round(rng.uniform(*RETURN_GAP_HOURS, len(returns)) * MS_PER_HOUR).astype(np.int64)
    start_back = first.end_ms()[returns] + gap_ms
    hour_back = (start_back - start_ms(day)) // MS_PER_HOUR % 24
    second = _drive(rng, path[count:], start_back, plates[returns], hour_back)
    return _join([first, second])


def _visits(rng: np.random.Generator, day: date, count: int, plates: Integers) -> Legs:
    """Into the city, hours there, and out again, mostly the way they came."""
    arrival = _arrivals(rng, day, count, plates)
    stay = np.clip(
        STAY_HOURS * np.exp(STAY_SPREAD * rng.standard_normal(count)), *STAY_LIMITS_HOURS
    )
    leaving = arrival.end_ms() + np.round(stay * MS_PER_HOUR).astype(np.int64)
    origin = np.array([path.stations[0] for path in paths()])[arrival.path]
    other = rng.choice(len(CORDON), size=count, p=cordon_weights())
    exit_ = np.where(rng.random(count) < SAME_RADIAL_SHARE, origin, other)
    hour = (leaving - start_ms(day)) // MS_PER_HOUR % 24
    return _join(
        [arrival, _drive(rng, _pick(path_numbers("leave"), exit_, exit_), leaving, plates, hour)]
    )


def _arrivals(rng: np.random.Generator, day: date, count: int, plates: Integers) -> Legs:
    start, hour = _starts(rng, day, count)
    origin = rng.choice(len(CORDON), size=count, p=cordon_weights())
    radial = rng.choice(len(CORDON), size=count, p=cordon_weights())
    by_ring = rng.random(count) < RING_TO_CITY_SHARE
    path = _pick(path_numbers("arrive"), origin, np.where(by_ring, radial, origin))
    straight = _pick(path_numbers("arrive"), origin, origin)
    return _drive(rng, np.where(path >= 0, path, straight), start, plates, hour)


def _departures(rng: np.random.Generator, day: date, count: int, plates: Integers) -> Legs:
    start, hour = _starts(rng, day, count)
    exit_ = rng.choice(len(CORDON), size=count, p=cordon_weights())
    return _drive(rng, _pick(path_numbers("leave"), exit_, exit_), start, plates, hour)


def _local(rng: np.random.Generator, day: date, kind: str, count: int, plates: Integers) -> Legs:
    """Trips past gantries or a screenline without any cordon reading."""
    numbers = np.array(
        [number for number, path in enumerate(paths()) if _is_kind(kind, path.stations)]
    )
    start, hour = _starts(rng, day, count)
    return _drive(rng, numbers[rng.integers(0, len(numbers), count)], start, plates, hour)


def _is_kind(kind: str, stations: Integers) -> bool:
    return {READERS[number].role for number in stations.tolist()} == {kind}


def _plates(rng: np.random.Generator, day: date, first: int, pool: int, count: int) -> Integers:
    """Plate numbers that are on the road that day, none twice."""
    turn = day.toordinal() % PLATE_REST_DAYS
    chosen: Integers = first + turn + PLATE_REST_DAYS * rng.permutation(pool // PLATE_REST_DAYS)
    return chosen[:count]


@lru_cache(maxsize=8)
def journeys(day: date, seed: int) -> tuple[Legs, Legs]:
    """Legs of the journeys that enter on the day: the through trips, and all others."""
    rng = generator(seed, "journeys", day.toordinal())
    weekday = 6 if day_type(day) == 2 else day.weekday()
    factor = WEEKDAY_FACTORS[2, weekday] * np.exp(DAY_SPREAD * rng.standard_normal())
    numbers = (THROUGH_TRIPS, VISITS, ARRIVALS, DEPARTURES, RING_TRIPS, CITY_TRIPS)
    counts = [round(float(number * factor)) for number in numbers]
    long_haul = _plates(rng, day, 0, LONG_HAUL_PLATES, counts[0])
    local = np.split(
        _plates(rng, day, LONG_HAUL_PLATES, LOCAL_PLATES, sum(counts[1:])),
        np.cumsum(counts[1:])[:-1],
    )
    through = _through(rng, day, counts[0], long_haul)
    others = [
        _visits(rng, day, counts[1], local[0]),
        _arrivals(rng, day, counts[2], local[1]),
        _departures(rng, day, counts[3], local[2]),
        _local(rng, day, "ring", counts[4], local[3]),
        _local(rng, day, "screenline", counts[5], local[4]),
    ]
    return through, _join(others)


def passings(legs: Legs) -> Passings:
    """Every reader that the legs pass."""
    parts: list[tuple[Integers, ...]] = []
    for number, path in enumerate(paths()):
        chosen = np.flatnonzero(legs.path == number)
        if not len(chosen):
            continue
        minutes = path.minutes[None, :] * legs.factor[chosen, None]
        way = path.minutes / max(float(path.minutes[-1]), 1.0)
        stopped = np.where(
            way[None, :] > legs.stop_after[chosen, None], legs.stop_ms[chosen, None], 0
        )
        moments = legs.start_ms[chosen, None] + np.round(minutes * 60_000).astype(np.int64)
        count = len(chosen)
        parts.append(
            (
                np.tile(path.stations, count),
                np.tile(path.directions, count),
                (moments + stopped).ravel(),
                np.repeat(legs.plate[chosen], len(path.stations)),
            )
        )
    return Passings(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@lru_cache(maxsize=4)
def passings_entered(day: date, seed: int) -> Passings:
    """Every passing of the journeys that enter on the day; some fall on the next day."""
    return passings(_join(list(journeys(day, seed))))
