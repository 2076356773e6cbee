"""A real S3 server (SeaweedFS) on loopback, for as long as a test needs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

KEY, SECRET = "toy-key", "toy-secret"  # of a server that lives for one test
START_SECONDS = 60.0
_BESIDE_SCRIPTS = Path(sys.executable).with_name("weed")
PROGRAM = str(_BESIDE_SCRIPTS) if _BESIDE_SCRIPTS.exists() else shutil.which("weed")


@dataclass(frozen=True)
class S3Server:
    """Where the server listens; whoever has KEY and SECRET may do all."""

    address: str


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Start the server on free ports with its data in `folder`; stop it and all it started."""
    if PROGRAM is None:
        pytest.skip("SeaweedFS is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "s3.json"
    identity = {
        "name": "toy",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    ports = _free_ports(8)
    names = [
        f"{part}.port{kind}"
        for part in ("master", "volume", "filer", "s3")
        for kind in ("", ".grpc")
    ]
    command = [
        PROGRAM, "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", f"-s3.config={config}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64", "-volume.max=40", "-volume.preStopSeconds=0",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]  # fmt: skip
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{ports[names.index('s3.port')]}"
        _wait_for(address, process, folder / "said.txt")
        yield S3Server(address)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # told to end, it takes ten seconds
        process.wait(10)


def _wait_for(address: str, process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, said.read_text()[-2000:]
        try:
            if httpx.get(f"{address}/healthz", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the S3 server did not start: {said.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
