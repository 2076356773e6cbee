"""Where along its shape a stop may lie: the places on a line that are near a point.

A line passes near a point in one *place* or several: where the distance to the point is at most the
radius and smallest, each time the line has come nearer again. In a stretch of near segments a new
place begins where a segment comes nearer than the end of the one before, and that one had led away.

Distances are measured in the plane that touches the Earth at the point, degrees of longitude being
as long everywhere as there. Up to 400 m from it, and below 80 degrees of latitude, that is right
within 0.2 m; segments are straight in it, where great circles bend by d**2 tan(latitude) / 8 R for
a segment of length d: 2 m on 10 km at 45 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipelines.staging.gtfs.rules.runs import Floats, Positions
from pipelines.staging.gtfs.rules.shape_lines import FAN, Boxes, Lines, ranges
from pipelines.staging.gtfs.rules.sphere import EARTH_RADIUS_M

METRES_PER_DEGREE = EARTH_RADIUS_M * np.pi / 180
# Distances that differ by less are equal: the end of a segment and the beginning of the next.
SAME_M = 0.001
# Segments compared at a time, about: arrays of these stay small, and near the processor.
MOST_SEGMENTS = 500_000
# Positions of one target that are kept, the first of them: more would fill the memory for nothing.
MOST_KEPT_PLACES = 1_000
# A box is searched a little farther than the radius: degrees get shorter towards the poles.
MARGIN = 1.01


@dataclass(frozen=True)
class Targets:
    """Points to be found on lines, in order of line: where, on which line, how near."""

    line: Positions
    lat: Floats
    lon: Floats
    near_m: Floats

    def some(self, chosen: slice) -> Targets:
        """Part of the targets."""
        return Targets(self.line[chosen], self.lat[chosen], self.lon[chosen], self.near_m[chosen])


@dataclass(frozen=True)
class NearPlaces:
    """Positions on lines near targets: `target` (index) and `place`, sorted by both."""

    target: Positions
    place: Floats


def near_places(lines: Lines, targets: Targets) -> NearPlaces:
    """Positions of its line near each target: all, or the first `MOST_KEPT_PLACES`."""
    size = np.cumsum(lines.count[targets.line])
    cuts = np.flatnonzero(np.diff(size // MOST_SEGMENTS, prepend=0)) + 1
    bounds = np.unique(np.concatenate([[0], cuts, [targets.line.size]]))
    found = [
        (begin, *_places(lines, targets.some(slice(begin, end)))) for begin, end in pairwise(bounds)
    ]
    return NearPlaces(
        target=np.concatenate([target + begin for begin, target, _ in found] or [_NO_PLACES]),
        place=np.concatenate([place for *_, place in found] or [_NO_PLACES.astype(np.float64)]),
    )


_NO_PLACES = np.empty(0, np.int64)


def _places(lines: Lines, targets: Targets) -> tuple[Positions, Floats]:
    target, point = _near_segments(lines, targets)
    nearest, share, at_end = _distances(lines, targets, target, point)
    is_near = nearest <= targets.near_m[target]
    target, point, share = target[is_near], point[is_near], share[is_near]
    nearest, at_end = nearest[is_near], at_end[is_near]
    follows = (target[1:] == target[:-1]) & (point[1:] == point[:-1] + 1)
    led_away = at_end[:-1] > nearest[:-1] + SAME_M
    comes_nearer = nearest[1:] < at_end[:-1] - SAME_M
    is_new = np.ones(target.size, np.bool_)
    is_new[1:] = ~follows | (led_away & comes_nearer)
    first = np.flatnonzero(is_new)
    if not first.size:
        return _NO_PLACES, _NO_PLACES.astype(np.float64)
    least = np.repeat(np.minimum.reduceat(nearest, first), np.diff(first, append=target.size))
    best = np.flatnonzero(nearest <= least + SAME_M)
    group = np.cumsum(is_new)[best]
    best = best[np.diff(group, prepend=0) != 0]
    target, place = target[best], point[best] + share[best]
    is_kept = np.arange(target.size) - np.searchsorted(target, target) < MOST_KEPT_PLACES
    return target[is_kept], place[is_kept]


def _near_segments(lines: Lines, targets: Targets) -> tuple[Positions, Positions]:
    """Pairs of targets and segments (the points they start from) that may be near, in order."""
    coarse, fine = lines.boxes
    count = coarse.count[targets.line]
    target = np.repeat(np.arange(targets.line.size), count)
    box = ranges(coarse.first[targets.line], count)
    target, box = _reached(coarse, targets, target, box)
    target, box = _inside(coarse.first, (fine.first, fine.count), targets.line, target, box)
    target, box = _reached(fine, targets, target, box)
    return _inside(fine.first, (lines.first, lines.count), targets.line, target, box)


def _inside(
    outer_first: Positions,
    inner: tuple[Positions, Positions],
    line_of: Positions,
    target: Positions,
    box: Positions,
) -> tuple[Positions, Positions]:
    """Pairs of targets and what lies in their boxes; `inner` is where a line's begin, and count."""
    inner_first, inner_count = inner
    line = line_of[target]
    offset = (box - outer_first[line]) * FAN
    count = np.minimum(inner_count[line] - offset, FAN)
    return np.repeat(target, count), ranges(inner_first[line] + offset, count)


