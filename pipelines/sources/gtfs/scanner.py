"""Text that is not as it should be, scanned row by row and cell by cell.

The data is UTF-8 text with commas. What RFC 4180 allows is read as it says. Beyond it:

- A row ends at LF, CR LF, CR CR LF or CR alone; lines of blanks only are passed over.
- Blanks (everything up to the space) round a quoted cell belong to nobody.
- Quotes that are not doubled within a quoted cell are text where the cell still closes on its
  line, and so are quotes within a cell that does not begin with one (`unescaped_quote`).
- A quote that never closes is text, its cell ends at the next comma or end of line, and the lines
  after it are rows again (`csv_parsing_failed`). Never closes: not within `most_cell` characters,
  or the next quote that could close it is on another line and closes nothing.
- A row longer than `MOST_ROW_BYTES` is left out (`csv_parsing_failed`).

A row is read the same wherever a buffer begins or ends: where its end can't be seen yet, it is left
for the next buffer. No byte is looked at more than a few times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipelines.sources.gtfs.plain import MOST_CELL

# The longest rows of real feeds hold a polygon of some 100 kB.
MOST_ROW_BYTES = 1024**2
# A character has at most four bytes (a doubled quote two).
BYTES_A_CHARACTER = 4
# Text of a row that a finding keeps.
SHOWN_BYTES = 800

UNCLOSED = "csv_parsing_failed"
UNESCAPED = "unescaped_quote"
WRONG_LENGTH = "invalid_row_length"
EMPTY_ROW = "empty_row"
NULL_BYTE = "null_byte"
NEW_LINE = "new_line_in_value"
EDGES = "leading_or_trailing_whitespaces"

LINE_END = re.compile(rb"\r{0,2}\n|\r")

_BLANK = rb"[\x00-\x09\x0b\x0c\x0e-\x20]"
_BLANKS = re.compile(_BLANK + rb"*+")
_BLANKS_TO_END = re.compile(_BLANK + rb"+\Z")
_BLANK_LINES = re.compile(rb"[\x00-\x20]*[\r\n]")
# A cell with its comma, and a row of them, where every quote stands at a cell's edge.
_SIMPLE = _BLANK + rb'*+(?:"([^"\r\n]*+)"' + _BLANK + rb'*+|([^",\r\n]*+)),'
_SIMPLE_CELL = re.compile(_SIMPLE)
_SIMPLE_ROW = re.compile(rb"(?:" + _SIMPLE + rb")++")
_INNER_BLANK = re.compile(rb'"' + _BLANK + rb"|" + _BLANK + rb'"')
_QUOTED = re.compile(rb'"((?:[^"]++|"")*+)"')
_CLOSING = re.compile(rb'"' + _BLANK + rb"*+(?:(?=,)|\Z)")
_LOW = bytes(range(0x21))
_QUOTE, _CR, _SPACE = b'"\r '


class _MoreNeededError(Exception):
    """The row's end lies beyond the buffer."""


class _TooLongError(Exception):
    """The row is longer than any row; the end of its line is sought from `at`."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


@dataclass
class Scanned:
    """Rows as lists of cells' bytes with their numbers, and what was found.

    `found` has, by notice code, row number, place of the column (None: the whole row) and value.
    """

    numbers: list[int] = field(default_factory=list)
    rows: list[list[bytes]] = field(default_factory=list)
    found: dict[str, list[tuple[int, int | None, bytes]]] = field(default_factory=dict)

    def tell(self, code: str, number: int, place: int | None = None, value: bytes = b"") -> None:
        """Add a finding."""
        self.found.setdefault(code, []).append((number, place, value))


@dataclass
class _Row:
    """A row being read: its first byte, the end of its last line so far, the next row's begin."""

    begin: int
    end: int
    after: int
    cells: list[bytes] = field(default_factory=list)
    marks: list[tuple[str, int, bytes]] = field(default_factory=list)
    may_close: bool = True  # a quote before a comma may still come on this line
    has_lines: bool = False

    def mark(self, code: str, cell: bytes) -> None:
        self.marks.append((code, len(self.cells), cell))


