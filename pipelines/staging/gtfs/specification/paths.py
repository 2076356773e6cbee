"""Shapes, frequencies, transfers, and the ways inside stations: shapes to levels.

Source: gtfs.org/documentation/schedule/reference; that min_transfer_time is required for transfers
of type 2, and shapes where vehicles stop anywhere on their way, since August and September 2026
(github.com/google/transit, pull requests 640 and 660).
"""

from __future__ import annotations

from pipelines.staging.gtfs.specification.model import Field, File

SHAPES = File(
    "shapes",
    "conditional",
    ("shape_id", "shape_pt_sequence"),
    (
        Field("shape_id", "id", "required", is_vital=True),
        Field("shape_pt_lat", "latitude", "required", least=-90, most=90, is_vital=True),
        Field("shape_pt_lon", "longitude", "required", least=-180, most=180, is_vital=True),
        Field("shape_pt_sequence", "integer", "required", least=0, is_vital=True),
        Field("shape_dist_traveled", "float", least=0),
    ),
)

FREQUENCIES = File(
    "frequencies",
    "optional",
    ("trip_id", "start_time"),
    (
        Field("trip_id", "id", "required", references=("trips.trip_id",), is_vital=True),
        Field("start_time", "time", "required", is_vital=True),
        Field("end_time", "time", "required", is_vital=True),
        Field("headway_secs", "integer", "required", above=0, is_vital=True),
        Field("exact_times", "enum", values=(0, 1), default="0"),
    ),
)

TRANSFERS = File(
    "transfers",
    "optional",
    (
        "from_stop_id",
        "to_stop_id",
        "from_trip_id",
        "to_trip_id",
        "from_route_id",
        "to_route_id",
    ),
    (
        Field("from_stop_id", "id", "conditional", references=("stops.stop_id",)),
        Field("to_stop_id", "id", "conditional", references=("stops.stop_id",)),
        Field("from_route_id", "id", references=("routes.route_id",)),
        Field("to_route_id", "id", references=("routes.route_id",)),
        Field("from_trip_id", "id", "conditional", references=("trips.trip_id",)),
        Field("to_trip_id", "id", "conditional", references=("trips.trip_id",)),
        Field(
            "transfer_type",
            "enum",
            "required",
            values=(0, 1, 2, 3, 4, 5),
            default="0",
            may_be_blank=True,
        ),
        Field("min_transfer_time", "integer", "conditional", least=0),  # seconds
    ),
)

PATHWAYS = File(
    "pathways",
    "optional",
    ("pathway_id",),
    (
        Field("pathway_id", "id", "required", is_vital=True),
        Field("from_stop_id", "id", "required", references=("stops.stop_id",), is_vital=True),
        Field("to_stop_id", "id", "required", references=("stops.stop_id",), is_vital=True),
        Field("pathway_mode", "enum", "required", values=(1, 2, 3, 4, 5, 6, 7)),
        Field("is_bidirectional", "enum", "required", values=(0, 1)),
        Field("length", "float", least=0),  # metres
        Field("traversal_time", "integer", above=0),  # seconds
        Field("stair_count", "integer", is_non_zero=True),  # below zero: down
        Field("max_slope", "float", default="0"),
        Field("min_width", "float", above=0),  # metres
        Field("signposted_as", "text", mixed_case=True),
        Field("reversed_signposted_as", "text", mixed_case=True),
    ),
)

LEVELS = File(
    "levels",
    "conditional",
    ("level_id",),
    (
        Field("level_id", "id", "required", is_vital=True),
        Field("level_index", "float", "required"),
        Field("level_name", "text", mixed_case=True),
    ),
)

PATH_FILES = (SHAPES, FREQUENCIES, TRANSFERS, PATHWAYS, LEVELS)
