"""The cells of a row with quotes, whether they stand as they should or not.

What RFC 4180 allows is read as it says. Beyond it:

- Blanks (everything up to the space) round a quoted cell belong to nobody.
- Quotes that are not doubled within a quoted cell are text where the cell still closes on its
  line, and so are quotes within a cell that does not begin with one (`unescaped_quote`).
- A quote that never closes is text, its cell ends at the next comma or end of line, and the lines
  after it are rows again (`csv_parsing_failed`). Never closes: not within as many characters as a
  cell may have, or the next quote that could close it is on another line and closes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipelines.sources.gtfs.buffer import Buffer, MoreNeededError

UNCLOSED = "csv_parsing_failed"
UNESCAPED = "unescaped_quote"
NEW_LINE = "new_line_in_value"
EDGES = "leading_or_trailing_whitespaces"

# A character has at most four bytes (a doubled quote two).
BYTES_A_CHARACTER = 4

BLANK = rb"[\x00-\x09\x0b\x0c\x0e-\x20]"
_BLANKS = re.compile(BLANK + rb"*+")
# A cell with its comma, and a row of them, where every quote stands at a cell's edge.
_SIMPLE = BLANK + rb'*+(?:"([^"\r\n]*+)"' + BLANK + rb'*+|([^",\r\n]*+)),'
_SIMPLE_CELL = re.compile(_SIMPLE)
_SIMPLE_ROW = re.compile(rb"(?:" + _SIMPLE + rb")++")
_INNER_BLANK = re.compile(rb'"' + BLANK + rb"|" + BLANK + rb'"')
_QUOTED = re.compile(rb'"((?:[^"]++|"")*+)"')
_CLOSING = re.compile(rb'"' + BLANK + rb"*+(?:(?=,)|\Z)")
_QUOTE, _SPACE = b'" '


@dataclass(slots=True)
class Row:
    """A row being read: its first byte, the end of its last line so far, the next row's begin.

    `marks` are what was found in its cells: notice code, place of the cell, value.
    """

    begin: int
    end: int
    after: int
    cells: list[bytes] = field(default_factory=list)
    marks: list[tuple[str, int, bytes]] = field(default_factory=list)
    may_close: bool = True  # a quote before a comma may still come on this line
    has_lines: bool = False

    def mark(self, code: str, cell: bytes) -> None:
        """Add what was found in the cell that comes next."""
        self.marks.append((code, len(self.cells), cell))

    def mark_edges(self, cell: bytes) -> None:
        """Tell blanks at the edges of a quoted cell."""
        if cell and (cell[0] <= _SPACE or cell[-1] <= _SPACE):
            self.mark(EDGES, cell)


def read_cells(buffer: Buffer, row: Row, most_cell: int) -> None:
    """Fill a row's cells, none longer than `most_cell` characters if of several lines.

    Raises MoreNeededError and TooLongError where its end is not in the buffer, or nowhere near.
    """
    line = buffer.text[row.begin : row.end] + b","
    if _SIMPLE_ROW.fullmatch(line):
        for quoted, bare in _SIMPLE_CELL.findall(line):
            row.mark_edges(quoted)
            row.cells.append(quoted or bare)
        return
    stop = row.begin - 1
    while stop < row.end:
        cell, stop = _cell(buffer, stop + 1, row, most_cell)
        row.cells.append(cell)


def simple_cells(line: bytes) -> list[bytes] | None:
    """The cells of a line where every quote is at a cell's edge and has no blank beside it.

    None of other lines, which `read_cells` reads.
    """
    if b'"' not in line:
        return line.split(b",")
    line += b","
    if _INNER_BLANK.search(line) or not _SIMPLE_ROW.fullmatch(line):
        return None
    return [quoted or bare for quoted, bare in _SIMPLE_CELL.findall(line)]


def is_long(cell: bytes, most_cell: int) -> bool:
    """Whether a cell has more characters than a cell may have."""
    return len(cell) > most_cell and len(cell.decode()) > most_cell


def _cell(buffer: Buffer, at: int, row: Row, most_cell: int) -> tuple[bytes, int]:
    """The cell at `at`, and where its comma or end of line is."""
    blanks = _BLANKS.match(buffer.text, at, row.end)
    begin = blanks.end() if blanks else at
    if begin >= row.end or buffer.text[begin] != _QUOTE:
        cell, stop = _literal(buffer, at, row.end)
        if b'"' in cell:
            row.mark(UNESCAPED, cell)
        return cell, stop
    cell, stop, is_unclosed = _quoted(buffer, begin, most_cell)
    if stop < 0:
        return _mended(buffer, at, begin, row, is_unclosed=is_unclosed)
    if stop > row.end:
        row.end, row.after = buffer.line_end(row.begin, stop)
        row.may_close = row.has_lines = True
    if b"\n" in cell or b"\r" in cell:
        row.mark(NEW_LINE, cell)
    row.mark_edges(cell)
    return cell, stop


def _literal(buffer: Buffer, at: int, end: int) -> tuple[bytes, int]:
    stop = buffer.text.find(b",", at, end)
    stop = end if stop < 0 else stop
    return buffer.text[at:stop], stop


def _mended(
    buffer: Buffer, at: int, begin: int, row: Row, *, is_unclosed: bool
) -> tuple[bytes, int]:
    """The cell that opens at `begin` with a quote that is not closed as it should be."""
    closing = None
    if row.may_close and not is_unclosed:
        closing = _CLOSING.search(buffer.text, begin + 1, row.end)
        row.may_close = closing is not None
    if closing:
        cell = buffer.text[begin + 1 : closing.start()].replace(b'""', b'"')
        stop = closing.end()
    else:
        cell, stop = _literal(buffer, at, row.end)
    row.mark(UNCLOSED if is_unclosed else UNESCAPED, cell)
    return cell, stop


def _quoted(buffer: Buffer, begin: int, most_cell: int) -> tuple[bytes, int, bool]:
    """The cell that opens at `begin`, where its comma or end of line is, and False.

    -1 where it is not closed as it should be; then True where nothing on its line closes it.
    """
    text = buffer.text
    limit = begin + 2 + BYTES_A_CHARACTER * most_cell
    found = _QUOTED.match(text, begin, limit)
    if not found:
        if limit > len(text) and not buffer.is_last:
            raise MoreNeededError
        return b"", -1, True
    blanks = _BLANKS.match(text, found.end())
    stop = blanks.end() if blanks else found.end()
    if stop == len(text) and not buffer.is_last:
        raise MoreNeededError
    cell = found.group(1)
    has_lines = b"\n" in cell or b"\r" in cell
    is_closed = stop == len(text) or text[stop] in b",\r\n"
    if not is_closed or (has_lines and is_long(cell, most_cell)):
        return b"", -1, has_lines
    return (cell.replace(b'""', b'"') if b'""' in cell else cell), stop, False
