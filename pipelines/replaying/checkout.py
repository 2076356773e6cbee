"""The code of a version: found among the repository's commits by the hash of its sources."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import QalaError
from pipelines.fingerprint import ROOT, is_versioned, sources_hash

MOST_COMMITS = 300  # looked at, from the newest before the publication on


def commit_of(code_version: str, published_at: datetime) -> str:
    """The commit whose code has this version. Raises `QalaError` where none is found."""
    wanted = code_version.partition("+")[2]
    before = ["--before", published_at.isoformat(), f"--max-count={MOST_COMMITS}"]
    for commit in _git("rev-list", "--all", *before).split():
        if _hash_of(commit) == wanted:
            return commit
    raise QalaError(
        f"The night was made by version {code_version} of the program, which is not among the last"
        f" {MOST_COMMITS} commits before {published_at:%Y-%m-%d} in {ROOT}.",
        "Replay it with that version: in its checkout, or in the image of its release.",
    )


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, gone afterwards."""
    with TemporaryDirectory(prefix="qala-checkout-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _hash_of(commit: str) -> str:
    """What `fingerprint.code_version` says of a commit's files."""
    files = []
    for line in _git("ls-tree", "-r", "-z", commit).split("\0"):
        about, _, path = line.partition("\t")
        if path and is_versioned(Path(path)):
            files.append((path, about.split()[2]))
    return sources_hash([(path, _text(blob)) for path, blob in files])


@cache
def _text(blob: str) -> str:
    return _git("cat-file", "blob", blob)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments
            ["git", *arguments],  # noqa: S607  # whichever git the machine has
            cwd=ROOT, capture_output=True, check=True, encoding="utf-8",
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        told = str(getattr(error, "stderr", "") or error).strip()
        raise QalaError(
            f"The repository of the program can't be asked for another version: {told}",
            "Replay the night in a checkout, or in the image, of the version that made it.",
        ) from None
    return done.stdout
