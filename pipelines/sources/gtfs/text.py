"""One text file of a feed becomes a table of text: fast where it is good, tolerant where not.

The data: comma-separated values as publishers make them. Values are trimmed of everything up to
the space, blank ones are null. `row_number` counts lines as an editor does, the header's being 1; a
row of several lines has the number of the first. Pieces that are as they should be are read by
Polars (`plain.py`), others by the scanner (`scanner.py`), which gives the same for the same bytes,
so one bad row slows down a few thousand and no more.

Findings are in the words of the Canonical GTFS Schedule Validator. Where it would stop reading (a
header that names a column twice or not at all, a cell too long, a quote that never closes) reading
goes on here: `csv_parsing_failed` with a row number concerns that row, and without one nothing of
the file was read (tabs or semicolons for commas, more than `MOST_COLUMNS` columns). A row with more
or fewer cells than the header is told, with its text as the value; it is read on where nothing was
lost (cells that lack at its end are blank, cells beyond the header hold nothing), as in many real
feeds, and else left out, as there. Not looked at: whether a column is known or needed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import polars as pl

from pipelines.sources.gtfs.buffer import LINE_END, MOST_ROW_BYTES, Buffer
from pipelines.sources.gtfs.cells import EDGES, NEW_LINE, UNCLOSED, UNESCAPED
from pipelines.sources.gtfs.plain import BLANKS, read_plain
from pipelines.sources.gtfs.scanner import (
    EMPTY_ROW,
    NULL_BYTE,
    SHOWN_BYTES,
    WRONG_LENGTH,
    Scanned,
    Scanner,
)
from pipelines.sources.gtfs.utf8 import UTF8, Utf8Stream
from pipelines.staging.gtfs.raw import TextTable
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, ROW

# As in the canonical validator's CSV reader; GTFS's widest file has 25 columns.
MOST_COLUMNS = 512
# The canonical validator sets no limit to the cells of this file: they may hold polygons.
UNLIMITED = "areas"
# A file is read in pieces of this size, and where one is not as it should be, in smaller ones.
READ_BYTES = 64 * 1024**2
PIECE_BYTES = 256 * 1024
SHOWN_CHARACTERS = 200
OTHER_SEPARATORS = b";\t|"
REPLACEMENT = "\ufffd"
# A byte-order mark and the space of spreadsheets round a column's name are never meant.
HEADER_EDGES = f"{BLANKS}\ufeff\xa0"
TAIL_BYTES = 64 * 1024

ENCODING = "encoding_not_utf8"
EMPTY_FILE = "empty_file"
DUPLICATED = "duplicated_column"
NAMELESS = "empty_column_name"
INVALID = "invalid_character"
CODES = frozenset(
    {
        *(DUPLICATED, EDGES, EMPTY_FILE, EMPTY_ROW, ENCODING, INVALID),
        *(NAMELESS, NEW_LINE, NULL_BYTE, UNCLOSED, UNESCAPED, WRONG_LENGTH),
    }
)

_Finding = tuple[int | None, str | None, str | None]


def read_text(payload: bytes, name: str) -> TextTable:
    """The table in a file of this name (``stop_times``); nothing is raised, whatever the bytes."""
    return _joined(list(read_text_blocks(io.BytesIO(payload), name, READ_BYTES)))


def read_text_blocks(stream: BinaryIO, name: str, block_bytes: int) -> Iterator[TextTable]:
    """The same rows and findings as `read_text` gives, in order, some `block_bytes` of text a time.

    At least one block, all with the same columns. Errors of the stream come through.
    """
    source = Utf8Stream(stream)
    reader = _Reader(name.removesuffix(".txt"))
    text = b""
    while not source.at_end:
        # A row that is not whole yet asks for as much again, so that none is scanned too often.
        text += source.read(max(block_bytes, len(text)))
        text = text[reader.read(Buffer(text, source.at_end)) :]
        if reader.has_header or source.at_end:
            if source.encoding != UTF8:
                reader.tell(ENCODING, [(None, None, source.encoding)], once=True)
            yield reader.taken()


class _Reader:
    """Buffers of UTF-8 text in, rows and findings out."""

    def __init__(self, name: str) -> None:
        self._scanner = Scanner()
        if name == UNLIMITED:
            self._scanner.most_cell = MOST_ROW_BYTES
        self._frames: list[pl.DataFrame] = []
        self._found: dict[str, list[pl.DataFrame]] = {}
        self._told: set[str] = set()
        self._names: list[str | None] = []  # by place; None: nothing is read from there
        self._columns: tuple[str, ...] = ()
        self._is_refused = False
        self.has_header = False

    def read(self, buffer: Buffer) -> int:
        """Read what is whole of a buffer; where the first unread row begins."""
        at = 0 if self.has_header else self._header(buffer)
        if self._is_refused:
            return len(buffer.text)
        if not self.has_header:
            return at
        end = _whole_lines(buffer.text, at, len(buffer.text))
        if end - at > PIECE_BYTES and self._plain(buffer.text, at, end):
            at = end
        return self._in_pieces(buffer, at)

    def tell(self, code: str, findings: Sequence[_Finding], *, once: bool = False) -> None:
        """Add findings."""
        if not findings or (once and code in self._told):
            return
        self._told.add(code)
        columns = zip(FOUND_SCHEMA.items(), zip(*findings, strict=True), strict=True)
        rows = pl.DataFrame([pl.Series(name, values, kind) for (name, kind), values in columns])
        self._found.setdefault(code, []).append(rows)

    def taken(self) -> TextTable:
        """What was read since the last time."""
        frames, self._frames = self._frames, []
        found, self._found = self._found, {}
        rows = pl.concat(frames) if frames else pl.DataFrame(schema=self._schema())
        return TextTable(
            rows, self._columns, {code: pl.concat(parts) for code, parts in found.items()}
        )

    def _schema(self) -> dict[str, type[pl.DataType]]:
        named = [name for name in self._names if name is not None]
        return {ROW: pl.Int64, **dict.fromkeys(named, pl.String)}

    def _in_pieces(self, buffer: Buffer, at: int) -> int:
        text = buffer.text
        while at < len(text):
            target = min(at + PIECE_BYTES, len(text))
            end = _whole_lines(text, at, target)
            if self._plain(text, at, end):
                at = end
                continue
            scanned = Scanned()
            begin, at = at, self._scanner.scan(buffer, at, target, scanned)
            self._take(scanned)
            if at == begin:
                break
        return at

    def _plain(self, text: bytes, at: int, end: int) -> bool:
        """Whether these lines are as they should be; their rows are then taken."""
        if end <= at or self._scanner.is_skipping:
            return False
        lines = text[at:end]
        cells = read_plain(lines, len(self._names))
        if cells is None:
            return False
        line = self._scanner.line
        number = pl.int_range(line, line + cells.height, dtype=pl.Int64).alias(ROW)
        may_be_invalid = b"\xef" in lines and REPLACEMENT.encode() in lines
        self._add(cells.select(number, *self._named()), may_be_invalid=may_be_invalid)
        self._scanner.line += cells.height
        return True

    def _named(self) -> list[pl.Expr]:
        return [pl.col(str(place)).alias(name) for place, name in enumerate(self._names) if name]

    def _take(self, scanned: Scanned) -> None:
        self._tell_scanned(scanned)
        if not scanned.rows:
            return
        columns = zip(self._names, zip(*scanned.rows, strict=True), strict=True)
        cells = pl.DataFrame(
            [
                pl.Series(ROW, scanned.numbers, pl.Int64),
                *(pl.Series(name, cells, pl.Binary) for name, cells in columns if name),
            ]
        )
        values = (
            pl.col(name).cast(pl.String).str.strip_chars(BLANKS) for name in cells.columns[1:]
        )
        rows = cells.select(ROW, *(pl.when(value != "").then(value) for value in values))
        self._add(rows, may_be_invalid=True)

    def _tell_scanned(self, scanned: Scanned) -> None:
        for code, findings in scanned.found.items():
            self.tell(code, list(self._as_text(code, findings)))

    def _as_text(
        self, code: str, findings: Iterable[tuple[int, int | None, bytes]]
    ) -> Iterator[_Finding]:
        for number, place, value in findings:
            if place is None:
                yield number, None, _shown(value) or None
                continue
            name = self._names[place] if place < len(self._names) else None
            if name or code not in (EDGES, NEW_LINE):
                yield number, name, value.decode()

    def _add(self, rows: pl.DataFrame, *, may_be_invalid: bool) -> None:
        """Take rows, and tell which values could not be decoded."""
        self._frames.append(rows)
        if not may_be_invalid:
            return
        invalid = [
            rows.filter(pl.col(name).str.contains(REPLACEMENT, literal=True)).select(
                ROW, pl.lit(name).alias("field_name"), pl.col(name).alias("value")
            )
            for name in rows.columns
            if name != ROW
        ]
        told = pl.concat(invalid) if invalid else pl.DataFrame(schema=FOUND_SCHEMA)
        if told.height:
            told = told.sort(ROW, maintain_order=True)
            self._found.setdefault(INVALID, []).append(told)

    def _header(self, buffer: Buffer) -> int:
        """Read the header, the first row that is not blank; where the rows begin."""
        scanned, at, begin = Scanned(), 0, -1
        while begin < at < len(buffer.text) and not (scanned.rows or UNCLOSED in scanned.found):
            begin, at = at, self._scanner.scan(buffer, at, at + 1, scanned)
        scanned.found.pop(EMPTY_ROW, None)
        if scanned.rows:
            self._name(scanned.rows[0], scanned.numbers[0])
        elif UNCLOSED in scanned.found:
            self._refuse(scanned.found[UNCLOSED][0][2])
        elif buffer.is_last:
            self.has_header = True
            self.tell(EMPTY_FILE, [(None, None, None)])
        if not self._is_refused:
            self._tell_scanned(scanned)
        return at

    def _name(self, cells: Sequence[bytes], number: int) -> None:
        """Name the columns by the header's cells, or refuse the file."""
        is_other = len(cells) == 1 and any(mark in cells[0] for mark in OTHER_SEPARATORS)
        if is_other or len(cells) > MOST_COLUMNS:
            self._refuse(b",".join(cells)[:SHOWN_BYTES])
            return
        self.has_header = True
        self._scanner.width = len(cells)
        columns: dict[str, None] = {}
        for place, cell in enumerate(cells):
            name = cell.decode().strip(HEADER_EDGES)
            if not name or name in columns:
                code = DUPLICATED if name else NAMELESS
                self.tell(code, [(number, name or None, str(place + 1))])
            is_read = name and name not in columns and name != ROW
            self._names.append(name if is_read else None)
            if name:
                columns[name] = None
        self._columns = tuple(columns)

    def _refuse(self, header: bytes) -> None:
        """Read nothing of the file: it can't be split into cells."""
        self.has_header = self._is_refused = True
        self.tell(UNCLOSED, [(None, None, _shown(header))])


