"""Whether stops lie on the shapes of their trips, and in the order in which trips serve them.

A stop is *near* its shape within 100 m (400 m at the ends of rail trips). The places on the line
where it may lie are defined in `shape_places`; a line runs as its points do. By *user's distance*
a stop lies where shape_dist_traveled says: between the points of the shape whose own values (the
largest so far) enclose it. That is tried where the last stop time of a trip and the shape both have
a distance above 0; stops without one are looked for near the line all the same.

Left out: the order of trips with a stop that the line passes a thousand times or more.
Each stop is told once a shape, each pattern of stops once, at the calls of its first trip in a part
of stop_times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import WARNING, Found, rule
from pipelines.staging.gtfs.rules.runs import Flags, Floats, Positions
from pipelines.staging.gtfs.rules.shape_lines import Lines
from pipelines.staging.gtfs.rules.shape_places import (
    MOST_KEPT_PLACES,
    NearPlaces,
    Targets,
    near_places,
    spots_m,
)
from pipelines.staging.gtfs.rules.shape_visits import NEAR_M, Visits, visits_of

# More places than these say that stop or shape is wrong (Canonical GTFS Validator).
MOST_PLACES = 20
NEEDS = ("calls", "trips", "routes", "stops", "shapes")


@rule("stop_too_far_from_shape", WARNING, *NEEDS)
def stop_off_its_shape(feed: Feed) -> Iterator[Found]:
    """A stop lies more than 100 m from the shape of its trip; the first and last stop of rail trips
    more than 400 m."""
    matches = matches_of(feed)
    yield matches.found_stops(np.flatnonzero(matches.is_far))


@rule(
    "stop_too_far_from_shape_using_user_distance",
    WARNING,
    *NEEDS,
    "shapes.shape_dist_traveled",
    "stop_times.shape_dist_traveled",
)
def stop_off_its_distance(feed: Feed) -> Iterator[Found]:
    """A stop lies more than 100 m from the place on the shape that its shape_dist_traveled names,
    though not too far from the shape as a whole."""
    matches = matches_of(feed)
    visits, chosen = matches.visits, np.flatnonzero(matches.is_measured)
    metres = spots_m(
        visits.lines,
        visits.line[chosen],
        matches.measured_places,
        visits.lat[chosen],
        visits.lon[chosen],
    )
    far = chosen[metres > NEAR_M]
    told = np.isin(visits.stop_on_line[far], visits.stop_on_line[matches.is_far])
    yield matches.found_stops(far[~told])


@rule("stop_has_too_many_matches_for_shape", WARNING, *NEEDS)
def stop_in_many_places(feed: Feed) -> Iterator[Found]:
    """The shape passes a stop in more than 20 separate places."""
    matches = matches_of(feed)
    yield matches.found_stops(np.flatnonzero(matches.place_count > MOST_PLACES))


@rule("stops_match_shape_out_of_order", WARNING, *NEEDS)
def stops_against_the_shape(feed: Feed) -> Iterator[Found]:
    """The stops of a trip can't be put on its shape in the order in which they are served, by
    places near them or by shape_dist_traveled: one finding at the stop where that fails."""
    matches = matches_of(feed)
    broken = np.union1d(matches.broken_by_place(), matches.broken_by_distance())
    yield matches.found_calls(broken)


@dataclass(frozen=True)
class Matches:
    """Visits and the places near them: `near.target` is the number of a stop on a line, within one
    of the two radii; `target` is each visit's."""

    visits: Visits
    target: Positions
    near: NearPlaces

    @cached_property
    def place_count(self) -> Positions:
        """In how many places each visited stop may lie."""
        size = int(self.target.max(initial=-1)) + 1
        return np.bincount(self.near.target, minlength=size)[self.target]

    @cached_property
    def is_far(self) -> Flags:
        """Visits of stops too far from their line."""
        return np.asarray(self.place_count == 0)

    @cached_property
    def is_measured(self) -> Flags:
        """Visits with a user's distance, where it counts."""
        visits = self.visits
        last = visits.first + visits.length - 1
        longest = _largest(visits.lines)[visits.line[last]]
        counts = (visits.distance[last] > 0) & (longest > 0)
        return np.repeat(counts, visits.length) & (visits.distance > 0)

    @cached_property
    def measured_places(self) -> Floats:
        """Positions of the measured visits by user's distance."""
        visits = self.visits
        return _by_distance(
            visits.lines, visits.line[self.is_measured], visits.distance[self.is_measured]
        )

    @property
    def has_places(self) -> Flags:
        """Visits of stops that are near their line, in places of which all are known."""
        return np.asarray((self.place_count > 0) & (self.place_count < MOST_KEPT_PLACES))

    def broken_by_place(self) -> Positions:
        """Visits at which a pattern can't go on along places near its stops."""
        return _broken(self.visits, self.has_places, self.target, self.near)

    def broken_by_distance(self) -> Positions:
        """Visits at which a pattern can't go on along user's distances."""
        measured, visits = self.is_measured, self.visits
        if not measured.any():
            return np.empty(0, np.int64)
        is_told = np.repeat(np.logical_or.reduceat(measured, visits.first), visits.length)
        target = self.target.copy()
        own = np.arange(np.count_nonzero(measured)) + int(target.max()) + 1
        target[measured] = own
        near = NearPlaces(
            np.append(self.near.target, own), np.append(self.near.place, self.measured_places)
        )
        return _broken(visits, is_told & (measured | self.has_places), target, near)

    def found_stops(self, chosen: Positions) -> Found:
        """Visits as findings, each stop once a shape."""
        _, first = np.unique(self.visits.stop_on_line[chosen], return_index=True)
        return self.found_calls(chosen[np.sort(first)])

    def found_calls(self, chosen: Positions) -> Found:
        """Visits as findings."""
        return self.visits.runs.found_at(self.visits.call[chosen], "stop_id")


