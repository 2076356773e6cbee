"""GTFS archives become raw frames: text columns, one frame per file, nothing judged yet.

Tolerated as publishers' habits: a byte-order mark, blanks round headings and values, Windows and
old Mac line ends, blank lines, rows longer or shorter than the heading, columns in any order.
Refused as unreadable, with the file's name: what is no zip, a required file or column missing,
text that is not UTF-8, quotes that never close. gtfs-kit then cleans and describes the small
tables (`describe.py`); stop_times and shapes are read by Polars alone.
"""

from __future__ import annotations

from types import MappingProxyType

import polars as pl

from pipelines.errors import SourceError, sample_text
from pipelines.night import SourceVersion
from pipelines.sources.gtfs.archive import read_archive
from pipelines.sources.gtfs.describe import clean_feed, describe_feed
from pipelines.sources.gtfs.metro_timetable import METRO_FILES, read_metro_timetable

ALMATY_METRO = "almaty_metro"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# Columns without which a file says nothing (gtfs.org, Schedule Reference, "Required").
REQUIRED_COLUMNS = MappingProxyType(
    {
        "agency": ("agency_name", "agency_timezone"),
        "stops": ("stop_id", "stop_lat", "stop_lon"),
        "routes": ("route_id", "route_type"),
        "trips": ("route_id", "service_id", "trip_id"),
        "stop_times": ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence"),
        "calendar": ("service_id", *WEEKDAYS, "start_date", "end_date"),
        "calendar_dates": ("service_id", "date", "exception_type"),
        "frequencies": ("trip_id", "start_time", "end_time", "headway_secs"),
        "shapes": ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"),
        "feed_info": (),
    }
)
REQUIRED_FILES = ("agency", "stops", "routes", "trips", "stop_times")
CALENDARS = ("calendar", "calendar_dates")
GTFS_FILES = MappingProxyType({f"{name}.txt": name for name in REQUIRED_COLUMNS})


def parse_gtfs(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """Raw frames of one timetable: each GTFS file by name, `feed_versions` and `feed_notices`.

    All columns of the files are text, missing values null; a file that the feed lacks is an empty
    frame with its required columns. `feed_versions` is one row of gtfs-kit's description,
    `feed_notices` one row for each thing that was put right or looks odd.
    Raises SourceError for what can't be read at all.
    """
    if source.format == ALMATY_METRO:
        files = read_archive(payload, source, METRO_FILES)
        raw, notices = read_metro_timetable(files, source)
    else:
        raw, notices = _read_files(payload, source), []
    raw = {name: raw.get(name, _empty(name)) for name in REQUIRED_COLUMNS}
    raw, found = clean_feed(raw)
    raw["feed_notices"] = pl.concat([*notices, found])
    raw["feed_versions"] = describe_feed(raw)
    return raw


def _read_files(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    files = read_archive(payload, source, GTFS_FILES)
    present = {GTFS_FILES[name]: text for name, text in files.items() if text.strip()}
    missing = [f"{name}.txt" for name in REQUIRED_FILES if name not in present]
    if not present.keys() & set(CALENDARS):
        missing.append("calendar.txt or calendar_dates.txt")
    if missing:
        raise SourceError(
            f"Source {source.source_id!r}: {source.object_name} lacks {', '.join(missing)} "
            f"(or they are empty); it holds {sample_text(sorted(files), most=20)}.",
            "Ask the publisher for a whole feed; until then the last good version is used.",
        )
    return {name: _read_text(name, text, source) for name, text in present.items()}


def _read_text(name: str, payload: bytes, source: SourceVersion) -> pl.DataFrame:
    """One GTFS file as text columns; raises SourceError naming the file."""
    if b"\n" not in payload:
        payload = payload.replace(b"\r", b"\n")
    try:
        frame = pl.read_csv(payload, infer_schema=False, truncate_ragged_lines=True)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        why = str(error).partition("\n")[0]
        raise SourceError(
            f"Source {source.source_id!r}: {name}.txt of {source.object_name} is no readable "
            f"UTF-8 CSV ({why}).",
            "Ask the publisher to save it as UTF-8 text with closed quotes.",
        ) from error
    frame = _named(frame)
    lacking = [column for column in REQUIRED_COLUMNS[name] if column not in frame.columns]
    if lacking:
        raise SourceError(
            f"Source {source.source_id!r}: {name}.txt of {source.object_name} lacks the "
            f"column(s) {', '.join(lacking)}; it has {', '.join(frame.columns)}.",
            "Ask the publisher to put the column(s) back; "
            "until then the last good version is used.",
        )
    trimmed = pl.all().str.strip_chars()
    rows = frame.select(pl.when(trimmed != "").then(trimmed))
    is_blank = pl.all_horizontal(pl.all().is_null())
    return rows.filter(~is_blank) if rows.to_series(0).null_count() else rows


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """Headings without blanks and marks; of two columns with one heading the first is kept."""
    first_of: dict[str, str] = {}
    for column in frame.columns:
        first_of.setdefault(column.strip().strip('\ufeff"').strip(), column)
    return frame.select(pl.col(column).alias(name) for name, column in first_of.items())


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(REQUIRED_COLUMNS[name], pl.String))
