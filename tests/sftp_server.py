"""A real SFTP server on loopback, a process of its own, for as long as a test needs it.

    python -m tests.sftp_server FOLDER

serves a folder to whoever has the password, and says its port in one line.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "toy", "toy-password"  # of a server that lives for one test
ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def sftp_server(folder: Path) -> Iterator[int]:
    """Serve a folder; its port."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.sftp_server", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _serve(folder: str) -> None:
    import asyncssh

    class Door(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    server = await asyncssh.create_server(
        Door,
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder.encode()),
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
