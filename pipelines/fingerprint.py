"""Hashes of code and parameters: they decide whether a table must be made again."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
_LIBRARIES = (
    *("polars", "duckdb", "shapely", "numpy", "scipy", "numba", "statsmodels"),
    *("protobuf", "gtfs-realtime-bindings", "osmium"),
)
_SOURCE_FILES = (".py", ".toml", ".j2", ".css", ".js")

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(pipelines[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n(]*)"
    r"|import[ \t]+(pipelines[\w.]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"(\w+)(?:[ \t]+as[ \t]+\w+)?")


def digest(*parts: object) -> str:
    """SHA-256 of JSON-able parts, keys sorted."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_hash(module: str) -> str:
    """Hash of a module's source, of all project modules it imports, and of the libraries."""
    return digest(_sources(module), _library_versions())


@cache
def definition_hash(module: str, *texts: str) -> str:
    """Hash of how a figure is defined: contract, maker, the project's modules they import, texts.

    Libraries are left out: another version of one is no other definition.
    """
    return digest(_sources(module), texts)


def _sources(module: str) -> list[tuple[str, str]]:
    return [(str(file.relative_to(ROOT)), _file_hash(file)) for file in sorted(_closure(module))]


@cache
def _file_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def code_version() -> str:
    """Version of the program: its release and the hash of all its source, SQL and expectations."""
    files = [path for ending in _SOURCE_FILES for path in PACKAGE.rglob(f"*{ending}")]
    files += (ROOT / "sql").rglob("*.sql")
    files += (ROOT / "expectations").rglob("*.toml")
    texts = [(str(f.relative_to(ROOT)), f.read_text(encoding="utf-8")) for f in files]
    return f"{version('qala')}+{sources_hash(texts)}"


def sources_hash(texts: list[tuple[str, str]]) -> str:
    """What a version says of all source: a hash of paths from the repository's root, and texts."""
    return digest(sorted(texts, key=lambda one: Path(one[0])))[:12]


def is_versioned(path: Path) -> bool:
    """Whether a file, by its path from the repository's root, counts for the code's version."""
    endings = {PACKAGE.name: _SOURCE_FILES, "sql": (".sql",), "expectations": (".toml",)}
    return path.suffix in endings.get(path.parts[0], ())


def _closure(module: str) -> set[Path]:
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _module_file(waiting.pop())
        if path is None or path in found:
            continue
        found.add(path)
        waiting.extend(_imports(path))
    return found


@cache
def _imports(path: Path) -> frozenset[str]:
    """The project's modules that a file imports, in a function or at its top.

    Found by their words: parsing the sources took every task of a night a quarter of a second.
    """
    found: set[str] = set()
    for module, names, plain in _IMPORT.findall(path.read_text(encoding="utf-8")):
        found.add(module or plain)
        found.update(f"{module}.{name}" for name in _NAME.findall(names) if module)
    return frozenset(found)


@cache
def _library_versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version(name)) for name in _LIBRARIES)


@cache
def _module_file(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
