"""`qala verify`: whether a folder of extracts is what was signed, with public keys alone, offline.

Everything is looked at, and all that is wrong is told: files changed, missing or extra; a manifest
that was changed, is not signed, or is signed by a key that is not trusted or is revoked; a night
that was withdrawn. A file's change is told by its SHA-256, the manifest's by its signature.

An unsigned folder can be whole, but anybody could have written it: that is a finding too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.errors import VerificationError
from pipelines.signing import UNSIGNED, Signature, read_canonical, read_signature
from pipelines.trusted_keys import TrustedKeys
from pipelines.withdrawn import NOTICE_FILE, NOTICES_FILE, read_notices

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
BESIDE = frozenset({MANIFEST, SIGNATURE, NOTICE_FILE})  # in the folder, and in no manifest


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its kind, the file, and a sentence."""

    kind: str
    file: str
    text: str


def verify_folder(folder: Path, trusted: TrustedKeys) -> list[Finding]:
    """All that is wrong with a folder of extracts; nothing where it is what was signed.

    Raises `VerificationError` where there is no folder.
    """
    if not folder.is_dir():
        raise VerificationError(f"There is no folder {folder}.", "Name a folder of extracts.")
    try:
        payload = (folder / MANIFEST).read_bytes()
    except OSError:
        return [Finding("missing", MANIFEST, "There is no manifest: nothing can be verified.")]
    try:
        manifest = read_canonical(payload)
        listed = {str(item["file"]): item for item in _objects(manifest["files"])}
        day = date.fromisoformat(str(manifest["service_date"]))
        says = str(manifest["signature"])
    except (KeyError, TypeError, ValueError) as error:
        return [Finding("manifest changed", MANIFEST, f"It can't be read: {error}.")]
    return [
        *_signature_findings(folder, payload, says, day, trusted),
        *_file_findings(folder, listed),
        *_withdrawal_findings(folder, manifest, trusted),
    ]


def _objects(told: Any) -> list[dict[str, Any]]:
    if not isinstance(told, list) or not all(isinstance(item, dict) for item in told):
        raise TypeError("its files are no list of objects")
    return told


def _signature_findings(
    folder: Path, payload: bytes, says: str, day: date, trusted: TrustedKeys
) -> Iterator[Finding]:
    path = folder / SIGNATURE
    if says.startswith(UNSIGNED):
        yield Finding("unsigned", MANIFEST, f"The manifest is not signed ({says}).")
        if path.exists():
            yield Finding("extra", SIGNATURE, "There is a signature of an unsigned manifest.")
        return
    if not path.is_file():
        yield Finding("unsigned", SIGNATURE, f"The signature is missing; it should be {says}.")
        return
    try:
        signature = read_signature(read_canonical(path.read_bytes()))
    except ValueError as error:
        yield Finding("signature changed", SIGNATURE, f"The signature is damaged: {error}.")
        return
    key = trusted.find(signature.key_id)
    if key is None:
        known = ", ".join(k.id for k in trusted.keys) or "none"
        text = f"{SIGNATURE} names the key {signature.key_id}, which is not trusted ({known} is)."
        yield Finding("wrong key", SIGNATURE, text)
    elif not key.public.has_signed(payload, signature.raw):
        text = f"{MANIFEST} is not what the key {key.id} signed: it, or {SIGNATURE}, was changed."
        yield Finding("manifest changed", MANIFEST, text)
    elif objection := key.objection(day):
        yield Finding("revoked key", SIGNATURE, f"The key {key.id} {objection}.")


def _file_findings(folder: Path, listed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    for name, item in sorted(listed.items()):
        path = folder / name
        if Path(name).name != name or name in BESIDE:
            yield Finding("manifest changed", MANIFEST, f"It lists {name!r}, no file of a folder.")
        elif not path.is_file():
            yield Finding("missing", name, "It is in the manifest and not in the folder.")
        elif (found := _sha256(path)) != item.get("sha256"):
            text = f"It was changed: its SHA-256 is {found}, not {item.get('sha256')}."
            yield Finding("changed", name, text)
    for path in sorted(folder.iterdir()):
        if path.name not in listed and path.name not in BESIDE:
            yield Finding("extra", path.name, "It is in the folder and not in the manifest.")


def _withdrawal_findings(
    folder: Path, manifest: dict[str, Any], trusted: TrustedKeys
) -> Iterator[Finding]:
    """Notices in the folder itself, and those of this edition in the list beside the folder."""
    edition = (manifest.get("city"), manifest.get("service_date"), manifest.get("edition"))
    told = set()
    for path in (folder / NOTICE_FILE, folder.parent / NOTICES_FILE):
        if not path.is_file():
            continue
        try:
            notices = read_notices(path.read_bytes())
        except ValueError as error:
            yield Finding("notice changed", path.name, f"It can't be read: {error}.")
            continue
        for notice in notices:
            if notice.edition != edition:
                if path.name == NOTICE_FILE:
                    yield Finding("notice changed", path.name, "It is about another edition.")
                continue
            doubt = _doubt(notice.payload, notice.signature, trusted)
            if (notice.payload, doubt) not in told:
                told.add((notice.payload, doubt))
                text = f"This edition was withdrawn: {notice.text}{doubt}"
                yield Finding("withdrawn", path.name, text)


def _doubt(payload: bytes, signature: Signature | None, trusted: TrustedKeys) -> str:
    """What speaks against a notice; empty where a trusted key has signed it."""
    if signature is None:
        return " (This notice is not signed.)"
    key = trusted.find(signature.key_id)
    if key is None:
        return f" (This notice is signed by {signature.key_id}, which is not trusted.)"
    if not key.public.has_signed(payload, signature.raw):
        return f" (This notice is not what the key {key.id} signed: it was changed.)"
    return f" (The key of this notice, {key.id}, is revoked.)" if key.revoked_from else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
