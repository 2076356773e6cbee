"""Fares of both generations, and the areas and networks they speak of: fare_attributes to networks.

Source: gtfs.org/documentation/schedule/reference. That times of timeframes end at 24:00:00 is a
rule of its own, for a time has no number as its bound.
"""

from __future__ import annotations

from pipelines.staging.gtfs.specification.model import Field, File
from pipelines.staging.gtfs.specification.timetable import SERVICE_IDS

# Blank transfers mean any number of them: no value of the column says so.
FARE_ATTRIBUTES = File(
    "fare_attributes",
    "optional",
    ("fare_id",),
    (
        Field("fare_id", "id", "required", is_vital=True),
        Field("price", "float", "required", least=0, is_vital=True),
        Field("currency_type", "currency_code", "required", is_vital=True),
        Field("payment_method", "enum", "required", values=(0, 1)),
        Field("transfers", "enum", "required", values=(0, 1, 2), may_be_blank=True),
        Field("agency_id", "id", "conditional", references=("agency.agency_id",)),
        Field("transfer_duration", "integer", least=0),  # seconds
    ),
)

FARE_RULES = File(
    "fare_rules",
    "optional",
    ("fare_id", "route_id", "origin_id", "destination_id", "contains_id"),
    (
        Field("fare_id", "id", "required", references=("fare_attributes.fare_id",), is_vital=True),
        Field("route_id", "id", references=("routes.route_id",)),
        Field("origin_id", "id", references=("stops.zone_id",)),
        Field("destination_id", "id", references=("stops.zone_id",)),
        Field("contains_id", "id", references=("stops.zone_id",)),
    ),
)

TIMEFRAMES = File(
    "timeframes",
    "optional",
    ("timeframe_group_id", "start_time", "end_time", "service_id"),
    (
        Field("timeframe_group_id", "id", "required", is_vital=True),
        Field("start_time", "local_time", "conditional", default="00:00:00"),
        Field("end_time", "local_time", "conditional", default="24:00:00"),
        Field("service_id", "id", "required", references=SERVICE_IDS, is_vital=True),
    ),
)

RIDER_CATEGORIES = File(
    "rider_categories",
    "optional",
    ("rider_category_id",),
    (
        Field("rider_category_id", "id", "required", is_vital=True),
        Field("rider_category_name", "text", "required"),
        Field(
            "is_default_fare_category",
            "enum",
            "required",
            values=(0, 1),
            default="0",
            may_be_blank=True,
        ),
        Field("eligibility_url", "url"),
    ),
)

FARE_MEDIA = File(
    "fare_media",
    "optional",
    ("fare_media_id",),
    (
        Field("fare_media_id", "id", "required", is_vital=True),
        Field("fare_media_name", "text"),
        Field("fare_media_type", "enum", "required", values=(0, 1, 2, 3, 4)),
    ),
)

# An amount below zero is a discount for a transfer.
FARE_PRODUCTS = File(
    "fare_products",
    "optional",
    ("fare_product_id", "rider_category_id", "fare_media_id"),
    (
        Field("fare_product_id", "id", "required", is_vital=True),
        Field("fare_product_name", "text"),
        Field("rider_category_id", "id", references=("rider_categories.rider_category_id",)),
        Field("fare_media_id", "id", references=("fare_media.fare_media_id",)),
        Field("amount", "currency_amount", "required", is_vital=True),
        Field("currency", "currency_code", "required", is_vital=True),
    ),
)

NETWORK_IDS = ("routes.network_id", "networks.network_id")

FARE_LEG_RULES = File(
    "fare_leg_rules",
    "optional",
    (
        "network_id",
        "from_area_id",
        "to_area_id",
        "from_timeframe_group_id",
        "to_timeframe_group_id",
        "fare_product_id",
    ),
    (
        Field("leg_group_id", "id"),
        Field("network_id", "id", references=NETWORK_IDS),
        Field("from_area_id", "id", references=("areas.area_id",)),
        Field("to_area_id", "id", references=("areas.area_id",)),
        Field("from_timeframe_group_id", "id", references=("timeframes.timeframe_group_id",)),
        Field("to_timeframe_group_id", "id", references=("timeframes.timeframe_group_id",)),
        Field(
            "fare_product_id",
            "id",
            "required",
            references=("fare_products.fare_product_id",),
            is_vital=True,
        ),
        Field("rule_priority", "integer", least=0, default="0"),
    ),
)

FARE_LEG_JOIN_RULES = File(
    "fare_leg_join_rules",
    "optional",
    ("from_network_id", "to_network_id", "from_stop_id", "to_stop_id"),
    (
        Field("from_network_id", "id", "required", references=NETWORK_IDS, is_vital=True),
        Field("to_network_id", "id", "required", references=NETWORK_IDS, is_vital=True),
        Field("from_stop_id", "id", "conditional", references=("stops.stop_id",)),
        Field("to_stop_id", "id", "conditional", references=("stops.stop_id",)),
    ),
)

FARE_TRANSFER_RULES = File(
    "fare_transfer_rules",
    "optional",
    ("from_leg_group_id", "to_leg_group_id", "fare_product_id", "transfer_count", "duration_limit"),
    (
        Field("from_leg_group_id", "id", references=("fare_leg_rules.leg_group_id",)),
        Field("to_leg_group_id", "id", references=("fare_leg_rules.leg_group_id",)),
        Field("transfer_count", "integer", "conditional", least=-1, is_non_zero=True),
        Field("duration_limit", "integer", above=0),  # seconds
        Field("duration_limit_type", "enum", "conditional", values=(0, 1, 2, 3)),
        Field("fare_transfer_type", "enum", "required", values=(0, 1, 2), is_vital=True),
        Field("fare_product_id", "id", references=("fare_products.fare_product_id",)),
        # Name of the same in the draft of fares v2; feeds of that time still have it.
        Field("filter_fare_product_id", "id", references=("fare_products.fare_product_id",)),
    ),
)

AREAS = File(
    "areas",
    "optional",
    ("area_id",),
    (
        Field("area_id", "id", "required", is_vital=True),
        Field("area_name", "text"),
    ),
)

STOP_AREAS = File(
    "stop_areas",
    "optional",
    ("area_id", "stop_id"),
    (
        Field("area_id", "id", "required", references=("areas.area_id",), is_vital=True),
        Field("stop_id", "id", "required", references=("stops.stop_id",), is_vital=True),
    ),
)

NETWORKS = File(
    "networks",
    "conditional",
    ("network_id",),
    (
        Field("network_id", "id", "required", is_vital=True),
        Field("network_name", "text", mixed_case=True),
    ),
)

ROUTE_NETWORKS = File(
    "route_networks",
    "conditional",
    ("route_id",),
    (
        Field("network_id", "id", "required", references=("networks.network_id",), is_vital=True),
        Field("route_id", "id", "required", references=("routes.route_id",), is_vital=True),
    ),
)

FARE_FILES = (
    FARE_ATTRIBUTES,
    FARE_RULES,
    TIMEFRAMES,
    RIDER_CATEGORIES,
    FARE_MEDIA,
    FARE_PRODUCTS,
    FARE_LEG_RULES,
    FARE_LEG_JOIN_RULES,
    FARE_TRANSFER_RULES,
    AREAS,
    STOP_AREAS,
    NETWORKS,
    ROUTE_NETWORKS,
)
