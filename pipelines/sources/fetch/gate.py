"""What of an object's bytes may be landed: all, none, or another form of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipelines.sources.fetch.objects import Known

_SIGN = " let in by "  # no ETag holds blanks


def _as_it_is(_object_name: str, payload: bytes) -> bytes:
    return payload


@dataclass(frozen=True)
class Gate:
    """Stands between a fetched object and landing.

    `let_in` takes an object's name and bytes and returns the bytes to land; it raises `SourceError`
    to refuse them. Where it returns others than it took, `mark` tells with which settings: what an
    upstream says of its bytes tells that the landed ones are unchanged only under the same mark.
    """

    let_in: Callable[[str, bytes], bytes] = _as_it_is
    mark: str = ""

    def recorded(self, etag: str | None) -> str | None:
        """The ETag as it is recorded, with the mark."""
        return f"{etag or ''}{_SIGN}{self.mark}" if self.mark else etag

    def recalled(self, known: Known | None) -> Known | None:
        """What is known, as upstream may be asked: without validators under another mark."""
        if known is None:
            return None
        etag, _, mark = (known.etag or "").partition(_SIGN)
        if mark != self.mark:
            return replace(known, etag=None, last_modified=None)
        return replace(known, etag=etag or None)
