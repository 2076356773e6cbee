"""GTFS-Realtime captures to check by eye: two vehicles, and what is foretold of three trips."""

from __future__ import annotations

from typing import Any

from google.transit.gtfs_realtime_pb2 import FeedMessage

from pipelines.night import SourceVersion

CAPTURED = 1_795_000_000  # 2026-11-18 11:06:40 UTC
HEADER = {"gtfs_realtime_version": "2.0", "timestamp": CAPTURED}
SOURCE = SourceVersion("live", "v1", "capture.pb", "pb")

# One vehicle tells all that it can, the other nothing but where it is.
VEHICLES: tuple[dict[str, Any], ...] = (
    {
        "id": "1",
        "vehicle": {
            "trip": {
                "trip_id": "t1",
                "route_id": "3",
                "direction_id": 0,
                "start_date": "20261118",
                "start_time": "25:10:00",
                "schedule_relationship": "SCHEDULED",
            },
            "vehicle": {"id": "b7", "label": "Bus 7", "license_plate": "123ABC02"},
            "position": {
                "latitude": 43.25,
                "longitude": 76.5,
                "bearing": 0,
                "speed": 8.5,
                "odometer": 1234.5,
            },
            "current_stop_sequence": 4,
            "stop_id": "s4",
            "current_status": "STOPPED_AT",
            "timestamp": CAPTURED - 10,
            "congestion_level": "STOP_AND_GO",
            "occupancy_status": "EMPTY",
            "occupancy_percentage": 0,
        },
    },
    {"id": "2", "vehicle": {"position": {"latitude": -43.25, "longitude": -76.5}}},
)

# A trip that is late, one whose feed tells delays alone, and one that is cancelled.
UPDATES: tuple[dict[str, Any], ...] = (
    {
        "id": "1",
        "trip_update": {
            "trip": {"trip_id": "t1", "start_date": "20261118", "start_time": "7:05:00"},
            "vehicle": {"id": "b7", "license_plate": "123ABC02"},
            "timestamp": CAPTURED - 5,
            "delay": 60,
            "stop_time_update": [
                {
                    "stop_sequence": 1,
                    "stop_id": "s1",
                    "departure": {"time": CAPTURED + 60, "delay": 60, "uncertainty": 0},
                },
                {
                    "stop_sequence": 3,
                    "arrival": {"time": CAPTURED + 120, "uncertainty": 30},
                    "departure": {"time": CAPTURED + 130},
                    "stop_time_properties": {"assigned_stop_id": "s3b"},
                },
                {"stop_sequence": 4, "schedule_relationship": "SKIPPED"},
            ],
        },
    },
    {
        "id": "2",
        "trip_update": {
            "trip": {"trip_id": "t2", "schedule_relationship": "SCHEDULED"},
            "stop_time_update": [{"stop_id": "s9", "arrival": {"delay": 0}}],
        },
    },
    {
        "id": "3",
        "trip_update": {"trip": {"trip_id": "t3", "schedule_relationship": "CANCELED"}},
    },
)


def capture(*entities: dict[str, Any], **header: Any) -> bytes:
    """A capture of these entities; fields of the header may be given."""
    message = FeedMessage(header={**HEADER, **header}, entity=list(entities))
    return message.SerializePartialToString()
