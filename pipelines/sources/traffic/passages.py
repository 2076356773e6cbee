"""Passages, toll transactions and read audits (CSV, XLSX, Parquet).

Passages are readings of plates by stations, toll transactions payments at the gantries of a toll
road. Both hold keyed hashes of plates: what holds anything like a plate in clear is refused, as
`clear_plates` says. Where the city file names the column that holds plates in clear, they are
hashed before a byte of the file is kept (`hashing`).

Left out: other columns, what was paid and by whom.
"""

from __future__ import annotations

import io
from dataclasses import replace

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.table import described, map_table, raw_slices, read_table, require_columns
from pipelines.sources.traffic.clear_plates import (
    HASHES,
    refuse_headings,
    refuse_plates,
    refuse_unseen,
)
from pipelines.sources.traffic.hashing import hashed_plates

PASSED_AT, PAID_AT = "passed_at", "paid_at"


def reading_columns(moment: str) -> tuple[str, ...]:
    """The columns of a file of plates whose moments stand in the named one."""
    return ("station_id", moment, "direction", "vehicle_class", *HASHES)


def parse_passages(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows` with our columns alone, one row per reading of the file.

    SourceError where the file can't be read, lacks a column, or holds anything like a plate.
    """
    return _parsed(payload, source, PASSED_AT)


def parse_toll_transactions(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows` with our columns alone, one row per payment. SourceError as for passages."""
    return _parsed(payload, source, PAID_AT)


def parse_read_audits(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `rows`, one row per audited hour of a station.

    SourceError where the file can't be read or lacks a required column.
    """
    rows = read_table(payload, source)
    counts = ("vehicles_seen_count", "plates_read_count")
    require_columns(rows, source, ("station_id", "audit_date", "hour_of_day", *counts))
    return {"rows": rows}


def hash_passages(payload: bytes, source: SourceVersion, column: str, key: bytes) -> bytes:
    """Passages with plates in clear in `column`, as Parquet of our columns with hashed plates.

    The same bytes and key give the same bytes. SourceError as for passages.
    """
    return _hashed(payload, source, PASSED_AT, column, key)


def hash_toll_transactions(payload: bytes, source: SourceVersion, column: str, key: bytes) -> bytes:
    """Toll transactions as `hash_passages` gives passages."""
    return _hashed(payload, source, PAID_AT, column, key)


def _parsed(payload: bytes, source: SourceVersion, moment: str) -> dict[str, pl.DataFrame]:
    """What is landed is the file itself: all of it is looked at."""
    table, headings = _table(payload, source)
    refuse_unseen(payload, table, map_table(table, replace(source, terms={}), headings), source)
    return {"rows": _kept(_mapped(table, headings, source), source, moment)}


def _table(payload: bytes, source: SourceVersion) -> tuple[pl.DataFrame, list[str]]:
    """The file's table and its headings, looked at before any message tells them."""
    headings, slices = raw_slices(payload, replace(source, columns={}, terms={}))
    refuse_headings(headings, source)
    return pl.concat(slices), headings


def _mapped(table: pl.DataFrame, headings: list[str], source: SourceVersion) -> pl.DataFrame:
    """The rows under our headings, without blank ones."""
    rows = map_table(table, source, headings)
    return rows.filter(~pl.all_horizontal(pl.all().is_null())) if rows.width else rows


def _kept(rows: pl.DataFrame, source: SourceVersion, moment: str) -> pl.DataFrame:
    ours = reading_columns(moment)
    require_columns(rows, source, ("station_id", moment, "plate_hash"))
    refuse_plates(rows, source, ours)
    return rows.select([name for name in ours if name in rows.columns])


def _hashed(payload: bytes, source: SourceVersion, moment: str, column: str, key: bytes) -> bytes:
    rows = _mapped(*_table(payload, source), source)
    require_columns(rows, source, (column, moment))
    known = [name for name in HASHES if name in rows.columns and name != column]
    if known:
        raise SourceError(
            f"{described(source)} holds plates in clear and hashed ones, in {known[0]!r}.",
            "Leave `plates` of this source out of the city file, or the column out of the file.",
        )
    hashes = hashed_plates(rows, source, column, moment, key)
    kept = _kept(pl.concat([rows.drop(column), hashes], how="horizontal"), source, moment)
    buffer = io.BytesIO()
    # One row group and one chunk: the bytes depend on the rows alone.
    kept.rechunk().write_parquet(buffer, compression="zstd", row_group_size=kept.height or 1)
    return buffer.getvalue()
