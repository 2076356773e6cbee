"""All that changed from one version of each feed to the next, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from pipelines.marts.feed_diff.kilometres import compared_dates, route_km, services_on
from pipelines.marts.feed_diff.matching import (
    ROWS,
    MatchedBy,
    by_amount,
    by_id,
    by_identity,
    matched_by,
)
from pipelines.marts.feed_diff.sides import ROUTE_CONTENT, STOP_CONTENT, TRIP_CONTENT, Side

COMPARED = ("routes", "stops", "trips", "patterns", "vehicle_km")

DIFF = {
    "source_id": pl.String,
    "before_version_id": pl.String,
    "after_version_id": pl.String,
    "table_name": pl.String,
    "matched_by": pl.String,
    **ROWS,
    "km_before": pl.Float64,
    "km_after": pl.Float64,
    "compared_before_date": pl.Date,
    "compared_after_date": pl.Date,
}


def feed_diffs(version_changes: pl.DataFrame, tables: Side, as_of: date) -> pl.DataFrame:
    """One row per feed, table and thing of either version, what is kept among them (`DIFF`).

    `version_changes` has source_id, before_version_id and after_version_id; `tables` hold the rows
    of all those versions. A key is an id or, by identity and of patterns, a text to be hashed. Of
    vehicle_km the km is 0 where a route does not run, null where its distance is unknown.
    """
    found = [pl.DataFrame(schema=DIFF)]
    for source_id, before, after in version_changes.rows():
        sides = tables.of(source_id, before), tables.of(source_id, after)
        for name, match, rows in _compared(*sides, as_of):
            told = rows.with_columns(
                source_id=pl.lit(source_id),
                before_version_id=pl.lit(before),
                after_version_id=pl.lit(after),
                table_name=pl.lit(name),
                matched_by=pl.lit(match),
            )
            lacking = [pl.lit(None).alias(column) for column in DIFF if column not in told.columns]
            found.append(
                told.with_columns(lacking).select(
                    pl.col(column).cast(dtype) for column, dtype in DIFF.items()
                )
            )
    return pl.concat(found)


def _compared(
    before: Side, after: Side, as_of: date
) -> Iterator[tuple[str, MatchedBy, pl.DataFrame]]:
    routes = before.compared_routes(), after.compared_routes()
    stops = before.compared_stops(), after.compared_stops()
    routes_by, stops_by = matched_by(*routes), matched_by(*stops)
    first, second = (
        side.compared_trips(named, routes_by=routes_by, stops_by=stops_by)
        for side, named in zip((before, after), routes, strict=True)
    )
    trips_by = matched_by(first, second)
    yield "routes", routes_by, _matched(*routes, routes_by, ROUTE_CONTENT)
    yield "stops", stops_by, _matched(*stops, stops_by, STOP_CONTENT)
    yield "trips", trips_by, _matched(first, second, trips_by, TRIP_CONTENT)
    yield "patterns", trips_by, _patterns(first, second, trips_by)
    days = compared_dates(before.service_dates, after.service_dates, as_of)
    yield (
        "vehicle_km",
        routes_by,
        _kilometres(
            route_km(first, services_on(before.service_dates, days[0])),
            route_km(second, services_on(after.service_dates, days[1])),
            days,
        ),
    )


def _matched(
    before: pl.DataFrame, after: pl.DataFrame, match: MatchedBy, content: tuple[str, ...]
) -> pl.DataFrame:
    return by_id(before, after, content) if match == "id" else by_identity(before, after)


def _patterns(before: pl.DataFrame, after: pl.DataFrame, match: MatchedBy) -> pl.DataFrame:
    """Patterns and how many trips they have; by identity, a trip that takes turns once."""

    def counted(trips: pl.DataFrame) -> pl.DataFrame:
        label = pl.min("pattern_label").alias("label")
        if match == "id":
            return trips.group_by(key="pattern").agg(label, count=pl.len().cast(pl.Int64))
        turns = trips.group_by("pattern", "identity", "turn").agg(
            pl.min("pattern_label"), count=pl.len().cast(pl.Int64)
        )
        once = turns.group_by("pattern", "identity").agg(pl.min("pattern_label"), pl.max("count"))
        return once.group_by(key="pattern").agg(label, pl.sum("count"))

    is_same = pl.col("count") == pl.col("count_after")
    return by_amount(counted(before), counted(after), is_same)


def _kilometres(
    before: pl.DataFrame, after: pl.DataFrame, days: tuple[date | None, date | None]
) -> pl.DataFrame:
    """Routes and their km on the compared dates; a route of unknown km by its departures."""
    first, second = pl.col("km"), pl.col("km_after")
    same_departures = pl.col("count") == pl.col("count_after")
    is_known = first.is_not_null() & second.is_not_null()
    is_same = pl.when(is_known).then(first == second).otherwise(same_departures)
    rows = by_amount(before, after, is_same)
    return rows.with_columns(
        km_before=pl.when(pl.col("added_count") == 0).then("km").otherwise(0.0),
        km_after=pl.when(pl.col("removed_count") == 0).then("km_after").otherwise(0.0),
        compared_before_date=pl.lit(days[0], pl.Date),
        compared_after_date=pl.lit(days[1], pl.Date),
    )
