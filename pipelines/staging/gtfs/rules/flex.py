"""Service on request: booking rules, and calls within a window of time instead of at one.

A window is start_pickup_drop_off_window to end_pickup_drop_off_window. Blank pickup_type and
drop_off_type of a call are 0 (regular), blank continuous_ fields of a route 1 (none). Left out: the
zones themselves, which are `geojson`.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import ERROR, ROW, WARNING, Found, found, rule

REAL_TIME, SAME_DAY, PRIOR_DAYS = 0, 1, 2  # booking_rules.booking_type
REGULAR, PHONE, DRIVER = 0, 2, 3  # stop_times.pickup_type and drop_off_type
NO_CONTINUOUS = 1
DURATIONS = ("prior_notice_duration_min", "prior_notice_duration_max")
LASTS = ("prior_notice_last_day", "prior_notice_last_time")
STARTS = ("prior_notice_start_day", "prior_notice_start_time")
NOTICE_SERVICE = "prior_notice_service_id"
WINDOW = ("start_pickup_drop_off_window", "end_pickup_drop_off_window")
HAS_WINDOW = pl.any_horizontal(pl.col(WINDOW).is_not_null())
PLACES = ("stop_id", "location_group_id", "location_id")
# Every call with a window has its start: feeds without this column have no windows.
WINDOWS = "stop_times.start_pickup_drop_off_window"


def _bookings(feed: Feed, broken: pl.Expr, *fields: str) -> Iterator[Found]:
    """Booking rules that are `broken`, told for each of the fields that is given."""
    for field in fields:
        rows = feed["booking_rules"].filter(broken & pl.col(field).is_not_null())
        yield found("booking_rules", rows, field)


def _missing(feed: Feed, asked: pl.Expr, field: str) -> Found:
    rows = feed["booking_rules"].filter(asked & pl.col(field).is_null())
    return found("booking_rules", rows, field)


def _is(booking_type: int) -> pl.Expr:
    return pl.col("booking_type") == booking_type


@rule("forbidden_prior_day_booking_field_value", ERROR, "booking_rules")
def days_ahead_with_minutes(feed: Feed) -> Iterator[Found]:
    """Booking days ahead (booking_type 2) names a notice in minutes."""
    yield from _bookings(feed, _is(PRIOR_DAYS), *DURATIONS)


@rule("forbidden_real_time_booking_field_value", ERROR, "booking_rules")
def notice_for_real_time(feed: Feed) -> Iterator[Found]:
    """Booking in real time (booking_type 0) names a notice of any kind."""
    yield from _bookings(feed, _is(REAL_TIME), *DURATIONS, *LASTS, *STARTS, NOTICE_SERVICE)


@rule("forbidden_same_day_booking_field_value", ERROR, "booking_rules")
def days_for_same_day(feed: Feed) -> Iterator[Found]:
    """Booking on the same day (booking_type 1) names a last day, a last time or days that count."""
    yield from _bookings(feed, _is(SAME_DAY), *LASTS, NOTICE_SERVICE)


@rule("forbidden_prior_notice_start_day", ERROR, "booking_rules")
def start_day_with_longest_notice(feed: Feed) -> Iterator[Found]:
    """prior_notice_start_day is given beside prior_notice_duration_max: both say from when one can
    book."""
    doubled = pl.col("prior_notice_duration_max").is_not_null()
    yield from _bookings(feed, doubled, "prior_notice_start_day")


@rule("forbidden_prior_notice_start_time", ERROR, "booking_rules")
def start_time_without_day(feed: Feed) -> Iterator[Found]:
    """prior_notice_start_time is given without prior_notice_start_day."""
    dayless = pl.col("prior_notice_start_day").is_null()
    yield from _bookings(feed, dayless, "prior_notice_start_time")


@rule("missing_prior_notice_start_time", ERROR, "booking_rules")
def start_day_without_time(feed: Feed) -> Iterator[Found]:
    """prior_notice_start_day is given without prior_notice_start_time."""
    has_day = pl.col("prior_notice_start_day").is_not_null()
    yield _missing(feed, has_day, "prior_notice_start_time")


@rule("missing_prior_notice_duration_min", ERROR, "booking_rules")
def same_day_without_notice(feed: Feed) -> Iterator[Found]:
    """Booking on the same day (booking_type 1) does not say how many minutes ahead."""
    yield _missing(feed, _is(SAME_DAY), "prior_notice_duration_min")


@rule("missing_prior_notice_last_day", ERROR, "booking_rules")
def days_ahead_without_day(feed: Feed) -> Iterator[Found]:
    """Booking days ahead (booking_type 2) does not say how many days."""
    yield _missing(feed, _is(PRIOR_DAYS), "prior_notice_last_day")


@rule("missing_prior_notice_last_time", ERROR, "booking_rules")
def days_ahead_without_time(feed: Feed) -> Iterator[Found]:
    """Booking days ahead (booking_type 2) does not say until what time of the last day."""
    yield _missing(feed, _is(PRIOR_DAYS), "prior_notice_last_time")


@rule("invalid_prior_notice_duration_min", ERROR, "booking_rules")
def notice_shorter_than_least(feed: Feed) -> Iterator[Found]:
    """prior_notice_duration_max is less than prior_notice_duration_min: nobody can book."""
    inverted = pl.col("prior_notice_duration_max") < pl.col("prior_notice_duration_min")
    yield from _bookings(feed, inverted, "prior_notice_duration_min")


@rule("prior_notice_last_day_after_start_day", ERROR, "booking_rules")
def booking_ends_before_start(feed: Feed) -> Iterator[Found]:
    """prior_notice_last_day is more days back than prior_notice_start_day: booking ends before it
    begins."""
    inverted = pl.col("prior_notice_last_day") > pl.col("prior_notice_start_day")
    yield from _bookings(feed, inverted, "prior_notice_last_day")


@rule("missing_pickup_drop_off_booking_rule_id", WARNING, "calls", WINDOWS, "booking_rules")
def call_without_booking_rule(feed: Feed) -> Iterator[Found]:
    """The feed has booking rules, and a call that must be booked by phone (pickup_type or
    drop_off_type 2) within a window names none: one finding for each direction."""
    for direction, window in zip(("pickup", "drop_off"), WINDOW, strict=True):
        field = f"{direction}_booking_rule_id"
        by_phone = pl.col(f"{direction}_type") == PHONE
        broken = by_phone & pl.col(window).is_not_null() & pl.col(field).is_null()
        yield _calls(feed, broken, field)


@rule("forbidden_arrival_or_departure_time", ERROR, "calls", WINDOWS)
def call_with_time_and_window(feed: Feed) -> Iterator[Found]:
    """A call with a window has an arrival_time or departure_time as well."""
    for field in ("arrival_time", "departure_time"):
        yield _calls(feed, HAS_WINDOW & pl.col(field).is_not_null(), field)


@rule("missing_pickup_or_drop_off_window", ERROR, "calls")
def window_half_open(feed: Feed) -> Iterator[Found]:
    """One end of a call's window is given without the other."""
    for field, other in (WINDOW, WINDOW[::-1]):
        yield _calls(feed, pl.col(field).is_null() & pl.col(other).is_not_null(), field)


