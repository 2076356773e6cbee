"""One version of a feed as the rows that are compared: routes, stops and trips."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.marts.feed_diff.matching import MatchedBy, text_of
from pipelines.marts.service import FEED
from pipelines.marts.trip_patterns import stop_places

ROUTE_CONTENT = (
    *("agency_name", "route_short_name", "route_long_name", "route_desc", "route_type"),
    *("route_color", "route_text_color"),
)
STOP_CONTENT = (
    *("stop_code", "stop_name", "stop_desc", "stop_lat", "stop_lon", "zone_id", "location_type"),
    *("parent_station", "wheelchair_boarding", "platform_code"),
)
TRIP_CONTENT = (
    *("route", "direction_id", "stops", "start_seconds", "end_seconds", "weekdays", "repeats"),
)
# Coordinates are compared to 11 cm; finer digits come and go with their writers.
DEGREE_DECIMALS = 6
NO_TURN = pl.lit("")


@dataclass(frozen=True)
class Side:
    """The tables of one version of one feed (or of several versions, until `of` picks one)."""

    agency: pl.DataFrame
    routes: pl.DataFrame
    stops: pl.DataFrame
    service_dates: pl.DataFrame
    trip_stats: pl.DataFrame
    trip_patterns: pl.DataFrame

    def of(self, source_id: str, version_id: str) -> Side:
        """The rows of one version."""
        here = {"source_id": source_id, "version_id": version_id}
        return Side(**{name: table.filter(**here) for name, table in vars(self).items()})

    def compared_routes(self) -> pl.DataFrame:
        """One row per route: id, identity, label, turn and `ROUTE_CONTENT`."""
        names = self.agency.select(*FEED, "agency_id", "agency_name")
        named = self.routes.join(names, on=[*FEED, "agency_id"], how="left")
        both = pl.concat_str(
            "route_short_name", "route_long_name", separator=" ", ignore_nulls=True
        )
        return named.select(
            *ROUTE_CONTENT,
            id="route_id",
            identity=text_of("agency_name", "route_short_name", "route_long_name", "route_type"),
            label=pl.when(both != "").then(both).otherwise("route_id"),
            turn=NO_TURN,
        )

    def compared_stops(self) -> pl.DataFrame:
        """One row per stop, station or entrance: id, identity, label, turn and `STOP_CONTENT`."""
        placed = self.stops.join(stop_places(self.stops), on=[*FEED, "stop_id"])
        return placed.with_columns(
            pl.col("stop_lat", "stop_lon").round(DEGREE_DECIMALS),
            id="stop_id",
            identity=text_of("location_type", "place"),
            label=pl.coalesce("stop_name", "stop_id"),
            turn=NO_TURN,
        ).select("id", "identity", "label", "turn", *STOP_CONTENT)

    def compared_trips(
        self, routes: pl.DataFrame, *, routes_by: MatchedBy, stops_by: MatchedBy
    ) -> pl.DataFrame:
        """One row per trip: id, identity, label, turn, `TRIP_CONTENT`, and its pattern.

        `route` and `stops` are ids, or identities where these are unstable; `pattern` is the text
        of route, direction and stops, `pattern_label` names it.
        """
        key = [*FEED, "trip_id"]
        # A trip takes turns with another on services of the same weekdays.
        trips = self.trip_stats.join(self.trip_patterns, on=key).join(
            routes.select(route_id="id", route_identity="identity", route_label="label"),
            on="route_id",
        )
        by_id = {"route": "route_id", "stops": "stops_by_id_hash"}
        by_identity = {"route": "route_identity", "stops": "stops_by_place_hash"}
        chosen = {
            "route": (by_id if routes_by == "id" else by_identity)["route"],
            "stops": (by_id if stops_by == "id" else by_identity)["stops"],
        }
        named = self._named_ends(trips).with_columns(
            **{name: pl.col(column) for name, column in chosen.items()}
        )
        pattern_label = pl.format(
            "{}: {} - {} ({} stops)", "route_label", "start_name", "end_name", "stop_count"
        )
        return named.with_columns(
            id="trip_id",
            turn="service_id",
            pattern=text_of("route", "direction_id", "stops"),
            pattern_label=pattern_label,
        ).select(
            "id",
            "turn",
            "pattern",
            "pattern_label",
            *TRIP_CONTENT,
            "service_id",
            "distance_km",
            "departure_count",
            "route_label",
            identity=text_of("pattern", "start_seconds", "weekdays", "repeats"),
            label=pl.format("{} at {}", "pattern_label", _clock("start_seconds")),
        )

    def _named_ends(self, trips: pl.DataFrame) -> pl.DataFrame:
        names = self.stops.select("stop_id", name=pl.coalesce("stop_name", "stop_id"))
        starts = names.rename({"stop_id": "start_stop_id", "name": "start_name"})
        ends = names.rename({"stop_id": "end_stop_id", "name": "end_name"})
        return trips.join(starts, on="start_stop_id", how="left").join(
            ends, on="end_stop_id", how="left"
        )


def _clock(seconds: str) -> pl.Expr:
    parts = (pl.col(seconds) // 3600, pl.col(seconds) // 60 % 60, pl.col(seconds) % 60)
    text = [part.cast(pl.String).str.zfill(2) for part in parts]
    return pl.concat_str(*text, separator=":").fill_null("no time")
