"""Transfers: a feed that breaks each rule, beside rows that do not; thresholds exactly."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import transfers
from tests.staging.rules.toys import Case, case, check, feed, findings, rules_broken, rules_in, tell

STOPS = "stop_id,location_type,parent_station / S,1, / P,0,S / Q,,S / R,0, / E,2,S / T,1, / B,4,P"
BETWEEN = "from_stop_id,to_stop_id,transfer_type"
LINKS = "from_stop_id,to_stop_id,from_trip_id,to_trip_id,transfer_type"
ROUTED = "from_trip_id,to_trip_id,from_route_id,to_route_id"
CALLS = "trip_id,stop_sequence,stop_id"
# Degrees of latitude south and north of the line between near and far: 2 and 10 km on a sphere of
# 6371.0088 km are 0.0179864 and 0.0899320 degrees.
PLACES = (
    "stop_id,stop_lat,stop_lon,parent_station"
    " / O,0,50, / N2,0.01798,50, / F2,0.01799,50, / N10,0.08993,50, / F10,0.08994,50,"
    " / C,,,F10 / L,,,"
)

CASES = [
    case(
        "transfer_distance_above_2_km",
        ("transfers", 3, "to_stop_id", "F2"),
        ("transfers", 4, "to_stop_id", "N10"),
        stops=PLACES,
        transfers=f"{BETWEEN} / O,N2,0 / O,F2,0 / O,N10,0 / O,F10,0 / O,O,0 / O,L,0 / O,,0",
    ),
    # C lies where its parent F10 does.
    case(
        "transfer_distance_too_large",
        ("transfers", 3, "to_stop_id", "F10"),
        ("transfers", 4, "to_stop_id", "O"),
        stops=PLACES,
        transfers=f"{BETWEEN} / O,N10,0 / O,F10,0 / C,O,0 / O,L,0",
    ),
    case(
        "transfer_with_invalid_stop_location_type",
        ("transfers", 3, "from_stop_id", "E"),
        ("transfers", 3, "to_stop_id", "B"),
        ("transfers", 4, "from_stop_id", "S"),
        ("transfers", 4, "to_stop_id", "S"),
        stops=STOPS,
        transfers=f"{BETWEEN} / S,P,0 / E,B,0 / S,S,4 / P,R,4 / S,R, / lost,,0",
    ),
    case(
        "transfer_with_invalid_trip_and_route",
        ("transfers", 3, "to_route_id", "1"),
        ("transfers", 4, "from_route_id", "2"),
        trips="trip_id,route_id / t,1 / u,2",
        transfers=f"{ROUTED} / t,u,1,2 / t,u,1,1 / t,u,2,2 / t,u,, / lost,,1,",
    ),
    # t calls at P, of station S, then R; u at R and Q. The station stands for P, the entrance E
    # for nothing. The trip lost is in another part, or nowhere.
    case(
        "transfer_with_invalid_trip_and_stop",
        ("transfers", 3, "from_stop_id", "Q"),
        ("transfers", 5, "from_stop_id", "T"),
        ("transfers", 6, "from_stop_id", "E"),
        ("transfers", 6, "to_stop_id", "P"),
        stops=STOPS,
        stop_times=f"{CALLS} / t,1,P / t,2,R / u,1,R / u,2,Q",
        transfers=(
            f"{LINKS} / P,Q,t,u,0 / Q,R,t,u,0 / S,S,t,u,0 / T,R,t,u,0 / E,P,t,u,0 / P,P,,,0"
            " / ,,t,u,4 / R,R,lost,u,0 / no,R,t,u,0"
        ),
    ),
    # t ends at R, u begins there; that it comes by P or Q is suspicious, that it does not is wrong.
    case(
        "transfer_with_suspicious_mid_trip_in_seat",
        ("transfers", 3, "from_stop_id", "P"),
        ("transfers", 4, "to_stop_id", "Q"),
        stop_times=f"{CALLS} / t,1,P / t,2,R / u,1,R / u,2,Q",
        transfers=(
            f"{LINKS} / R,R,t,u,4 / P,R,t,u,4 / R,Q,t,u,5 / P,Q,t,u,1 / Q,P,t,u,4 / P,Q,lost,v,4"
        ),
    ),
    # A loop ends where it begins: its first stop is its last as well.
    case(
        "transfer_with_suspicious_mid_trip_in_seat",
        stop_times=f"{CALLS} / t,1,P / t,2,R / t,3,P",
        transfers=f"{LINKS} / P,P,t,t,4",
    ),
    case(
        "inconsistent_route_type_for_in_seat_transfer",
        ("transfers", 2, "to_route_id", "2"),
        routes="route_id,route_type / 1,3 / 2,0 / 3,3",
        transfers=(
            "from_route_id,to_route_id,transfer_type / 1,2,4 / 1,3,4 / 1,2,5 / 1,,4 / 1,lost,4"
        ),
    ),
    case(
        "unexpected_min_transfer_time",
        ("transfers", 3, "min_transfer_time", "600"),
        ("transfers", 4, "min_transfer_time", "0"),
        transfers="transfer_type,min_transfer_time / 2,600 / 1,600 / ,0 / 0, / 2,",
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(transfers)


def test_a_trip_is_judged_in_its_own_part_only() -> None:
    stop_times = f"{CALLS} / t,1,P / t,2,R"
    links = f"{LINKS} / Q,,t,,0 / Q,,u,,0"
    code = "transfer_with_invalid_trip_and_stop"
    found = findings(code, stops=STOPS, transfers=links, stop_times=stop_times)
    assert found == [("transfers", 2, "from_stop_id", "Q")]
    whole = feed(stops=STOPS, transfers=links)
    assert tell(transfers.transfer_where_trip_does_not_call(whole)) == []
