"""GTFS-Realtime: vehicle positions and trip updates of one capture of a feed (protobuf).

A capture is one message: a header with the moment of the capture, and entities. A feed of vehicle
positions may carry trip updates and alerts beside them: each kind of source takes its own. A
capture compressed by gzip is read as the capture inside.

What a message doesn't tell is null, never the default that protobuf would read in its place; so
are an empty text and an instant of 0, which stand for "not set" where a producer fills every
field. Enumerations become their names in the standard; a number that the installed bindings don't
know yet is null. Text that isn't UTF-8 keeps U+FFFD in place of the bytes that can't be read.

Left out: alerts, shapes, stops and trip modifications; extensions of producers; licence plates,
which are personal data; carriages; `trip_properties` and `modified_trip`. An entity that is
`is_deleted` is no row: it says that there is nothing to tell. A differential capture is refused:
the standard doesn't say how one is to be applied.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.transit.gtfs_realtime_pb2 import (
    FeedEntity,
    FeedHeader,
    FeedMessage,
    Position,
    TripDescriptor,
    TripUpdate,
    VehicleDescriptor,
    VehiclePosition,
)

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.table import described
from pipelines.staging.realtime import FIRST_SECOND, LAST_SECOND

# Room for 100,000 trip updates of ten stops; a hostile capture of two-byte messages grows to
# fifty times its size when it is decoded, which stays within 2 GiB.
MOST_BYTES = 32 * 1024**2
MOST_ROWS = 1_500_000
_GZIP = b"\x1f\x8b"
_OTHER_FORMS = {b"<": "a web page", b"{": "JSON", b"[": "JSON", b"PK": "a zip archive"}
_ASK = "Check `address` in the city file, or ask who delivers the feed."

# Columns of the raw frames: the field that fills each, by kind of message.
_ENTITY = {"entity_id": "id"}
_TRIP = {
    "trip_id": "trip_id",
    "route_id": "route_id",
    "direction_id": "direction_id",
    "start_time": "start_time",
    "start_date": "start_date",
    "schedule_relationship": "schedule_relationship",
}
_VEHICLE = {"vehicle_id": "id", "vehicle_label": "label"}
_POSITION = {
    "latitude": "latitude",
    "longitude": "longitude",
    "bearing": "bearing",
    "speed": "speed",
    "odometer": "odometer",
}
_VEHICLE_POSITION = {
    "current_stop_sequence": "current_stop_sequence",
    "stop_id": "stop_id",
    "current_status": "current_status",
    "timestamp": "timestamp",
    "congestion_level": "congestion_level",
    "occupancy_status": "occupancy_status",
    "occupancy_percentage": "occupancy_percentage",
}
_TRIP_UPDATE = {"timestamp": "timestamp", "delay": "delay"}
_STOP_TIME_UPDATE = {
    "stop_sequence": "stop_sequence",
    "stop_id": "stop_id",
    "stop_schedule_relationship": "schedule_relationship",
}
_ARRIVAL = {
    "arrival_delay": "delay",
    "arrival_time": "time",
    "arrival_uncertainty": "uncertainty",
}
_DEPARTURE = {column.replace("arrival", "departure"): field for column, field in _ARRIVAL.items()}
_STOP_PROPERTIES = {"assigned_stop_id": "assigned_stop_id"}
_INSTANTS = ("timestamp", "arrival_time", "departure_time")

_TYPES: dict[int, pl.DataType] = {
    FieldDescriptor.CPPTYPE_INT32: pl.Int32(),
    FieldDescriptor.CPPTYPE_INT64: pl.Int64(),
    FieldDescriptor.CPPTYPE_UINT32: pl.UInt32(),
    FieldDescriptor.CPPTYPE_UINT64: pl.UInt64(),
    FieldDescriptor.CPPTYPE_FLOAT: pl.Float64(),
    FieldDescriptor.CPPTYPE_DOUBLE: pl.Float64(),
}


class _Part:
    """The columns that one kind of message fills, a value for each message that it is part of."""

    def __init__(self, kind: type[Message], fields: Mapping[str, str], *, under: str = "") -> None:
        self._under = under
        self._kind = kind.DESCRIPTOR
        self._columns: dict[str, tuple[str, list[Any]]] = {
            column: (field, []) for column, field in fields.items()
        }
        self._filled = tuple(self._columns.values())

    def read(self, message: Message) -> None:
        """Take over what the message (or the part `under` that name) tells; the rest is null."""
        if self._under and not message.HasField(self._under):
            for _, values in self._filled:
                values.append(None)
            return
        told = getattr(message, self._under) if self._under else message
        is_told = told.HasField
        for name, values in self._filled:
            values.append(getattr(told, name) if is_told(name) else None)

    def series(self) -> Iterator[pl.Series]:
        """The columns, in the order of the fields given."""
        for column, (name, values) in self._columns.items():
            field = self._kind.fields_by_name[name]
            if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
                yield pl.Series(column, _texts(values), dtype=pl.String)
            elif field.enum_type is None:
                yield pl.Series(column, values, dtype=_TYPES[field.cpp_type])
            else:
                names = {value.number: value.name for value in field.enum_type.values}
                yield pl.Series(column, [names.get(v) for v in values], dtype=pl.String)


def parse_vehicle_positions(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `vehicle_positions`, one row per entity with a vehicle, in the capture's order.

    SourceError where the payload is no capture, is differential, or names an impossible moment.
    """
    capture = _read_capture(payload, source)
    entities = _Part(FeedEntity, _ENTITY)
    told = (
        _Part(TripDescriptor, _TRIP, under="trip"),
        _Part(VehicleDescriptor, _VEHICLE, under="vehicle"),
        _Part(Position, _POSITION, under="position"),
        _Part(VehiclePosition, _VEHICLE_POSITION),
    )
    for entity in _entities(capture, "vehicle"):
        entities.read(entity)
        for part in told:
            part.read(entity.vehicle)
    return {"vehicle_positions": _captured(_frame(entities, *told), capture.header)}


