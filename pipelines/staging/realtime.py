"""GTFS-Realtime: where vehicles were and what was foretold of trips, at the moment of each capture.

Names are those of GTFS-Realtime, with units where it has none (`speed` is `speed_m_per_s`), and
what it tells in POSIX seconds is an instant in UTC. What a feed doesn't tell is null: the
standard's defaults (a trip is SCHEDULED, a vehicle is IN_TRANSIT_TO) are the reader's to apply.

To quarantine go, beside what no type can hold: instants that are no POSIX seconds (milliseconds,
say), positions off the globe or with a coordinate of exactly 0 (a receiver without a fix), text
that isn't UTF-8, the later of two entities with one id in a capture, stop time updates whose
`stop_sequence` doesn't grow, that name no stop, or that foretell nothing of a scheduled stop.

Left out: whether trips, routes and stops are those of a timetable (`expectations/` asks), the
propagation of delays to later stops, and any analysis. Licence plates are never read.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.seconds import seconds_of_day
from pipelines.staging.sift import Staged, sift

# Words of the standard (gtfs-realtime.proto); a test compares them with the installed bindings.
TRIP_RELATIONSHIPS = (
    "SCHEDULED",
    "ADDED",
    "UNSCHEDULED",
    "CANCELED",
    "REPLACEMENT",
    "DUPLICATED",
    "DELETED",
    "NEW",
)
STOP_RELATIONSHIPS = ("SCHEDULED", "SKIPPED", "NO_DATA", "UNSCHEDULED")
STOP_STATUSES = ("INCOMING_AT", "STOPPED_AT", "IN_TRANSIT_TO")
CONGESTION_LEVELS = (
    "UNKNOWN_CONGESTION_LEVEL",
    "RUNNING_SMOOTHLY",
    "STOP_AND_GO",
    "CONGESTION",
    "SEVERE_CONGESTION",
)
OCCUPANCY_STATUSES = (
    "EMPTY",
    "MANY_SEATS_AVAILABLE",
    "FEW_SEATS_AVAILABLE",
    "STANDING_ROOM_ONLY",
    "CRUSHED_STANDING_ROOM_ONLY",
    "FULL",
    "NOT_ACCEPTING_PASSENGERS",
    "NO_DATA_AVAILABLE",
    "NOT_BOARDABLE",
)
NOT_RUN = ("CANCELED", "DELETED")  # trips of which nothing need be foretold

# POSIX seconds of 2000-01-01 and 2100-01-01: milliseconds, or a clock at its start, lie outside.
FIRST_SECOND = 946_684_800
LAST_SECOND = 4_102_444_800

_UNREADABLE = "\ufffd"  # stands where bytes weren't UTF-8
_DATE = r"^\d{8}$"
_SECONDS = {"unit": "second"}
_DEGREES = {"unit": "degrees"}


def _instant(description: str) -> dy.Datetime:
    return dy.Datetime(time_zone="UTC", time_unit="us", nullable=True, description=description)


class Captured(Versioned):
    """What both kinds of entities tell: the capture, the trip and the vehicle."""

    captured_at = _instant("Moment at which the feed was made, as its header says.")
    entity_id = dy.String(primary_key=True, description="Entity, unique in its capture.")
    trip_id = dy.String(nullable=True, description="Trip of the timetable, or an added one.")
    route_id = dy.String(nullable=True, description="Route of the trip.")
    direction_id = dy.Int32(nullable=True, min=0, max=1, description="Direction of travel.")
    start_date = dy.Date(nullable=True, description="Service date of the trip.")
    start_seconds = dy.Int32(
        nullable=True,
        min=0,
        metadata=_SECONDS,
        description="start_time of the trip in s after the service day's start (noon minus 12 h).",
    )
    schedule_relationship = one_of(
        *TRIP_RELATIONSHIPS,
        nullable=True,
        description="How the trip relates to the timetable; null is read as SCHEDULED.",
    )
    vehicle_id = dy.String(nullable=True, description="Vehicle, as its operator's system has it.")
    vehicle_label = dy.String(nullable=True, description="Vehicle's name as riders see it.")
    measured_at = _instant("Moment at which position or progress was measured.")


class VehiclePositions(Captured):
    """One row per vehicle entity of a capture."""

    latitude = dy.Float64(
        nullable=True, min=-90, max=90, metadata=_DEGREES, description="Latitude, WGS 84."
    )
    longitude = dy.Float64(
        nullable=True, min=-180, max=180, metadata=_DEGREES, description="Longitude, WGS 84."
    )
    bearing = dy.Float64(
        nullable=True,
        min=0,
        max=360,
        metadata=_DEGREES,
        description="Bearing, clockwise from true north.",
    )
    speed_m_per_s = dy.Float64(
        nullable=True, min=0, metadata={"unit": "m/s"}, description="Momentary speed."
    )
    odometer_m = dy.Float64(
        nullable=True, min=0, metadata={"unit": "m"}, description="Odometer's value."
    )
    current_stop_sequence = dy.Int32(
        nullable=True, min=0, description="stop_sequence of the stop that current_status is about."
    )
    stop_id = dy.String(nullable=True, description="Stop that current_status is about.")
    current_status = one_of(
        *STOP_STATUSES,
        nullable=True,
        description="Where the vehicle is relative to the stop; null is read as IN_TRANSIT_TO.",
    )
    congestion_level = one_of(
        *CONGESTION_LEVELS, nullable=True, description="Congestion that the vehicle is in."
    )
    occupancy_status = one_of(
        *OCCUPANCY_STATUSES, nullable=True, description="How full it is; no linear scale."
    )
    occupancy_percentage = dy.Int32(
        nullable=True,
        min=0,
        metadata={"unit": "percent"},
        description="How full it is, in percent of its seats and standing room; may exceed 100.",
    )

    @dy.rule()
    def position_is_whole(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A position has both coordinates."""
        return pl.col("latitude").is_null() == pl.col("longitude").is_null()

    @dy.rule()
    def position_not_zero(cls) -> pl.Expr:  # noqa: N805  # as above
        """Neither coordinate is exactly 0, as a receiver without a fix reports."""
        return (pl.col("latitude") != 0) & (pl.col("longitude") != 0)


