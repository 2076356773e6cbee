"""No key, token or password stands in what is kept under version control, nor goes into the image.

What looks like one and is made up for tests is listed here, by the file that holds it.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pipelines.settings import ROOT

PATTERNS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*\\?n?[A-Za-z0-9+/=]{20}",
    "Amazon's key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "token of a Telegram bot": r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "token of a forge": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,}|glpat-[\w-]{20})\b",
    "token of a package index": r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}",
    "web token": r"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}",
    "hook of a chat": r"hooks\.slack\.com/services/T\w+/B\w+/\w+",
    "password in an address": r"\b[a-z][a-z0-9+]{2,12}://[^\s/:@\"'{}<>]+:"
    r"(?!\*|hush|password)[^\s/:@\"'{}<>]{6,}@",
    "assigned password": r"(?i)(?:password|_key|token)\s*[:=]\s*['\"][\w+/-]{20,}['\"]",
}  # fmt: skip
MADE_UP = {"tests/sources/test_fetch_secrets.py": {"password in an address"}}
NOT_TEXT = {".xz", ".zip", ".pb", ".parquet", ".xlsx", ".png", ".pbf"}
IGNORED_BY_DOCKER = ("secrets", ".git", "data", ".venv")


def kept_files() -> list[Path]:
    """Every file under version control, and every new one that is not ignored."""
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def found_in(text: str) -> set[str]:
    """What of a text looks like a secret."""
    return {name for name, pattern in PATTERNS.items() if re.search(pattern, text)}


def test_nothing_kept_looks_like_a_secret() -> None:
    found = {}
    for path in kept_files():
        name = str(path.relative_to(ROOT))
        if path.suffix in NOT_TEXT or path == Path(__file__):
            continue
        kinds = found_in(path.read_text(encoding="utf-8", errors="replace"))
        if kinds - MADE_UP.get(name, set()):
            found[name] = kinds
    assert found == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"-----BEGIN PRIVATE KEY-----\n{'MC4CAQ' * 9}", "private key"),
        (f"-----BEGIN RSA PRIVATE KEY-----\\n{'MC4CAQ' * 9}", "private key"),
        ("key = 'AKIAIOSFODNN7EXAMPLE'", "Amazon's key"),
        ("bot 123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0", "token of a Telegram bot"),
        ("postgresql://qala:s3cr3tword@db/lake", "password in an address"),
        ('api_key = "abcdefghijklmnopqrstuvwx"', "assigned password"),
    ],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(text: str, kind: str) -> None:
    assert kind in found_in(text)


def test_the_image_takes_no_secret_along() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    kept_out = [line.strip("/").removeprefix("**/") for line in ignored]
    assert [name for name in IGNORED_BY_DOCKER if name not in kept_out] == []
    tracked = [str(path.relative_to(ROOT)) for path in kept_files()]
    assert not [name for name in tracked if name.startswith(("secrets/", "data/"))]
