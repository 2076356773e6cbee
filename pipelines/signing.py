"""Signatures of what leaves the house: Ed25519 over canonical bytes, with keys named by themselves.

A key's id is the beginning of its public half's SHA-256, so that nobody can give two keys one name.
The same key and the same bytes give the same signature. Without a key, or with one that can't be
read, extracts go out unsigned and say so: a night never fails for it.

Left out: who holds a private key, and how a public one is handed over (docs/extracts.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pipelines.errors import SigningKeyError
from pipelines.extracts.canonical_json import canonical_json

ALGORITHM = "Ed25519"
KEY_BYTES = 32
KEY_ID_LETTERS = 16
UNSIGNED = "none"
NO_KEY, MALFORMED = "no key", "malformed key"


@dataclass(frozen=True)
class PublicKey:
    """The half of a key that everybody may know."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """The key's name: the first 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:KEY_ID_LETTERS]

    @property
    def text(self) -> str:
        """The key in base64."""
        return base64.b64encode(self.raw).decode()

    def has_signed(self, payload: bytes, signature: bytes) -> bool:
        """Whether a signature of these bytes is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, payload)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Signature:
    """A signature and the name of the key that made it."""

    key_id: str
    raw: bytes

    def as_json(self) -> dict[str, object]:
        """As it is written: algorithm, key_id, signature in base64."""
        return {
            "algorithm": ALGORITHM,
            "key_id": self.key_id,
            "signature": base64.b64encode(self.raw).decode(),
        }

    def file(self) -> bytes:
        """As a file of its own."""
        return canonical_json(self.as_json())


@dataclass(frozen=True)
class Signer:
    """Whoever signs a night: a private key, or the reason why there is none."""

    private: Ed25519PrivateKey | None
    reason: str = ""

    @property
    def public(self) -> PublicKey | None:
        """The public half of the key, if there is one."""
        return (
            None
            if self.private is None
            else PublicKey(self.private.public_key().public_bytes_raw())
        )

    @property
    def text(self) -> str:
        """What a manifest says of its signature: ``Ed25519 0f3a...`` or ``none: no key``."""
        return f"{ALGORITHM} {self.public.key_id}" if self.public else f"{UNSIGNED}: {self.reason}"

    def sign(self, payload: bytes) -> Signature | None:
        """The signature of some bytes; None without a key."""
        if self.private is None or self.public is None:
            return None
        return Signature(self.public.key_id, self.private.sign(payload))


def read_signer(text: str) -> Signer:
    """The signer of a private key (PEM, or its 32 bytes in base64). It never raises."""
    if not text.strip():
        return Signer(None, NO_KEY)
    try:
        return Signer(_private_key(text.strip()))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Signer(None, MALFORMED)


def _private_key(text: str) -> Ed25519PrivateKey:
    if not text.startswith("-----BEGIN"):
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text, validate=True))
    key = load_pem_private_key(text.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("a key of another kind")
    return key


def new_private_key() -> tuple[str, PublicKey]:
    """A new private key as PEM, and its public half."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem, PublicKey(key.public_key().public_bytes_raw())


def read_public_key(text: str) -> PublicKey:
    """A public key from PEM or base64. Raises `SigningKeyError` for anything else."""
    try:
        return PublicKey(_public_bytes(text.strip()))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SigningKeyError(
            "That is no public key of Ed25519.",
            "Give a PEM file, a trusted_keys.json, or the key's 32 bytes in base64.",
        ) from None


def _public_bytes(text: str) -> bytes:
    if text.startswith("-----BEGIN"):
        key = load_pem_public_key(text.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError("a key of another kind")
        return key.public_bytes_raw()
    raw = base64.b64decode(text, validate=True)
    if len(raw) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return raw


def read_signature(told: object) -> Signature:
    """A signature as `Signature.as_json` writes it. Raises `ValueError` for anything else."""
    if not isinstance(told, dict) or set(told) != {"algorithm", "key_id", "signature"}:
        raise ValueError("it does not hold algorithm, key_id and signature")
    if told["algorithm"] != ALGORITHM:
        raise ValueError(f"its algorithm is not {ALGORITHM}")
    try:
        signature = Signature(
            str(told["key_id"]), base64.b64decode(told["signature"], validate=True)
        )
    except (TypeError, binascii.Error) as error:
        raise ValueError("its signature is not base64") from error
    if signature.as_json() != told:
        raise ValueError("its signature is not written canonically")
    return signature


def read_canonical(payload: bytes) -> dict[str, object]:
    """An object from its canonical bytes. Raises `ValueError` where they are not canonical."""
    try:
        told = json.loads(payload)
    except RecursionError as error:
        raise ValueError("it is nested beyond measure") from error
    if not isinstance(told, dict):
        raise ValueError("it is no JSON object")
    try:
        again = canonical_json(told)
    except (TypeError, UnicodeEncodeError) as error:
        raise ValueError("it is not canonical JSON") from error
    if again != payload:
        raise ValueError("it is not canonical JSON")
    return told
