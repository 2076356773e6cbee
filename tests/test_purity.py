"""Staging, marts, extracts and contracts know no clock, no environment and no file.

Imports are import-linter's business; this looks for the calls that need no import of their own.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipelines.settings import ROOT

PURE = ("staging", "marts", "extracts", "contracts", "brief")
CALLS = frozenset({"now", "today", "utcnow", "open", "getenv", "read_text", "read_bytes"})
FILES = sorted(path for room in PURE for path in (ROOT / "pipelines" / room).rglob("*.py"))


def impure_calls(source: str) -> list[str]:
    """Names of calls in a source that reach for clock, environment or files."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    names = (
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls
    )
    return [name for name in names if name in CALLS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_clock_environment_or_file(path: Path) -> None:
    assert impure_calls(path.read_text(encoding="utf-8")) == []


def test_the_search_finds_what_it_looks_for() -> None:
    source = "from datetime import datetime\nx = datetime.now()\ny = open('f')\n"
    assert impure_calls(source) == ["now", "open"]
