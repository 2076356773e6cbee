"""One file of one table (CSV, XLSX, Parquet) becomes a frame under our own column names.

CSV and XLSX give text columns, Parquet keeps its types. Text is stripped and an empty cell is
null; rows that are blank throughout are no rows. The city file's `columns` map upstream headings
to ours, its `terms` map upstream words to ours, column by column. Headings are compared with line
breaks and repeated spaces as one space, words also without regard to case. A heading without a
mapping keeps its name, a word without one stays as it is.

Left out: sheets after the first, columns without a heading, binary columns, and guesses at an
encoding: text is UTF-8, or UTF-16 with its byte-order mark.
"""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

import polars as pl

from pipelines.errors import SourceError, sample_text
from pipelines.night import SourceVersion

SEPARATORS = (",", ";", "\t", "|")
SLICE_ROWS = 1_000_000  # of a Parquet file that is read slice after slice

_ASK = "Ask who delivers the file."
_CORRECT_COLUMNS = "Correct `columns` of this source in the city file, or ask who delivers it."
# A spreadsheet has no dates without a time: a date comes as its midnight.
_MIDNIGHT = " 00:00:00"
_TIMESTAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def read_table(payload: bytes, source: SourceVersion) -> pl.DataFrame:
    """The table in a file, by the source's format: one row per row of the file, in its order.

    SourceError where the file can't be read in that format, is empty, repeats a heading, or lacks
    a heading that the city file names.
    """
    headings, rows = _reader(payload, source)(payload, source)
    table = map_table(rows, source, headings)
    return table.filter(~pl.all_horizontal(pl.all().is_null())) if table.width else table


def raw_slices(payload: bytes, source: SourceVersion) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """The file's headings, and its rows in slices, as `map_table` takes them; at least one slice.

    A Parquet file is never held in memory as a whole. SourceError as in `read_table`.
    """
    reader = _reader(payload, source)
    if source.format != "parquet":
        headings, rows = reader(payload, source)
        return headings, iter([rows])
    headings, head = _read_parquet(payload, source, rows=0)
    height = pl.scan_parquet(io.BytesIO(payload)).select(pl.len()).collect().item()
    if height == 0:
        return headings, iter([head])
    return headings, (
        pl.scan_parquet(io.BytesIO(payload)).select(headings).slice(start, SLICE_ROWS).collect()
        for start in range(0, height, SLICE_ROWS)
    )


def map_table(
    table: pl.DataFrame, source: SourceVersion, headings: Sequence[str] | None = None
) -> pl.DataFrame:
    """The table with headings and words mapped as the city file says; text stripped, empty = null.

    `headings` stand for the table's column names where those can't repeat and the file's can.
    A column that the mapping renames replaces an unmapped one that has the new name already.
    SourceError where the mapping names a heading or a column that the table lacks.
    """
    named = _map_headings(table, source, headings or table.columns)
    texts = [name for name, dtype in named.schema.items() if _is_text(dtype)]
    stripped = pl.col(texts).cast(pl.String).str.strip_chars()
    named = named.with_columns(pl.when(stripped != "").then(stripped))
    unknown = [name for name in source.terms if name not in named.columns]
    if unknown:
        raise SourceError(
            f"{described(source)} lacks the column {_listed(unknown)}, whose words the city file "
            f"maps; it has {_listed(named.columns)}.",
            "Correct `terms` of this source in the city file.",
        )
    return named.with_columns(_mapped_words(*item).alias(item[0]) for item in source.terms.items())


