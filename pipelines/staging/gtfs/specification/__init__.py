"""GTFS Schedule as data: every file and field of the reference, as revised in September 2026.

Taken from gtfs.org/documentation/schedule/reference, in its order. Fields in which riders read
mixed case are those of the Canonical GTFS Schedule Validator 8 (gtfs-validator.mobilitydata.org).
Left out: conditions of presence, which are rules, and locations.geojson, which is no table; its
zones' ids are referred to as ``locations.id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipelines.staging.gtfs.specification.about import ABOUT_FILES
from pipelines.staging.gtfs.specification.fares import FARE_FILES
from pipelines.staging.gtfs.specification.model import ZONE_ID, Field, File, Kind, Presence
from pipelines.staging.gtfs.specification.on_demand import ON_DEMAND_FILES
from pipelines.staging.gtfs.specification.paths import PATH_FILES
from pipelines.staging.gtfs.specification.timetable import TIMETABLE_FILES

FILES: Mapping[str, File] = MappingProxyType(
    {
        file.name: file
        for file in (*TIMETABLE_FILES, *FARE_FILES, *PATH_FILES, *ON_DEMAND_FILES, *ABOUT_FILES)
    }
)

__all__ = ["FILES", "ZONE_ID", "Field", "File", "Kind", "Presence"]
