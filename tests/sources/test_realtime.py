"""Captures of GTFS-Realtime are read field by field, or refused in one clear sentence."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.transit.gtfs_realtime_pb2 import FeedEntity, FeedMessage

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.realtime import parse
from pipelines.sources.realtime.parse import parse_trip_updates, parse_vehicle_positions
from pipelines.staging.realtime import (
    TripUpdates,
    VehiclePositions,
    stage_trip_updates,
    stage_vehicle_positions,
)
from tests.toy_realtime import CAPTURED, SOURCE, UPDATES, VEHICLES, capture

PARSERS = (parse_vehicle_positions, parse_trip_updates)
UNKNOWN_FIELD = b"\x82\xf1\x04\x03abc"  # field 10000, three bytes


def packed(payload: bytes) -> bytes:
    return gzip.compress(payload, mtime=0)  # the same bytes in every process


def vehicles(payload: bytes) -> pl.DataFrame:
    return parse_vehicle_positions(payload, SOURCE)["vehicle_positions"]


def updates(payload: bytes) -> pl.DataFrame:
    return parse_trip_updates(payload, SOURCE)["trip_updates"]


def test_a_vehicle_is_read_field_by_field() -> None:
    assert vehicles(capture(*VEHICLES)).rows(named=True) == [
        {
            "entity_id": "1",
            "trip_id": "t1",
            "route_id": "3",
            "direction_id": 0,
            "start_time": "25:10:00",
            "start_date": "20261118",
            "schedule_relationship": "SCHEDULED",
            "vehicle_id": "b7",
            "vehicle_label": "Bus 7",
            "latitude": 43.25,
            "longitude": 76.5,
            "bearing": 0.0,
            "speed": 8.5,
            "odometer": 1234.5,
            "current_stop_sequence": 4,
            "stop_id": "s4",
            "current_status": "STOPPED_AT",
            "timestamp": CAPTURED - 10,
            "congestion_level": "STOP_AND_GO",
            "occupancy_status": "EMPTY",
            "occupancy_percentage": 0,
            "header_timestamp": CAPTURED,
        },
        {
            **dict.fromkeys(vehicles(capture(*VEHICLES)).columns),
            "entity_id": "2",
            "latitude": -43.25,
            "longitude": -76.5,
            "header_timestamp": CAPTURED,
        },
    ]


def test_a_trip_update_has_a_row_for_each_stop_time_update_and_one_without_any() -> None:
    rows = updates(capture(*UPDATES))
    told = [
        "entity_number",
        "stop_time_update_number",
        "entity_id",
        "trip_id",
        "vehicle_id",
        "delay",
        "stop_sequence",
        "stop_id",
    ]
    assert rows.select(told).rows() == [
        (1, 1, "1", "t1", "b7", 60, 1, "s1"),
        (1, 2, "1", "t1", "b7", 60, 3, None),
        (1, 3, "1", "t1", "b7", 60, 4, None),
        (2, 1, "2", "t2", None, None, None, "s9"),
        (3, 0, "3", "t3", None, None, None, None),
    ]
    assert rows.select("schedule_relationship", "stop_schedule_relationship").rows() == [
        (None, None),
        (None, None),
        (None, "SKIPPED"),
        ("SCHEDULED", None),
        ("CANCELED", None),
    ]
    assert rows.select("arrival_time", "arrival_delay", "arrival_uncertainty").rows() == [
        (None, None, None),
        (CAPTURED + 120, None, 30),
        (None, None, None),
        (None, 0, None),
        (None, None, None),
    ]
    assert rows.select("departure_time", "departure_delay", "departure_uncertainty").rows() == [
        (CAPTURED + 60, 60, 0),
        (CAPTURED + 130, None, None),
        *[(None, None, None)] * 3,
    ]
    assert rows.get_column("assigned_stop_id").to_list() == [None, "s3b", None, None, None]
    assert rows.get_column("start_time").to_list() == ["7:05:00"] * 3 + [None, None]


def test_plates_are_not_read() -> None:
    payload = capture(*VEHICLES, *UPDATES)
    assert b"123ABC02" in payload
    for rows in (vehicles(payload), updates(payload)):
        assert "123ABC02" not in rows.write_json()


def test_each_kind_takes_its_own_entities() -> None:
    alert = {"id": "9", "alert": {"header_text": {"translation": [{"text": "Snow"}]}}}
    both = {"id": "8", "vehicle": VEHICLES[1]["vehicle"], "trip_update": UPDATES[2]["trip_update"]}
    mixed = capture(VEHICLES[0], alert, UPDATES[1], both)
    assert vehicles(mixed).get_column("entity_id").to_list() == ["1", "8"]
    assert updates(mixed).select("entity_id", "entity_number").rows() == [("2", 1), ("8", 2)]


def test_a_deleted_entity_is_no_row() -> None:
    deleted = {**VEHICLES[0], "is_deleted": True}
    kept = {**VEHICLES[1], "is_deleted": False}
    assert vehicles(capture(deleted, kept)).get_column("entity_id").to_list() == ["2"]
    assert updates(capture({**UPDATES[0], "is_deleted": True})).height == 0


def test_what_says_not_set_is_null() -> None:
    empty: dict[str, Any] = {
        "id": "1",
        "vehicle": {
            "trip": {"trip_id": "", "route_id": ""},
            "vehicle": {"id": "", "label": ""},
            "timestamp": 0,
        },
    }
    row = vehicles(capture(empty, timestamp=0)).row(0, named=True)
    assert {name for name, value in row.items() if value is not None} == {"entity_id"}
    zero = {"id": "1", "trip_update": {"stop_time_update": [{"arrival": {"time": 0, "delay": 0}}]}}
    row = updates(capture(zero)).row(0, named=True)
    assert (row["arrival_time"], row["arrival_delay"]) == (None, 0)


def test_extensions_and_numbers_of_tomorrow_are_passed_over() -> None:
    message = FeedMessage.FromString(capture(*VEHICLES))
    told = message.entity[0].vehicle
    told.MergeFromString(UNKNOWN_FIELD)
    told.MergeFromString(b"\x20\x63")  # current_status 99
    told.position.MergeFromString(UNKNOWN_FIELD)
    message.header.MergeFromString(UNKNOWN_FIELD)
    payload = message.SerializeToString() + UNKNOWN_FIELD
    assert vehicles(payload).equals(vehicles(capture(*VEHICLES)))
    del told  # a number alone, with no known one before it
    lone = FeedEntity(id="1")
    lone.vehicle.MergeFromString(b"\x20\x63")
    message = FeedMessage(header=message.header, entity=[lone])
    assert vehicles(message.SerializeToString()).get_column("current_status").to_list() == [None]


def test_text_that_is_no_utf8_is_marked() -> None:
    payload = capture(*VEHICLES).replace(b"Bus 7", b"Bus \xff")
    assert vehicles(payload).get_column("vehicle_label").to_list() == ["Bus \ufffd", None]


@pytest.mark.parametrize("parser", PARSERS)
def test_a_capture_without_entities_has_no_rows(parser: Callable[..., Any]) -> None:
    [(_, rows)] = parser(capture(), SOURCE).items()
    assert rows.height == 0
    assert {"entity_id", "trip_id", "header_timestamp"} <= set(rows.columns)


def test_gzip_is_read_as_what_is_inside() -> None:
    payload = capture(*VEHICLES)
    assert vehicles(packed(payload)).equals(vehicles(payload))


def differential() -> bytes:
    return capture(*VEHICLES, incrementality="DIFFERENTIAL")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "'live' is empty"),
        (packed(b""), "'live' is empty"),
        (b"not valid pb data", r"\(17 bytes\) can't be read as GTFS-Realtime protobuf\."),
        (b"\n<!DOCTYPE html><p>Maintenance", "it begins like a web page"),
        (b'{"header": {}}', "it begins like JSON"),
        (b"PK\x03\x04 and more", "it begins like a zip archive"),
        (capture(*VEHICLES)[:-3], "can't be read as GTFS-Realtime protobuf"),
        (UNKNOWN_FIELD, r"\(7 bytes\) lacks the header and version"),
        (b"\n\x00", "lacks the header and version"),
        (packed(capture(*VEHICLES))[:-3], "is gzip that can't be unpacked"),
        (packed(capture(*VEHICLES))[:12] + b"xyz", "is gzip that can't be unpacked"),
        (b"\x1f\x8bxyz", "is gzip that can't be unpacked"),
        (packed(capture()) + b"more", "is gzip that can't be unpacked"),
        (differential(), "is a differential capture"),
        (capture(timestamp=CAPTURED * 1000), "captured at 1795000000000, which are no POSIX"),
        (capture(timestamp=86_400), "captured at 86400, which are no POSIX"),
    ],
)
def test_what_is_no_capture_is_refused(
    parser: Callable[..., Any], payload: bytes, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        parser(payload, SOURCE)
    assert str(caught.value).startswith("capture.pb of the source 'live'")
    assert caught.value.remedy


def test_another_format_is_refused() -> None:
    source = SourceVersion("live", "v1", "capture.json", "json")
    with pytest.raises(SourceError, match=r"has the format 'json'.*Name 'pb'"):
        parse_vehicle_positions(capture(), source)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MOST_BYTES", 1000)
    for payload in (packed(bytes(100_000)), capture() + bytes(1000)):
        with pytest.raises(SourceError, match="has more than 1,000 bytes, gzip unpacked"):
            vehicles(payload)


def test_what_has_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "holds more than 6 entities and stop time updates"
    monkeypatch.setattr(parse, "MOST_ROWS", 6)
    assert vehicles(capture(*VEHICLES * 3)).height == 6
    with pytest.raises(SourceError, match=said):
        vehicles(capture(*VEHICLES * 4))
    with pytest.raises(SourceError, match=said):  # three trip updates, four stop time updates
        updates(capture(*UPDATES))


def test_empty_and_corrupt_captures_of_real_feeds(shared_data: Path) -> None:
    folder = shared_data / "realtime" / "transitland"
    for name in ("hart-vehicle-positions.pb", "hart-trip-updates.pb", "ct-service-alerts.pb"):
        payload = (folder / name).read_bytes()
        assert len(payload) == 15
        assert vehicles(payload).height == updates(payload).height == 0
    payload = (folder / "invalid.pb").read_bytes()
    for parser in PARSERS:
        with pytest.raises(SourceError, match="can't be read as GTFS-Realtime"):
            parser(payload, SOURCE)


MUTATIONS = 500


def mutated(payload: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them flipped, cut out, repeated or put in, once or twice."""
    changed = bytearray(payload)
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(changed) or 1)
        way = chance.choice(("flip", "flip", "set", "cut", "repeat", "insert", "end"))
        piece = changed[at : at + chance.randint(1, 20)]
        if way == "flip" and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif way == "set" and changed:
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif way == "cut":
            del changed[at : at + len(piece)]
        elif way == "repeat":
            changed[at:at] = piece
        elif way == "insert":
            changed[at:at] = chance.randbytes(chance.randint(1, 10))
        elif way == "end" and chance.random() < 0.2:
            del changed[at:]
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parser", "stage", "contract", "entities"),
    [
        (parse_vehicle_positions, stage_vehicle_positions, VehiclePositions, VEHICLES),
        (parse_trip_updates, stage_trip_updates, TripUpdates, UPDATES),
    ],
    ids=("vehicle_positions", "trip_updates"),
)
def test_mutated_captures_are_refused_or_read(
    parser: Callable[..., Any], stage: Callable[..., Any], contract: Any, entities: Any
) -> None:
    plain = capture(*entities)
    outcomes = {"refused": 0, "clean": 0, "quarantined": 0}
    for seed in range(MUTATIONS):
        chance = random.Random(seed)
        payload = mutated(plain, chance)
        if seed % 10 == 0:
            payload = packed(payload) if seed % 20 else mutated(packed(plain), chance)
        try:
            raw = parser(payload, SOURCE)
        except SourceError:
            outcomes["refused"] += 1
            continue
        staged = stage(raw, SOURCE)
        [rows] = raw.values()
        assert staged.rows.height + staged.refused == rows.height, seed
        contract.validate(staged.rows)
        outcomes["quarantined" if staged.refused else "clean"] += 1
    assert min(outcomes.values()) >= 10, outcomes
