"""Translations: a feed that breaks each rule, beside rows that do not."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import translations
from tests.staging.rules.toys import (
    Case,
    case,
    check,
    feed,
    rules_broken,
    rules_in,
    tell,
    validated,
)

ROWS = "table_name,record_id,record_sub_id,field_value"
CALLS = "trip_id,stop_sequence / t,1 / t,2 / u,1"

CASES = [
    case(
        "translation_unknown_table_name",
        ("translations", 3, "table_name", "levels"),
        ("translations", 4, "table_name", "stop"),
        stops="stop_id / A",
        stop_times=CALLS,
        translations=f"{ROWS} / stops,A,, / levels,1,, / stop,A,, / ,A,, / stop_times,t,1,",
    ),
    case(
        "translation_unexpected_value",
        ("translations", 3, "record_id", "A"),
        ("translations", 4, "record_sub_id", "1"),
        ("translations", 5, "record_sub_id", "2"),
        ("translations", 7, "record_id", "x"),
        stops="stop_id / A",
        translations=(
            f"{ROWS} / stops,A,, / stops,A,,Abay / stops,A,1, / stop_times,,2,Abay"
            " / stop_times,t,1, / feed_info,x,, / feed_info,,,"
        ),
    ),
    case(
        "translation_foreign_key_violation",
        ("translations", 3, "record_id", "stops B"),
        ("translations", 5, "record_id", "stop_times v 1"),
        ("translations", 7, "record_id", "frequencies t 8:30:00"),
        ("translations", 9, "record_id", "calendar_dates s 20260102"),
        stops="stop_id / A",
        stop_times=CALLS,
        frequencies="trip_id,start_time,end_time / t,08:00:00,09:00:00",
        calendar_dates="service_id,date / s,20260101",
        translations=(
            f"{ROWS} / stops,A,, / stops,B,, / stop_times,t,9, / stop_times,v,1,"
            " / frequencies,t,8:00:00, / frequencies,t,8:30:00,"
            " / calendar_dates,s,20260101, / calendar_dates,s,20260102,"
            " / stops,,,Abay / stops,,, / levels,1,, / stops,B,1, / feed_info,,,"
        ),
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(translations)


def test_stop_sequences_are_looked_up_among_the_calls_of_a_part() -> None:
    toy = feed(
        stop_times=CALLS,
        translations=(
            f"{ROWS} / stop_times,t,2, / stop_times,u,2, / stop_times,v,1, / stop_times,t,one,"
        ),
    )
    assert tell(translations.translation_of_no_call(toy)) == [
        ("translations", 3, "record_sub_id", "stop_times u 2"),
        ("translations", 5, "record_sub_id", "stop_times t one"),
    ]


def test_stop_times_is_judged_when_it_was_read() -> None:
    told = validated(
        trips="trip_id / t / u",
        stop_times=CALLS,
        translations=(
            f"{ROWS},field_name,language,translation / stop_times,t,2,,stop_headsign,ru,Абай"
            " / stop_times,t,3,,stop_headsign,ru,Абай / stop_times,w,1,,stop_headsign,ru,Абай"
            " / stop_times,t,,,stop_headsign,ru,Абай"
        ),
    ).notices()
    found = {n.code: [s["row"] for s in n.sample] for n in told if n.file == "translations.txt"}
    assert found["translation_foreign_key_violation"] == [3, 4]
    assert found["missing_required_field"] == [5]
    assert "translation_unknown_table_name" not in found
