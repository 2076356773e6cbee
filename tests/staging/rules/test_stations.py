"""Stations: a feed that breaks each rule, beside rows that do not."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import stations
from tests.staging.rules.toys import Case, case, check, findings, rules_broken, rules_in

# S is a station with entrance E, node N and platforms P and Q; Q has the boarding area B.
STATION = (
    "stop_id,location_type,parent_station,level_id,stop_access,platform_code"
    " / S,1,,,, / E,2,S,0,, / N,3,S,,, / P,0,S,-1,,1 / Q,,S,-1,, / B,4,Q,-1,,"
)
WAYS = "pathway_id,from_stop_id,to_stop_id,pathway_mode,is_bidirectional"

CASES = [
    case(
        "location_without_parent_station",
        *(("stops", row, "parent_station", None) for row in (4, 5, 6)),
        stops=(
            "stop_id,location_type,parent_station / A,, / S,1, / E,2, / N,3, / B,4, / E2,2,S / Z,0,"
        ),
    ),
    case(
        "station_with_parent_station",
        ("stops", 3, "parent_station", "S"),
        stops="stop_id,location_type,parent_station / S,1, / T,1,S / P,0,S",
    ),
    case(
        "platform_without_parent_station",
        ("stops", 2, "platform_code", "1"),
        stops=(
            "stop_id,location_type,parent_station,platform_code / A,,,1 / B,0,S,2 / C,0,, / S,1,,9"
        ),
    ),
    case("wrong_parent_location_type", stops=STATION),
    # Missing parents and parents of stations are told by other rules.
    case(
        "wrong_parent_location_type",
        ("stops", 4, "parent_station", "P"),
        ("stops", 5, "parent_station", "E"),
        ("stops", 6, "parent_station", "P"),
        ("stops", 7, "parent_station", "S"),
        stops=(
            "stop_id,location_type,parent_station"
            " / S,1, / P,0,S / P2,,P / E,2,E / N,3,P / B,4,S / T,1,P / L,0,lost"
        ),
    ),
    case(
        "unused_station",
        ("stops", 3, "stop_id", "T"),
        stops="stop_id,location_type,parent_station / S,1, / T,1, / P,0,S",
    ),
    case(
        "stop_access_specified_for_incorrect_location",
        *(("stops", row, "stop_access", "0") for row in (2, 3, 4, 5)),
        stops=(
            "stop_id,location_type,parent_station,stop_access"
            " / S,1,,0 / E,2,S,0 / N,3,S,0 / B,4,P,0 / P,0,S,0 / Q,,S,1 / T,1,,"
        ),
    ),
    case(
        "stop_access_specified_for_stop_with_no_parent_station",
        ("stops", 3, "stop_access", "1"),
        stops=(
            "stop_id,location_type,parent_station,stop_access / P,0,S,1 / A,,,1 / S,1,,1 / Z,0,,"
        ),
    ),
    # An elevator needs the levels of both ends, a walkway (1) none.
    case(
        "missing_level_id",
        ("stops", 4, "level_id", None),
        stops=STATION,
        pathways=f"{WAYS} / lift,N,P,5,1 / walk,E,S,1,1",
    ),
    case(
        "bidirectional_exit_gate",
        ("pathways", 3, "is_bidirectional", "1"),
        pathways=f"{WAYS} / out,P,E,7,0 / gate,P,E,7,1 / fare,P,E,6,1",
    ),
    case(
        "pathway_loop",
        ("pathways", 3, "to_stop_id", "P"),
        pathways=f"{WAYS} / a,P,E,1,1 / b,P,P,1,1",
    ),
    # Two ways to one neighbour lead nowhere all the same; N2 has no pathway and is not told.
    case(
        "pathway_dangling_generic_node",
        ("stops", 4, "stop_id", "N"),
        stops=f"{STATION} / N2,3,S,,,",
        pathways=f"{WAYS} / a,N,P,1,1 / b,P,N,2,0 / c,E,P,1,1",
    ),
    case(
        "pathway_dangling_generic_node", stops=STATION, pathways=f"{WAYS} / a,N,P,1,1 / b,E,N,1,1"
    ),
    case(
        "pathway_to_platform_with_boarding_areas",
        ("pathways", 2, "to_stop_id", "Q"),
        ("pathways", 3, "from_stop_id", "Q"),
        stops=STATION,
        pathways=f"{WAYS} / a,E,Q,1,1 / b,Q,B,1,1 / c,E,B,1,1 / d,E,P,1,1 / e,E,S,1,1",
    ),
    case(
        "pathway_to_wrong_location_type",
        ("pathways", 2, "from_stop_id", "S"),
        ("pathways", 3, "to_stop_id", "S"),
        stops=STATION,
        pathways=f"{WAYS} / a,S,P,1,1 / b,E,S,1,1 / c,E,P,1,1",
    ),
    case(
        "pathway_to_stop_with_access_outside_of_station_pathways",
        ("pathways", 2, "to_stop_id", "X"),
        stops=f"{STATION} / X,0,S,,1, / Y,0,S,,0,",
        pathways=f"{WAYS} / a,E,X,1,1 / b,E,Y,1,1 / c,E,P,1,1",
    ),
    # E - P both ways; N can be entered but not left, B left but not entered; Q holds B and is
    # exempt. A second station without pathways is nobody's concern.
    case(
        "pathway_unreachable_location",
        ("stops", 4, "stop_id", "N"),
        ("stops", 7, "stop_id", "B"),
        stops=f"{STATION} / T,1,,,, / R,0,T,,,",
        pathways=f"{WAYS} / a,E,P,1,1 / b,P,N,4,0 / c,B,P,7,0",
    ),
    # Against the direction of a pathway by is_bidirectional, over two of them.
    case(
        "pathway_unreachable_location",
        stops=STATION,
        pathways=f"{WAYS} / a,P,E,1,1 / b,N,P,1,1 / in,N,B,6,0 / out,B,E,7,0",
    ),
    # A station that has pathways and no entrance cannot be reached at all.
    case(
        "pathway_unreachable_location",
        ("stops", 3, "stop_id", "P"),
        ("stops", 4, "stop_id", "R"),
        stops="stop_id,location_type,parent_station / S,1, / P,0,S / R,0,S",
        pathways=f"{WAYS} / a,P,R,1,1",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(stations)


def test_long_chains_of_pathways_are_followed_to_their_end() -> None:
    nodes = 3_000
    stops = "stop_id,location_type,parent_station / S,1, / N0,2,S"
    stops += "".join(f" / N{n},3,S" for n in range(1, nodes))
    ways = WAYS + "".join(f" / w{n},N{n},N{n + 1},1,1" for n in range(nodes - 2))
    last = ("stops", nodes + 2, "stop_id", f"N{nodes - 1}")
    assert findings("pathway_unreachable_location", stops=stops, pathways=ways) == [last]