def parse_trip_updates(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `trip_updates`, one row per stop time update, in the capture's order.

    A trip update without any (a cancelled trip, say) has one row, whose
    `stop_time_update_number` is 0. SourceError as for vehicle positions.
    """
    capture = _read_capture(payload, source)
    entities = _Part(FeedEntity, _ENTITY)
    told = (
        _Part(TripDescriptor, _TRIP, under="trip"),
        _Part(VehicleDescriptor, _VEHICLE, under="vehicle"),
        _Part(TripUpdate, _TRIP_UPDATE),
    )
    stop = TripUpdate.StopTimeUpdate
    told_of_stop = (
        _Part(stop, _STOP_TIME_UPDATE),
        _Part(TripUpdate.StopTimeEvent, _ARRIVAL, under="arrival"),
        _Part(TripUpdate.StopTimeEvent, _DEPARTURE, under="departure"),
        _Part(stop.StopTimeProperties, _STOP_PROPERTIES, under="stop_time_properties"),
    )
    nothing = stop()
    counts: list[int] = []
    for entity in _entities(capture, "trip_update"):
        update = entity.trip_update
        entities.read(entity)
        for part in told:
            part.read(update)
        counts.append(len(update.stop_time_update))
        for stop_time in update.stop_time_update or (nothing,):
            for part in told_of_stop:
                part.read(stop_time)
    rows = _under_heads(_frame(entities, *told), _frame(*told_of_stop), counts)
    return {"trip_updates": _captured(rows, capture.header)}


def _read_capture(payload: bytes, source: SourceVersion) -> FeedMessage:
    """The message, its header checked."""
    if source.format != "pb":
        raise SourceError(
            f"{described(source)} has the format {source.format!r}, which is no GTFS-Realtime.",
            "Name 'pb' as the format of this source in the city file.",
        )
    size = f"{len(payload):,} bytes"
    if payload.startswith(_GZIP):
        payload = _unpacked(payload, source)
    if not payload:
        raise SourceError(f"{described(source)} is empty.", _ASK)
    if len(payload) > MOST_BYTES:
        raise SourceError(
            f"{described(source)} has more than {MOST_BYTES:,} bytes, gzip unpacked.", _ASK
        )
    try:
        capture = FeedMessage.FromString(payload)
    except DecodeError as error:
        like = next((f": it begins like {form}" for start, form in _OTHER_FORMS.items()
                     if payload.lstrip().startswith(start)), "")  # fmt: skip
        raise SourceError(
            f"{described(source)} ({size}) can't be read as GTFS-Realtime protobuf{like}.", _ASK
        ) from error
    if not capture.HasField("header") or not capture.header.HasField("gtfs_realtime_version"):
        raise SourceError(
            f"{described(source)} ({size}) lacks the header and version that every GTFS-Realtime "
            "capture begins with.",
            _ASK,
        )
    _check_header(capture.header, source)
    _check_size(capture, source)
    return capture


def _check_header(header: FeedHeader, source: SourceVersion) -> None:
    if header.incrementality == FeedHeader.DIFFERENTIAL:
        raise SourceError(
            f"{described(source)} is a differential capture, which the standard doesn't define.",
            "Ask who delivers the feed for full datasets.",
        )
    if header.timestamp and not FIRST_SECOND <= header.timestamp < LAST_SECOND:
        raise SourceError(
            f"{described(source)} says that it was captured at {header.timestamp}, which are no "
            "POSIX seconds of this century.",
            "Ask who delivers the feed to give seconds (not milliseconds) since 1970.",
        )


def _check_size(capture: FeedMessage, source: SourceVersion) -> None:
    rows = len(capture.entity)
    if rows <= MOST_ROWS:
        rows += sum(len(entity.trip_update.stop_time_update) for entity in capture.entity)
    if rows > MOST_ROWS:
        raise SourceError(
            f"{described(source)} holds more than {MOST_ROWS:,} entities and stop time updates.",
            _ASK,
        )


def _unpacked(payload: bytes, source: SourceVersion) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(payload)) as packed:
            contents = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"{described(source)} ({len(payload):,} bytes) is gzip that can't be unpacked: "
            f"{error}.",
            _ASK,
        ) from error
    return contents


def _entities(capture: FeedMessage, kind: str) -> Iterator[FeedEntity]:
    """The entities that tell something of this kind, and aren't deleted."""
    for entity in capture.entity:
        if entity.HasField(kind) and not entity.is_deleted:
            yield entity


def _frame(*parts: _Part) -> pl.DataFrame:
    return pl.DataFrame([series for part in parts for series in part.series()])


def _texts(values: list[Any]) -> list[Any]:
    """The bindings hand out bytes where a text isn't UTF-8."""
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]


def _under_heads(heads: pl.DataFrame, rows: pl.DataFrame, counts: list[int]) -> pl.DataFrame:
    """Rows beside the trip update they belong to, both numbered; a count of 0 has one row."""
    last_number = pl.Series(counts, dtype=pl.Int32)
    repeated = heads.with_columns(
        entity_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int32),
        stop_time_update_number=pl.int_ranges(1, last_number + 1, dtype=pl.Int32),
    ).explode("stop_time_update_number", empty_as_null=True)
    number = pl.col("stop_time_update_number").fill_null(0)
    return pl.concat([repeated.with_columns(number), rows], how="horizontal")


def _captured(rows: pl.DataFrame, header: FeedHeader) -> pl.DataFrame:
    """The rows with the moment of the capture; what says "not set" is null."""
    texts = pl.col(pl.String)
    instants = pl.col([name for name in _INSTANTS if name in rows.columns])
    return rows.with_columns(
        pl.when(texts != "").then(texts),
        instants.replace(0, None),
        header_timestamp=pl.lit(header.timestamp or None, pl.UInt64),
    )
