"""A feed as rules see it: typed frames by file, and stop_times a part of whole trips at a time.

Typed: every field that the specification names is a column (null where the file lacks it or the
text can't be read), times are Int32 seconds after the service day's start (noon minus 12 h), dates
are dates, enums and integers Int32, numbers Float64, all else text. Rows stay in the file's order
and none is left out, broken ones included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.staging.gtfs.rules.once import once
from pipelines.staging.gtfs.rules.rule import ROW
from pipelines.staging.gtfs.specification import FILES

ZONES = "locations.geojson"
DERIVED = frozenset({"calls", "trip_spans", "served_stops", "served_groups", "route_stops"})

_NO_SEQUENCE = -(2**31) - 1  # a call without stop_sequence comes before the others of its trip

TRIP_SPANS = {
    "trip_id": pl.String,
    "trip_index": pl.UInt32,  # place in feed["trips"]; null where no such trip
    "call_count": pl.UInt32,
    "first_row": pl.Int64,  # lowest and highest row_number of its calls
    "last_row": pl.Int64,
    "first_stop_id": pl.String,  # by stop_sequence, as the rest
    "last_stop_id": pl.String,
    "first_arrival_time": pl.Int32,
    "first_departure_time": pl.Int32,
    "last_arrival_time": pl.Int32,
    "last_departure_time": pl.Int32,
    "last_shape_dist_traveled": pl.Float64,
    "has_window": pl.Boolean,  # some call has a pickup/drop-off window
}


@dataclass
class Feed:
    """One feed version, typed. `present` names the files that the feed has and their columns."""

    tables: Mapping[str, pl.DataFrame]
    present: Mapping[str, Collection[str]]
    as_of: date | None = None
    part: pl.DataFrame | None = None
    trip_spans: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TRIP_SPANS))
    served_stops: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"stop_id": pl.String, "call_count": pl.UInt32})
    )
    route_stops: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"route_id": pl.String, "stop_id": pl.String})
    )
    served_groups: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"location_group_id": pl.String})
    )
    geojson: bytes | None = None  # locations.geojson as delivered

    def __getitem__(self, name: str) -> pl.DataFrame:
        """A file's typed rows; without rows where the feed lacks the file.

        stop_times is not here: it comes in parts, as `calls`.
        """
        return self.tables[name] if name in self.tables else empty(name)

    def has(self, need: str) -> bool:
        """Whether the feed has a file, or a column of one (``stops.stop_code``)."""
        if need == ZONES:
            return self.geojson is not None
        file, _, column = need.partition(".")
        if file in DERIVED:
            return "stop_times" in self.present
        return file in self.present and (not column or column in self.present[file])

    @cached_property
    def calls(self) -> pl.DataFrame:
        """The part of stop_times at hand: whole trips, sorted by trip_id, then stop_sequence.

        Beside the fields: `trip_index`, `stop_index` (UInt32 places in feed["trips"] and
        feed["stops"], null where there is no such id), `is_first`, `is_last` (of its trip).
        Repeated rows of one trip and stop_sequence are all here, in the file's order; so are rows
        without stop_sequence, before the others.
        """
        if self.part is None:
            return calls_of(empty("stop_times"), self["trips"], self["stops"])
        return calls_of(self.part, self["trips"], self["stops"])

    @cached_property
    def stop_places(self) -> pl.DataFrame:
        """One row per row of stops, in order: stop_lat, stop_lon, borrowed from up to two ancestors
        where its own are blank."""
        stops = self["stops"].select("stop_id", "parent_station", "stop_lat", "stop_lon")
        place = pl.struct("stop_lat", "stop_lon")
        has_place = pl.col("stop_lat").is_not_null() & pl.col("stop_lon").is_not_null()
        known = stops.unique("stop_id", keep="first").select(
            pl.col("stop_id").alias("ancestor"),
            pl.col("parent_station").alias("next_ancestor"),
            pl.when(has_place).then(place).alias("ancestor_place"),
        )
        placed = stops.select(
            pl.when(has_place).then(place).alias("place"), pl.col("parent_station").alias("up")
        )
        for _ in range(2):
            if placed.get_column("place").null_count() == 0:
                break
            placed = placed.join(
                known, left_on="up", right_on="ancestor", how="left", maintain_order="left"
            ).select(pl.coalesce("place", "ancestor_place").alias("place"), up="next_ancestor")
        return placed.select(
            stop_lat=pl.col("place").struct.field("stop_lat"),
            stop_lon=pl.col("place").struct.field("stop_lon"),
        )


@cache
def empty(name: str) -> pl.DataFrame:
    """A file's typed frame without rows."""
    from pipelines.staging.gtfs.typed import typed_schema

    return pl.DataFrame(schema={ROW: pl.Int64, **typed_schema(FILES[name])})


