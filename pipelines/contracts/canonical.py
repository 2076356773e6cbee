"""Rows in one canonical form: two tables are the same when this form is (docs/decisions/0006)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Sequence

import dataframely as dy
import polars as pl

ROWS_A_TEXT = 10  # of a column whose texts are few


def content_hash(ordered: pl.DataFrame, contract: type[dy.Schema]) -> str:
    """SHA-256 of the rows as CSV: key order, the contract's columns, shortest exact numbers.

    `ordered` comes from `in_key_order`. Anyone can compute the hash from an extract's Parquet file.
    """
    return hashlib.sha256(canonical_csv(ordered, contract)).hexdigest()


def canonical_csv(
    ordered: pl.DataFrame, contract: type[dy.Schema], *, header: bool = True, line_end: str = "\n"
) -> bytes:
    """The rows as CSV (UTF-8, LF, header; null is nothing, empty text is ``""``)."""
    text = ordered.select(
        [
            pl.col(name).bin.encode("hex") if column.dtype == pl.Binary else pl.col(name)
            for name, column in contract.columns().items()
        ]
    )
    file = io.BytesIO()
    text.write_csv(
        file,
        include_header=header,
        datetime_format="%Y-%m-%dT%H:%M:%S%.fZ",
        line_terminator=line_end,
    )
    return file.getvalue()


def in_key_order(
    rows: pl.DataFrame, contract: type[dy.Schema], *, same: Collection[str] = ()
) -> pl.DataFrame:
    """Rows sorted by the contract's key (by all columns where it has none).

    `same` are columns with one value in all rows, which is not compared.
    """
    columns = contract.primary_key() or contract.column_names()
    key = [name for name in columns if name not in same]
    if not key:
        return rows
    if rises(rows, key):
        return rows
    return rows.sort([_comparable(rows, name) for name in key], nulls_last=False)


def _comparable(rows: pl.DataFrame, name: str) -> pl.Expr:
    """A column to sort by; few texts by their places, since whole texts take long to compare."""
    if rows.schema[name] != pl.String:
        return pl.col(name)
    texts = rows.get_column(name).unique()
    if texts.len() * ROWS_A_TEXT > rows.height:
        return pl.col(name)
    return pl.col(name).cast(pl.Enum(texts.drop_nulls().sort()))


def rises(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether the key rises from row to row: none is repeated, blank (but in one row) or astray."""
    is_above = pl.lit(value=False)
    for name in reversed(key):
        column, before = pl.col(name), pl.col(name).shift(1)
        is_above = (column > before) | ((column == before) & is_above)
    return bool(rows.select(is_above.slice(1).fill_null(value=False).all()).item())