@dataclass
class Scanner:
    """Reads rows of `width` cells (any number where it is None); `line` is the next line's number.

    While `is_skipping`, the rest of a row that was too long is still to be passed over.
    """

    width: int | None = None
    most_cell: int = MOST_CELL
    line: int = 1
    is_skipping: bool = False
    _body: bytes = b""
    _is_last: bool = False

    def scan(self, body: bytes, at: int, target: int, *, is_last: bool, into: Scanned) -> int:
        """Read every row that begins in ``body[at:target]``; where the first unread row begins.

        `is_last` says that no more bytes follow `body`.
        """
        self._body, self._is_last = body, is_last
        while at < target:
            try:
                at = self._skip(at) if self.is_skipping else self._next(at, into)
            except _TooLongError as too_long:
                into.tell(UNCLOSED, self.line, None, body[at : at + SHOWN_BYTES])
                self.line += count_lines(body[at : too_long.at])
                self.is_skipping = True
                at = too_long.at
            except _MoreNeededError:
                break
        return at

    def _next(self, at: int, into: Scanned) -> int:
        """Read a row, or pass over blank lines; where the next row begins."""
        body = self._body
        if body[at] <= _SPACE:
            begin = self._blank_lines(at, into)
            if begin > at:
                return begin
        row = _Row(at, *self._line_end(at, at))
        if body.find(b'"', at, row.end) < 0:
            row.cells = body[at : row.end].split(b",")
        else:
            self._read_cells(row)
        if row.after - at > self.most_cell:
            long = [(n, cell) for n, cell in enumerate(row.cells) if self._is_long(cell)]
            row.marks.extend((UNCLOSED, place, cell) for place, cell in long)
        self._take(row, into)
        self.line += count_lines(body[at : row.after]) if row.has_lines else 1
        return row.after

    def _take(self, row: _Row, into: Scanned) -> None:
        text, number = self._body[row.begin : row.end], self.line
        if len(row.cells) == 1 and not row.cells[0].strip(_LOW):
            into.tell(EMPTY_ROW, number)
            row.cells.clear()
        if b"\0" in text:
            _leave_out_nulls(row.cells, number, into)
        if not row.cells:
            return
        is_kept = True
        if self.width is not None and len(row.cells) != self.width:
            into.tell(WRONG_LENGTH, number, None, text[:SHOWN_BYTES])
            is_kept = not any(cell.strip(_LOW) for cell in row.cells[self.width :])
            row.cells[self.width :] = [b""] * (self.width - len(row.cells))
        for code, place, value in row.marks:
            if is_kept or code in (UNCLOSED, UNESCAPED):
                into.tell(code, number, place, value)
        if is_kept:
            into.numbers.append(number)
            into.rows.append(row.cells)

    def _blank_lines(self, at: int, into: Scanned) -> int:
        """Pass over lines of blanks; `at` where there is none."""
        body, most = self._body, at + MOST_ROW_BYTES + 1
        rest = _BLANKS_TO_END.match(body, at) if self._is_last else None
        if rest and len(body) < most:
            into.tell(EMPTY_ROW, self.line)
            if b"\0" in rest.group():
                into.tell(NULL_BYTE, self.line)
            return len(body)
        found = _BLANK_LINES.match(body, at, most)
        begin = found.end() if found else at
        if begin == most or (found and begin == len(body) and not self._is_last):
            # The last returns may belong to a line feed that is not seen yet.
            begin -= 2 - len(body[begin - 2 : begin].rstrip(b"\r"))
        if begin <= at:
            if found:
                raise _MoreNeededError
            return at
        passed = body[at:begin]
        if b"\0" in passed:
            for number, line in enumerate(LINE_END.split(passed), self.line):
                if b"\0" in line:
                    into.tell(NULL_BYTE, number)
        self.line += count_lines(passed)
        return begin

    def _line_end(self, row: int, at: int) -> tuple[int, int]:
        """End of the line at `at` of the row that began at `row`, and where the next one begins."""
        most = row + MOST_ROW_BYTES
        found = LINE_END.search(self._body, at, most + 3)
        if found and found.start() <= most:
            if self._may_go_on(found.end()):
                raise _MoreNeededError
            return found.span()
        if len(self._body) > most:
            raise _TooLongError(at)
        if not self._is_last:
            raise _MoreNeededError
        return len(self._body), len(self._body)

    def _skip(self, at: int) -> int:
        """Pass over the rest of a line."""
        found = LINE_END.search(self._body, at)
        if not found:
            return len(self._body)
        if not self._may_go_on(found.end()):
            self.line += 1
            self.is_skipping = False
            return found.end()
        if found.start() == at:
            raise _MoreNeededError
        return found.start()

    def _may_go_on(self, after: int) -> bool:
        """Whether an end of line that was found may be the begin of a longer one."""
        is_return = self._body[after - 1] == _CR and self._body[after:] in (b"", b"\r")
        return is_return and not self._is_last

    def _read_cells(self, row: _Row) -> None:
        """Cells of a row with quotes."""
        line = self._body[row.begin : row.end] + b","
        if _SIMPLE_ROW.fullmatch(line):
            found = _SIMPLE_CELL.findall(line)
            if _INNER_BLANK.search(line):
                for quoted, bare in found:
                    _mark_edges(quoted, row)
                    row.cells.append(quoted or bare)
            else:
                row.cells = [quoted or bare for quoted, bare in found]
            return
        stop = row.begin - 1
        while stop < row.end:
            at = stop + 1
            cell, stop = self._cell(at, row)
            row.cells.append(cell)

    def _cell(self, at: int, row: _Row) -> tuple[bytes, int]:
        """The cell at `at`, and where its comma or end of line is."""
        body = self._body
        blanks = _BLANKS.match(body, at, row.end)
        begin = blanks.end() if blanks else at
        if begin >= row.end or body[begin] != _QUOTE:
            cell, stop = self._literal(at, row.end)
            if b'"' in cell:
                row.mark(UNESCAPED, cell)
            return cell, stop
        cell, stop, is_unclosed = self._quoted(begin)
        if stop < 0:
            return self._mended(at, begin, row, is_unclosed=is_unclosed)
        if stop > row.end:
            row.end, row.after = self._line_end(row.begin, stop)
            row.may_close = row.has_lines = True
        if b"\n" in cell or b"\r" in cell:
            row.mark(NEW_LINE, cell)
        _mark_edges(cell, row)
        return cell, stop

    def _literal(self, at: int, end: int) -> tuple[bytes, int]:
        stop = self._body.find(b",", at, end)
        stop = end if stop < 0 else stop
        return self._body[at:stop], stop

    def _mended(self, at: int, begin: int, row: _Row, *, is_unclosed: bool) -> tuple[bytes, int]:
        """The cell that opens at `begin` with a quote that is not closed as it should be."""
        closing = None
        if row.may_close and not is_unclosed:
            closing = _CLOSING.search(self._body, begin + 1, row.end)
            row.may_close = closing is not None
        if closing:
            cell = self._body[begin + 1 : closing.start()].replace(b'""', b'"')
            stop = closing.end()
        else:
            cell, stop = self._literal(at, row.end)
        row.mark(UNCLOSED if is_unclosed else UNESCAPED, cell)
        return cell, stop

    def _quoted(self, begin: int) -> tuple[bytes, int, bool]:
        """The cell that opens at `begin`, where its comma or end of line is, and False.

        -1 where it is not closed as it should be; then True where nothing on its line closes it.
        """
        body = self._body
        limit = begin + 2 + BYTES_A_CHARACTER * self.most_cell
        found = _QUOTED.match(body, begin, limit)
        if not found:
            if limit > len(body) and not self._is_last:
                raise _MoreNeededError
            return b"", -1, True
        blanks = _BLANKS.match(body, found.end())
        stop = blanks.end() if blanks else found.end()
        if stop == len(body) and not self._is_last:
            raise _MoreNeededError
        cell = found.group(1)
        has_lines = b"\n" in cell or b"\r" in cell
        is_closed = stop == len(body) or body[stop] in b",\r\n"
        if not is_closed or (has_lines and self._is_long(cell)):
            return b"", -1, has_lines
        return (cell.replace(b'""', b'"') if b'""' in cell else cell), stop, False

    def _is_long(self, cell: bytes) -> bool:
        return len(cell) > self.most_cell and len(cell.decode()) > self.most_cell


def _mark_edges(cell: bytes, row: _Row) -> None:
    if cell and (cell[0] <= _SPACE or cell[-1] <= _SPACE):
        row.mark(EDGES, cell)


def count_lines(text: bytes) -> int:
    """How many ends of line there are."""
    returns = text.count(b"\r")
    if not returns:
        return text.count(b"\n")
    return text.count(b"\n") + returns - text.count(b"\r\n") - text.count(b"\r\r\n")


def _leave_out_nulls(cells: list[bytes], number: int, into: Scanned) -> None:
    places = [place for place, cell in enumerate(cells) if b"\0" in cell]
    for place in places:
        cells[place] = cells[place].replace(b"\0", b"")
        into.tell(NULL_BYTE, number, place, cells[place])
    if not places:
        into.tell(NULL_BYTE, number)
