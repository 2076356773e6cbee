"""Captures under contract: toy ones, real ones beside an independent decoding, errors by code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from google.protobuf import json_format
from google.transit.gtfs_realtime_pb2 import (
    FeedMessage,
    TripDescriptor,
    TripUpdate,
    VehiclePosition,
)

from pipelines import run
from pipelines.contracts import allowed_words
from pipelines.errors import SourceError
from pipelines.settings import load_settings
from pipelines.sources.realtime.parse import parse_trip_updates, parse_vehicle_positions
from pipelines.staging.realtime import (
    TripUpdates,
    VehiclePositions,
    stage_trip_updates,
    stage_vehicle_positions,
)
from pipelines.staging.sift import FIRST_ROW, Quarantine, Staged
from pipelines.warehouse.lake import open_lake
from tests.toy_realtime import CAPTURED, SOURCE, UPDATES, VEHICLES, capture

AT = datetime.fromtimestamp(CAPTURED, UTC)
Entity = dict[str, Any]


def positions(payload: bytes) -> Staged:
    return stage_vehicle_positions(parse_vehicle_positions(payload, SOURCE), SOURCE)


def updates(payload: bytes) -> Staged:
    return stage_trip_updates(parse_trip_updates(payload, SOURCE), SOURCE)


def rules(result: Staged) -> list[tuple[int, str]]:
    """Broken rules, by the place of the row in its capture: the first is 1."""
    place = pl.col("row_number") - FIRST_ROW + 1
    return result.quarantine.select(place, "rule").rows()


def vehicle(entity_id: str = "1", **told: Any) -> Entity:
    return {"id": entity_id, "vehicle": told}


def trip_update(*stops: dict[str, Any], entity_id: str = "1", **told: Any) -> Entity:
    return {"id": entity_id, "trip_update": {**told, "stop_time_update": list(stops)}}


def call(stop_sequence: int, **told: Any) -> dict[str, Any]:
    """A stop time update that foretells an arrival, unless told otherwise."""
    return {"stop_sequence": stop_sequence, "arrival": {"time": CAPTURED}, **told}


def test_vehicles_in_our_units() -> None:
    result = positions(capture(*VEHICLES))
    assert not result.quarantine.height
    first, second = VehiclePositions.validate(result.rows).rows(named=True)
    assert first == {
        "source_id": "live",
        "version_id": "v1",
        "captured_at": AT,
        "entity_id": "1",
        "trip_id": "t1",
        "route_id": "3",
        "direction_id": 0,
        "start_date": date(2026, 11, 18),
        "start_seconds": 25 * 3600 + 600,
        "schedule_relationship": "SCHEDULED",
        "vehicle_id": "b7",
        "vehicle_label": "Bus 7",
        "measured_at": AT - timedelta(seconds=10),
        "latitude": 43.25,
        "longitude": 76.5,
        "bearing": 0.0,
        "speed_m_per_s": 8.5,
        "odometer_m": 1234.5,
        "current_stop_sequence": 4,
        "stop_id": "s4",
        "current_status": "STOPPED_AT",
        "congestion_level": "STOP_AND_GO",
        "occupancy_status": "EMPTY",
        "occupancy_percentage": 0,
    }
    told = {name for name, value in second.items() if value is not None}
    assert told == {
        "source_id", "version_id", "captured_at", "entity_id", "latitude", "longitude",
    }  # fmt: skip


def test_trip_updates_in_our_units() -> None:
    result = updates(capture(*UPDATES))
    assert not result.quarantine.height
    rows = TripUpdates.validate(result.rows)
    first = rows.row(0, named=True)
    assert first == {
        "source_id": "live",
        "version_id": "v1",
        "captured_at": AT,
        "entity_id": "1",
        "trip_id": "t1",
        "route_id": None,
        "direction_id": None,
        "start_date": date(2026, 11, 18),
        "start_seconds": 7 * 3600 + 300,
        "schedule_relationship": None,
        "vehicle_id": "b7",
        "vehicle_label": None,
        "measured_at": AT - timedelta(seconds=5),
        "entity_number": 1,
        "stop_time_update_number": 1,
        "delay_seconds": 60,
        "stop_sequence": 1,
        "stop_id": "s1",
        "assigned_stop_id": None,
        "arrival_delay_seconds": None,
        "arrival_at": None,
        "arrival_uncertainty_seconds": None,
        "departure_delay_seconds": 60,
        "departure_at": AT + timedelta(seconds=60),
        "departure_uncertainty_seconds": 0,
        "stop_schedule_relationship": None,
    }
    told = ("entity_id", "stop_time_update_number", "stop_sequence", "arrival_at")
    assert rows.select(told).rows()[1:] == [
        ("1", 2, 3, AT + timedelta(seconds=120)),
        ("1", 3, 4, None),
        ("2", 1, None, None),
        ("3", 0, None, None),
    ]
    assert rows.get_column("arrival_delay_seconds").to_list() == [None, None, None, 0, None]


def test_the_words_are_those_of_the_standard() -> None:
    stop = TripUpdate.StopTimeUpdate
    assert [
        (column.name, allowed_words(column))
        for contract in (VehiclePositions, TripUpdates)
        for column in contract.columns().values()
        if allowed_words(column)
    ] == [
        ("schedule_relationship", tuple(TripDescriptor.ScheduleRelationship.keys())),
        ("current_status", tuple(VehiclePosition.VehicleStopStatus.keys())),
        ("congestion_level", tuple(VehiclePosition.CongestionLevel.keys())),
        ("occupancy_status", tuple(VehiclePosition.OccupancyStatus.keys())),
        ("schedule_relationship", tuple(TripDescriptor.ScheduleRelationship.keys())),
        ("stop_schedule_relationship", tuple(stop.ScheduleRelationship.keys())),
    ]


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"position": {"latitude": 90.5, "longitude": 1}}, "latitude|max"),
        ({"position": {"latitude": -90.5, "longitude": 1}}, "latitude|min"),
        ({"position": {"latitude": 1, "longitude": 180.5}}, "longitude|max"),
        ({"position": {"latitude": 1, "longitude": -180.5}}, "longitude|min"),
        ({"position": {"latitude": float("nan"), "longitude": 1}}, "latitude|nan"),
        ({"position": {"latitude": 1, "longitude": float("-inf")}}, "longitude|inf"),
        ({"position": {"latitude": 0, "longitude": 0}}, "position_not_zero"),
        ({"position": {"latitude": 43.2, "longitude": 0}}, "position_not_zero"),
        ({"position": {"latitude": 43.2}}, "position_is_whole"),
        ({"position": {"latitude": 1, "longitude": 1, "bearing": 361}}, "bearing|max"),
        ({"position": {"latitude": 1, "longitude": 1, "bearing": -1}}, "bearing|min"),
        ({"position": {"latitude": 1, "longitude": 1, "speed": -1}}, "speed_m_per_s|min"),
        ({"position": {"latitude": 1, "longitude": 1, "odometer": -1}}, "odometer_m|min"),
        ({"timestamp": CAPTURED * 1000}, "measured_at|unparsable"),
        ({"timestamp": 2**64 - 1}, "measured_at|unparsable"),
        ({"timestamp": 60}, "measured_at|unparsable"),
        ({"current_stop_sequence": 2**32 - 1}, "current_stop_sequence|unparsable"),
        ({"trip": {"direction_id": 2}}, "direction_id|max"),
        ({"trip": {"start_date": "2026-11-18"}}, "start_date|unparsable"),
        ({"trip": {"start_date": "20261131"}}, "start_date|unparsable"),
        ({"trip": {"start_time": "7:5:00"}}, "start_seconds|unparsable"),
    ],
)
def test_a_vehicle_that_breaks_a_rule_goes_to_quarantine(told: Entity, rule: str) -> None:
    good = {"latitude": 43.2, "longitude": 76.9}
    result = positions(capture(vehicle("1", position=good), vehicle("2", **told)))
    broken = {name for _, name in rules(result)}
    assert rule in broken
    assert {row for row, _ in rules(result)} == {2}
    assert result.rows.get_column("entity_id").to_list() == ["1"]


def test_ends_of_the_ranges_are_kept() -> None:
    result = positions(
        capture(
            vehicle("1", position={"latitude": 90, "longitude": 180, "bearing": 360, "speed": 0}),
            vehicle("2", position={"latitude": -90, "longitude": -180, "bearing": 0}),
            vehicle("3", timestamp=946_684_800, trip={"start_time": "00:00:00"}),
            vehicle("4", timestamp=4_102_444_799),
            vehicle("5", position={"latitude": 1e-6, "longitude": -1e-6}),
        )
    )
    assert rules(result) == []
    assert result.rows.get_column("measured_at").to_list()[2:4] == [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC),
    ]


def test_text_that_is_no_utf8_goes_to_quarantine() -> None:
    payload = capture(*VEHICLES).replace(b"Bus 7", b"Bus \xff").replace(b"b7", b"\xfe7")
    assert rules(positions(payload)) == [
        (1, "vehicle_id|unparsable"),
        (1, "vehicle_label|unparsable"),
    ]


def test_an_entity_without_id_goes_to_quarantine() -> None:
    result = positions(capture({"vehicle": {"stop_id": "s1"}}, vehicle("", stop_id="s2")))
    assert {rule for _, rule in rules(result)} == {"entity_id|nullability", "primary_key|repeated"}
    assert not result.rows.height


def test_of_vehicles_with_one_id_the_first_stays() -> None:
    result = positions(
        capture(
            vehicle("1", stop_id="first"), vehicle("2"), vehicle("1", stop_id="second"),
            vehicle("1", stop_id="third"),
        )
    )  # fmt: skip
    assert result.rows.select("entity_id", "stop_id").rows() == [("1", "first"), ("2", None)]
    assert rules(result) == [(3, "primary_key|repeated"), (4, "primary_key|repeated")]
    assert json.loads(result.quarantine["row_json"][0])["stop_id"] == "second"


def test_of_trip_updates_with_one_id_the_first_stays_whole() -> None:
    result = updates(
        capture(
            trip_update(call(1), call(2), trip={"trip_id": "first"}),
            trip_update(call(1), entity_id="2"),
            trip_update(call(1), call(2), call(3), trip={"trip_id": "second"}),
            trip_update(trip={"trip_id": "third", "schedule_relationship": "CANCELED"}),
        )
    )
    assert result.rows.select("entity_id", "trip_id", "stop_sequence").rows() == [
        ("1", "first", 1),
        ("1", "first", 2),
        ("2", None, 1),
    ]
    assert rules(result) == [(row, "entity_id_not_repeated") for row in (4, 5, 6, 7)]


def test_stop_sequence_grows_within_a_trip_update() -> None:
    result = updates(
        capture(
            trip_update(
                call(5), call(5), call(4), {"stop_id": "x", "arrival": {"delay": 1}}, call(3),
                call(7), call(6), call(8),
            ),
            trip_update(call(1), call(2), entity_id="2"),
        )
    )  # fmt: skip
    assert rules(result) == [(row, "stop_sequence_grows") for row in (2, 3, 5, 7)]
    kept = result.rows.filter(entity_id="1").get_column("stop_sequence").to_list()
    assert kept == [5, None, 7, 8]
    TripUpdates.validate(result.rows)


@pytest.mark.parametrize(
    ("stop", "rule"),
    [
        ({"arrival": {"time": CAPTURED}}, "stop_is_told"),
        ({"stop_id": "", "arrival": {"time": CAPTURED}}, "stop_is_told"),
        ({"stop_id": "a"}, "event_is_told"),
        ({"stop_id": "a", "schedule_relationship": "SCHEDULED"}, "event_is_told"),
        ({"stop_id": "a", "arrival": {}, "departure": {"uncertainty": 3}}, "event_is_told"),
        ({"stop_id": "a", "arrival": {"time": CAPTURED * 1000}}, "arrival_at|unparsable"),
        ({"stop_id": "a", "departure": {"time": -1}}, "departure_at|unparsable"),
        ({"stop_sequence": 2**31, "arrival": {"delay": 1}}, "stop_sequence|unparsable"),
        (
            {"stop_id": "a", "arrival": {"time": CAPTURED}, "departure": {"time": CAPTURED - 1}},
            "departure_after_arrival",
        ),
    ],
)
def test_a_stop_that_breaks_a_rule_goes_to_quarantine(stop: Entity, rule: str) -> None:
    result = updates(capture(trip_update(call(1), stop, call(9))))
    assert rules(result) == [(2, rule)]
    assert result.rows.get_column("stop_sequence").to_list() == [1, 9]


@pytest.mark.parametrize(
    "stop",
    [
        {"stop_id": "a", "schedule_relationship": "SKIPPED"},
        {"stop_id": "a", "schedule_relationship": "NO_DATA"},
        {"stop_sequence": 0, "departure": {"delay": 0}},
        {"stop_id": "a", "arrival": {"time": CAPTURED}, "departure": {"time": CAPTURED}},
    ],
)
def test_a_stop_that_keeps_the_rules_stays(stop: Entity) -> None:
    assert rules(updates(capture(trip_update(stop)))) == []


@pytest.mark.parametrize("relationship", ["CANCELED", "DELETED"])
def test_of_a_trip_that_does_not_run_nothing_need_be_foretold(relationship: str) -> None:
    trip = {"trip_id": "t", "schedule_relationship": relationship}
    result = updates(capture(trip_update({"stop_sequence": 1}, {"stop_sequence": 2}, trip=trip)))
    assert rules(result) == []
    assert result.rows.height == 2


def test_a_capture_that_does_not_tell_its_moment_is_read() -> None:
    result = positions(capture(*VEHICLES, timestamp=0))
    assert rules(result) == []
    assert result.rows.get_column("captured_at").to_list() == [None, None]


def test_a_capture_without_entities_gives_empty_tables() -> None:
    for result, contract in ((positions(capture()), VehiclePositions),
                             (updates(capture()), TripUpdates)):  # fmt: skip
        assert result.rows.equals(contract.create_empty())
        assert not result.quarantine.height


# Real captures: an independent decoder has written each as JSON beside it.


def decoded(folder: Path, name: str) -> tuple[bytes, dict[str, Any]]:
    told = json.loads((folder / f"{name}.json").read_text())
    return (folder / name).read_bytes(), told


def instant(told: dict[str, Any], name: str) -> datetime | None:
    return datetime.fromtimestamp(int(told[name]), UTC) if name in told else None


def trip_columns(entity: Entity) -> dict[str, Any]:
    trip, carrier = entity.get("trip", {}), entity.get("vehicle", {})
    day, clock = trip.get("startDate"), trip.get("startTime")
    hours, minutes, seconds = map(int, clock.split(":")) if clock else (0, 0, 0)
    return {
        "trip_id": trip.get("tripId"),
        "route_id": trip.get("routeId"),
        "direction_id": trip.get("directionId"),
        "start_date": date(int(day[:4]), int(day[4:6]), int(day[6:])) if day else None,
        "start_seconds": hours * 3600 + minutes * 60 + seconds if clock else None,
        "schedule_relationship": trip.get("scheduleRelationship"),
        "vehicle_id": carrier.get("id") or None,
        "vehicle_label": carrier.get("label") or None,
        "measured_at": instant(entity, "timestamp"),
    }


def event_columns(stop: dict[str, Any], event: str) -> dict[str, Any]:
    told = stop.get(event, {})
    return {
        f"{event}_at": instant(told, "time"),
        f"{event}_delay_seconds": told.get("delay"),
        f"{event}_uncertainty_seconds": told.get("uncertainty"),
    }


def expected_updates(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entity_number, entity in enumerate(told["entity"], 1):
        update = entity["tripUpdate"]
        for number, stop in enumerate(update["stopTimeUpdate"], 1):
            yield {
                "source_id": "live",
                "version_id": "v1",
                "captured_at": instant(told["header"], "timestamp"),
                "entity_id": entity["id"],
                **trip_columns(update),
                "entity_number": entity_number,
                "stop_time_update_number": number,
                "delay_seconds": update.get("delay"),
                "stop_sequence": stop.get("stopSequence"),
                "stop_id": stop.get("stopId"),
                "assigned_stop_id": None,
                **event_columns(stop, "arrival"),
                **event_columns(stop, "departure"),
                "stop_schedule_relationship": stop.get("scheduleRelationship"),
            }


def test_real_vehicle_positions_are_those_of_the_independent_decoding(shared_data: Path) -> None:
    folder = shared_data / "realtime" / "transitland"
    payload, told = decoded(folder, "ct-vehicle-positions.pb")
    result = positions(payload)
    assert rules(result) == []
    absent = dict.fromkeys(VehiclePositions.column_names())
    assert result.rows.rows(named=True) == [
        {
            **absent,
            "source_id": "live",
            "version_id": "v1",
            "captured_at": instant(told["header"], "timestamp"),
            "entity_id": entity["id"],
            **trip_columns(entity["vehicle"]),
            # The protocol's float has 32 bits.
            "latitude": float(np.float32(entity["vehicle"]["position"]["latitude"])),
            "longitude": float(np.float32(entity["vehicle"]["position"]["longitude"])),
        }
        for entity in told["entity"]
    ]
    assert result.rows.height == 14


@pytest.mark.parametrize(
    ("name", "row_count", "refused"),
    [
        ("ct-trip-updates.pb", 220, 0),
        ("example.pb", 298, 0),
        # Eight trips call at stop_sequence 1 after 2; one id holds the calls of two trains.
        ("bart-trip-updates.pb", 1060, 14),
    ],
)
def test_real_trip_updates_are_those_of_the_independent_decoding(
    shared_data: Path, name: str, row_count: int, refused: int
) -> None:
    payload, told = decoded(shared_data / "realtime" / "transitland", name)
    result = updates(payload)
    expected = list(expected_updates(told))
    assert len(expected) == row_count
    bad = {row for row, _ in rules(result)}
    assert len(bad) == refused
    assert {rule for _, rule in rules(result)} <= {"stop_sequence_grows"}
    kept = [row for number, row in enumerate(expected, 1) if number not in bad]
    assert result.rows.rows(named=True) == [
        {column: row[column] for column in result.rows.columns} for row in kept
    ]
    for number in bad:  # each is indeed not above a call before it
        row = expected[number - 1]
        before = [
            other["stop_sequence"]
            for other in expected[: number - 1]
            if other["entity_number"] == row["entity_number"]
        ]
        assert max(before) >= row["stop_sequence"]


# Faults by the codes of the GTFS-Realtime validators; what is said of each. Rules that need the
# timetable (E003, E004, E011, E029) or the order of times (E022) are asked by the audit.
BY_CODE = {
    "E001": {"arrival_at|unparsable", "departure_at|unparsable", "measured_at|unparsable"},
    "E002": {"stop_sequence_grows"},
    "E003": {"entity_id_not_repeated"},  # the file repeats an id besides
    "E004": set[str](),
    "E011": set[str](),
    "E020": {"start_seconds|unparsable"},
    "E021": {"start_date|unparsable"},
    "E022": set[str](),
    "E026": {"latitude|min", "latitude|max", "longitude|min", "longitude|max", "position_not_zero"},
    "E029": set[str](),
    "E040": {"stop_is_told"},
    "E043": {"event_is_told"},
    "E044": {"event_is_told"},
}
# An event without time and delay beside one that has both: nothing is lost by reading it as none.
NOT_REFUSED = ("E003.vehicle", "E044.trip_update-schedule_relationship.2")


@pytest.mark.slow
def test_each_fault_by_code_is_refused_or_read(shared_data: Path) -> None:
    files = sorted((shared_data / "realtime" / "transitland" / "errors").glob("*.json"))
    assert {file.name[:4] for file in files} == set(BY_CODE)
    for file in files:
        told = json.loads(file.read_text())
        message = json_format.ParseDict(told, FeedMessage())
        payload = message.SerializeToString()
        if file.name.startswith("E001.header"):
            for stage in (positions, updates):
                with pytest.raises(SourceError, match="1699405801000, which are no POSIX seconds"):
                    stage(payload)
            continue
        results = positions(payload), updates(payload)
        found = {rule for result in results for _, rule in rules(result)}
        allowed = BY_CODE[file.name[:4]]
        if allowed and not file.name.startswith(NOT_REFUSED):
            assert found, file.name
        assert found <= allowed, file.name
        stops = sum(len(e.trip_update.stop_time_update) for e in message.entity)
        vehicles = sum(e.HasField("vehicle") for e in message.entity)
        assert [r.rows.height + r.refused for r in results] == [vehicles, stops], file.name


def test_a_message_of_nothing_is_refused(shared_data: Path) -> None:
    folder = shared_data / "realtime" / "transitland" / "errors-todo"
    for file in folder.glob("*.json"):
        message = json_format.ParseDict(json.loads(file.read_text()), FeedMessage())
        for stage in (positions, updates):
            with pytest.raises(SourceError, match="is empty"):
                stage(message.SerializePartialToString())


CITY = """\
[city]
id = "live"
name = "Livetown"
time_zone = "Asia/Almaty"