class TripUpdates(Captured):
    """One row per stop time update of a capture; a trip update without any has one row."""

    entity_number = dy.Int32(
        primary_key=True, min=1, description="Place of the trip update in its capture."
    )
    stop_time_update_number = dy.Int32(
        primary_key=True,
        min=0,
        description="Place of the stop time update in its trip update; 0 where there is none.",
    )
    delay_seconds = dy.Int32(
        nullable=True, metadata=_SECONDS, description="Delay of the trip; negative is early."
    )
    stop_sequence = dy.Int32(
        nullable=True, min=0, description="stop_sequence of the call in the timetable."
    )
    stop_id = dy.String(nullable=True, description="Stop of the timetable.")
    assigned_stop_id = dy.String(
        nullable=True, description="Stop that the trip uses instead, another platform say."
    )
    arrival_delay_seconds = dy.Int32(
        nullable=True, metadata=_SECONDS, description="Delay of the arrival; negative is early."
    )
    arrival_at = _instant("Arrival, foretold or past.")
    arrival_uncertainty_seconds = dy.Int32(
        nullable=True, metadata=_SECONDS, description="Error expected of the arrival; 0 is certain."
    )
    departure_delay_seconds = dy.Int32(
        nullable=True, metadata=_SECONDS, description="Delay of the departure; negative is early."
    )
    departure_at = _instant("Departure, foretold or past.")
    departure_uncertainty_seconds = dy.Int32(
        nullable=True,
        metadata=_SECONDS,
        description="Error expected of the departure; 0 is certain.",
    )
    stop_schedule_relationship = one_of(
        *STOP_RELATIONSHIPS,
        nullable=True,
        description="How the call relates to the timetable; null is read as SCHEDULED.",
    )

    @dy.rule()
    def entity_id_not_repeated(cls) -> pl.Expr:  # noqa: N805  # as above
        """Of trip updates with one id in a capture, the first stays."""
        number = pl.col("entity_number")
        return number == number.min().over("source_id", "version_id", "entity_id")

    @dy.rule()
    def stop_sequence_grows(cls) -> pl.Expr:  # noqa: N805  # as above
        """A call comes after all that stand before it in its trip update."""
        highest = pl.col("stop_sequence").cum_max().forward_fill().shift(1)
        before = highest.over(
            "source_id", "version_id", "entity_number", order_by="stop_time_update_number"
        )
        return pl.col("stop_sequence") > before

    @dy.rule()
    def stop_is_told(cls) -> pl.Expr:  # noqa: N805  # as above
        """A stop time update names its stop, by stop_sequence or by stop_id."""
        has_stop = pl.any_horizontal(pl.col("stop_sequence", "stop_id").is_not_null())
        return has_stop | (pl.col("stop_time_update_number") == 0)

    @dy.rule()
    def event_is_told(cls) -> pl.Expr:  # noqa: N805  # as above
        """Something is foretold of a scheduled stop, unless the trip doesn't run."""
        events = ("arrival_at", "arrival_delay_seconds", "departure_at", "departure_delay_seconds")
        is_scheduled = pl.col("stop_schedule_relationship").fill_null("SCHEDULED") == "SCHEDULED"
        is_run = ~pl.col("schedule_relationship").is_in(NOT_RUN).fill_null(value=False)
        needs_event = (pl.col("stop_time_update_number") > 0) & is_scheduled & is_run
        return ~needs_event | pl.any_horizontal(pl.col(events).is_not_null())

    @dy.rule()
    def departure_after_arrival(cls) -> pl.Expr:  # noqa: N805  # as above
        """A vehicle does not leave before it arrives."""
        return pl.col("departure_at") >= pl.col("arrival_at")


