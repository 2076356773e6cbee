"""Packages in a lock: name, version, hashes; and the licence that an installed one states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\\n]+))?")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Package:
    """One package of a lock; `marker` says for which Pythons and systems it is, empty: for all."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str = ""


def locked_packages(lock: Path) -> list[Package]:
    """The packages of a lock that `uv pip compile --generate-hashes` wrote."""
    found: list[Package] = []
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8")):
        if pin := PIN.match(block):
            hashes = tuple(sorted(HASH.findall(block)))
            found.append(Package(plain(pin[1]), pin[2], hashes, (pin[3] or "").strip()))
    return sorted(found, key=lambda package: (package.name, package.version))


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, Distribution]:
    """Every installed package by its plain name."""
    return {plain(one.metadata["Name"]): one for one in distributions()}


def stated_licence(metadata: PackageMetadata) -> str:
    """What a package states: its SPDX expression, its classifiers, or the first line it wrote."""
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        text.rpartition("::")[2].strip()
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License ::") and not text.endswith("OSI Approved")
    ]
    if classifiers:
        return " OR ".join(sorted(classifiers))
    lines = (metadata.get("License") or "").strip().splitlines()
    return lines[0].strip() if lines else ""
