"""Landing: raw bytes by their SHA-256, written once and never changed."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import SourceError

VERSION_LENGTH = 16  # hex digits of a version id: 64 bits


@dataclass(frozen=True)
class Landing:
    """A folder of raw objects, each under its own SHA-256.

    What was deleted for good is `forgotten`, by its hash: it counts as landed, and is not landed
    again.
    """

    folder: Path
    forgotten: frozenset[str] = frozenset()

    def path(self, sha256: str) -> Path:
        """Where an object with this hash lies."""
        return self.folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the object is here, or was and is forgotten."""
        return sha256 in self.forgotten or self.path(sha256).is_file()

    def write(self, payload: bytes) -> str:
        """Land bytes; returns their SHA-256. Landing the same bytes again changes nothing, unless
        what lies there was changed: it is replaced."""
        sha256 = hashlib.sha256(payload).hexdigest()
        target = self.path(sha256)
        if sha256 in self.forgotten:
            return sha256
        if target.is_file() and target.read_bytes() == payload:
            return sha256
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".landing-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o444)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return sha256

    def read(self, sha256: str) -> bytes:
        """Landed bytes, checked against their name.

        Raises `SourceError` where the object is missing or was changed on disk.
        """
        try:
            payload = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise SourceError(
                f"Landed object {sha256} is missing from {self.folder}.",
                "Restore it from a backup, or fetch the source again.",
            ) from None
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise SourceError(
                f"Landed object {sha256} in {self.folder} is not what was landed.",
                "The disk or somebody changed it: restore it from a backup, or delete it and run"
                " the night again, which fetches it.",
            )
        return payload


def version_id(payload: bytes) -> str:
    """Identity of an object's *contents*: a zip repacked with the same files is the same version.

    For a zip the hash covers the names and bytes of its files; for anything else, and for a zip
    that can't be read, the bytes themselves.
    """
    digest = _archive_digest(payload) if payload[:4] == b"PK\x03\x04" else None
    return (digest or hashlib.sha256(payload).hexdigest())[:VERSION_LENGTH]


def _archive_digest(payload: bytes) -> str | None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            for entry in sorted(archive.infolist(), key=lambda info: info.filename):
                if entry.is_dir():
                    continue
                with archive.open(entry) as file:
                    contents = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a zip entry reads like a file
                digest.update(f"{entry.filename}\0{contents}\n".encode())
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, ValueError):
        return None
    return digest.hexdigest()
