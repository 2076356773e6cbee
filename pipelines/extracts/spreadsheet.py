"""An extract as a spreadsheet: typed cells under a frozen header, and a sheet of notes.

Text is written as text, so that a name that looks like a formula or a link is only a name. The
file's properties hold a fixed date: the same rows give the same bytes. What a sheet can't hold is
told in the notes: rows beyond its last one go on in the next sheet, a text is cut at the longest
that a cell takes, and a whole number that a cell would round is written as text.

Left out: colours, charts, widths fitted to every row.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import dataframely as dy
import polars as pl
import xlsxwriter

from pipelines.contracts import grain, unit
from pipelines.extracts.open_data import Telling

MADE_AT = datetime(2000, 1, 1)  # noqa: DTZ001  # a constant in the file's properties, no instant
MOST_SHEET_ROWS = 1_048_575  # a sheet holds 2^20 rows, one of them the header
MOST_NAME_LETTERS = 31  # of a sheet
MOST_CELL_LETTERS = 32_767  # UTF-16 code units
MOST_CELL_INTEGER = 2**53
MOST_COLUMN_WIDTH = 40
CUT = "…"
_BY_ENDING = {"share": "0.0%", "count": "#,##0", "km": "#,##0.0"}
_DATE, _INSTANT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


def spreadsheet(
    name: str,
    ordered: pl.DataFrame,
    contract: type[dy.Schema],
    telling: Telling,
    *,
    most_rows: int = MOST_SHEET_ROWS,
) -> bytes:
    """The bytes of a workbook: the rows in the order given, then the notes."""
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
        for number, first in enumerate(range(0, max(1, ordered.height), most_rows), start=1):
            rows = ordered.slice(first, most_rows)
            _write_rows(book, _sheet_name(name, number), rows, contract)
        _write_notes(book, contract, telling, _limits(ordered, most_rows))
    return buffer.getvalue()


def _sheet_name(name: str, number: int) -> str:
    ending = f" ({number})" if number > 1 else ""
    return name[: MOST_NAME_LETTERS - len(ending)] + ending


def _write_rows(book: Any, name: str, rows: pl.DataFrame, contract: type[dy.Schema]) -> None:
    sheet = book.add_worksheet(name)
    bold = book.add_format({"bold": True, "bottom": 1})
    sheet.freeze_panes(1, 0)
    for place, (column, definition) in enumerate(contract.columns().items()):
        style = _number_format(column, definition.dtype)
        cell_format = book.add_format({"num_format": style}) if style else None
        values = rows.get_column(column).to_list()
        width = max([len(column), *(len(str(v)) for v in values[:200] if v is not None)])
        sheet.set_column(place, place, min(width + 2, MOST_COLUMN_WIDTH))
        sheet.write_string(0, place, column, bold)
        for row, value in enumerate(values, start=1):
            _write_cell(sheet, row, place, value, cell_format)


def _number_format(column: str, kind: pl.DataType) -> str | None:
    if kind == pl.Date:
        return _DATE
    if isinstance(kind, pl.Datetime):
        return _INSTANT
    return _BY_ENDING.get(column.rsplit("_", 1)[-1]) if kind.is_numeric() else None


def _write_cell(sheet: Any, row: int, place: int, value: object, cell_format: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) <= MOST_CELL_INTEGER):
        sheet.write_number(row, place, _Exact(value), cell_format)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, place, value.replace(tzinfo=None), cell_format)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, cell_format)
    else:
        sheet.write_string(row, place, _cell_text(str(value)))


class _Exact(float):
    """A number of which all digits are written; XlsxWriter asks for sixteen, which may round."""

    def __format__(self, _: str) -> str:
        return repr(float(self)).removesuffix(".0")


def _cell_text(text: str) -> str:
    """The text, cut at what a cell takes."""
    if _cell_letters(text) <= MOST_CELL_LETTERS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (MOST_CELL_LETTERS - len(CUT))]
    return kept.decode("utf-16-le", errors="ignore") + CUT


def _cell_letters(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _limits(ordered: pl.DataFrame, most_rows: int) -> dict[str, str]:
    """What the sheets can't show as it is, for the notes."""
    told = {}
    if ordered.height > most_rows:
        told["rows"] = f"{ordered.height:,} rows, more than a sheet holds: they go on in the next."
    texts = ordered.select(pl.selectors.string())
    long = sum(
        _cell_letters(text) > MOST_CELL_LETTERS
        for column in texts.iter_columns()
        for text in column.filter(column.str.len_chars() > MOST_CELL_LETTERS // 2)
    )
    if long:
        told["texts cut"] = f"{long} texts are longer than a cell; the other formats hold them."
    return told


def _write_notes(
    book: Any, contract: type[dy.Schema], telling: Telling, limits: Mapping[str, str]
) -> None:
    words = telling.words
    sheet = book.add_worksheet("notes")
    bold = book.add_format({"bold": True})
    for place, width in enumerate((28, 100, 40, 40)):
        sheet.set_column(place, place, width)
    definitions = {
        words.name_en: words.description_en,
        words.name_kk: words.description_kk,
        words.name_ru: words.description_ru,
    }
    lines = [*definitions.items(), ("grain", grain(contract)), *telling.facts.items()]
    lines += limits.items()
    for row, (name, text) in enumerate(lines):
        sheet.write_string(row, 0, name, bold)
        sheet.write_string(row, 1, _cell_text(text))
    heads = len(lines) + 1
    for place, head in enumerate(("column", "what it holds [unit]", "қазақша", "по-русски")):
        sheet.write_string(heads, place, head, bold)
    for row, (column, definition) in enumerate(contract.columns().items(), start=heads + 1):
        measure = unit(definition)
        told = (definition.description or "") + (f" [{measure}]" if measure else "")
        labels = telling.label(column)
        for place, text in enumerate((column, told, labels.kk, labels.ru)):
            sheet.write_string(row, place, text, bold if place == 0 else None)
