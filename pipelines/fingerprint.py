"""Hashes that decide whether a table must be made again, and whether two nights are the same."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import dataframely as dy
import polars as pl

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
_LIBRARIES = ("polars", "duckdb", "shapely", "numpy", "scipy", "gtfs-kit")


def content_hash(rows: pl.DataFrame, contract: type[dy.Schema]) -> str:
    """SHA-256 of the rows as CSV: key order, the contract's columns, shortest exact numbers.

    Anyone can compute it from an extract's CSV file: the bytes are the same.
    """
    return hashlib.sha256(canonical_csv(rows, contract)).hexdigest()


def canonical_csv(rows: pl.DataFrame, contract: type[dy.Schema]) -> bytes:
    """The rows as RFC 4180 CSV (UTF-8, LF, header; null is nothing, empty text is ``""``)."""
    text = in_key_order(rows, contract).select(
        [
            pl.col(name).bin.encode("hex") if column.dtype == pl.Binary else pl.col(name)
            for name, column in contract.columns().items()
        ]
    )
    return text.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ").encode()


def in_key_order(rows: pl.DataFrame, contract: type[dy.Schema]) -> pl.DataFrame:
    """Rows sorted by the contract's key (by all columns where it has none)."""
    return rows.sort(contract.primary_key() or contract.column_names(), nulls_last=False)


def digest(*parts: object) -> str:
    """SHA-256 of JSON-able parts, keys sorted."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_hash(module: str) -> str:
    """Hash of a module's source, of all project modules it imports, and of the libraries."""
    files = sorted(_closure(module))
    sources = [(str(f.relative_to(ROOT)), f.read_text(encoding="utf-8")) for f in files]
    return digest(sources, [(name, version(name)) for name in _LIBRARIES])


@cache
def code_version() -> str:
    """Version of the program: its release and the hash of all its source, SQL and expectations."""
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "sql").rglob("*.sql")]
    files += (ROOT / "expectations").rglob("*.toml")
    sources = [(str(f.relative_to(ROOT)), f.read_text(encoding="utf-8")) for f in sorted(files)]
    return f"{version('qala')}+{digest(sources)[:12]}"


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


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_file(module: str) -> Path | None:
    if not module.startswith("pipelines"):
        return None
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
