"""Figures as files: CSV, Parquet and XLSX, byte for byte the same for the same rows.

No wall-clock time goes in: XLSX carries a fixed creation date, Parquet none. Text in a
spreadsheet is written as text, so that a name that looks like a formula is only a name.
"""

from __future__ import annotations

import io
import json
from datetime import date, datetime
from typing import Any

import dataframely as dy
import polars as pl
import xlsxwriter

from pipelines.contracts import grain, unit
from pipelines.contracts.canonical import canonical_csv, in_key_order

FORMATS = ("csv", "parquet", "xlsx")
MADE_AT = datetime(2000, 1, 1)  # noqa: DTZ001  # a constant in the file's properties, no instant
MOST_SHEET_ROWS = 1_048_575  # a sheet holds 2^20 rows, one of them the header
MOST_COLUMN_WIDTH = 40
_SHEET_FORMATS = {"share": "0.0%", "count": "#,##0", "km": "#,##0.0", "date": "yyyy-mm-dd"}


def extract_files(
    name: str, rows: pl.DataFrame, contract: type[dy.Schema], notes: dict[str, str]
) -> dict[str, bytes]:
    """A figure's files by name: ``<name>.csv``, ``<name>.parquet``, ``<name>.xlsx``.

    `rows` keep `contract`; `notes` are facts about the extract for the spreadsheet's second sheet.
    """
    ordered = in_key_order(rows, contract)
    return {
        f"{name}.csv": canonical_csv(ordered, contract),
        f"{name}.parquet": _parquet(ordered),
        f"{name}.xlsx": _xlsx(name, ordered, contract, notes),
    }


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no blanks (RFC 8785 for texts, whole numbers and lists)."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return (text + "\n").encode()


def _parquet(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.rechunk().write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def _xlsx(name: str, rows: pl.DataFrame, contract: type[dy.Schema], notes: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"title": name, "created": MADE_AT, "author": "Qala"})
        _write_rows(book, name, rows, contract)
        _write_notes(book, contract, notes)
    return buffer.getvalue()


def _write_rows(book: Any, name: str, rows: pl.DataFrame, contract: type[dy.Schema]) -> None:
    sheet = book.add_worksheet(name[:31])
    bold = book.add_format({"bold": True, "bottom": 1})
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(contract.column_names()):
        style = _SHEET_FORMATS.get(column.rsplit("_", 1)[-1])
        cell_format = book.add_format({"num_format": style}) if style else None
        values = rows.get_column(column).head(MOST_SHEET_ROWS).to_list()
        width = max([len(column), *(len(str(v)) for v in values[:200] if v is not None)])
        sheet.set_column(place, place, min(width + 2, MOST_COLUMN_WIDTH))
        sheet.write_string(0, place, column, bold)
        for row, value in enumerate(values, start=1):
            _write_cell(sheet, row, place, value, cell_format)


def _write_cell(sheet: Any, row: int, place: int, value: object, cell_format: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, place, value, cell_format)
    elif isinstance(value, date) and not isinstance(value, datetime):
        sheet.write_datetime(row, place, value, cell_format)
    else:
        sheet.write_string(row, place, str(value))


def _write_notes(book: Any, contract: type[dy.Schema], notes: dict[str, str]) -> None:
    sheet = book.add_worksheet("notes")
    bold = book.add_format({"bold": True})
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 100)
    lines = [("grain", grain(contract)), *notes.items()]
    for row, (label, text) in enumerate(lines):
        sheet.write_string(row, 0, label, bold)
        sheet.write_string(row, 1, text)
    for row, (column, definition) in enumerate(contract.columns().items(), start=len(lines) + 1):
        measure = unit(definition)
        sheet.write_string(row, 0, column, bold)
        sheet.write_string(
            row, 1, (definition.description or "") + (f" [{measure}]" if measure else "")
        )
