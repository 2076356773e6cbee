"""The keys that a city's extracts are signed with: `<city>.trusted_keys.json` beside the city file.

It holds public halves alone and goes to the ministry by a way of its own, never with the extracts:
who receives both together can trust neither. A key counts for service dates from `valid_from` (if
it says one) until before `revoked_from`. Rotation revokes the old key from the first night of the
new one. A key that was stolen is revoked from the beginning: a thief can sign for any date.

Left out: private keys, which `qala keys new` writes elsewhere, for their owner alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pipelines.errors import SigningKeyError
from pipelines.settings import Settings, load_signing_key
from pipelines.signing import PublicKey, Signer, new_private_key, read_public_key, read_signer


class TrustedKey(BaseModel):
    """A public key, and the service dates that it counts for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    public_key: str
    valid_from: date | None = None
    revoked_from: date | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _id_is_the_keys_own(self) -> TrustedKey:
        try:
            key_id = read_public_key(self.public_key).key_id
        except SigningKeyError as error:
            raise ValueError(str(error)) from error
        if key_id != self.id:
            raise ValueError(f"the key that is named {self.id} is {key_id}")
        if self.revoked_from and not self.reason:
            raise ValueError("a key is revoked for a reason")
        return self

    @property
    def public(self) -> PublicKey:
        """The key itself."""
        return read_public_key(self.public_key)

    def objection(self, service_date: date | None) -> str:
        """Why the key does not count for a service date (None: for today); empty where it does."""
        if self.revoked_from and (service_date is None or service_date >= self.revoked_from):
            return f"is revoked from {self.revoked_from} on: {self.reason}"
        if self.valid_from and service_date and service_date < self.valid_from:
            return f"is valid from {self.valid_from} on"
        return ""


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[TrustedKey, ...]


@dataclass(frozen=True)
class TrustedKeys:
    """The keys that are trusted, oldest first."""

    keys: Sequence[TrustedKey] = ()

    def find(self, key_id: str) -> TrustedKey | None:
        """The key of that name."""
        return next((key for key in self.keys if key.id == key_id), None)


def read_trusted_keys(path: Path) -> TrustedKeys:
    """The keys of a file; none where there is no file. Raises `SigningKeyError` for a wrong one."""
    if not path.is_file():
        return TrustedKeys()
    try:
        return TrustedKeys(_KeyFile.model_validate_json(path.read_bytes()).keys)
    except (ValidationError, OSError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise SigningKeyError(f"{path} is no file of trusted keys: {first}.", "Mend it.") from None


def trusted_by(given: str) -> TrustedKeys:
    """What a person gives to verify with: a file of trusted keys, a PEM file, or base64.

    Raises `SigningKeyError` where it is none of these.
    """
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise SigningKeyError(f"{path} can't be read: {error}.", "Give another file.") from None
    if text.lstrip().startswith("{"):
        return read_trusted_keys(path)
    key = read_public_key(text)
    return TrustedKeys([TrustedKey(id=key.key_id, public_key=key.text)])


def load_signer(settings: Settings, service_date: date | None = None) -> Signer:
    """Whoever signs for a service date: the key of the environment, unless it is revoked.

    It never raises: a night goes out unsigned rather than not at all, and says why.
    """
    signer = read_signer(load_signing_key())
    if signer.public is None:
        return signer
    try:
        key = read_trusted_keys(settings.trusted_keys).find(signer.public.key_id)
    except SigningKeyError:
        return signer  # `qala doctor` tells of the file
    objection = key.objection(service_date) if key else ""
    return Signer(None, f"the key {signer.public.key_id} {objection}") if objection else signer


def add_key(path: Path, private_path: Path, valid_from: date | None) -> TrustedKey:
    """Make a key: the private half in a new file of its owner's, the public among the trusted.

    Raises `SigningKeyError` where the private file exists already, or a file can't be written.
    """
    trusted = read_trusted_keys(path)
    pem, public = new_private_key()
    try:
        private_path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SigningKeyError(
            f"{private_path} can't be written: {error.strerror}.",
            "Name another file with --out; no key is ever overwritten.",
        ) from None
    with os.fdopen(file, "w", encoding="ascii") as private_file:
        private_file.write(pem)
    key = TrustedKey(id=public.key_id, public_key=public.text, valid_from=valid_from)
    _write(path, [*trusted.keys, key])
    return key


def revoke_key(path: Path, key_id: str, revoked_from: date, reason: str) -> TrustedKey:
    """Revoke a key for service dates from one on. Raises `SigningKeyError` for an unknown key."""
    trusted = read_trusted_keys(path)
    key = trusted.find(key_id)
    if key is None:
        known = ", ".join(k.id for k in trusted.keys) or "none"
        raise SigningKeyError(f"{path} has no key {key_id!r}.", f"There are: {known}.")
    if not reason.strip():
        raise SigningKeyError("A key is revoked for a reason.", "Say it with --reason.")
    revoked = key.model_copy(update={"revoked_from": revoked_from, "reason": reason.strip()})
    _write(path, [revoked if k.id == key_id else k for k in trusted.keys])
    return revoked


def _write(path: Path, keys: Sequence[TrustedKey]) -> None:
    told = {"keys": [key.model_dump(mode="json") for key in keys]}
    building = path.with_name(f".{path.name}.{os.getpid()}")
    building.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    building.replace(path)