def calls_of(part: pl.DataFrame, trips: pl.DataFrame, stops: pl.DataFrame) -> pl.DataFrame:
    """Typed rows of stop_times in the order and with the columns of `Feed.calls`.

    Rows of one trip nearly always lie together, so that trips are looked up once for each *run* of
    rows with one trip_id.
    """
    ids = part.get_column("trip_id")
    starts = ids.ne_missing(ids.shift(1)).to_numpy(writable=True)
    starts[:1] = True
    run = np.cumsum(starts) - 1
    runs = pl.DataFrame({"trip_id": ids.filter(pl.Series(starts))})
    ranks = runs.unique().sort("trip_id", nulls_last=False).with_row_index("rank")
    placed = runs.join(
        ranks, on="trip_id", how="left", nulls_equal=True, maintain_order="left"
    ).join(_places_of_trips(trips), on="trip_id", how="left", maintain_order="left")
    rank = placed.get_column("rank").to_numpy().astype(np.int64)[run]
    sequence = part.get_column("stop_sequence").cast(pl.Int64).fill_null(_NO_SEQUENCE).to_numpy()
    order = np.argsort((rank << 33) + (sequence - _NO_SEQUENCE), kind="stable")
    rank = rank[order]
    is_new = np.append(True, rank[1:] != rank[:-1])[: rank.size]
    stop_index = part.select("stop_id").join(
        _places(stops, "stop_id"), on="stop_id", how="left", maintain_order="left"
    )
    calls = part.with_columns(stop_index.get_column("stop_index"))
    if not np.array_equal(order, np.arange(order.size)):
        calls = _taken(calls, order)
    return calls.with_columns(
        placed.get_column("trip_index").gather(run[order]).alias("trip_index"),
        pl.Series("is_first", is_new),
        pl.Series("is_last", np.append(is_new[1:], True)[: is_new.size]),
    )


def _taken(rows: pl.DataFrame, order: NDArray[np.int64]) -> pl.DataFrame:
    """Rows in another order; columns without values, of which stop_times has many, stay."""
    blank = [column.name for column in rows if column.null_count() == rows.height]
    taken = rows.drop(blank)[order]
    return taken.with_columns(rows.select(blank)).select(rows.columns)


@once
def _places_of_trips(trips: pl.DataFrame) -> pl.DataFrame:
    return _places(trips, "trip_id")


def _places(table: pl.DataFrame, key: str) -> pl.DataFrame:
    """Where each id stands first in its table."""
    index = key.replace("_id", "_index")
    return (
        table.select(key)
        .with_row_index(index)
        .drop_nulls(key)
        .unique(key, keep="first", maintain_order=True)
    )


def spans_of(calls: pl.DataFrame) -> pl.DataFrame:
    """One row per trip of a part: `TRIP_SPANS`."""
    first, last = calls.filter("is_first"), calls.filter("is_last")
    starts = first.with_row_index("_at", 0)
    number = calls.get_column("is_first").cum_sum() - 1
    window = pl.any_horizontal(
        pl.col("start_pickup_drop_off_window", "end_pickup_drop_off_window").is_not_null()
    )
    told = (
        calls.lazy()
        .select(ROW, window.alias("has_window"), number.alias("_at"))
        .group_by("_at", maintain_order=True)
        .agg(
            call_count=pl.len().cast(pl.UInt32),
            first_row=pl.col(ROW).min(),
            last_row=pl.col(ROW).max(),
            has_window=pl.col("has_window").any(),
        )
        .collect()
    )
    return pl.DataFrame(
        {
            "trip_id": starts.get_column("trip_id"),
            "trip_index": starts.get_column("trip_index"),
            "call_count": told.get_column("call_count"),
            "first_row": told.get_column("first_row"),
            "last_row": told.get_column("last_row"),
            "first_stop_id": starts.get_column("stop_id"),
            "last_stop_id": last.get_column("stop_id"),
            "first_arrival_time": starts.get_column("arrival_time"),
            "first_departure_time": starts.get_column("departure_time"),
            "last_arrival_time": last.get_column("arrival_time"),
            "last_departure_time": last.get_column("departure_time"),
            "last_shape_dist_traveled": last.get_column("shape_dist_traveled"),
            "has_window": told.get_column("has_window"),
        },
        schema=TRIP_SPANS,
    )
