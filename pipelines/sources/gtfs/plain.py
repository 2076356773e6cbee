"""Text that is as it should be, read by Polars in one go, and the proof that it was.

Polars fills rows that are too short and reads odd quotes in ways of its own, so that what it gives
is taken only where every byte is accounted for: the cells' bytes, a separator between neighbours,
an end of line after each row and the quotes round cells add up to the file's size. Left out, for
the scanner to read: null bytes, a lone carriage return among line feeds, blank lines, rows of
another length, line breaks and blanks at the edges of quoted cells, quotes that RFC 4180 does not
allow, cells longer than `MOST_CELL`, lines longer than `WINDOW_BYTES`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

# As in the Canonical GTFS Schedule Validator, which reads no further after a longer cell.
MOST_CELL = 4096
# What is trimmed: as there, everything up to the space.
BLANKS = "".join(map(chr, range(0x21)))
# Bytes looked at together: they stay in the processor's cache.
WINDOW_BYTES = 1 << 16

_COMMA, _QUOTE, _LF, _CR, _SPACE = b',"\n\r '


@dataclass(frozen=True)
class Bytes:
    """What a piece of text is made of: its line feeds, returns (all before a line feed, or one is
    `is_astray`), and bytes up to the space."""

    line_feeds: int
    returns: int
    low: int
    is_astray: bool


@dataclass(frozen=True)
class Quotes:
    """Quotes of a piece of text in which all stand as RFC 4180 asks; pairs within cells."""

    count: int
    pair_count: int


def read_plain(lines: bytes, width: int) -> pl.DataFrame | None:
    """Lines with their ends as rows of `width` text columns named ``0``, ``1``, ...

    Values are trimmed, blank ones null. None where the scanner must read them.
    """
    if b"\0" in lines:
        return None
    if b"\n" not in lines:
        lines = lines.replace(b"\r", b"\n")
    # Polars passes over a comma that is the last byte of all.
    if not lines.endswith(b"\n"):
        return None
    made_of = _bytes(lines)
    quotes = _quotes(lines) if b'"' in lines else Quotes(0, 0)
    if made_of is None or quotes is None:
        return None
    try:
        cells = pl.read_csv(
            lines,
            has_header=False,
            schema={str(place): pl.String for place in range(width)},
            quote_char='"' if quotes.count else None,
        )
    except pl.exceptions.PolarsError:
        return None
    if not _is_accounted_for(lines, cells, made_of, quotes):
        return None
    value = pl.all()
    if made_of.low > made_of.line_feeds + made_of.returns and _has_blank_edges(lines):
        value = value.str.strip_chars(BLANKS)
        cells = cells.select(pl.when(value != "").then(value))
    elif quotes.count:
        cells = cells.select(pl.when(value != "").then(value))
    # In a file of one column a blank line adds up too.
    is_blank = width == 1 and cells.to_series().null_count() > 0
    return None if is_blank else cells


def _is_accounted_for(lines: bytes, cells: pl.DataFrame, made_of: Bytes, quotes: Quotes) -> bool:
    length = pl.all().str.len_bytes()
    told = cells.select(length.sum().name.suffix(" bytes"), length.max()).row(0)
    total, longest = sum(told[: cells.width]), max(most or 0 for most in told[cells.width :])
    edges = cells.height * cells.width + made_of.returns + quotes.count - quotes.pair_count
    is_lined = made_of.line_feeds == cells.height and not made_of.is_astray
    return total + edges == len(lines) and is_lined and longest <= MOST_CELL


def _bytes(lines: bytes) -> Bytes | None:
    """What the lines are made of; None where one is longer than a window.

    Polars makes a column of each comma in its first line, however many there are.
    """
    octets = np.frombuffer(lines, np.uint8)
    line_feeds = returns = pairs = low = 0
    has_returns = b"\r" in lines
    for start in range(0, len(octets), WINDOW_BYTES):
        window = octets[start : start + WINDOW_BYTES + 1]
        is_line_feed = window == _LF
        here = int(np.count_nonzero(is_line_feed[:WINDOW_BYTES]))
        if not here:
            return None
        line_feeds += here
        low += int(np.count_nonzero(window[:WINDOW_BYTES] <= _SPACE))
        if has_returns:
            is_return = window[:WINDOW_BYTES] == _CR
            returns += int(np.count_nonzero(is_return))
            pairs += int(np.count_nonzero(is_return[: len(window) - 1] & is_line_feed[1:]))
    return Bytes(line_feeds, returns, low, is_astray=returns != pairs)


def _has_blank_edges(lines: bytes) -> bool:
    """Whether a blank stands beside a separator (also one within quotes) or an end of line."""
    if lines[0] <= _SPACE:
        return True
    octets = np.frombuffer(lines, np.uint8)
    for start in range(0, len(octets), WINDOW_BYTES):
        window = octets[start : start + WINDOW_BYTES + 1]
        is_end = (window == _LF) | (window == _CR)
        is_blank = (window <= _SPACE) & ~is_end
        is_edge = is_end | (window == _COMMA)
        if (is_blank[:-1] & is_edge[1:]).any() or (is_edge[:-1] & is_blank[1:]).any():
            return True
    return False


def _quotes(lines: bytes) -> Quotes | None:
    """The quotes, where they open and close by turns, at the edges of cells, or are doubled within.

    None where one does not, or where a quoted cell has a blank or a line break at an edge.
    """
    octets = np.frombuffer(lines, np.uint8)
    count = pair_count = 0
    if octets[0] == _QUOTE:
        if octets[1] <= _SPACE:
            return None
        count = 1
    for start in range(1, len(octets) - 1, WINDOW_BYTES):
        end = min(start + WINDOW_BYTES, len(octets) - 1)
        at = np.flatnonzero(octets[start:end] == _QUOTE)
        before, after = octets[start - 1 :].take(at), octets[start + 1 :].take(at)
        opening, closing = slice(count % 2, None, 2), slice(1 - count % 2, None, 2)
        pairs = _pairs(before[opening], after[opening], is_opening=True)
        if pairs is None or _pairs(after[closing], before[closing], is_opening=False) is None:
            return None
        pair_count += pairs
        count += at.size
    return Quotes(count, pair_count) if count % 2 == 0 else None


def _pairs(
    outside: npt.NDArray[np.uint8], inside: npt.NDArray[np.uint8], *, is_opening: bool
) -> int | None:
    """How many quotes stand beside another one outside the cell: they are half of a doubled one.

    None where one of the others is not at the edge of a cell, or has a blank on its inner side.
    """
    is_half = outside == _QUOTE
    is_edge = (outside == _COMMA) | (outside == _LF)
    if not is_opening:
        is_edge |= outside == _CR
    if not (is_half | is_edge).all() or (is_edge & (inside <= _SPACE)).any():
        return None
    return int(np.count_nonzero(is_half))
