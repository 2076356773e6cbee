"""What a trip needs to be ridden: stop times, and a word on bicycles aboard a ferry."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import WARNING, Found, found, rule

FEWEST_CALLS = 2  # to board and to alight
FERRY = 4  # routes.route_type
BIKES_TOLD = (1, 2)  # trips.bikes_allowed: yes, no


@rule("unused_trip", WARNING, "trips", "trip_spans")
def trip_without_calls(feed: Feed) -> Iterator[Found]:
    """A trip that no stop time names."""
    trips = feed["trips"].filter(pl.col("trip_id").is_not_null())
    yield found("trips", trips.join(feed.trip_spans, on="trip_id", how="anti"), "trip_id")


@rule("unusable_trip", WARNING, "trips", "trip_spans")
def trip_with_one_call(feed: Feed) -> Iterator[Found]:
    """A trip with fewer than two stop times, none included: nobody can ride it."""
    ridable = feed.trip_spans.filter(pl.col("call_count") >= FEWEST_CALLS)
    trips = feed["trips"].filter(pl.col("trip_id").is_not_null())
    yield found("trips", trips.join(ridable, on="trip_id", how="anti"), "trip_id")


@rule("missing_bike_allowance", WARNING, "trips", "routes")
def ferry_that_is_silent_on_bikes(feed: Feed) -> Iterator[Found]:
    """A trip of a ferry does not say in bikes_allowed whether bicycles may come aboard."""
    ferries = feed["routes"].filter(pl.col("route_type") == FERRY)
    silent = feed["trips"].filter(~pl.col("bikes_allowed").is_in(BIKES_TOLD).fill_null(False))
    yield found("trips", silent.join(ferries, on="route_id", how="semi"), "bikes_allowed")
