"""What the reference asks of every file alike: its presence, its columns, a value in each field.

The specification says what is required; these functions look whether it is there. They run on every
file as delivered, before typed rows go to the rules. What breaks a field's kind is found where text
becomes typed (`pipelines.staging.gtfs.typed`); conditions between fields are rules of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain

import polars as pl

from pipelines.staging.gtfs.rules.feed import ZONES
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, ROW, Found, found, found_file
from pipelines.staging.gtfs.rules.zones import zone_points
from pipelines.staging.gtfs.specification import FILES, File

# Files without which there is no timetable; zones of locations.geojson may stand for stops.txt.
REQUIRED_FILES = ("agency", "routes", "trips", "stop_times")
CALENDARS = ("calendar", "calendar_dates")
# Both coordinates this near to 0, or a latitude this near to a pole: nobody runs buses there.
NEAR_ORIGIN_DEGREES = 1
NEAR_POLE_DEGREES = 89
COORDINATES = {"stops": ("stop_lat", "stop_lon"), "shapes": ("shape_pt_lat", "shape_pt_lon")}

Problem = tuple[str, Found]


def missing_files(present: Collection[str], *, has_zones: bool) -> Iterator[Problem]:
    """Files that a feed must or should have and lacks. `present` are names without .txt."""
    for name in REQUIRED_FILES:
        if name not in present:
            yield "missing_required_file", found_file(name)
    if "stops" not in present and not has_zones:
        yield "missing_required_file", found_file("stops")
    if not set(CALENDARS) & set(present):
        yield "missing_calendar_and_calendar_date_files", found_file("calendar")
    if "feed_info" not in present:
        code = "missing_required_file" if "translations" in present else "missing_recommended_file"
        yield code, found_file("feed_info")


def column_problems(name: str, columns: Collection[str]) -> Iterator[Problem]:
    """Required columns that a file lacks, and columns that GTFS does not know."""
    file = FILES[name]
    for field in file.fields:
        if field.presence == "required" and field.name not in columns:
            yield "missing_required_column", found_file(name, field.name)
    for column in columns:
        if column not in file.column_names:
            yield "unknown_column", found_file(name, column)


def row_problems(
    name: str, rows: pl.DataFrame, typed: pl.DataFrame, present: Collection[str]
) -> Iterator[Problem]:
    """Blank required and recommended fields, ids beyond printable ASCII, places that are no places.

    `rows` are the file's text, `typed` the same rows typed, `present` its columns.
    """
    for field in FILES[name].fields:
        if field.name not in present:
            continue
        text = rows.get_column(field.name)
        if text.null_count() and (field.needs_value or field.presence == "recommended"):
            kind = "required" if field.needs_value else "recommended"
            blank = rows.filter(text.is_null())
            yield f"missing_{kind}_field", found(name, blank, field.name)
        if field.kind == "id":
            odd = text.str.contains(r"[^\x20-\x7e]").fill_null(value=False)
            if odd.any():
                code = "non_ascii_or_non_printable_char"
                yield code, found(name, rows.filter(odd), field.name)
    if name in COORDINATES:
        yield from _place_problems(name, typed)


def zone_problems(geojson: bytes | None) -> Iterator[Problem]:
    """Points of zones that are no places."""
    points = zone_points(geojson)
    value = pl.col("zone_id")
    for code, is_odd in _odd_places("lat", "lon"):
        odd = points.filter(is_odd).unique("zone_id", maintain_order=True)
        yield code, found(ZONES, odd.with_columns(pl.lit(None, pl.Int64).alias(ROW)), value=value)


def _place_problems(name: str, typed: pl.DataFrame) -> Iterator[Problem]:
    lat, lon = COORDINATES[name]
    for code, is_odd in _odd_places(lat, lon):
        yield code, found(name, typed.filter(is_odd), lat)


def _odd_places(lat: str, lon: str) -> Iterator[tuple[str, pl.Expr]]:
    near_origin = [pl.col(one).abs() <= NEAR_ORIGIN_DEGREES for one in (lat, lon)]
    yield "point_near_origin", pl.all_horizontal(near_origin)
    yield "point_near_pole", pl.col(lat).abs() >= NEAR_POLE_DEGREES


def single_row_problems(name: str, rows: pl.DataFrame) -> Iterator[Problem]:
    """Rows beyond the first of a file that may have one."""
    if FILES[name].is_single and rows.height > 1:
        yield "more_than_one_entity", found(name, rows.slice(1))


def duplicate_rows(file: File, typed: pl.DataFrame, present: Collection[str]) -> Found:
    """Rows whose primary key a row before them has; the first in the file's order is the survivor.

    A blank in a key of one column is no key; in a key of several it counts as a value (0 for a
    number). Rows whose vital key fields can't be read are left out: they are told already.
    """
    key = [column for column in file.key if column in present]
    nothing = Found(file.name, pl.DataFrame(schema=FOUND_SCHEMA))
    if not key or typed.is_empty():
        return nothing
    if len(file.key) == 1:
        keyed = typed.select(ROW, *key).drop_nulls(key)
    else:
        vital = [column for column in key if file.column(column).is_vital]
        keyed = typed.select(ROW, *key).drop_nulls(vital) if vital else typed.select(ROW, *key)
        numbers = [c for c in key if keyed.schema[c].is_numeric()]
        keyed = keyed.with_columns(pl.col(numbers).fill_null(0)) if numbers else keyed
    if keyed.n_unique(key) == keyed.height:
        return nothing
    repeated = keyed.filter(~pl.struct(key).is_first_distinct())
    field = ",".join(key)
    value = pl.concat_str(pl.col(key).cast(pl.String), separator=",", ignore_nulls=True)
    return found(file.name, repeated, field, value)


def dangling_references(
    name: str,
    typed: pl.DataFrame,
    ids: Mapping[str, pl.Series],
    *,
    leave_out: Collection[str] = (),
) -> Iterator[Found]:
    """Values that refer to a row which is not there.

    `ids` holds, for a column that others refer to (``stops.stop_id``), its values; a column of a
    file that the feed lacks is not in it, and then nothing can meet a reference to it.
    """
    for field in FILES[name].fields:
        if not field.references or field.name in leave_out or typed.is_empty():
            continue
        values = typed.get_column(field.name)
        if values.null_count() == values.len():
            continue
        known = list(chain(ids[target] for target in field.references if target in ids))
        lost = values.is_not_null()
        for targets in known:
            lost &= ~values.is_in(targets.implode())
        if lost.any():
            yield found(name, typed.filter(lost), field.name)
