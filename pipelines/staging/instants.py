"""Instants as files write them: with an offset from UTC, or as local time of the source.

A local time that the clock showed twice or never (when clocks are moved) is no instant. In a column
in which some values tell an offset, one without is refused: nobody knows whether it is local time
or an offset left out.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion

NO_OFFSET = "no offset in a file with offsets"

_WITH_OFFSET = "%Y-%m-%d %H:%M:%S%.f%:z"
_LOCAL = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")


def instant(name: str, rows: pl.DataFrame, source: SourceVersion) -> pl.Expr:
    """The column as UTC; null where it is no instant."""
    dtype, column = rows.schema[name], pl.col(name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return column.dt.convert_time_zone("UTC")
    if isinstance(dtype, pl.Datetime):
        return _from_local(column, source.time_zone)
    return pl.coalesce(_with_offset(name), _from_local(_local(name), source.time_zone))


def lacks_offset(name: str, rows: pl.DataFrame) -> pl.Expr:
    """The rule `<name>|no offset in a file with offsets` where a value breaks it, null elsewhere.

    For `refused` of `sift`.
    """
    if isinstance(rows.schema[name], pl.Datetime):
        return pl.lit(None, pl.String)
    is_mixed = _with_offset(name).is_not_null().any() & _local(name).is_not_null()
    return pl.when(is_mixed).then(pl.lit(f"{name}|{NO_OFFSET}"))


def _with_offset(name: str) -> pl.Expr:
    text = _spaced(name).str.replace("Z$", "+00:00")
    return text.str.to_datetime(_WITH_OFFSET, strict=False, time_unit="us", time_zone="UTC")


def _local(name: str) -> pl.Expr:
    text = _spaced(name)
    return pl.coalesce(
        text.str.to_datetime(layout, strict=False, time_unit="us") for layout in _LOCAL
    )


def _spaced(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.replace("T", " ", literal=True)


def _from_local(column: pl.Expr, time_zone: str) -> pl.Expr:
    local = column.dt.replace_time_zone(time_zone, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")
