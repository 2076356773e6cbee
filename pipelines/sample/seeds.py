"""Chance that is the same everywhere: one generator per object, never one passed along.

Every object of the sample seeds its own generator from the seed and its name, so what is made
does not depend on what was made before, on threads or on the machine. Values that come out of
exponentials and logarithms are rounded before a draw uses them, because their last bit may differ
between processors.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from zlib import crc32

import numpy as np
import polars as pl

DEFAULT_SEED = 20230616


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """A generator of its own for the thing that `parts` name (an object, a day, a station)."""
    words = [part if isinstance(part, int) else crc32(part.encode()) for part in parts]
    return np.random.default_rng([seed, *words])


@cache
def source_digest() -> str:
    """SHA-256 of this package's source and of the versions that decide the bytes it makes."""
    digest = hashlib.sha256(f"numpy {np.__version__} polars {pl.__version__}".encode())
    folder = resources.files(__package__ or "pipelines.sample")
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".py"):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()


def etag(seed: int, *depends_on: str) -> str:
    """What changes when an object's bytes may change: seed, source and what it depends on."""
    text = "\n".join([source_digest(), str(seed), *depends_on])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
