"""What riders read: names, descriptions, colours, addresses and attributions.

Comparisons ignore case. Left out: whether a text is well formed, which its kind says, and whether
it is true.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import INFO, WARNING, Found, found, rule
from pipelines.staging.gtfs.specification import FILES

# Canonical GTFS Schedule Validator 8: RouteShortNameTooLong, RouteColorContrast.
MOST_SHORT_NAME_CHARACTERS = 12
LEAST_LUMA_DIFFERENCE = 72
# Rec. 601: hundredths of red, green and blue in the luma.
LUMA_HUNDREDTHS = (30, 59, 11)
# feed_lang of a feed in several languages (ISO 639-2).
MULTILINGUAL = "mul"
# Signs that names of lines do not hold, but internal names do (transitland-lib, route names).
ODD_CHARACTERS = r"[_\\%#@$^|~{}=\p{Cc}]"

# A word is a run of letters. Words in scripts without case are neither large nor small.
_MIXED_WORD = r"\p{Lu}\p{L}*\p{Ll}|\p{Ll}\p{L}*\p{Lu}"
_CASED_WORD_OF_SEVERAL_LETTERS = r"\p{L}+[\p{Lu}\p{Ll}]\p{L}*|[\p{Lu}\p{Ll}]\p{L}+"
_ONE_SMALL_WORD = r"^\P{L}*\p{Ll}{2,}\P{L}*$"


@rule("mixed_case_recommended_field", WARNING)
def text_in_one_case(feed: Feed) -> Iterator[Found]:
    """A text that riders read is all in capitals or all in small letters. A single word may be in
    capitals; words of one letter and scripts without case are passed over."""
    for name, file in FILES.items():
        for field in file.fields:
            if field.mixed_case and feed.has(f"{name}.{field.name}"):
                texts = feed[name].get_column(field.name).unique().drop_nulls()
                in_one_case = texts.filter(_is_in_one_case(texts))
                if in_one_case.len():
                    broken = pl.col(field.name).is_in(in_one_case.implode())
                    yield found(name, feed[name].filter(broken), field.name)


def _is_in_one_case(texts: pl.Series) -> pl.Series:
    words = texts.str.count_matches(r"\p{L}+")
    cased = texts.str.count_matches(_CASED_WORD_OF_SEVERAL_LETTERS)
    several = (words > 1) & (cased > 1) & ~texts.str.contains(_MIXED_WORD)
    return several | texts.str.contains(_ONE_SMALL_WORD)


@rule("attribution_without_role", WARNING, "attributions")
def attribution_of_nothing(feed: Feed) -> Iterator[Found]:
    """An attribution says neither producer, operator nor authority."""
    roles = pl.col("is_producer", "is_operator", "is_authority").eq(1).fill_null(value=False)
    broken = feed["attributions"].filter(~pl.any_horizontal(roles))
    yield found("attributions", broken, "organization_name")


@rule("duplicate_route_name", WARNING, "routes")
def route_named_as_another(feed: Feed) -> Iterator[Found]:
    """A route has the names, type and agency of a route before it."""
    identity = pl.struct("route_short_name", "route_long_name", "route_type", "agency_id")
    broken = feed["routes"].filter(~identity.is_first_distinct())
    yield found(
        "routes", broken, "route_short_name", pl.coalesce("route_short_name", "route_long_name")
    )


@rule("feed_info_lang_and_agency_lang_mismatch", WARNING, "feed_info.feed_lang", "agency")
def agency_in_another_language(feed: Feed) -> Iterator[Found]:
    """An agency's language is not the feed's; feed_lang mul allows any."""
    tags = feed["feed_info"].get_column("feed_lang").str.to_lowercase().head(1).to_list()
    if tags and tags[0] not in (None, MULTILINGUAL):
        other = pl.col("agency_lang").str.to_lowercase() != tags[0]
        yield found("agency", feed["agency"].filter(other), "agency_lang")


@rule("route_color_contrast", WARNING, "routes.route_color", "routes.route_text_color")
def route_colors_alike(feed: Feed) -> Iterator[Found]:
    """route_text_color is hard to read on route_color: their luma (Rec. 601, 0 to 255) differs by
    less than 72."""
    apart = (_luma("route_color") - _luma("route_text_color")).abs()
    value = pl.concat_str("route_text_color", "route_color", separator=" on ")
    broken = feed["routes"].filter(apart < LEAST_LUMA_DIFFERENCE)
    yield found("routes", broken, "route_text_color", value)


def _luma(color: str) -> pl.Expr:
    weighed = [
        pl.col(color).str.slice(2 * place, 2).str.to_integer(base=16, strict=False) * hundredths
        for place, hundredths in enumerate(LUMA_HUNDREDTHS)
    ]
    return pl.sum_horizontal(weighed, ignore_nulls=False) // 100


@rule("route_long_name_contains_short_name", WARNING, "routes")
def long_name_begins_with_short_name(feed: Feed) -> Iterator[Found]:
    """route_long_name begins with route_short_name, as a word of its own: riders read it twice."""
    short = pl.col("route_short_name").str.to_lowercase()
    long = pl.col("route_long_name").str.to_lowercase()
    rest = long.str.strip_prefix(short)
    goes_on = rest.str.contains(r"^[\s\-()]") | (rest == "")
    broken = feed["routes"].filter(long.str.starts_with(short) & goes_on)
    yield found("routes", broken, "route_long_name")


@rule("route_short_name_too_long", WARNING, "routes.route_short_name")
def short_name_not_short(feed: Feed) -> Iterator[Found]:
    """route_short_name has more than 12 characters."""
    too_long = pl.col("route_short_name").str.len_chars() > MOST_SHORT_NAME_CHARACTERS
    yield found("routes", feed["routes"].filter(too_long), "route_short_name")


@rule("route_name_with_odd_character", INFO, "routes", is_extension=True)
def route_name_like_a_code(feed: Feed) -> Iterator[Found]:
    """A route's name holds a sign that riders do not expect in one, such as an underscore, a
    backslash, a percent sign or a hash."""
    for field in ("route_short_name", "route_long_name"):
        odd = pl.col(field).str.contains(ODD_CHARACTERS)
        yield found("routes", feed["routes"].filter(odd), field)


@rule("same_name_and_description_for_route", WARNING, "routes.route_desc")
def route_description_is_its_name(feed: Feed) -> Iterator[Found]:
    """route_desc only repeats the route's short or long name."""
    same = _same("route_desc", "route_short_name") | _same("route_desc", "route_long_name")
    yield found("routes", feed["routes"].filter(same), "route_desc")


