"""What a feed says of itself and in which languages: translations, feed_info, attributions.

Source: gtfs.org/documentation/schedule/reference. Which tables and records translations may name
depends on the feed and is left to rules.
"""

from __future__ import annotations

from pipelines.staging.gtfs.specification.model import Field, File

TRANSLATIONS = File(
    "translations",
    "optional",
    ("table_name", "field_name", "language", "record_id", "record_sub_id", "field_value"),
    (
        Field("table_name", "text", "required", is_vital=True),
        Field("field_name", "text", "required", is_vital=True),
        Field("language", "language", "required", is_vital=True),
        Field("translation", "text", "required", is_vital=True),
        Field("record_id", "id", "conditional"),
        Field("record_sub_id", "id", "conditional"),
        Field("field_value", "text", "conditional"),
    ),
)

FEED_INFO = File(
    "feed_info",
    "conditional",
    (),
    (
        Field("feed_publisher_name", "text", "required"),
        Field("feed_publisher_url", "url", "required"),
        Field("feed_lang", "language", "required"),
        Field("default_lang", "language"),
        Field("feed_start_date", "date", "recommended"),
        Field("feed_end_date", "date", "recommended"),
        Field("feed_version", "text", "recommended"),
        Field("feed_contact_email", "email"),
        Field("feed_contact_url", "url"),
    ),
    is_single=True,
)

ATTRIBUTIONS = File(
    "attributions",
    "optional",
    ("attribution_id",),
    (
        Field("attribution_id", "id"),
        Field("agency_id", "id", references=("agency.agency_id",)),
        Field("route_id", "id", references=("routes.route_id",)),
        Field("trip_id", "id", references=("trips.trip_id",)),
        Field("organization_name", "text", "required"),
        Field("is_producer", "enum", values=(0, 1), default="0"),
        Field("is_operator", "enum", values=(0, 1), default="0"),
        Field("is_authority", "enum", values=(0, 1), default="0"),
        Field("attribution_url", "url"),
        Field("attribution_email", "email"),
        Field("attribution_phone", "phone"),
    ),
)

ABOUT_FILES = (TRANSLATIONS, FEED_INFO, ATTRIBUTIONS)
