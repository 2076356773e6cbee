"""Every locked package has a known licence and stands, with its hashes, in the list of parts."""

from __future__ import annotations

import json
import re

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.markers import Marker

from pipelines.settings import ROOT
from scripts.parts.__main__ import parts_list
from scripts.parts.locked import Package, installed, locked_packages, stated_licence

LOCKS = ("runtime", "production", "dev")
ALLOWED = re.compile(
    r"(?:Apache|MIT|BSD|0BSD|[23]-Clause BSD|ISC|Zlib|CC0|PSF|Python Software Foundation|Unlicense"
    r"|The Unlicense|MPL|Mozilla Public License)\b.*"
)
# What states no licence of that kind, looked at one by one: package, and why it may be used.
LOOKED_AT = {
    "asyncssh": "EPL-2.0, weak copyleft; carries SFTP, used as a library and unchanged",
    "text-unidecode": "Artistic License; comes with Airflow, used as a library and unchanged",
    "axe-playwright-python": "MIT by its LICENSE file; tests alone",
    "dataframely": "BSD-3-Clause by its LICENSE file",
    "openlineage-sql": "Apache-2.0 by its project; states none",
}
# Weak copyleft: used as a library, unchanged, and never distributed with changes.
LIBRARIES = re.compile(r"(?:GNU Library or Lesser General Public License|LGPL)\b.*")


def everything() -> list[Package]:
    found = [p for name in LOCKS for p in locked_packages(ROOT / "requirements" / f"{name}.lock")]
    return sorted({package.name: package for package in found}.values(), key=lambda p: p.name)


def is_allowed(licence: str) -> bool:
    """Whether one of the alternatives is allowed in all of its parts."""
    return any(
        all(ALLOWED.fullmatch(part) or LIBRARIES.fullmatch(part) for part in parts)
        for parts in (either.split(" AND ") for either in re.split(r" OR ", licence))
    )


def test_every_licence_is_known_and_allowed() -> None:
    there = installed()
    here = [p for p in everything() if not p.marker or Marker(p.marker).evaluate()]
    assert len(here) < len(everything())  # some are for other systems or other Pythons
    assert not {p.name for p in here if p.name not in there}, "install the lock: make .venv/.dev"
    stated = {
        p.name: stated_licence(there[p.name].metadata) for p in everything() if p.name in there
    }
    wrong = {name: text for name, text in stated.items() if not is_allowed(text)}
    assert sorted(wrong) == sorted(name for name in LOOKED_AT if name in stated), wrong


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache Software License OR BSD License", True),
        ("BSD-3-Clause AND 0BSD AND MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("Artistic License OR GNU General Public License (GPL)", False),
        ("EPL-2.0 OR GPL-2.0-or-later", False),
        ("", False),
    ],
)
def test_what_is_allowed(licence: str, allowed: bool) -> None:
    assert is_allowed(licence) is allowed


def test_the_list_of_parts_is_whole_valid_and_the_same_twice() -> None:
    lock = ROOT / "requirements" / "production.lock"
    text = parts_list(lock)
    assert parts_list(lock) == text
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = json.loads(text)
    packages = locked_packages(lock)
    assert len(packages) > 150
    assert {(c["name"], c["version"]) for c in listed["components"]} == {
        (p.name, p.version) for p in packages
    }
    assert all(component["hashes"] for component in listed["components"])
    assert "timestamp" not in listed["metadata"]


def test_every_locked_package_has_its_hashes() -> None:
    assert [p.name for p in everything() if not p.hashes] == []
