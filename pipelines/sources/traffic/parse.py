"""Traffic: count stations, station-hours, read audits and passages (CSV, XLSX, Parquet).

Passages are readings of plates by stations. A plate is personal data and arrives only as a keyed
hash: a file that holds anything like a plate in clear is refused here, before anything of it is
kept, and the message never repeats a value. What counts as anything like a plate:

- a column beyond ours whose heading speaks of plates or vehicle numbers,
- a value of `plate_hash` that isn't hexadecimal or base64 of at least 16 characters,
- a value of any other text column (or a heading) built like a plate of the region; in columns
  beyond ours also any short word of letters and digits.

Refusing a harmless column costs its owner a line in an export; storing a plate can't be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.table import described, map_table, read_table, require_columns

PASSAGE_COLUMNS = ("station_id", "passed_at", "direction", "vehicle_class", "plate_hash")
REQUIRED_PASSAGE_COLUMNS = ("station_id", "passed_at", "plate_hash")

# 64 bits are the least at which a day's plates don't collide; hexadecimal is within base64.
_HASH = r"^[0-9A-Za-z+/_-]{16,}={0,2}$"
_PLATE_HEADING = (
    r"(?i)plate|licen[cs]e|registration|номер|грнз|знак|нөмір|"
    r"\bvr[nm]\b|^((vehicle|car|truck|auto|reg|state)[ _]?)?(number|num|no)$"
)
# Kazakhstan 123ABC02 and A123BCD, Russia A123BC77, Kyrgyzstan 01KG123ABC, Uzbekistan 01A123BC.
_REGIONAL_PLATE = (
    r"^(\d{3}\p{Lu}{2,3}\d{2}|\p{Lu}\d{3}\p{Lu}{2,3}(\d{2,3})?|\d{2}(KG|\p{Lu})?\d{3}\p{Lu}{2,3})$"
)
# Letters and at least two digits in 5 to 10 characters.
_SHORT_CODE = r"^(?:\d*\p{L}[\p{L}\d]*)$"
_REMEDY = (
    "Nothing of the file was kept. Ask who delivers it to leave the column out and to replace "
    "each plate by a keyed hash (HMAC-SHA-256, at least 16 hexadecimal characters)."
)


def parse_count_stations(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows`, one row per station. SourceError as in `_parse`."""
    return _parse(payload, source, ("station_id", "role", "latitude", "longitude"))


def parse_traffic_counts(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows`, one row per station, hour and class. SourceError as in `_parse`."""
    return _parse(payload, source, ("station_id", "hour_at", "vehicle_class", "vehicle_count"))


def parse_read_audits(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows`, one row per audited hour of a station. SourceError as in `_parse`."""
    counts = ("vehicles_seen_count", "plates_read_count")
    return _parse(payload, source, ("station_id", "audit_date", "hour_of_day", *counts))


def _parse(
    payload: bytes, source: SourceVersion, required: Sequence[str]
) -> dict[str, pl.DataFrame]:
    """SourceError where the file can't be read or lacks a required column."""
    rows = read_table(payload, source)
    require_columns(rows, source, required)
    return {"rows": rows}


def parse_passages(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows` with our columns alone, one row per reading of the file.

    SourceError where the file can't be read, lacks a column, or holds anything like a plate.
    """
    raw = read_table(payload, replace(source, columns={}, terms={}))
    if _plates(pl.Series(raw.columns)):
        raise SourceError(
            f"{described(source)} has no row of headings, or a plate in clear in it.", _REMEDY
        )
    rows = map_table(raw, source)
    require_columns(rows, source, REQUIRED_PASSAGE_COLUMNS)
    _refuse_other_columns(rows, source)
    _refuse_unhashed(rows, source)
    return {"rows": rows.select([name for name in PASSAGE_COLUMNS if name in rows.columns])}


def _refuse_other_columns(rows: pl.DataFrame, source: SourceVersion) -> None:
    for name in rows.columns:
        is_ours = name in PASSAGE_COLUMNS
        if not is_ours and pl.Series([name]).str.contains(_PLATE_HEADING).any():
            raise SourceError(
                f"{described(source)} has the column {name!r}, which speaks of plates in clear.",
                _REMEDY,
            )
        if name == "plate_hash" or rows.schema[name] != pl.String:
            continue
        values = rows.get_column(name).drop_nulls().unique()
        found = _plates(values) or (0 if is_ours else _short_codes(values))
        if found:
            raise SourceError(
                f"{described(source)} holds {found} different values like a plate in clear in the "
                f"column {name!r}.",
                _REMEDY,
            )


def _refuse_unhashed(rows: pl.DataFrame, source: SourceVersion) -> None:
    hashes = rows.get_column("plate_hash")
    if hashes.dtype not in (pl.String, pl.Null):
        raise SourceError(
            f"{described(source)} holds `plate_hash` as {hashes.dtype}, not as text.", _REMEDY
        )
    unhashed = int((~hashes.cast(pl.String).str.contains(_HASH)).sum())
    if unhashed:
        raise SourceError(
            f"{described(source)} holds {unhashed} values of `plate_hash` (of {hashes.len()}) that "
            f"are no keyed hashes in hexadecimal or base64 of at least 16 characters.",
            _REMEDY,
        )


def _plates(values: pl.Series) -> int:
    return int(_squeezed(values).str.contains(_REGIONAL_PLATE).sum())


def _short_codes(values: pl.Series) -> int:
    word = _squeezed(values)
    is_short = word.str.len_chars().is_between(5, 10)
    has_digits = word.str.count_matches(r"\d") >= 2
    return int((is_short & has_digits & word.str.contains(_SHORT_CODE)).sum())


def _squeezed(values: pl.Series) -> pl.Series:
    return values.str.replace_all(r"[\s.-]", "").str.to_uppercase()