@rule("same_name_and_description_for_stop", WARNING, "stops.stop_desc")
def stop_description_is_its_name(feed: Feed) -> Iterator[Found]:
    """stop_desc only repeats stop_name."""
    yield found("stops", feed["stops"].filter(_same("stop_desc", "stop_name")), "stop_desc")


def _same(field: str, other: str) -> pl.Expr:
    is_same = pl.col(field).str.to_lowercase() == pl.col(other).str.to_lowercase()
    return is_same.fill_null(value=False)


@rule("same_route_and_agency_url", WARNING, "routes.route_url", "agency.agency_url")
def route_page_is_agency_page(feed: Feed) -> Iterator[Found]:
    """route_url is the agency's address, not a page about the route."""
    yield _same_address(feed, "routes.route_url", "agency.agency_url")


@rule("same_stop_and_agency_url", WARNING, "stops.stop_url", "agency.agency_url")
def stop_page_is_agency_page(feed: Feed) -> Iterator[Found]:
    """stop_url is the agency's address, not a page about the stop."""
    yield _same_address(feed, "stops.stop_url", "agency.agency_url")


@rule("same_stop_and_route_url", WARNING, "stops.stop_url", "routes.route_url")
def stop_page_is_route_page(feed: Feed) -> Iterator[Found]:
    """stop_url is a route's address, not a page about the stop."""
    yield _same_address(feed, "stops.stop_url", "routes.route_url")


def _same_address(feed: Feed, place: str, other: str) -> Found:
    (file, field), (other_file, other_field) = place.split("."), other.split(".")
    taken = feed[other_file].get_column(other_field).str.to_lowercase().unique().drop_nulls()
    same = pl.col(field).str.to_lowercase().is_in(taken.implode())
    return found(file, feed[file].filter(same), field)


@rule("trip_headsign_matches_intermediate_stop", INFO, "trips.trip_headsign", "stops", "calls")
def headsign_of_stop_on_the_way(feed: Feed) -> Iterator[Found]:
    """trip_headsign is the name of a stop of the trip before the last: riders may think that it
    ends there. Trips that end where they begin are left out."""
    columns = ("trip_index", "stop_index", "is_first", "is_last")
    calls = feed.calls.select(columns)
    meant = _headsigns(feed["trips"]).gather(calls.get_column("trip_index"))
    passed = _stop_names(feed["stops"]).gather(calls.get_column("stop_index"))
    on_the_way = calls.filter((meant == passed) & ~calls.get_column("is_last"))
    if on_the_way.is_empty():
        return
    trips = on_the_way.get_column("trip_index").unique().sort()
    ends = calls.filter(pl.col("trip_index").is_in(trips.implode()))
    first, last = (ends.filter(end).get_column("stop_index") for end in ("is_first", "is_last"))
    round_trips = ends.filter("is_first").get_column("trip_index").filter(first.eq_missing(last))
    broken = trips.filter(~trips.is_in(round_trips.implode()))
    yield found("trips", feed["trips"][broken], "trip_headsign")


@once
def _headsigns(trips: pl.DataFrame) -> pl.Series:
    return _hashed(trips.get_column("trip_headsign"))


@once
def _stop_names(stops: pl.DataFrame) -> pl.Series:
    return _hashed(stops.get_column("stop_name"))


def _hashed(texts: pl.Series) -> pl.Series:
    """Texts in small letters as 64-bit numbers, which calls compare faster than texts."""
    hashes = texts.str.to_lowercase().hash()
    return hashes.zip_with(texts.is_not_null(), pl.Series([None], dtype=pl.UInt64))
