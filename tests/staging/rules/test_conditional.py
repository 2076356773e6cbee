"""Fields required or recommended on a condition: the rows that lack them, beside those that may."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import not_raised
from pipelines.staging.gtfs.rules.conditional import (
    conditional_of_calls,
    conditional_recommended,
    conditional_required,
)
from tests.staging.rules.toys import RULES, feed, tell


@pytest.mark.slow
def test_transfers_need_stops_or_linked_trips() -> None:
    toy = feed(
        transfers=(
            "from_stop_id,to_stop_id,from_trip_id,to_trip_id,transfer_type,min_transfer_time"
            " / A,,,,0, / ,B,,,, / A,B,,,2, / A,B,,,2,0 / ,,t,,4, / ,,,u,5, / A,B,,,3,"
        )
    )
    assert tell(conditional_required(toy)) == [
        ("transfers", 2, "to_stop_id", None),
        ("transfers", 3, "from_stop_id", None),
        ("transfers", 4, "min_transfer_time", None),
        ("transfers", 6, "to_trip_id", None),
        ("transfers", 7, "from_trip_id", None),
    ]


def test_joined_legs_need_both_stops_or_none() -> None:
    toy = feed(fare_leg_join_rules="from_stop_id,to_stop_id / A,B / A, / ,B / ,")
    assert tell(conditional_required(toy)) == [
        ("fare_leg_join_rules", 3, "to_stop_id", None),
        ("fare_leg_join_rules", 4, "from_stop_id", None),
    ]


def test_translations_need_the_ids_of_their_tables_key() -> None:
    toy = feed(
        stops="stop_id / A",
        stop_times="trip_id,stop_sequence / t,1",
        feed_info="feed_lang / kk",
        translations=(
            "table_name,record_id,record_sub_id,field_value / stops,A,, / stops,,, / stops,,,Abay"
            " / stop_times,t,, / stop_times,,, / feed_info,,, / levels,,,"
        ),
    )
    assert tell(conditional_required(toy)) == [
        ("translations", 3, "record_id", None),
        ("translations", 5, "record_sub_id", None),
        ("translations", 6, "record_id", None),
        ("translations", 6, "record_sub_id", None),
    ]


def test_calls_need_a_place() -> None:
    toy = feed(
        stop_times=(
            "trip_id,stop_sequence,stop_id,location_group_id,location_id"
            " / t,1,A,, / t,2,,g, / t,3,,,z / t,4,,,"
        )
    )
    told = {code: tell(what) for code, what in conditional_of_calls(toy)}
    assert told == {"missing_required_field": [("stop_times", 5, "stop_id", None)]}


def test_calls_that_translations_name_are_looked_up() -> None:
    toy = feed(
        stop_times="trip_id,stop_sequence,stop_id / t,1,A",
        translations="table_name,record_id,record_sub_id,field_value / stop_times,t,2,",
    )
    told = {code: tell(what) for code, what in conditional_of_calls(toy)}
    assert told == {
        "missing_required_field": [],
        "translation_foreign_key_violation": [
            ("translations", 2, "record_sub_id", "stop_times t 2")
        ],
    }


def test_the_only_agency_should_be_named_all_the_same() -> None:
    toy = feed(
        agency="agency_id,agency_name / ,Toy",
        routes="route_id,agency_id / 1,a / 2,",
        fare_attributes="fare_id,agency_id / f,",
    )
    assert tell(conditional_recommended(toy)) == [
        ("agency", 2, "agency_id", None),
        ("fare_attributes", 2, "agency_id", None),
        ("routes", 3, "agency_id", None),
    ]
    several = feed(agency="agency_id,agency_name / a,Toy / ,Toy 2", routes="route_id / 1")
    assert tell(conditional_recommended(several)) == []


def test_cards_and_apps_should_have_a_name() -> None:
    media = "fare_media_id,fare_media_name,fare_media_type"
    toy = feed(fare_media=f"{media} / a,,0 / b,,1 / c,,2 / d,,3 / e,,4 / f,Onay,2")
    assert tell(conditional_recommended(toy)) == [
        ("fare_media", 4, "fare_media_name", None),
        ("fare_media", 6, "fare_media_name", None),
    ]


def test_what_is_not_raised_is_no_rule() -> None:
    assert not set(not_raised.NOT_RAISED) & set(RULES)
    assert all(not_raised.NOT_RAISED.values())
