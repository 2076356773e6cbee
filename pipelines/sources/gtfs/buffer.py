"""A piece of a text file, and where its lines end.

The data is UTF-8 text. A line ends at LF, CR LF, CR CR LF or CR alone. What is read from a buffer
is the same wherever the buffer begins and ends: where that depends on bytes that are still to come,
`MoreNeededError` is raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The longest rows of real feeds hold a polygon of some 100 kB.
MOST_ROW_BYTES = 1024**2
LINE_END = re.compile(rb"\r{0,2}\n|\r")

_CR = b"\r"[0]


class MoreNeededError(Exception):
    """The row's end lies beyond the buffer."""


class TooLongError(Exception):
    """The row is longer than any row; the end of its line is sought from `at`."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


@dataclass(frozen=True)
class Buffer:
    """Text, and whether no more follows."""

    text: bytes
    is_last: bool

    def line_end(self, row: int, at: int) -> tuple[int, int]:
        """End of the line at `at` of the row that began at `row`, and where the next one begins."""
        most = row + MOST_ROW_BYTES
        found = LINE_END.search(self.text, at, most + 3)
        if found and found.start() <= most:
            if self.may_go_on(found.end()):
                raise MoreNeededError
            return found.span()
        if len(self.text) > most:
            raise TooLongError(at)
        if not self.is_last:
            raise MoreNeededError
        return len(self.text), len(self.text)

    def may_go_on(self, after: int) -> bool:
        """Whether an end of line that was found may be the begin of a longer one."""
        is_return = self.text[after - 1] == _CR and self.text[after:] in (b"", b"\r")
        return is_return and not self.is_last


def count_lines(text: bytes) -> int:
    """How many ends of line there are."""
    returns = text.count(b"\r")
    if not returns:
        return text.count(b"\n")
    return text.count(b"\n") + returns - text.count(b"\r\n") - text.count(b"\r\r\n")
