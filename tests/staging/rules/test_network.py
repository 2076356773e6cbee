"""Agencies, routes and stops: a feed that breaks each rule, beside rows that do not."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import network
from tests.staging.rules.toys import Case, case, check, rules_broken, rules_in

AGENCIES = "agency_id,agency_timezone,agency_lang"
STOPS = "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station"

CASES = [
    case(
        "missing_required_agency_id",
        ("agency", 3, "agency_id", None),
        ("fare_attributes", 2, "agency_id", None),
        ("routes", 3, "agency_id", None),
        agency=f"{AGENCIES} / a,, / ,,",
        routes="route_id,agency_id / 1,a / 2,",
        fare_attributes="fare_id,agency_id / f,",
    ),
    # One agency may go without.
    case(
        "missing_required_agency_id",
        agency=f"{AGENCIES} / ,,",
        routes="route_id,agency_id / 2,",
    ),
    case(
        "inconsistent_agency_timezone",
        ("agency", 4, "agency_timezone", "Asia/Tashkent"),
        agency=f"{AGENCIES} / a,Asia/Almaty, / b,Asia/Almaty, / c,Asia/Tashkent,",
    ),
    case(
        "inconsistent_agency_lang",
        ("agency", 5, "agency_lang", "ru"),
        agency=f"{AGENCIES} / a,, / b,,kk / c,,KK / d,,ru / e,,",
    ),
    case(
        "route_both_short_and_long_name_missing",
        ("routes", 4, "route_short_name", "3"),
        routes="route_id,route_short_name,route_long_name / 1,1, / 2,,Centre / 3,,",
    ),
    case(
        "route_networks_specified_in_more_than_one_file",
        ("networks", None, "network_id", None),
        ("route_networks", None, "network_id", None),
        routes="route_id,network_id / 1,",
        networks="network_id",
        route_networks="network_id,route_id",
    ),
    case("route_networks_specified_in_more_than_one_file", routes="route_id,network_id / 1,n"),
    case(
        "missing_stop_name",
        *(("stops", row, "stop_name", None) for row in (2, 3, 4, 5)),
        stops=f"{STOPS} / A,,,,,  / B,,,,0, / S,,,,1, / E,,,,2, / N,,,,3, / P,,,,4, / C,Gamma,,,,",
    ),
    case(
        "stop_without_location",
        ("stops", 2, "stop_lat", None),
        ("stops", 3, "stop_lon", None),
        ("stops", 4, "stop_lat", None),
        ("stops", 4, "stop_lon", None),
        stops=f"{STOPS} / A,,,76.9,, / B,,43.2,,1, / C,,,,2, / N,,,,3, / D,,43.2,76.9,,",
    ),
    case(
        "stop_without_stop_time",
        ("stops", 3, "stop_id", "B"),
        stops=f"{STOPS} / A,,,,, / B,,,,0, / S,,,,1,",
        stop_times="trip_id,stop_sequence,stop_id / t,1,A",
    ),
    # A location group that stop times may name serves its stops.
    case(
        "stop_without_stop_time",
        ("stops", 3, "stop_id", "B"),
        stops=f"{STOPS} / A,,,,, / B,,,,0,",
        stop_times="trip_id,stop_sequence,location_group_id / t,1,g",
        location_group_stops="location_group_id,stop_id / g,A",
    ),
    case(
        "location_with_unexpected_stop_time",
        ("stops", 3, "stop_id", "S"),
        ("stops", 4, "stop_id", "P"),
        stops=f"{STOPS} / A,,,,, / S,,,,1, / P,,,,4, / E,,,,2,",
        stop_times="trip_id,stop_sequence,stop_id / t,1,A / t,2,S / t,3,P / u,1,S",
    ),
    # One degree of latitude is 111,195 m: 0.000008 are 0.89 m, 0.000010 are 1.11 m.
    case(
        "stop_too_close_to_another",
        ("stops", 2, "stop_id", "A"),
        ("stops", 3, "stop_id", "B"),
        ("stops", 5, "stop_id", "D"),
        ("stops", 6, "stop_id", "E"),
        stops=(
            f"{STOPS} / A,,43.200000,76.9,, / B,,43.200008,76.9,, / C,,43.200020,76.9,,"
            " / D,,50,50,0, / E,,50,50,, / F,,50,50,0,S / S,,50,50,1, / G,,,,,"
        ),
    ),
    case("stop_too_close_to_another", stops=f"{STOPS} / A,,43.2,76.9,,"),
    case("stop_too_close_to_another", stops=STOPS),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(network)
