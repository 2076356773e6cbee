"""A feed small enough to check by eye: one metro line, one bus route, seven stops, four trips.

    metro M1 (shape 3 km, weekdays 07:00 and 07:10)    bus 10 (daily, trip B2 passes midnight)

        MA ----- MB ----- MC                           BA ---- BB ---- BC ---- BD
        0 km     1 km     3 km                         (400 m apart, no shape)

Weekdays are Monday to Friday of 2026. 2026-03-23 (Nauryz, a Monday) is a holiday: the
weekday service is taken off, only the daily one runs. Write `toy_feed(stops=None)` to leave
a file out, `toy_feed(stops="...")` to replace it, `toy_feed(shapes="...")` to add one.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date
from types import MappingProxyType

import polars as pl

from pipelines.night import Night, SourceVersion, Window
from pipelines.sources.gtfs.parse import parse_gtfs
from pipelines.staging import gtfs
from pipelines.staging.sift import Quarantine, Staged

WEDNESDAY = "2026-11-18"
SUNDAY = "2026-11-22"
NAURYZ = "2026-03-23"

FILES = MappingProxyType(
    {
        "agency": """\
agency_id,agency_name,agency_url,agency_timezone
toy,Toy Transit,https://example.org,Asia/Almaty
""",
        "stops": """\
stop_id,stop_name,stop_lat,stop_lon
MA,Metro Alpha,43.2400,76.9000
MB,Metro Beta,43.2400,76.9123
MC,Metro Gamma,43.2400,76.9369
BA,Bus Alpha,43.2500,76.9000
BB,Bus Beta,43.2536,76.9000
BC,Bus Gamma,43.2572,76.9000
BD,Bus Delta,43.2608,76.9000
""",
        "routes": """\
route_id,agency_id,route_short_name,route_long_name,route_type
M1,toy,M1,Alpha - Gamma,1
10,toy,10,Alpha - Delta,3
""",
        "trips": """\
route_id,service_id,trip_id,trip_headsign,direction_id,shape_id
M1,weekday,M1-0700,Gamma,0,metro
M1,weekday,M1-0710,Gamma,0,metro
10,daily,B1,Delta,0,
10,daily,B2,Alpha,1,
""",
        "stop_times": """\
trip_id,arrival_time,departure_time,stop_id,stop_sequence
M1-0700,07:00:00,07:00:00,MA,1
M1-0700,07:02:00,07:02:30,MB,2
M1-0700,07:06:00,07:06:00,MC,3
M1-0710,07:10:00,07:10:00,MA,1
M1-0710,07:12:00,07:12:30,MB,2
M1-0710,07:16:00,07:16:00,MC,3
B1,8:00:00,8:00:00,BA,1
B1,,,BB,2
B1,8:04:00,8:04:30,BC,3
B1,8:06:00,8:06:00,BD,4
B2,23:58:00,23:58:00,BD,10
B2,24:00:00,24:00:00,BC,20
B2,24:02:00,24:02:00,BB,30
B2,24:04:00,24:04:00,BA,40
""",
        "calendar": """\
service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date
weekday,1,1,1,1,1,0,0,20260101,20261231
daily,1,1,1,1,1,1,1,20260101,20261231
""",
        "calendar_dates": """\
service_id,date,exception_type
weekday,20260323,2
""",
        "shapes": """\
shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence
metro,43.2400,76.9000,1
metro,43.2400,76.9123,2
metro,43.2400,76.9369,3
""",
    }
)


def toy_feed(folder: str = "", **overrides: str | bytes | None) -> bytes:
    """The toy feed as zip bytes, its files replaced, added or (None) left out by name.

    `folder` ("feed/") puts every file under that folder of the zip.
    """
    files: dict[str, str | bytes | None] = {**FILES, **overrides}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            if text is not None:
                archive.writestr(f"{folder}{name}.txt", text)
    return out.getvalue()


STAGED = (
    "feed_versions",
    "feed_notices",
    "feed_rules",
    "agency",
    "stops",
    "routes",
    "trips",
    "stop_times",
    "frequencies",
    "transfers",
    "pathways",
    "shapes",
    "calendar",
    "calendar_dates",
    "service_dates",
)


def feed_source(source_id: str = "toy", feed_format: str = "zip") -> SourceVersion:
    """A version of a feed as its parser and stagers are told of it."""
    return SourceVersion(source_id, f"{source_id}-1", "feed.zip", feed_format)


def staged_tables(payload: bytes, source: SourceVersion | None = None) -> dict[str, Staged]:
    """Every staging table of a feed, by short name, with what it refuses."""
    source = source or feed_source()
    feed = parse_gtfs(payload, source)
    calls = [gtfs.stage_stop_times(part, source) for part in feed.parts()]
    made = {
        name: getattr(gtfs, f"stage_{name}")(feed, source)
        for name in STAGED
        if name != "stop_times"
    }
    rows = [gtfs.StopTimes.create_empty(), *(part.rows for part in calls)]
    refused = [Quarantine.create_empty(), *(part.quarantine for part in calls)]
    return {**made, "stop_times": Staged(pl.concat(rows), pl.concat(refused))}


def staged_feed(payload: bytes, source: SourceVersion | None = None) -> dict[str, pl.DataFrame]:
    """Every staging table of a feed, by short name; rows that are refused are left out."""
    return {name: table.rows for name, table in staged_tables(payload, source).items()}


def night_of(service_date: str) -> Night:
    """A night of Toytown on this ISO date, called a weekday whatever it is."""
    day = date.fromisoformat(service_date)
    window = Window(7 * 3600, 9 * 3600)
    return Night("toy", "Toytown", day, "weekday", "Asia/Almaty", window, "synthetic")
