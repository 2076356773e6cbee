"""Text that is not as it should be, scanned row by row.

The data is UTF-8 text with commas; `cells.py` says how quotes are read, `buffer.py` where lines
end. Lines of blanks only are passed over. A row with too few cells is filled with blank ones, of
one with too many blank ones are cut off, and it is told; where more than blanks would be cut off,
the row is left out, and so is a row longer than any (`csv_parsing_failed`).

A row is read the same wherever a buffer begins or ends: where its end can't be seen yet, it is left
for the next buffer. No byte is looked at more than a few times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipelines.sources.gtfs.buffer import (
    LINE_END,
    MOST_ROW_BYTES,
    Buffer,
    MoreNeededError,
    TooLongError,
    count_lines,
)
from pipelines.sources.gtfs.cells import (
    BLANK,
    UNCLOSED,
    UNESCAPED,
    Row,
    is_long,
    read_cells,
    simple_cells,
)
from pipelines.sources.gtfs.plain import MOST_CELL

WRONG_LENGTH = "invalid_row_length"
EMPTY_ROW = "empty_row"
NULL_BYTE = "null_byte"
# Text of a row that a finding keeps.
SHOWN_BYTES = 800

_BLANKS_TO_END = re.compile(BLANK + rb"+\Z")
_BLANK_LINES = re.compile(rb"[\x00-\x20]*[\r\n]")
_LOW = bytes(range(0x21))
_SPACE = b" "[0]


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
class Scanner:
    """Reads rows of `width` cells (any number where it is 0); `line` is the next line's number.

    While `is_skipping`, the rest of a row that was too long is still to be passed over.
    """

    width: int = 0
    most_cell: int = MOST_CELL
    line: int = 1
    is_skipping: bool = False
    _at: int = 0

    def scan(self, buffer: Buffer, at: int, target: int, into: Scanned) -> int:
        """Read every row that begins from `at` to `target`; where the first unread row begins."""
        text, self._at = buffer.text, at
        even_end, ending = _even_lines(text, at, target) if self.width else (at, b"")
        while self._at < target:
            try:
                if self.is_skipping:
                    self._at = self._skip(buffer, self._at)
                elif self._at < even_end:
                    self._read_even(buffer, even_end, ending, into)
                else:
                    self._at = self._next(buffer, self._at, into)
            except TooLongError as too_long:
                into.tell(UNCLOSED, self.line, None, text[self._at : self._at + SHOWN_BYTES])
                self.line += count_lines(text[self._at : too_long.at])
                self.is_skipping = True
                self._at = too_long.at
            except MoreNeededError:
                break
        return self._at

    def _read_even(self, buffer: Buffer, end: int, ending: bytes, into: Scanned) -> None:
        """Read lines that all end alike: the simple ones here and at once, others as `_next` does.

        They are split once; those that belong to the row before are passed over.
        """
        begin = self._at
        for line in buffer.text[begin : end - len(ending)].split(ending):
            after = begin + len(line) + len(ending)
            if begin == self._at:
                cells = simple_cells(line) if len(line) <= self.most_cell else None
                if cells is None or (len(cells) == 1 and not cells[0].strip(_LOW)):
                    self._at = self._next(buffer, begin, into)
                else:
                    if len(cells) != self.width:
                        self._fit(cells, line, into)
                    if cells:
                        into.numbers.append(self.line)
                        into.rows.append(cells)
                    self.line += 1
                    self._at = after
            begin = after

    def _next(self, buffer: Buffer, at: int, into: Scanned) -> int:
        """Read a row, or pass over blank lines; where the next row begins."""
        text = buffer.text
        if text[at] <= _SPACE:
            begin = self._blank_lines(buffer, at, into)
            if begin > at:
                return begin
        row = Row(at, *buffer.line_end(at, at))
        if text.find(b'"', at, row.end) < 0:
            row.cells = text[at : row.end].split(b",")
        else:
            read_cells(buffer, row, self.most_cell)
        if row.after - at > self.most_cell:
            long = [(n, cell) for n, cell in enumerate(row.cells) if is_long(cell, self.most_cell)]
            row.marks.extend((UNCLOSED, place, cell) for place, cell in long)
        self._take(row, text[at : row.end], into)
        self.line += count_lines(text[at : row.after]) if row.has_lines else 1
        return row.after

    def _take(self, row: Row, text: bytes, into: Scanned) -> None:
        cells, number = row.cells, self.line
        if len(cells) == 1 and not cells[0].strip(_LOW):
            into.tell(EMPTY_ROW, number)
            cells.clear()
        if b"\0" in text:
            _leave_out_nulls(cells, number, into)
        if cells and self.width and len(cells) != self.width:
            self._fit(cells, text, into)
        for code, place, value in row.marks:
            if cells or code in (UNCLOSED, UNESCAPED):
                into.tell(code, number, place, value)
        if cells:
            into.numbers.append(number)
            into.rows.append(cells)

    def _fit(self, cells: list[bytes], text: bytes, into: Scanned) -> None:
        """Make cells as many as they should be, or none where more than blanks would be lost."""
        into.tell(WRONG_LENGTH, self.line, None, text[:SHOWN_BYTES])
        if any(cell.strip(_LOW) for cell in cells[self.width :]):
            cells.clear()
        else:
            cells[self.width :] = [b""] * (self.width - len(cells))

    def _blank_lines(self, buffer: Buffer, at: int, into: Scanned) -> int:
        """Pass over lines of blanks; `at` where there is none."""
        text, most = buffer.text, at + MOST_ROW_BYTES + 1
        rest = _BLANKS_TO_END.match(text, at) if buffer.is_last else None
        if rest and len(text) < most:
            into.tell(EMPTY_ROW, self.line)
            if b"\0" in rest.group():
                into.tell(NULL_BYTE, self.line)
            return len(text)
        found = _BLANK_LINES.match(text, at, most)
        begin = found.end() if found else at
        if begin == most or (found and begin == len(text) and not buffer.is_last):
            # The last returns may belong to a line feed that is not seen yet.
            begin -= 2 - len(text[begin - 2 : begin].rstrip(b"\r"))
        if begin <= at:
            if found:
                raise MoreNeededError
            return at
        passed = text[at:begin]
        if b"\0" in passed:
            for number, line in enumerate(LINE_END.split(passed), self.line):
                if b"\0" in line:
                    into.tell(NULL_BYTE, number)
        self.line += count_lines(passed)
        return begin

    def _skip(self, buffer: Buffer, at: int) -> int:
        """Pass over the rest of a line."""
        found = LINE_END.search(buffer.text, at)
        if not found:
            return len(buffer.text)
        if not buffer.may_go_on(found.end()):
            self.line += 1
            self.is_skipping = False
            return found.end()
        if found.start() == at:
            raise MoreNeededError
        return found.start()


def _even_lines(text: bytes, at: int, target: int) -> tuple[int, bytes]:
    """Up to where lines have no null bytes and all end alike, and how they end."""
    end = text.rfind(b"\n", at, target) + 1
    lines = text[at:end]
    returns = lines.count(b"\r")
    is_even = returns in (0, lines.count(b"\n")) and returns == lines.count(b"\r\n")
    if not lines or b"\0" in lines or not is_even:
        return at, b""
    return end, b"\r\n" if returns else b"\n"


def _leave_out_nulls(cells: list[bytes], number: int, into: Scanned) -> None:
    places = [place for place, cell in enumerate(cells) if b"\0" in cell]
    for place in places:
        cells[place] = cells[place].replace(b"\0", b"")
        into.tell(NULL_BYTE, number, place, cells[place])
    if not places:
        into.tell(NULL_BYTE, number)