@rule("invalid_pickup_drop_off_window", ERROR, "calls", WINDOWS)
def window_without_length(feed: Feed) -> Iterator[Found]:
    """A call's window ends when it starts, or before."""
    start, end = WINDOW
    yield _calls(feed, pl.col(end) <= pl.col(start), end)


@rule("forbidden_pickup_type", ERROR, "calls", WINDOWS)
def regular_pickup_in_window(feed: Feed) -> Iterator[Found]:
    """A call with a window has a pickup_type that needs a time: regular (0 or blank), or arranged
    with the driver (3)."""
    timed = pl.col("pickup_type").fill_null(REGULAR).is_in((REGULAR, DRIVER))
    yield _calls(feed, HAS_WINDOW & timed, "pickup_type")


@rule("forbidden_drop_off_type", ERROR, "calls", WINDOWS)
def regular_drop_off_in_window(feed: Feed) -> Iterator[Found]:
    """A call with a window has the regular drop_off_type (0 or blank), which needs a time."""
    timed = pl.col("drop_off_type").fill_null(REGULAR) == REGULAR
    yield _calls(feed, HAS_WINDOW & timed, "drop_off_type")


@rule("forbidden_shape_dist_traveled", ERROR, "calls", "stop_times.shape_dist_traveled")
def distance_to_area(feed: Feed) -> Iterator[Found]:
    """shape_dist_traveled is given for a call at a location group or zone, which is no point."""
    in_area = pl.any_horizontal(pl.col("location_group_id", "location_id").is_not_null())
    broken = in_area & pl.col("shape_dist_traveled").is_not_null()
    yield _calls(feed, broken, "shape_dist_traveled")


@rule("forbidden_geography_id", ERROR, "calls")
def call_at_two_places(feed: Feed) -> Iterator[Found]:
    """A call names more than one of stop_id, location_group_id and location_id."""
    given = pl.sum_horizontal(pl.col(PLACES).is_not_null())
    named = pl.concat_str(PLACES, separator=" and ", ignore_nulls=True)
    doubled = feed.calls.filter(given > 1) if _has_areas(feed) else feed.calls.clear()
    yield found("stop_times", doubled, "stop_id", named)


@rule("missing_stop_times_record", ERROR, "calls", WINDOWS)
def trip_inside_one_call(feed: Feed) -> Iterator[Found]:
    """A trip's only call has a window, to get on and off by phone (pickup_type and drop_off_type
    2): a ride needs two calls, even inside one zone."""
    only = pl.col("is_first") & pl.col("is_last")
    window = pl.all_horizontal(pl.col(WINDOW).is_not_null())
    by_phone = (pl.col("pickup_type") == PHONE) & (pl.col("drop_off_type") == PHONE)
    yield _calls(feed, only & window & by_phone, "trip_id")


@rule("forbidden_continuous_pickup_drop_off", ERROR, "routes", "trips", "trip_spans", WINDOWS)
def continuous_route_with_window(feed: Feed) -> Iterator[Found]:
    """Riders may get on or off anywhere along a route (continuous_pickup or continuous_drop_off 0,
    2 or 3), though a trip of it has a call with a window."""
    windowed = feed.trip_spans.filter("has_window").get_column("trip_index").drop_nulls()
    routes = feed["trips"].get_column("route_id").gather(windowed).unique()
    served = feed["routes"].filter(pl.col("route_id").is_in(routes.implode()))
    for field in ("continuous_pickup", "continuous_drop_off"):
        yield found("routes", served.filter(pl.col(field) != NO_CONTINUOUS), field)


def _has_areas(feed: Feed) -> bool:
    return any(feed.has(f"stop_times.{place}") for place in PLACES[1:])


def _calls(feed: Feed, broken: pl.Expr, field: str) -> Found:
    return found("stop_times", feed.calls.filter(broken).select(ROW, field), field)
