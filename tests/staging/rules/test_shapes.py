"""Shapes: a feed that breaks each rule, beside rows that do not; order of points and lines.

A degree of latitude is 111,195 m on the sphere: 0.00001 are 1.11195 m, just over 1.11 m.
"""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import shapes
from pipelines.staging.gtfs.rules.shape_lines import lines_of, points_in_order
from tests.staging.rules.toys import Case, case, check, feed, findings, rules_broken, rules_in

POINTS = "shape_id,shape_pt_sequence,shape_pt_lat,shape_pt_lon,shape_dist_traveled"
CALLS = "trip_id,stop_sequence,stop_id,shape_dist_traveled"
STOPS = "stop_id,stop_lat,stop_lon / here,43.2,76.9 / near,43.20009,76.9 / far,43.2002,76.9"

# Neighbours of one distance: in one place, a hair apart, 11 m apart.
EQUAL = f"{POINTS} / s,1,43.2,76.9,5 / s,2,43.2,76.9,5 / s,3,43.200001,76.9,5 / s,4,43.2001,76.9,5"

# The trips of shape s, 9 long by itself, end 10 long: where it ends, 10 m on, 22 m on.
BEYOND = {
    "stops": STOPS,
    "shapes": f"{POINTS} / s,1,43.1,76.9,0 / s,2,43.2,76.9,9 / s,3,43.3,76.9,8 / z,1,43.2,76.9,0",
    "trips": "trip_id,shape_id / A,s / B,s / C,s / D,s / E,z / F,x / G,s",
    "stop_times": f"{CALLS} / A,1,far,10 / B,1,near,10 / C,1,here,10 / D,1,far,9 / E,1,far,10 / "
    "F,1,far,10 / G,1,far,99 / G,2,far,",
}

CASES = [
    case(
        "single_shape_point",
        ("shapes", 4, "shape_id", "b"),
        shapes=f"{POINTS} / a,1,43.2,76.9, / a,2,43.3,76.9, / b,1,43.2,76.9,",
    ),
    case(
        "unused_shape",
        ("shapes", 4, "shape_id", "b"),
        shapes=f"{POINTS} / a,1,43.2,76.9, / a,2,43.3,76.9, / b,1,43.2,76.9, / b,2,43.3,76.9, / "
        ",1,43.2,76.9,",
        trips="trip_id,shape_id / A,a / B,",
    ),
    # By sequence, c's rows are 5, 4, 6; a blank parts its neighbours; another shape starts anew.
    case(
        "decreasing_shape_distance",
        ("shapes", 4, "shape_dist_traveled", "1.0"),
        shapes=f"{POINTS} / a,1,,,2 / a,2,,,2 / c,2,,,1 / c,1,,,3 / c,3,,, / c,4,,,0",
    ),
    case(
        "equal_shape_distance_same_coordinates",
        ("shapes", 3, "shape_dist_traveled", "5.0"),
        shapes=EQUAL,
    ),
    case(
        "equal_shape_distance_diff_coordinates_distance_below_threshold",
        ("shapes", 4, "shape_dist_traveled", "5.0"),
        shapes=EQUAL,
    ),
    case(
        "equal_shape_distance_diff_coordinates",
        ("shapes", 5, "shape_dist_traveled", "5.0"),
        shapes=EQUAL,
    ),
    # Just over and just under 1.11 m; blank distances are not equal, nor are different shapes.
    case(
        "equal_shape_distance_diff_coordinates",
        ("shapes", 3, "shape_dist_traveled", "0.0"),
        shapes=f"{POINTS} / a,1,0,0,0 / a,2,0.00001,0,0 / a,3,0.0000199,0,0 / a,4,1,0, / "
        "a,5,2,0, / b,1,9,0,0",
    ),
    # 10 degrees at the equator are 1,112 km; from 179 to -179 degrees of longitude it is not far.
    case(
        "shape_segment_too_long",
        ("shapes", 3, "shape_pt_lat", "1112 km"),
        shapes=f"{POINTS} / a,1,0,0, / a,2,0,10, / a,3,8.9,10, / b,1,0,179, / b,2,0,-179,",
    ),
    case(
        "trip_distance_exceeds_shape_distance",
        ("trips", 2, "shape_id", "s: 10.0 of 9.0"),
        **BEYOND,
    ),
    case(
        "trip_distance_exceeds_shape_distance_below_threshold",
        ("trips", 3, "shape_id", "s: 10.0 of 9.0"),
        **BEYOND,
    ),
    # A has distances on a shape that lacks one; B none; C's shape has all; D's shape is not there.
    case(
        "trip_with_shape_dist_traveled_but_no_shape_distances",
        ("trips", 2, "shape_id", "s"),
        shapes=f"{POINTS} / s,1,,,0 / s,2,,, / t,1,,,0",
        trips="trip_id,shape_id / A,s / B,s / C,t / D,x",
        stop_times=f"{CALLS} / A,1,here, / A,2,here,1 / B,1,here, / C,1,here,1 / D,1,here,1",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_shown_broken() -> None:
    assert rules_broken(CASES) == rules_in(shapes)


@pytest.mark.parametrize("code", sorted(rules_in(shapes)))
def test_a_feed_without_points_breaks_nothing(code: str) -> None:
    trips, calls = "trip_id,shape_id / A,s", f"{CALLS} / A,1,here,1"
    assert findings(code, shapes=POINTS, trips=trips, stops=STOPS, stop_times=calls) == []


def test_points_come_together_and_in_order() -> None:
    toy = feed(shapes=f"{POINTS} / b,2,,, / a,1,,, / b,1,,, / ,1,,, / b,2,,, / a,0,,, / b,,,,")
    points = points_in_order(toy["shapes"])
    assert points.select("shape_id", "row_number", "line").rows() == [
        *(("b", 8, 0), ("b", 4, 0), ("b", 2, 0), ("b", 6, 0)),
        *(("a", 7, 1), ("a", 3, 1)),
    ]


def test_boxes_hold_their_segments() -> None:
    """20 points north and 17 east: boxes of 16 segments, the ends of the last ones included."""
    north = " / ".join(f"n,{at},{at},0," for at in range(20))
    east = " / ".join(f"e,{at},0,{at}," for at in range(17))
    lines = lines_of(feed(shapes=f"{POINTS} / {north} / {east} / x,1,,,")["shapes"])
    coarse, fine = lines.boxes
    assert lines.shape_ids.to_list() == ["n", "e"]
    assert (lines.first.tolist(), lines.count.tolist()) == ([0, 20], [20, 17])
    assert (fine.first.tolist(), fine.count.tolist()) == ([0, 2], [2, 2])
    south, north_edge = (fine.lat - fine.half_lat).tolist(), (fine.lat + fine.half_lat).tolist()
    assert (south, north_edge) == ([0, 16, 0, 0], [16, 19, 0, 0])
    west, east_edge = (fine.lon - fine.half_lon).tolist(), (fine.lon + fine.half_lon).tolist()
    assert (west, east_edge) == ([0, 0, 0, 16], [0, 0, 16, 16])
    assert (coarse.lat + coarse.half_lat).tolist() == [19, 0]
    assert (coarse.lon + coarse.half_lon).tolist() == [0, 16]
