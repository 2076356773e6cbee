"""PostgreSQL, Redis and an S3 server (SeaweedFS), as Debian and the environment bring them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from scripts.cluster.groups import HOST, ClusterError, Groups, listens

START_SECONDS = 120.0
POSTGRES_USER = "postgres"  # PostgreSQL refuses to run as root


def programs() -> dict[str, str]:
    """Where the servers' programs are. Raises `ClusterError` naming what to install."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    beside = Path(sys.executable).parent
    found = {
        "postgres": str(debian[-1]) if debian else shutil.which("postgres"),
        "redis-server": shutil.which("redis-server"),
        "weed": shutil.which("weed", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"),
    }
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise ClusterError(
            f"The cluster needs {', '.join(missing)}.",
            "apt-get install postgresql redis-server; make .venv/.dev brings weed.",
        )
    return {name: path for name, path in found.items() if path is not None}


def start_postgres(groups: Groups, home: Path, name: str, port: int, password: Path) -> None:
    """A PostgreSQL of our own on loopback alone; everybody needs a password."""
    program = programs()["postgres"]
    folder = home / name
    user = POSTGRES_USER if os.geteuid() == 0 else None
    if not folder.exists():
        folder.mkdir(parents=True)
        given = folder.with_name(f"{name}.password")  # as its user may read it
        given.touch(0o600)
        given.write_text(password.read_text(encoding="utf-8"), encoding="utf-8")
        if user is not None:
            shutil.chown(folder, user)
            shutil.chown(given, user)
        made = subprocess.run(  # noqa: S603  # PostgreSQL's own program
            [
                str(Path(program).with_name("initdb")), "-D", str(folder), "-U", "postgres",
                "--auth=scram-sha-256", f"--pwfile={given}", "--encoding=UTF8", "--locale=C",
            ],
            user=user, cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        given.unlink()
        if made.returncode:
            shutil.rmtree(folder)
            raise ClusterError(
                f"PostgreSQL could not be set up in {folder}: {made.stderr.strip()[-300:]}",
                f"The user {POSTGRES_USER} must be able to reach that folder: choose another home.",
            )
    groups.start(
        name,
        [
            program, "-D", folder, "-p", str(port),
            "-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=",
            "-c", "max_connections=200",
        ],
        user=user,
        kindly=signal.SIGINT,
        folder=folder,
    )  # fmt: skip
    groups.wait_for(f"PostgreSQL ({name})", lambda: listens(port), START_SECONDS)


def start_redis(groups: Groups, home: Path, port: int, config: Path) -> None:
    """A Redis that keeps nothing: what a broker loses, the scheduler sends again."""
    folder = home / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    groups.start(
        "redis",
        [programs()["redis-server"], config, "--port", str(port), "--bind", HOST, "--save", ""],
        folder=folder,
    )
    groups.wait_for("Redis", lambda: listens(port), START_SECONDS)


def start_s3(groups: Groups, home: Path, ports: list[int], config: Path) -> str:
    """An S3 server with master, volume and filer of its own (eight ports); its address."""
    folder = home / "s3"
    folder.mkdir(parents=True, exist_ok=True)
    names = [
        f"{part}.port{kind}"
        for part in ("s3", "master", "volume", "filer")
        for kind in ("", ".grpc")
    ]
    groups.start(
        "s3",
        [
            programs()["weed"], "server", f"-dir={folder}", f"-ip={HOST}", "-s3",
            f"-s3.config={config}", "-master.telemetry=false", "-master.volumeSizeLimitMB=1024",
            "-volume.max=0", "-volume.preStopSeconds=0",
            "-s3.port.iceberg=0", "-s3.port.lance=0",
            *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
        ],
        kindly=signal.SIGKILL,  # told to end it takes ten seconds, and loses nothing either way
        folder=folder,
    )  # fmt: skip
    address = f"http://{HOST}:{ports[0]}"
    groups.wait_for("The S3 server", lambda: answers(f"{address}/healthz"), START_SECONDS)
    return address


def answers(address: str) -> bool:
    """Whether a server on loopback answers well."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # loopback, http
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
