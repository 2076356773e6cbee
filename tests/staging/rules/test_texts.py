"""Texts for riders: a feed that breaks each rule, beside rows that do not; thresholds exactly."""

from __future__ import annotations

import pytest

from pipelines.staging.gtfs.rules import texts
from tests.staging.rules.toys import Case, case, check, findings, rules_broken, rules_in

NAMES = "route_id,route_short_name,route_long_name,route_type,agency_id"
COLORS = "route_id,route_color,route_text_color"
CALLS = "trip_id,stop_sequence,stop_id"

CASES = [
    case(
        "mixed_case_recommended_field",
        ("agency", 3, "agency_name", "ALMATY METRO"),
        ("stops", 2, "stop_name", "abay street"),
        agency="agency_id,agency_name / a,Almaty Metro / b,ALMATY METRO",
        stops="stop_id,stop_name / A,abay street / B,Abay street",
        calendar="service_id / ALL SMALL",
    ),
    case(
        "attribution_without_role",
        ("attributions", 4, "organization_name", "c"),
        ("attributions", 5, "organization_name", "d"),
        attributions=(
            "organization_name,is_producer,is_operator,is_authority"
            " / a,1,, / b,,0,1 / c,,, / d,0,0,0 / e,0,1,"
        ),
    ),
    case(
        "duplicate_route_name",
        ("routes", 5, "route_short_name", "1"),
        ("routes", 6, "route_short_name", "1"),
        ("routes", 9, "route_short_name", "Centre"),
        routes=(
            f"{NAMES} / a,1,,3,x / b,1,,0,x / c,1,,3,y / d,1,,3,x / e,1,,3,x / f,1,Centre,3,x"
            " / g,,Centre,3, / h,,Centre,3,"
        ),
    ),
    case(
        "feed_info_lang_and_agency_lang_mismatch",
        ("agency", 3, "agency_lang", "kk"),
        ("agency", 4, "agency_lang", "ru-KZ"),
        feed_info="feed_lang / ru",
        agency="agency_id,agency_lang / a,RU / b,kk / c,ru-KZ / d,",
    ),
    case(
        "feed_info_lang_and_agency_lang_mismatch",
        feed_info="feed_lang / mul",
        agency="agency_id,agency_lang / a,ru / b,kk",
    ),
    # Luma of 000000 is 0, of 474747 is 71, of 484848 is 72; of 0000FF trunc(0.11 x 255) = 28.
    case(
        "route_color_contrast",
        ("routes", 2, "route_text_color", "474747 on 000000"),
        ("routes", 5, "route_text_color", "0000FF on 000000"),
        ("routes", 6, "route_text_color", "ff9933 on FF9933"),
        routes=(
            f"{COLORS} / a,000000,474747 / b,000000,484848 / c,FFFFFF,000000 / d,000000,0000FF"
            " / e,FF9933,ff9933 / f,000000, / g,red,000000"
        ),
    ),
    case(
        "route_long_name_contains_short_name",
        ("routes", 2, "route_long_name", "10 Centre"),
        ("routes", 3, "route_long_name", "m1-North"),
        ("routes", 4, "route_long_name", "7(loop)"),
        ("routes", 5, "route_long_name", "Red"),
        routes=(
            f"{NAMES} / a,10,10 Centre,, / b,M1,m1-North,, / c,7,7(loop),, / d,red,Red,,"
            " / e,10,100 Centre,, / f,10,Centre 10,, / g,,10 Centre,, / h,10,,,"
        ),
    ),
    # Characters, not bytes: twelve letters of two bytes are short enough.
    case(
        "route_short_name_too_long",
        ("routes", 3, "route_short_name", "1234567890123"),
        routes=f"{NAMES} / a,123456789012,,, / b,1234567890123,,, / c,АБВГДЕЖЗИКЛМ,,, / d,,,,",
    ),
    case(
        "route_name_with_odd_character",
        ("routes", 2, "route_short_name", "Green_1"),
        ("routes", 3, "route_long_name", r"A\B"),
        ("routes", 4, "route_short_name", "#5"),
        routes=f"{NAMES} / a,Green_1,,, / b,,A\\B,, / c,#5,,, / d,5 & 6,One <> Two (é/こ),,",
    ),
    case(
        "same_name_and_description_for_route",
        ("routes", 2, "route_desc", "CENTRE"),
        ("routes", 3, "route_desc", "b1"),
        routes=(
            "route_id,route_short_name,route_long_name,route_desc"
            " / a,1,Centre,CENTRE / b,B1,Loop,b1 / c,1,Centre,Centre and back / d,,,"
        ),
    ),
    case(
        "same_name_and_description_for_stop",
        ("stops", 2, "stop_desc", "ABAY"),
        stops="stop_id,stop_name,stop_desc / A,Abay,ABAY / B,Abay,Abay by night / C,,",
    ),
    case(
        "same_route_and_agency_url",
        ("routes", 2, "route_url", "https://A.kz"),
        agency="agency_url / https://a.kz",
        routes="route_id,route_url / 1,https://A.kz / 2,https://a.kz/2 / 3,",
    ),
    case(
        "same_stop_and_agency_url",
        ("stops", 3, "stop_url", "https://a.kz"),
        agency="agency_url / https://b.kz / https://a.kz",
        stops="stop_id,stop_url / A,https://a.kz/A / B,https://a.kz / C,",
    ),
    case(
        "same_stop_and_route_url",
        ("stops", 2, "stop_url", "https://a.kz/1"),
        routes="route_url / https://a.kz/1",
        stops="stop_id,stop_url / A,https://a.kz/1 / B,https://a.kz/B",
    ),
    # t passes Beta on its way to Gamma; u ends there; v turns round and ends where it began; w
    # calls once; x begins at Beta.
    case(
        "trip_headsign_matches_intermediate_stop",
        ("trips", 2, "trip_headsign", "BETA"),
        ("trips", 6, "trip_headsign", "Beta"),
        stops="stop_id,stop_name / A,Alpha / B,Beta / C,Gamma",
        trips="trip_id,trip_headsign / t,BETA / u,Beta / v,Beta / w,Alpha / x,Beta / y,",
        stop_times=(
            f"{CALLS} / t,1,A / t,2,B / t,3,C / u,1,A / u,2,B / v,1,A / v,2,B / v,3,A / w,1,A"
            " / x,1,B / x,2,C / y,1,A / y,2,B / lost,1,A / lost,2,B"
        ),
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(texts)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("almaty", True),  # one small word
        ("ALMATY", False),  # one word may be in capitals
        ("Almaty", False),
        ("a", False),  # one letter
        ("12", False),
        ("abay 12", True),
        ("abay st", True),
        ("ABAY ST", True),
        ("ABAY st", True),  # no word of both
        ("ABAY St", False),
        ("B 12 C", False),  # words of one letter do not count
        ("ROUTE B", False),  # one word left
        ("АБАЯ ПРОСПЕКТ", True),
        ("проспект Абая", False),
        ("東京 駅", False),  # no case
        ("東京 ABAY", False),  # one word with case
        ("東京 ABAY ST", True),
        ("McDonald's", False),
        ("o'neill street", True),
    ],
)
def test_texts_in_one_case(text: str, is_told: bool) -> None:
    found = findings("mixed_case_recommended_field", stops=f"stop_id,stop_name / A,{text}")
    assert bool(found) == is_told