def stage_vehicle_positions(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Vehicle positions under contract; of two entities with one id the first stays."""
    renamed = {"speed_m_per_s": "speed", "odometer_m": "odometer"}
    return _stage(VehiclePositions, raw["vehicle_positions"], source, renamed)


def stage_trip_updates(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Stop time updates under contract; of two trip updates with one id the first stays."""
    events = [f"{event}_{what}" for event in ("arrival", "departure")
              for what in ("delay", "uncertainty")]  # fmt: skip
    renamed = {f"{name}_seconds": name for name in ("delay", *events)}
    return _stage(TripUpdates, raw["trip_updates"], source, renamed)


def _stage(
    contract: type[Captured],
    rows: pl.DataFrame,
    source: SourceVersion,
    renamed: Mapping[str, str],
) -> Staged:
    instants = {
        "captured_at": "header_timestamp",
        "measured_at": "timestamp",
        "arrival_at": "arrival_time",
        "departure_at": "departure_time",
    }
    instants = {ours: theirs for ours, theirs in instants.items() if theirs in rows.columns}
    day = pl.col("start_date")
    parsed = {name: _readable(name) for name, dtype in rows.schema.items()
              if dtype == pl.String and name in contract.columns()}  # fmt: skip
    parsed |= {ours: pl.col(theirs) for ours, theirs in renamed.items()}
    parsed |= {ours: _utc(theirs) for ours, theirs in instants.items()}
    parsed["start_seconds"] = seconds_of_day("start_time")
    parsed["start_date"] = (
        pl.when(day.str.contains(_DATE)).then(day).str.to_date("%Y%m%d", strict=False)
    )
    read_from = {**renamed, **instants, "start_seconds": "start_time"}
    return sift(contract, rows, source, parsed, read_from=read_from)


def _readable(column: str) -> pl.Expr:
    """The text, null where some of it wasn't UTF-8."""
    text = pl.col(column)
    return pl.when(~text.str.contains(_UNREADABLE, literal=True)).then(text)


def _utc(column: str) -> pl.Expr:
    """The instant of POSIX seconds; null where the number can't be seconds."""
    seconds = pl.col(column)
    is_seconds = (seconds >= FIRST_SECOND) & (seconds < LAST_SECOND)
    instant = pl.from_epoch(pl.when(is_seconds).then(seconds).cast(pl.Int64), time_unit="s")
    return instant.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