def _whole_lines(text: bytes, at: int, end: int) -> int:
    """The end of the last line that ends within ``text[at:end]``; `at` where none surely does.

    Blank lines at the end are left to the scanner.
    """
    cut = text.rfind(b"\n", at, end) + 1
    if not cut:
        cut = text.rfind(b"\r", at, max(at, end - 1)) + 1
        return cut if cut and text[cut] not in b"\r\n" else at
    tail = text[max(at, cut - TAIL_BYTES) : cut]
    last_line = cut - len(tail) + len(tail.rstrip(b"\r\n"))
    ended = LINE_END.match(text, last_line)
    return ended.end() if ended else cut


def _shown(text: bytes) -> str:
    """The begin of a row's text."""
    return text[:SHOWN_BYTES].decode(errors="ignore").strip("\r\n")[:SHOWN_CHARACTERS]


def _joined(blocks: Sequence[TextTable]) -> TextTable:
    if len(blocks) == 1:
        return blocks[0]
    found: dict[str, list[pl.DataFrame]] = {}
    for block in blocks:
        for code, rows in block.findings.items():
            found.setdefault(code, []).append(rows)
    return TextTable(
        pl.concat([block.rows for block in blocks]),
        blocks[-1].columns,
        {code: pl.concat(parts) for code, parts in found.items()},
    )
