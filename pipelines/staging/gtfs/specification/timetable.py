"""Agencies, stops, routes, trips, their calls and the dates of service: agency to calendar_dates.

Source: gtfs.org/documentation/schedule/reference. Its route types stop at 12; the extended ones
(100 to 1799, developers.google.com/transit/gtfs/reference/extended-route-types) are in wide use.
"""

from __future__ import annotations

from pipelines.staging.gtfs.specification.model import ZONE_ID, Field, File

EXTENDED_ROUTE_TYPES = range(100, 1800)

AGENCY = File(
    "agency",
    "required",
    ("agency_id",),
    (
        Field("agency_id", "id", "conditional"),
        Field("agency_name", "text", "required", mixed_case=True),
        Field("agency_url", "url", "required"),
        Field("agency_timezone", "time_zone", "required"),
        Field("agency_lang", "language"),
        Field("agency_phone", "phone"),
        Field("agency_fare_url", "url"),
        Field("agency_email", "email"),
        Field("cemv_support", "enum", values=(0, 1, 2), default="0"),
    ),
)

STOPS = File(
    "stops",
    "conditional",
    ("stop_id",),
    (
        Field("stop_id", "id", "required", is_vital=True),
        Field("stop_code", "text"),
        Field("stop_name", "text", "conditional", mixed_case=True),
        Field("tts_stop_name", "text"),
        Field("stop_desc", "text"),
        Field("stop_lat", "latitude", "conditional", least=-90, most=90),
        Field("stop_lon", "longitude", "conditional", least=-180, most=180),
        Field("zone_id", "id"),
        Field("stop_url", "url"),
        Field("location_type", "enum", values=(0, 1, 2, 3, 4), default="0"),
        Field("parent_station", "id", "conditional", references=("stops.stop_id",)),
        Field("stop_timezone", "time_zone"),
        Field("wheelchair_boarding", "enum", values=(0, 1, 2), default="0"),
        Field("level_id", "id", references=("levels.level_id",)),
        Field("platform_code", "text"),
        Field("stop_access", "enum", "conditional", values=(0, 1)),
    ),
)

ROUTES = File(
    "routes",
    "required",
    ("route_id",),
    (
        Field("route_id", "id", "required", is_vital=True),
        Field("agency_id", "id", "conditional", references=("agency.agency_id",)),
        Field("route_short_name", "text", "conditional", mixed_case=True),
        Field("route_long_name", "text", "conditional", mixed_case=True),
        Field("route_desc", "text", mixed_case=True),
        Field(
            "route_type",
            "enum",
            "required",
            values=(0, 1, 2, 3, 4, 5, 6, 7, 11, 12),
            also=(EXTENDED_ROUTE_TYPES,),
            is_vital=True,
        ),
        Field("route_url", "url"),
        Field("route_color", "color", default="FFFFFF"),
        Field("route_text_color", "color", default="000000"),
        Field("route_sort_order", "integer", least=0),
        Field("continuous_pickup", "enum", "conditional", values=(0, 1, 2, 3), default="1"),
        Field("continuous_drop_off", "enum", "conditional", values=(0, 1, 2, 3), default="1"),
        Field("network_id", "id", "conditional"),
        Field("cemv_support", "enum", values=(0, 1, 2), default="0"),
    ),
)

SERVICE_IDS = ("calendar.service_id", "calendar_dates.service_id")

TRIPS = File(
    "trips",
    "required",
    ("trip_id",),
    (
        Field("route_id", "id", "required", references=("routes.route_id",), is_vital=True),
        Field("service_id", "id", "required", references=SERVICE_IDS, is_vital=True),
        Field("trip_id", "id", "required", is_vital=True),
        Field("trip_headsign", "text", mixed_case=True),
        Field("trip_short_name", "text", mixed_case=True),
        Field("direction_id", "enum", values=(0, 1)),
        Field("block_id", "id"),
        Field("shape_id", "id", "conditional", references=("shapes.shape_id",)),
        Field("wheelchair_accessible", "enum", values=(0, 1, 2), default="0"),
        Field("bikes_allowed", "enum", values=(0, 1, 2), default="0"),
        Field("cars_allowed", "enum", values=(0, 1, 2), default="0"),
        Field("safe_duration_factor", "float"),
        Field("safe_duration_offset", "float"),  # seconds
    ),
)

# Blank continuous_pickup and continuous_drop_off of a call mean what the route says.
STOP_TIMES = File(
    "stop_times",
    "required",
    ("trip_id", "stop_sequence"),
    (
        Field("trip_id", "id", "required", references=("trips.trip_id",), is_vital=True),
        Field("arrival_time", "time", "conditional"),
        Field("departure_time", "time", "conditional"),
        Field("stop_id", "id", "conditional", references=("stops.stop_id",)),
        Field(
            "location_group_id",
            "id",
            "conditional",
            references=("location_groups.location_group_id",),
        ),
        Field("location_id", "id", "conditional", references=(ZONE_ID,)),
        Field("stop_sequence", "integer", "required", least=0, is_vital=True),
        Field("stop_headsign", "text"),
        Field("start_pickup_drop_off_window", "time", "conditional"),
        Field("end_pickup_drop_off_window", "time", "conditional"),
        Field("pickup_type", "enum", "conditional", values=(0, 1, 2, 3), default="0"),
        Field("drop_off_type", "enum", "conditional", values=(0, 1, 2, 3), default="0"),
        Field("continuous_pickup", "enum", "conditional", values=(0, 1, 2, 3)),
        Field("continuous_drop_off", "enum", "conditional", values=(0, 1, 2, 3)),
        Field("shape_dist_traveled", "float", least=0),
        Field("timepoint", "enum", values=(0, 1), default="1"),
        Field("pickup_booking_rule_id", "id", references=("booking_rules.booking_rule_id",)),
        Field("drop_off_booking_rule_id", "id", references=("booking_rules.booking_rule_id",)),
    ),
)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

CALENDAR = File(
    "calendar",
    "conditional",
    ("service_id",),
    (
        Field("service_id", "id", "required", is_vital=True),
        *(Field(day, "enum", "required", values=(0, 1), is_vital=True) for day in WEEKDAYS),
        Field("start_date", "date", "required", is_vital=True),
        Field("end_date", "date", "required", is_vital=True),
    ),
)

# A service may be in calendar_dates alone: its id there refers to nothing.
CALENDAR_DATES = File(
    "calendar_dates",
    "conditional",
    ("service_id", "date"),
    (
        Field("service_id", "id", "required", is_vital=True),
        Field("date", "date", "required", is_vital=True),
        Field("exception_type", "enum", "required", values=(1, 2), is_vital=True),
    ),
)

TIMETABLE_FILES = (AGENCY, STOPS, ROUTES, TRIPS, STOP_TIMES, CALENDAR, CALENDAR_DATES)
