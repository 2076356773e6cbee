"""A PostgreSQL from Debian on loopback, run by a user without rights; it may be killed.

It lets everybody in who reaches it, by the name they give.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
START_SECONDS = 60
USER = "postgres"


@dataclass
class PostgresServer:
    """A cluster of its own in a folder that the user may write."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def words(self) -> str:
        """Where it listens, in libpq's words."""
        return f"host=127.0.0.1 port={self.port}"

    @property
    def catalog(self) -> str:
        return f"postgres:dbname=postgres {self.words} user={USER}"

    def psql(self, database: str, *arguments: str, user: str = USER) -> str:
        """What psql says; raises where a statement fails."""
        words = f"{self.words} dbname={database} user={user}"
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", words, *arguments]
        done = subprocess.run(
            [PROGRAMS[-1] / "psql", *options], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PermissionError(done.stderr)
        return done.stdout.strip()

    def start(self) -> None:
        """Start it, after a kill too, and wait until it answers."""
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [str(PROGRAMS[-1] / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            **as_user(),
        )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        ready = [str(PROGRAMS[-1] / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            if time.monotonic() > until:
                pytest.fail("PostgreSQL did not start")
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill the postmaster and all its children at once."""
        if self.process is not None and self.process.poll() is None:
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                capture_output=True, text=True, check=False,
            ).stdout.split()  # fmt: skip
            for pid in (self.process.pid, *map(int, children)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.wait()


def as_user() -> dict[str, object]:
    """Options that start a process without root's rights, where the tests have them."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam(USER)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server on a free port; gone after. Skips where PostgreSQL is not installed."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="qala-pg-", ignore_cleanup_errors=True) as name:
        # Elsewhere than pytest's folders, which the server's user can't enter.
        yield from _served(Path(name))


def _served(folder: Path) -> Iterator[PostgresServer]:
    folder.chmod(0o755)
    if os.getuid() == 0:
        shutil.chown(folder, USER, USER)
    subprocess.run(
        [str(PROGRAMS[-1] / "initdb"), "-D", str(folder / "data"), "-U", USER, "-A", "trust"],
        check=True, stdout=subprocess.DEVNULL, **as_user(),
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = PostgresServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()
