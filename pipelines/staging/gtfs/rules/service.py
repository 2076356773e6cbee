"""When service runs: its dates against the feed's own period and today, and headways.

Active dates are those of `service_days`; services *in use* are those that some trip names. Dated
rules judge the feed as of a day, *today*. Left out: which version of a feed governs a day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import (
    ERROR,
    INFO,
    ROW,
    WARNING,
    Found,
    found,
    found_file,
    rule,
)
from pipelines.staging.gtfs.rules.service_days import MOST_PATTERN_DAYS, service_days
from pipelines.staging.gtfs.specification.timetable import WEEKDAYS

# Thresholds of the Canonical Validator 8.
EXPIRY_DAYS, EARLY_EXPIRY_DAYS = 7, 30
LONGEST_PAUSE_DAYS = 13
FARTHEST_SERVICE_DAYS = 2 * 365
FEED_BEYOND_SERVICE_DAYS = 14
COVERED_DAYS = 7
# A day of usual service: at least three quarters of what runs on all but the busiest tenth of days,
# or all but the 30 busiest.
USUAL_RANK, BUSIEST_DAYS, USUAL_SHARE = 0.9, 30, 0.75
EPOCH = date(1970, 1, 1)


@rule("service_has_no_active_day_of_the_week", WARNING, "calendar")
def service_on_no_weekday(feed: Feed) -> Iterator[Found]:
    """All seven days of a service in calendar are 0."""
    never = pl.all_horizontal(pl.col(WEEKDAYS) == 0)
    yield found("calendar", feed["calendar"].filter(never), "monday")


@rule("calendar_of_one_day", INFO, "calendar", is_extension=True)
def calendar_for_one_day(feed: Feed) -> Iterator[Found]:
    """A service of calendar begins and ends on one day: calendar_dates says the same in fewer
    words."""
    one_day = pl.col("start_date") == pl.col("end_date")
    yield found("calendar", feed["calendar"].filter(one_day), "end_date")


@rule("expired_calendar", WARNING, dated=True)
def service_over(feed: Feed) -> Iterator[Found]:
    """The last active date of a service is before today. Services of calendar_dates alone are told
    only in a feed without rows in calendar, and only when all of them are over."""
    spans = _spans(feed)
    over = spans.filter(pl.col("last_date") < feed.as_of)
    if feed["calendar"].is_empty() and over.height < spans.height:
        return
    files = ("calendar",) if feed["calendar"].height else ("calendar_dates",)
    yield from _found_services(feed, over, "last_date", files)


@rule("future_calendar", INFO, "trips", dated=True)
def service_not_begun(feed: Feed) -> Iterator[Found]:
    """No service in use has begun by today."""
    first = _in_use(feed).get_column("first_date").min()
    if isinstance(first, date) and feed.as_of is not None and first > feed.as_of:
        yield found_file(_calendar_file(feed), "start_date", f"{first:%Y%m%d}")


@rule("future_feed", INFO, "feed_info.feed_start_date", dated=True)
def feed_not_begun(feed: Feed) -> Iterator[Found]:
    """feed_start_date is after today."""
    rows = feed["feed_info"].sort("feed_start_date", nulls_last=True).head(1)
    yield found("feed_info", rows.filter(pl.col("feed_start_date") > feed.as_of), "feed_start_date")


@rule("feed_expiration_date7_days", WARNING, "feed_info.feed_end_date", dated=True)
def feed_ends_within_a_week(feed: Feed) -> Iterator[Found]:
    """feed_end_date is past, or less than 7 days ahead."""
    broken = feed["feed_info"].filter(_days_left(feed) < EXPIRY_DAYS)
    yield found("feed_info", broken, "feed_end_date")


@rule("feed_expiration_date30_days", WARNING, "feed_info.feed_end_date", dated=True)
def feed_ends_within_a_month(feed: Feed) -> Iterator[Found]:
    """feed_end_date is 7 days ahead or more, but less than 30."""
    left = _days_left(feed)
    broken = feed["feed_info"].filter((left >= EXPIRY_DAYS) & (left < EARLY_EXPIRY_DAYS))
    yield found("feed_info", broken, "feed_end_date")


def _days_left(feed: Feed) -> pl.Expr:
    return (pl.col("feed_end_date") - pl.lit(feed.as_of, pl.Date)).dt.total_days()


@rule("missing_feed_info_date", WARNING, "feed_info")
def feed_period_half_told(feed: Feed) -> Iterator[Found]:
    """One of feed_start_date and feed_end_date is given without the other."""
    for field, other in (
        ("feed_start_date", "feed_end_date"),
        ("feed_end_date", "feed_start_date"),
    ):
        half = pl.col(field).is_null() & pl.col(other).is_not_null()
        yield found("feed_info", feed["feed_info"].filter(half), field)


@rule("missing_feed_contact_email_and_url", WARNING, "feed_info")
def feed_without_contact(feed: Feed) -> Iterator[Found]:
    """feed_info has neither feed_contact_email nor feed_contact_url."""
    silent = pl.col("feed_contact_email").is_null() & pl.col("feed_contact_url").is_null()
    yield found("feed_info", feed["feed_info"].filter(silent), "feed_contact_email")


@rule("feed_valid_beyond_total_service_window", INFO, "feed_info", "trips")
def feed_period_beyond_service(feed: Feed) -> Iterator[Found]:
    """The feed's period begins more than 14 days before the services in use, or ends more than 14
    days after them: the feed says that nothing runs in between."""
    spans = _in_use(feed)
    if spans.is_empty():
        return
    slack = pl.duration(days=FEED_BEYOND_SERVICE_DAYS)
    first, last = (
        pl.lit(date, pl.Date)
        for date in (spans.get_column("first_date").min(), spans.get_column("last_date").max())
    )
    rows = feed["feed_info"].head(1)
    early, late = pl.col("feed_start_date") < first - slack, pl.col("feed_end_date") > last + slack
    yield found("feed_info", rows.filter(early), "feed_start_date")
    yield found("feed_info", rows.filter(late), "feed_end_date")


@rule("service_window_outside_feed_period", INFO, "feed_info", "trips")
def service_beyond_feed_period(feed: Feed) -> Iterator[Found]:
    """A service in use has its first active date before feed_start_date or its last after
    feed_end_date, both being given."""
    period = feed["feed_info"].head(1).select("feed_start_date", "feed_end_date").drop_nulls()
    if period.is_empty():
        return
    begin, end = period.row(0)
    outside = (pl.col("first_date") < begin) | (pl.col("last_date") > end)
    yield from _found_services(feed, _in_use(feed).filter(outside), "last_date")


@rule("service_extends_far_in_the_future", INFO, "calendar", dated=True)
def service_without_end(feed: Feed) -> Iterator[Found]:
    """The last active date of a service of calendar is more than 730 days after today."""
    if feed.as_of is None:
        return
    horizon = feed.as_of + timedelta(days=FARTHEST_SERVICE_DAYS)
    far = _spans(feed).filter(pl.col("last_date") > horizon)
    yield from _found_services(feed, far, "last_date", ("calendar",))


@rule("big_gap_in_service", INFO, "calendar")
def service_pauses(feed: Feed) -> Iterator[Found]:
    """A service of calendar has more than 13 days in a row without service between two active
    dates. Passed over where periods are absurdly long (20 million days in all)."""
    length = (pl.col("end_date") - pl.col("start_date")).dt.total_days() + 1
    if feed["calendar"].select(length.clip(0).sum()).item() > MOST_PATTERN_DAYS:
        return
    days = service_days(feed)
    is_same = days.get_column("service_id") == days.get_column("service_id").shift(1)
    pause = days.get_column("date").diff().dt.total_days() - 1
    resumed = days.filter(is_same & (pause > LONGEST_PAUSE_DAYS))
    yield from _found_services(feed, resumed, "date", ("calendar",))


@rule("trip_coverage_not_active_for_next7_days", WARNING, "trips", dated=True)
def usual_service_ends_soon(feed: Feed) -> Iterator[Found]:
    """The days of usual service begin after today or end before today + 7 days. A day is usual when
    it has at least three quarters of the trips of the day that ranks at nine tenths of all days
    with trips, or 30 days below the busiest where that is higher."""
    window = _usual_window(feed)
    if window is None or feed.as_of is None:
        return
    first, last = window
    if first > feed.as_of or last < feed.as_of + timedelta(days=COVERED_DAYS):
        yield found_file(_calendar_file(feed), "end_date", f"{first:%Y%m%d} to {last:%Y%m%d}")


def _departures(feed: Feed) -> pl.DataFrame:
    """Departures a day of each service in use (`weight`): a trip departs once, or as often as its
    rows of frequencies say."""
    headway = pl.col("headway_secs")
    length = (pl.col("end_time") - pl.col("start_time")).cast(pl.Int64)
    repeats = (
        feed["frequencies"]
        .filter((headway > 0) & (length > 0))
        .group_by("trip_id")
        .agg(departures=(1 + (length - 1) // headway).sum())
    )
    trips = feed["trips"].select("trip_id", "service_id").drop_nulls("service_id")
    return (
        trips.join(repeats, on="trip_id", how="left")
        .group_by("service_id")
        .agg(weight=pl.col("departures").fill_null(1).sum().cast(pl.Int64))
    )


def _usual_window(feed: Feed) -> tuple[date, date] | None:
    """First and last day of usual service; None where no trip ever runs."""
    services = _spans(feed).join(
        _departures(feed), on="service_id", how="left", maintain_order="left"
    )
    weight = services.get_column("weight").fill_null(0).to_numpy()
    if not weight.any():
        return None
    day = service_days(feed).get_column("date").to_physical().to_numpy()
    first = int(day.min())
    counts = np.bincount(day - first, weight.repeat(services.get_column("day_count")))
    busy = np.sort(counts[counts > 0])
    typical = busy[max(math.floor(USUAL_RANK * busy.size), busy.size - BUSIEST_DAYS)]
    usual = np.flatnonzero((counts > 0) & (counts >= math.floor(USUAL_SHARE * typical)))
    begin, end = (EPOCH + timedelta(days=first + int(usual[at])) for at in (0, -1))
    return begin, end


@rule("overlapping_frequency", ERROR, "frequencies")
def frequencies_at_once(feed: Feed) -> Iterator[Found]:
    """A row of frequencies starts before the row before it, of the same trip and by start_time, has
    ended."""
    rows = feed["frequencies"].drop_nulls(["trip_id", "start_time", "end_time"])
    ordered = rows.sort("trip_id", "start_time", "end_time", "headway_secs", ROW)
    before = pl.col("trip_id", "end_time").shift(1).name.suffix("_before")
    overlaps = (pl.col("trip_id") == pl.col("trip_id_before")) & (
        pl.col("start_time") < pl.col("end_time_before")
    )
    yield found(
        "frequencies", ordered.with_columns(before).filter(overlaps).sort(ROW), "start_time"
    )


@rule("frequency_shorter_than_headway", WARNING, "frequencies", is_extension=True)
def headway_never_kept(feed: Feed) -> Iterator[Found]:
    """The time from start_time to end_time is shorter than headway_secs: one vehicle leaves, and
    the headway says nothing."""
    length = pl.col("end_time") - pl.col("start_time")
    too_short = (length > 0) & (length < pl.col("headway_secs"))
    yield found("frequencies", feed["frequencies"].filter(too_short), "end_time")


@once
def _spans(feed: Feed) -> pl.DataFrame:
    """First and last active date (`first_date`, `last_date`) of each service that has any, and how
    many it has (`day_count`); in the order of `service_days`."""
    days = service_days(feed)
    service, day = days.get_columns()
    first = (service != service.shift(1)).fill_null(value=True).arg_true()
    last = first.shift(-1, fill_value=days.height) - 1
    return pl.DataFrame(
        {
            "service_id": service.gather(first),
            "first_date": day.gather(first),
            "last_date": day.gather(last),
            "day_count": last - first + 1,
        }
    )


def _in_use(feed: Feed) -> pl.DataFrame:
    """Spans of the services that trips name."""
    return _spans(feed).join(feed["trips"], on="service_id", how="semi")


def _calendar_file(feed: Feed) -> str:
    return "calendar" if feed.has("calendar") else "calendar_dates"


def _found_services(
    feed: Feed,
    services: pl.DataFrame,
    told: str,
    files: tuple[str, ...] = ("calendar", "calendar_dates"),
) -> Iterator[Found]:
    """The first row of each service in the first of the files that has it, with a date of it."""
    waiting = services
    for file in files:
        rows = feed[file].select(ROW, "service_id").unique("service_id", keep="first")
        here = waiting.join(rows, on="service_id", maintain_order="left")
        value = pl.concat_str("service_id", pl.col(told).dt.strftime("%Y%m%d"), separator=" ")
        yield found(file, here.sort(ROW), "service_id", value)
        waiting = waiting.join(rows, on="service_id", how="anti")