def require_columns(table: pl.DataFrame, source: SourceVersion, names: Iterable[str]) -> None:
    """SourceError where the mapped table lacks one of the columns, naming those it has."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise SourceError(
            f"{described(source)} lacks the column {_listed(missing)}; "
            f"it has {_listed(table.columns)}.",
            f"Say in `columns` of this source in the city file what stands for {_listed(missing)}.",
        )


def unread_parts(payload: bytes, source: SourceVersion) -> list[str]:
    """What of a readable file no row of its table shows, for a sentence that repeats no name."""
    if source.format == "xlsx":
        import fastexcel

        more = len(fastexcel.read_excel(payload).sheet_names) - 1
        return ["sheets after the first"] if more else []
    if source.format == "parquet":
        types = pl.read_parquet_schema(io.BytesIO(payload)).values()
        hides = any(dtype.is_nested() or dtype in (pl.Binary, pl.Object) for dtype in types)
        return ["columns of bytes, lists or structures"] if hides else []
    return []


def described(source: SourceVersion) -> str:
    """How a sentence names the object, e.g. ``fleet.csv of the source 'fleet'``."""
    return f"{source.object_name} of the source {source.source_id!r}"


def _reader(
    payload: bytes, source: SourceVersion
) -> Callable[[bytes, SourceVersion], tuple[list[str], pl.DataFrame]]:
    if not payload:
        raise SourceError(f"{described(source)} is empty.", _ASK)
    readers = {"csv": _read_csv, "xlsx": _read_xlsx, "parquet": _read_parquet}
    if source.format not in readers:
        raise SourceError(
            f"{described(source)} has the format {source.format!r}, which is no table.",
            f"Name one of {', '.join(readers)} as the format of this source in the city file.",
        )
    return readers[source.format]


def _map_headings(
    table: pl.DataFrame, source: SourceVersion, raw_headings: Sequence[str]
) -> pl.DataFrame:
    headings = [_squeezed(heading) for heading in raw_headings]
    mapping = {_squeezed(theirs): ours for theirs, ours in source.columns.items()}
    _refuse(
        f"{described(source)} has more than once the heading",
        [name for name, count in Counter(headings).items() if name and count > 1],
        "Ask who delivers the file to give each column a heading of its own.",
    )
    _refuse(
        f"Two headings of {described(source)} are mapped to",
        [name for name, count in Counter(mapping.values()).items() if count > 1],
        _CORRECT_COLUMNS,
    )
    for heading in mapping:
        if heading not in headings:
            near = get_close_matches(heading, [name for name in headings if name], cutoff=0.5)
            hint = f"the nearest are {_listed(near)}" if near else f"it has {_listed(headings)}"
            raise SourceError(
                f"{described(source)} lacks the heading {heading!r}; {hint}.", _CORRECT_COLUMNS
            )
    taken = set(mapping.values())
    return table.select(
        pl.col(column).alias(mapping.get(heading, heading))
        for column, heading in zip(table.columns, headings, strict=True)
        if heading in mapping or (heading and heading not in taken)
    )


def _mapped_words(column: str, words: Mapping[str, str]) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    word = text.str.to_lowercase().str.replace_all(r"\s+", " ")
    mapped = {_squeezed(theirs).lower(): ours for theirs, ours in words.items()}
    return word.replace_strict(mapped, default=text, return_dtype=pl.String)


def _read_csv(payload: bytes, source: SourceVersion) -> tuple[list[str], pl.DataFrame]:
    text = _decoded(payload, source).lstrip("\r\n ")
    if not text.strip():
        raise SourceError(f"{described(source)} is empty.", _ASK)
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    headings = next(csv.reader(io.StringIO(text), delimiter=separator))
    try:
        rows = pl.read_csv(
            text.encode(),
            separator=separator,
            infer_schema=False,
            new_columns=[str(position) for position in range(len(headings))],
        )
    except pl.exceptions.PolarsError as error:
        where = _long_row(text, separator, len(headings))
        raise SourceError(
            f"{described(source)} is no regular CSV{where}.",
            "Ask who delivers the file to quote cells that hold a separator or a quote.",
        ) from error
    return headings, rows


def _long_row(text: str, separator: str, width: int) -> str:
    """Where the first row with too many cells is, for the end of a sentence."""
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    cells = next(((n, len(row)) for n, row in enumerate(rows) if len(row) > width), None)
    return f": row {cells[0]} has {cells[1]} cells under {width} headings" if cells else ""


def _decoded(payload: bytes, source: SourceVersion) -> str:
    is_utf16 = payload.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    try:
        return payload.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{described(source)} is not UTF-8: byte {error.start + 1} can't be read.",
            "Ask who delivers the file to save it as CSV in UTF-8.",
        ) from error


def _read_xlsx(payload: bytes, source: SourceVersion) -> tuple[list[str], pl.DataFrame]:
    import fastexcel

    try:
        sheet = fastexcel.read_excel(payload).load_sheet(0, header_row=None, dtypes="string")
        cells = sheet.to_polars()
    except fastexcel.FastExcelError as error:
        raise SourceError(f"{described(source)} is no readable workbook.", _ASK) from error
    if not cells.height:
        raise SourceError(f"{described(source)} has an empty first sheet.", _ASK)
    text = pl.all()
    is_midnight = text.str.ends_with(_MIDNIGHT)
    is_dates = (is_midnight | ~text.str.contains(_TIMESTAMP)).all()
    rows = cells.slice(1).with_columns(
        pl.when(is_dates).then(text.str.strip_suffix(_MIDNIGHT)).otherwise(text)
    )
    return [heading or "" for heading in cells.row(0)], rows


def _read_parquet(
    payload: bytes, source: SourceVersion, rows: int | None = None
) -> tuple[list[str], pl.DataFrame]:
    try:
        table = pl.read_parquet(payload, n_rows=rows)
    except pl.exceptions.PolarsError as error:
        raise SourceError(f"{described(source)} is no readable Parquet file.", _ASK) from error
    table = table.select(pl.exclude(pl.Binary))
    return table.columns, table


def _refuse(what: str, names: Sequence[str], remedy: str) -> None:
    if names:
        raise SourceError(f"{what} {_listed(names)}.", remedy)


def _listed(names: Sequence[str]) -> str:
    return sample_text([name for name in names if name], most=12)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))
