"""Service on request: groups of stops and rules of booking (its zones are in locations.geojson).

Source: gtfs.org/documentation/schedule/reference.
"""

from __future__ import annotations

from pipelines.staging.gtfs.specification.model import Field, File

LOCATION_GROUPS = File(
    "location_groups",
    "optional",
    ("location_group_id",),
    (
        Field("location_group_id", "id", "required", is_vital=True),
        Field("location_group_name", "text", mixed_case=True),
    ),
)

LOCATION_GROUP_STOPS = File(
    "location_group_stops",
    "optional",
    ("location_group_id", "stop_id"),
    (
        Field(
            "location_group_id",
            "id",
            "required",
            references=("location_groups.location_group_id",),
            is_vital=True,
        ),
        Field("stop_id", "id", "required", references=("stops.stop_id",), is_vital=True),
    ),
)

BOOKING_RULES = File(
    "booking_rules",
    "optional",
    ("booking_rule_id",),
    (
        Field("booking_rule_id", "id", "required", is_vital=True),
        Field("booking_type", "enum", "required", values=(0, 1, 2), is_vital=True),
        Field("prior_notice_duration_min", "integer", "conditional"),  # minutes
        Field("prior_notice_duration_max", "integer", "conditional"),  # minutes
        Field("prior_notice_last_day", "integer", "conditional"),  # days before
        Field("prior_notice_last_time", "time", "conditional"),
        Field("prior_notice_start_day", "integer", "conditional"),  # days before
        Field("prior_notice_start_time", "time", "conditional"),
        Field("prior_notice_service_id", "id", "conditional", references=("calendar.service_id",)),
        Field("message", "text", mixed_case=True),
        Field("pickup_message", "text", mixed_case=True),
        Field("drop_off_message", "text", mixed_case=True),
        Field("phone_number", "phone"),
        Field("info_url", "url"),
        Field("booking_url", "url"),
    ),
)

ON_DEMAND_FILES = (LOCATION_GROUPS, LOCATION_GROUP_STOPS, BOOKING_RULES)
