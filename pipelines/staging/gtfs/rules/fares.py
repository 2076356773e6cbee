"""Fares of both generations: zones of fare_rules, products, transfers between legs, timeframes.

Left out: keys, references and amounts, which the specification says.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.network import LOCATION_TYPE, STOP
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, ROW, WARNING, Found, found, rule

ZONES_OF_RULES = ("origin_id", "destination_id", "contains_id")
WHOLE_DAY_SECONDS = 24 * 3600
# fare_transfer_rules.transfer_count: any number of transfers.
UNLIMITED = -1
SAME_GROUP = pl.col("from_leg_group_id").eq(pl.col("to_leg_group_id")).fill_null(value=False)


@rule("stop_without_zone_id", INFO, "fare_rules", "stops", "route_stops")
def stop_outside_fare_zones(feed: Feed) -> Iterator[Found]:
    """A stop has no zone_id, though fares of a route that calls there depend on zones."""
    zoned = feed["fare_rules"].filter(
        pl.any_horizontal(pl.col(field).is_not_null() for field in ZONES_OF_RULES)
    )
    called = feed.route_stops.join(zoned, on="route_id", how="semi")
    unzoned = feed["stops"].filter((LOCATION_TYPE == STOP) & pl.col("zone_id").is_null())
    yield found("stops", unzoned.join(called, on="stop_id", how="semi"), "zone_id", _id("stop"))


def _id(thing: str) -> pl.Expr:
    return pl.col(f"{thing}_id")


@rule("duplicate_fare_media", WARNING, "fare_media")
def fare_media_alike(feed: Feed) -> Iterator[Found]:
    """A fare medium has the name, or lack of one, and the type of a medium before it."""
    identity = pl.struct("fare_media_name", "fare_media_type")
    repeated = feed["fare_media"].filter(~identity.is_first_distinct())
    yield found("fare_media", repeated, "fare_media_id")


@rule(
    "fare_product_with_multiple_default_rider_categories",
    ERROR,
    "fare_products.rider_category_id",
    "rider_categories",
)
def several_default_riders(feed: Feed) -> Iterator[Found]:
    """A fare product is for more than one rider category that is the default one: told for each
    category after the first."""
    is_default = pl.col("is_default_fare_category") == 1
    defaults = feed["rider_categories"].filter(is_default).select("rider_category_id").unique()
    offered = feed["fare_products"].join(
        defaults, on="rider_category_id", how="semi", maintain_order="left"
    )
    firsts = offered.group_by("fare_product_id").agg(first=pl.col("rider_category_id").first())
    broken = offered.join(firsts, on="fare_product_id", maintain_order="left").filter(
        pl.col("rider_category_id") != pl.col("first")
    )
    yield found("fare_products", broken, "rider_category_id")


@rule("fare_transfer_rule_duration_limit_type_without_duration_limit", ERROR, "fare_transfer_rules")
def duration_type_alone(feed: Feed) -> Iterator[Found]:
    """duration_limit_type is given without a duration_limit."""
    yield _transfer_rules(feed, _given("duration_limit_type") & ~_given("duration_limit"))


@rule("fare_transfer_rule_duration_limit_without_type", ERROR, "fare_transfer_rules")
def duration_limit_alone(feed: Feed) -> Iterator[Found]:
    """duration_limit is given without its duration_limit_type: nobody knows from when to count."""
    yield _transfer_rules(feed, _given("duration_limit") & ~_given("duration_limit_type"))


@rule("fare_transfer_rule_invalid_transfer_count", ERROR, "fare_transfer_rules.transfer_count")
def transfer_count_of_none(feed: Feed) -> Iterator[Found]:
    """Between legs of one group, transfer_count is neither 1 or more nor -1 (any number)."""
    count = pl.col("transfer_count")
    yield _transfer_rules(feed, SAME_GROUP & ((count == 0) | (count < UNLIMITED)), "transfer_count")


@rule("fare_transfer_rule_with_forbidden_transfer_count", ERROR, "fare_transfer_rules")
def transfer_count_between_groups(feed: Feed) -> Iterator[Found]:
    """transfer_count is given for legs of two different groups, or where a group is blank."""
    yield _transfer_rules(feed, _given("transfer_count") & ~SAME_GROUP, "transfer_count")


@rule("fare_transfer_rule_without_transfer_count", ERROR, "fare_transfer_rules")
def transfer_count_unknown(feed: Feed) -> Iterator[Found]:
    """transfer_count is blank for legs of one group."""
    yield _transfer_rules(feed, SAME_GROUP & ~_given("transfer_count"), "transfer_count")


def _given(field: str) -> pl.Expr:
    return pl.col(field).is_not_null()


def _transfer_rules(feed: Feed, broken: pl.Expr, field: str = "duration_limit") -> Found:
    return found("fare_transfer_rules", feed["fare_transfer_rules"].filter(broken), field)


@rule("timeframe_only_start_or_end_time_specified", ERROR, "timeframes")
def timeframe_half_open(feed: Feed) -> Iterator[Found]:
    """One of start_time and end_time of a timeframe is given without the other."""
    for field, other in (("start_time", "end_time"), ("end_time", "start_time")):
        half = _given(other) & ~_given(field)
        yield found("timeframes", feed["timeframes"].filter(half), field)


@rule("timeframe_overlap", ERROR, "timeframes")
def timeframes_at_once(feed: Feed) -> Iterator[Found]:
    """Two timeframes of one group and service overlap; touching is allowed. Blank times mean the
    whole day."""
    keys = ("timeframe_group_id", "service_id")
    spans = (
        feed["timeframes"]
        .drop_nulls(keys)
        .select(
            ROW,
            *keys,
            pl.col("start_time").fill_null(0),
            pl.col("end_time").fill_null(WHOLE_DAY_SECONDS),
        )
    )
    ordered = spans.sort(*keys, "start_time", "end_time", ROW)
    follows = pl.all_horizontal(pl.col(key) == pl.col(key).shift(1) for key in keys)
    overlaps = follows & (pl.col("start_time") < pl.col("end_time").shift(1))
    yield found("timeframes", ordered.filter(overlaps).sort(ROW), "start_time")


@rule("timeframe_start_or_end_time_greater_than_twenty_four_hours", ERROR, "timeframes")
def timeframe_beyond_day(feed: Feed) -> Iterator[Found]:
    """start_time or end_time of a timeframe is after 24:00:00."""
    for field in ("start_time", "end_time"):
        beyond = feed["timeframes"].filter(pl.col(field) > WHOLE_DAY_SECONDS)
        yield found("timeframes", beyond, field)