@once
def matches_of(feed: Feed) -> Matches:
    """The visits of a feed's part of stop_times, and the places near their stops."""
    visits = visits_of(feed)
    key = 2 * visits.stop_on_line + (visits.near_m > NEAR_M)
    _, example, target = np.unique(key, return_index=True, return_inverse=True)
    targets = Targets(
        visits.line[example], visits.lat[example], visits.lon[example], visits.near_m[example]
    )
    return Matches(visits, target, near_places(visits.lines, targets))


def _largest(lines: Lines) -> Floats:
    """Largest user's distance of each line, 0 where it has none."""
    distance = np.nan_to_num(lines.distance)
    return np.maximum.reduceat(distance, lines.first) if distance.size else distance


def _by_distance(lines: Lines, line: Positions, distance: Floats) -> Floats:
    """Positions of user's distances on lines."""
    places = np.empty(line.size)
    by_line = np.argsort(line, kind="stable")
    heads = np.flatnonzero(np.diff(line[by_line], prepend=-1) != 0)
    for chosen in np.split(by_line, heads[1:]) if line.size else ():
        first, count = lines.first[line[chosen[0]]], lines.count[line[chosen[0]]]
        told = np.nan_to_num(lines.distance[first : first + count])
        known = np.maximum.accumulate(np.maximum(told, 0.0))
        point = np.searchsorted(known, distance[chosen], side="right") - 1
        point = np.maximum(point, 0)
        after = np.minimum(point + 1, count - 1)
        step = known[after] - known[point]
        beyond = np.maximum(distance[chosen] - known[point], 0.0)
        places[chosen] = first + point + np.where(step > 0, beyond / np.where(step > 0, step, 1), 0)
    return places


def _broken(visits: Visits, is_matched: Flags, target: Positions, near: NearPlaces) -> Positions:
    """Visits at which their pattern can't go on along its line, of patterns all of whose visits are
    matched.

    Each stop takes the first of its places that is not before the one taken by the stop before:
    if any choice of places never goes back, this one does not. All patterns take a stop at a time.
    """
    first = visits.first
    going = np.flatnonzero(np.logical_and.reduceat(is_matched, first)) if first.size else first
    ends = np.cumsum(np.bincount(near.target, minlength=int(target.max(initial=-1)) + 1))
    begins = np.append(0, ends)
    reached = np.zeros(first.size)
    broken: list[Positions] = [np.empty(0, np.int64)]
    step = 0
    while going.size:
        visit = first[going] + step
        end = ends[target[visit]]
        at = _first_from(near.place, begins[target[visit]], end, reached[going])
        goes_on = at < end
        broken.append(visit[~goes_on])
        going = going[goes_on]
        reached[going] = near.place[at[goes_on]]
        step += 1
        going = going[visits.length[going] > step]
    return np.concatenate(broken)


def _first_from(rising: Floats, low: Positions, high: Positions, least: Floats) -> Positions:
    """The first index of each range from `low` to `high` whose value is at least so much, or
    `high`: values rise within a range."""
    while (low < high).any():
        middle = (low + high) // 2
        is_less = (low < high) & (rising[np.minimum(middle, rising.size - 1)] < least)
        low, high = np.where(is_less, middle + 1, low), np.where(is_less, high, middle)
    return low
