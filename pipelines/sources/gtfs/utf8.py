"""The bytes of a text file as UTF-8, whatever they were written in.

UTF-8 goes through untouched, without its byte-order mark. UTF-16 and UTF-32 are known by their
mark, UTF-16 also by its null bytes. All else is read as UTF-8, and each byte that can't be is
U+FFFD, the replacement character: a guess between Latin-1 and Windows-1251 would be right for half
of the feeds and invent letters in the others.
"""

from __future__ import annotations

import codecs
from typing import BinaryIO

UTF8 = "utf-8"
# Longer marks first: that of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The first four letters of a header are plain ASCII: in UTF-16 every other byte of them is null.
LETTERS = 4
LEAST_READ_BYTES = 4 * LETTERS


class Utf8Stream:
    """A stream of bytes in any of these encodings, read as UTF-8 in pieces of whole characters."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder: codecs.IncrementalDecoder | None = None
        self._pending = b""
        self._is_begun = False
        self.encoding = UTF8
        self.at_end = False

    def read(self, size: int) -> bytes:
        """About `size` bytes more, always whole characters; `at_end` says whether more may follow.

        The end may be found only by a further read, which then gives nothing.
        """
        raw = self._take(max(size, LEAST_READ_BYTES))
        if not self._is_begun:
            raw = self._begin(raw)
        if self._decoder is not None:
            return self._decoder.decode(raw, self.at_end).encode()
        raw = self._pending + raw if self._pending else raw
        self._pending = b""
        return raw if raw.isascii() else self._whole(raw)

    def _take(self, size: int) -> bytes:
        pieces: list[bytes] = []
        missing = size
        while missing > 0:
            piece = self._stream.read(missing)
            if not piece:
                self.at_end = True
                break
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin(self, raw: bytes) -> bytes:
        self._is_begun = True
        for mark, encoding in MARKS:
            if raw.startswith(mark):
                self._decode_by(encoding)
                return raw.removeprefix(mark)
        start = raw[: 2 * LETTERS]
        if len(start) == 2 * LETTERS:
            even, odd = start[::2], start[1::2]
            if not any(odd) and all(even):
                self._decode_by("utf-16-le")
            elif not any(even) and all(odd):
                self._decode_by("utf-16-be")
        while raw.startswith(codecs.BOM_UTF8):
            raw = raw.removeprefix(codecs.BOM_UTF8)
        return raw

    def _decode_by(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def _whole(self, raw: bytes) -> bytes:
        cut = len(raw) if self.at_end else _whole_characters(raw)
        self._pending, raw = raw[cut:], raw[:cut]
        try:
            raw.decode()
        except UnicodeDecodeError:
            return raw.decode(errors="replace").encode()
        return raw


def _whole_characters(raw: bytes) -> int:
    """Where a character begins that the bytes break off; their length where none does."""
    for back in range(1, min(3, len(raw)) + 1):
        byte = raw[-back]
        if byte >= 0xC0:
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(raw) - back if length > back else len(raw)
        if byte < 0x80:
            break
    return len(raw)
