"""Write the list of parts (SBOM) of a lock as CycloneDX JSON.

    python -m scripts.parts requirements/production.lock sbom.json

The same lock and the same installed packages give the same bytes: no clock, no random number.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from importlib.metadata import Distribution, version
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.parts.locked import Package, installed, locked_packages, stated_licence

NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122: names that are addresses


def parts_list(lock: Path) -> str:
    """The list of a lock's parts."""
    packages = locked_packages(lock)
    there = installed()
    bom = Bom(components=[_component(package, there) for package in packages])
    bom.metadata.component = Component(
        name="qala", version=version("qala"), type=ComponentType.APPLICATION, bom_ref="qala"
    )
    bom.register_dependency(bom.metadata.component, bom.components)
    listed = " ".join(f"{one.name}=={one.version}" for one in packages)
    bom.serial_number = uuid.uuid5(NAMESPACE, f"qala {version('qala')} {listed}")
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the format may do without
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(package: Package, there: Mapping[str, Distribution]) -> Component:
    address = PackageURL("pypi", None, package.name, package.version)
    found = there.get(package.name)
    licence = stated_licence(found.metadata) if found else ""
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(address),
        purl=address,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in package.hashes],
        licenses=[DisjunctiveLicense(name=licence)] if licence else [],
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(parts_list(Path(sys.argv[1])), encoding="utf-8")
