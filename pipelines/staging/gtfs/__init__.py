"""GTFS as typed rows under contract, names verbatim, one partition for each feed version.

Times of the day become integer seconds after the service day's start (noon minus 12 h, gtfs.org):
`arrival_time` is staged as `arrival_seconds`, `start_time` as `start_seconds`, and so on; a day may
have more than 24 hours. Blank values of columns for which GTFS names a default (`location_type`,
`pickup_type`, `drop_off_type`, `exact_times`) get it. A row that vitally refers to an id that
its feed lacks goes to quarantine as `foreign_key_violation`, to one refused there as
`refers_to_refused_row`.
Left out: fares, translations and other files that no figure reads.
"""

from pipelines.staging.gtfs.feed import (
    Agency,
    FeedNotices,
    FeedRules,
    FeedVersions,
    stage_agency,
    stage_feed_notices,
    stage_feed_rules,
    stage_feed_versions,
)
from pipelines.staging.gtfs.network import (
    Routes,
    Shapes,
    Stops,
    stage_routes,
    stage_shapes,
    stage_stops,
)
from pipelines.staging.gtfs.service import (
    Calendar,
    CalendarDates,
    ServiceDates,
    stage_calendar,
    stage_calendar_dates,
    stage_service_dates,
)
from pipelines.staging.gtfs.timetable import (
    Frequencies,
    StopTimes,
    Trips,
    stage_frequencies,
    stage_stop_times,
    stage_trips,
)
from pipelines.staging.gtfs.transfers import (
    Pathways,
    Transfers,
    stage_pathways,
    stage_transfers,
)

__all__ = [
    "Agency",
    "Calendar",
    "CalendarDates",
    "FeedNotices",
    "FeedRules",
    "FeedVersions",
    "Frequencies",
    "Pathways",
    "Routes",
    "ServiceDates",
    "Shapes",
    "StopTimes",
    "Stops",
    "Transfers",
    "Trips",
    "stage_agency",
    "stage_calendar",
    "stage_calendar_dates",
    "stage_feed_notices",
    "stage_feed_rules",
    "stage_feed_versions",
    "stage_frequencies",
    "stage_pathways",
    "stage_routes",
    "stage_service_dates",
    "stage_shapes",
    "stage_stop_times",
    "stage_stops",
    "stage_transfers",
    "stage_trips",
]