[sources.positions]
kind = "vehicle_positions"
address = "captures/positions-*"
format = "pb"
mark = "measured"

[sources.updates]
kind = "trip_updates"
address = "captures/updates.pb"
format = "pb"
mark = "measured"
"""


@pytest.mark.slow
def test_captures_of_a_night_reach_the_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = tmp_path / "captures"
    captures.mkdir()
    (captures / "positions-1.pb").write_bytes(capture(*VEHICLES))
    (captures / "positions-2.pb").write_bytes(capture(timestamp=CAPTURED + 30))
    (captures / "positions-3.pb").write_bytes(b"<html>")
    far = vehicle("9", position={"latitude": 99, "longitude": 1})
    many = [vehicle(str(n), trip={"trip_id": "t\0\u0301"}) for n in range(5)]
    (captures / "positions-4.pb").write_bytes(capture(*many, far, timestamp=CAPTURED + 60))
    (captures / "positions-5.pb").write_bytes(b"")
    (captures / "updates.pb").write_bytes(capture(*UPDATES))
    (tmp_path / "live.toml").write_text(CITY)
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "live.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    night = "2026-11-18"
    told = {
        source_id: run.load(source_id, run.fetch(source_id, night, "first"), night, "first")
        for source_id in run.schedule().sources["realtime"]
    }
    assert (told["updates"]["outcome"], told["updates"]["text"]) == ("done", "")
    assert told["positions"]["outcome"] == "stale"  # two captures of five can't be read
    assert "positions-3.pb of the source 'positions' (6 bytes)" in told["positions"]["text"]
    assert "positions-5.pb is empty" in told["positions"]["text"]
    with open_lake(load_settings(), read_only=True) as lake:
        rows = lake.read("staging.vehicle_positions", VehiclePositions)
        refused = lake.read("quarantine.vehicle_positions", Quarantine)
        foretold = lake.read("staging.trip_updates", TripUpdates)
    assert rows.get_column("captured_at").value_counts(sort=True).rows() == [
        (AT + timedelta(seconds=60), 5),
        (AT, 2),
    ]
    assert rows.filter(pl.col("trip_id") == "t\0\u0301").height == 5
    assert refused.get_column("rule").to_list() == ["latitude|max"]
    assert foretold.height == 5
