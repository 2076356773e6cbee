"""Blocks: the trips that one vehicle runs on a day, one after another.

Two trips of a block overlap on a common service date where, in order of first arrival (then of last
departure), the later begins before the earlier has left its last stop. Allowed is to touch, and to
hand over: the last stop time of the one has the times of the first of the other. Left out: trips
that lack arrival or departure at their first or last stop.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import ERROR, ROW, WARNING, Found, found, rule
from pipelines.staging.gtfs.rules.service_days import service_days

# Trips and dates that are compared at a time, about (some 300 MB).
MOST_TRIP_DAYS = 2_000_000
EDGES = ("first_arrival_time", "first_departure_time", "last_arrival_time", "last_departure_time")


@rule("block_trips_with_overlapping_stop_times", ERROR, "trips.block_id", "trip_spans")
def overlapping_trips_of_block(feed: Feed) -> Iterator[Found]:
    """A trip begins before another of its block has ended, on a date when both run: one finding for
    each such trip, with the nearest trip before it and the first such date."""
    trips = _timed_trips(feed)
    if trips.is_empty():
        return
    overlaps = []
    for days in _portions(_representative_days(feed, trips), trips):
        dated = trips.join(days, on="service_id")
        dated = dated.sort("block_id", "date", EDGES[0], EDGES[-1], ROW)
        run = pl.struct("block_id", "date").rle_id()
        overlaps.append(_overlapping_pairs(dated.with_columns(run=run)))
    if not overlaps:
        return
    first = pl.concat(overlaps).sort(ROW, "date").unique(ROW, keep="first", maintain_order=True)
    value = pl.format("{}: {} on {}", "block_id", "other_trip_id", pl.col("date").cast(pl.String))
    yield found("trips", first, "block_id", value)


def _timed_trips(feed: Feed) -> pl.DataFrame:
    """Trips of blocks in which, whatever the date, any two overlap, with their edge times."""
    fields = feed["trips"].select(ROW, "trip_id", "block_id", "service_id")
    spans = feed.trip_spans.select("trip_index", *EDGES).drop_nulls()
    trips = fields.with_row_index("trip_index").drop_nulls().join(spans, on="trip_index")
    trips = trips.sort("block_id", EDGES[0])
    begins, ends = pl.col(EDGES[0]), pl.col(EDGES[-1])
    overlaps = ends.cum_max().shift(1).over("block_id") > begins
    return trips.filter(overlaps.any().over("block_id"))


def _representative_days(feed: Feed, trips: pl.DataFrame) -> pl.DataFrame:
    """Days of the services of these trips, of all dates with the same services only the first: what
    two services do on one of them, they do on all."""
    days = service_days(feed).join(trips.select("service_id").unique(), on="service_id", how="semi")
    services = (
        days.group_by("date")
        .agg(services=pl.col("service_id").hash().sum(), count=pl.len())
        .sort("date")
        .unique(["services", "count"], keep="first")
    )
    return days.join(services, on="date", how="semi")


def _portions(days: pl.DataFrame, trips: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Days in portions of whole dates, of about `MOST_TRIP_DAYS` trips and dates each."""
    counts = trips.group_by("service_id").agg(trip_count=pl.len())
    counted = days.join(counts, on="service_id").sort("date")
    running = pl.col("trip_count").cum_sum().max().over("date")
    portions = counted.with_columns(portion=running // MOST_TRIP_DAYS)
    yield from portions.partition_by("portion", include_key=False, maintain_order=True)


def _overlapping_pairs(dated: pl.DataFrame) -> pl.DataFrame:
    """Trips that overlap with one before them in their run (rows of one block and date), with the
    nearest such as `other_trip_id`. Each is compared with the row before, then the row before that,
    as long as one of them might still be under way."""
    run = dated.get_column("run").to_numpy()
    begins, leaves, comes, ends = (dated.get_column(edge).to_numpy() for edge in EDGES)
    latest_end = dated.select(pl.col(EDGES[-1]).cum_max().over("run")).to_series().to_numpy()
    found_at, other = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    later = np.arange(1, dated.height)
    earlier = later - 1
    while later.size:
        may_overlap = (run[earlier] == run[later]) & (latest_end[earlier] > begins[later])
        later, earlier = later[may_overlap], earlier[may_overlap]
        hands_over = (comes[earlier] == begins[later]) & (ends[earlier] == leaves[later])
        overlaps = (ends[earlier] > begins[later]) & ~hands_over
        found_at.append(later[overlaps])
        other.append(earlier[overlaps])
        later, earlier = later[~overlaps], earlier[~overlaps] - 1
        later, earlier = later[earlier >= 0], earlier[earlier >= 0]
    names = dated.get_column("trip_id").gather(np.concatenate(other)).alias("other_trip_id")
    return dated[np.concatenate(found_at)].with_columns(names)


@rule("inconsistent_route_type_for_block_id", WARNING, "trips.block_id", "routes")
def block_of_several_route_types(feed: Feed) -> Iterator[Found]:
    """The trips of a block belong to routes of different route_type, though one vehicle runs them:
    one finding for each block, at the first trip that differs from the block's first."""
    types = feed["routes"].unique("route_id", keep="first").select("route_id", "route_type")
    trips = (
        feed["trips"]
        .select(ROW, "block_id", "route_id")
        .join(types, on="route_id", maintain_order="left")
        .drop_nulls()
    )
    differs = trips.filter(pl.col("route_type") != pl.col("route_type").first().over("block_id"))
    blocks = differs.unique("block_id", keep="first", maintain_order=True)
    yield found("trips", blocks, "block_id")