def _reached(
    boxes: Boxes, targets: Targets, target: Positions, box: Positions
) -> tuple[Positions, Positions]:
    """Of these pairs, those in which the box is near the target."""
    lat, lon = targets.lat[target], targets.lon[target]
    reach = MARGIN * targets.near_m[target] / METRES_PER_DEGREE
    is_reached = np.abs(lat - boxes.lat[box]) <= boxes.half_lat[box] + reach
    reach /= np.maximum(np.cos(np.radians(lat)), 1e-9)
    is_reached &= np.abs(_turn(lon - boxes.lon[box])) <= boxes.half_lon[box] + reach
    return target[is_reached], box[is_reached]


def _distances(
    lines: Lines, targets: Targets, target: Positions, point: Positions
) -> tuple[Floats, Floats, Floats]:
    """For pairs of targets and segments: metres to the segment, the share of the segment before the
    nearest spot, metres to the segment's end."""
    line, lat, lon = targets.line[target], targets.lat[target], targets.lon[target]
    x, y, dx, dy = _segments(lines, line, point, lat, lon)
    square = dx * dx + dy * dy
    share = np.clip(-(x * dx + y * dy) / np.where(square > 0, square, 1.0), 0.0, 1.0)
    return _length(x + share * dx, y + share * dy), share, _length(x + dx, y + dy)


def spots_m(lines: Lines, line: Positions, place: Floats, lat: Floats, lon: Floats) -> Floats:
    """Metres from points to places on lines."""
    point = np.floor(place).astype(np.int64)
    x, y, dx, dy = _segments(lines, line, point, lat, lon)
    share = place - point
    return _length(x + share * dx, y + share * dy)


def _segments(
    lines: Lines, line: Positions, point: Positions, lat: Floats, lon: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Segments in the planes at `lat`, `lon`: where they start, x east and y north in metres, and
    how far they go. The last point of a line is a segment of no length."""
    after = np.minimum(point + 1, lines.first[line] + lines.count[line] - 1)
    east = METRES_PER_DEGREE * np.cos(np.radians(lat))
    x, y = _turn(lines.lon[point] - lon) * east, (lines.lat[point] - lat) * METRES_PER_DEGREE
    dx = _turn(lines.lon[after] - lines.lon[point]) * east
    dy = (lines.lat[after] - lines.lat[point]) * METRES_PER_DEGREE
    return x, y, dx, dy


def _length(x: Floats, y: Floats) -> Floats:
    return np.asarray(np.sqrt(x * x + y * y))


def _turn(degrees: Floats) -> Floats:
    """Differences of longitude by the shorter way round, within 180 degrees."""
    return degrees - 360.0 * np.rint(degrees / 360.0)
