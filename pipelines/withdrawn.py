"""Notices of withdrawal, as they are written and read: `WITHDRAWN.json` and `notices.jsonl`.

A notice is about one edition of one service date's extracts. It says why, and which edition or
date stands in its place, if any does yet. Each is one canonical JSON object, signed where the house
has a key; `notices.jsonl` beside the folders has all of them, one a line, in order of date.

Left out: deciding upon one (`pipelines.withdrawal`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.extracts.canonical_json import canonical_json
from pipelines.signing import Signature, Signer, read_canonical, read_signature

NOTICE_FILE, NOTICES_FILE = "WITHDRAWN.json", "notices.jsonl"
_ABOUT = ("city", "service_date", "edition", "manifest_sha256", "reason", "successor")


@dataclass(frozen=True)
class Notice:
    """One notice: what it says, and who signed it."""

    told: dict[str, Any]
    signature: Signature | None

    @property
    def payload(self) -> bytes:
        """The bytes that are signed."""
        return canonical_json(self.told)

    @property
    def edition(self) -> tuple[object, object, object]:
        """City, service date and edition that it is about."""
        return self.told["city"], self.told["service_date"], self.told["edition"]

    @property
    def text(self) -> str:
        """Reason and successor in a sentence."""
        successor = self.told["successor"]
        stands = (
            f"{successor} stands in its place." if successor else "Nothing stands in its place."
        )
        return f"{str(self.told['reason']).rstrip('.')}. {stands}"

    def line(self) -> bytes:
        """As it is written."""
        signature = self.signature.as_json() if self.signature else None
        return canonical_json({"notice": self.told, "signature": signature})


def signed_notice(told: dict[str, Any], signer: Signer) -> Notice:
    """A notice with the keys city, service_date, edition, manifest_sha256, reason, successor."""
    return Notice(told, signer.sign(canonical_json(told)))


def notices_file(notices: Iterable[Notice]) -> bytes:
    """The list of notices, one a line."""
    return b"".join(notice.line() + b"\n" for notice in notices)


def read_notices(payload: bytes) -> list[Notice]:
    """The notices of a file of either kind. Raises `ValueError` where one can't be read."""
    return [_read_notice(line) for line in payload.split(b"\n") if line]


def _read_notice(line: bytes) -> Notice:
    envelope = read_canonical(line)
    told = envelope.get("notice")
    if set(envelope) != {"notice", "signature"} or not isinstance(told, dict):
        raise ValueError("it does not hold notice and signature")
    if sorted(told) != sorted(_ABOUT):
        raise ValueError(f"a notice holds {', '.join(_ABOUT)}")
    signature = envelope["signature"]
    return Notice(told, None if signature is None else read_signature(signature))
