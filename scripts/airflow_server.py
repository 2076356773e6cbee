"""Airflow's scheduler and pages for one city on one machine: `make airflow`.

Prepares a home of its own beside the city's data (never the one of embedded nights, whose runs
are replaced), starts `airflow standalone` on SQLite with the local executor, says where it is and
how to log in once every part is healthy, and stops all of it when stopped.

Environment (all optional): `QALA_CITY`, `QALA_DATA` (see `pipelines/settings.py`),
`QALA_AIRFLOW_HOME`, `QALA_AIRFLOW_PORT` (8080 unless told otherwise). Settings of Airflow's own
(``AIRFLOW__...``) that are already in the environment stay as they are, but for those it stands on.

Exit code 0: stopped as asked. 1: Airflow ended by itself or did not become healthy. 2: it could
not start.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TextIO

from pipelines.city_file import load_city
from pipelines.errors import QalaError, SettingsError
from pipelines.locks import exclusive
from pipelines.settings import (
    HEARTBEAT,
    ROOT,
    airflow_database,
    airflow_environment,
    load_settings,
    scheduler_home,
)

HOST = "127.0.0.1"
DEFAULT_PORT = "8080"
TASKS_AT_ONCE = 4
HEALTHY_WITHIN_SECONDS = 240.0
STOPPED_WITHIN_SECONDS = 30.0
POLL_SECONDS = 0.5
ENDED = 1
CANNOT_RUN = 2
PASSWORDS = "simple_auth_manager_passwords.json.generated"


def main() -> int:
    """Run Airflow until it is told to stop; the exit code is as the module says."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        settings = load_settings()
        name = load_city(settings.city_file).city.name
        home = scheduler_home(settings)
        port = free_port(os.environ.get("QALA_AIRFLOW_PORT") or DEFAULT_PORT)
        environment = {
            **HEARTBEAT,
            **airflow_environment(settings),
            **server_environment(home, port),
        }
        with exclusive(home / "server.lock", f"Airflow of {name}"):
            return serve(name, home, port, environment)
    except QalaError as error:
        sys.stderr.write(f"Error: {error}\n")
        return CANNOT_RUN
    except KeyboardInterrupt:
        return 0


def free_port(text: str) -> int:
    """The port, checked to be a number and free. Raises `SettingsError`."""
    remedy = "Set QALA_AIRFLOW_PORT to a free one."
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise SettingsError(f"{text!r} is no port.", remedy)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(text)))
        except OSError:
            raise SettingsError(f"Port {text} is taken.", remedy) from None
    return int(text)


def server_environment(home: Path, port: int) -> dict[str, str]:
    """What `airflow standalone` needs to know, over what any process on this city needs."""
    programs = Path(sys.executable).parent
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": os.environ.get(
            "AIRFLOW__CORE__PARALLELISM", str(TASKS_AT_ONCE)
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_database(home),
    }


def serve(city_name: str, home: Path, port: int, environment: dict[str, str]) -> int:
    """Prepare, start, say when it is healthy, wait; stop every process of it at the end."""
    log_file = home / "logs" / "standalone.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    say(f"Starting Airflow for {city_name}; its log is {log_file}")
    with log_file.open("w", encoding="utf-8") as log:
        prepare = "from dags.embedded import prepare_database; prepare_database()"
        if start([sys.executable, "-c", prepare], environment, log).wait():
            say(f"Airflow's database could not be prepared; the log says why: {log_file}")
            return CANNOT_RUN
        program = Path(sys.executable).with_name("airflow")
        server = start([str(program), "standalone"], environment, log)
    try:
        wait_until_healthy(server, port)
        say(f"Airflow is ready: http://{HOST}:{port}")
        say(f"Log in as admin with the password {password(home)}")
        say("Unpause `nightly`, `deliver` and `release_quarantine` to have them run.")
        say("Ctrl-C stops Airflow.")
        server.wait()
    except TimeoutError as error:
        say(f"{error}; the log says why: {log_file}")
        return ENDED
    finally:
        stop_group(server)
    say(f"Airflow has ended by itself; the log says why: {log_file}")
    return ENDED


def start(command: list[str], environment: dict[str, str], log: TextIO) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own, to be stopped as one; it writes to the log."""
    return subprocess.Popen(  # noqa: S603  # Python's and Airflow's own programs
        command,
        env=environment,
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_until_healthy(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until every part of Airflow says that it is well. Raises `TimeoutError`."""
    until = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise TimeoutError("Airflow ended while starting")
        if is_healthy(port):
            return
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"Airflow was not healthy within {HEALTHY_WITHIN_SECONDS:.0f} s")


def is_healthy(port: int) -> bool:
    """Whether database, scheduler, triggerer and DAG processor all say that they are well."""
    address = f"http://{HOST}:{port}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            parts = json.load(answer)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
        return False
    return all(part["status"] == "healthy" for part in parts.values())


def password(home: Path) -> str:
    """The password that Airflow made for the user admin."""
    passwords: dict[str, str] = json.loads((home / PASSWORDS).read_text(encoding="utf-8"))
    return passwords["admin"]


def stop_group(server: subprocess.Popen[bytes]) -> None:
    """Stop every process that Airflow has started: kindly, and after a while for good."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            until = time.monotonic() + STOPPED_WITHIN_SECONDS
            while time.monotonic() < until:
                server.poll()  # who has ended counts as alive until waited for
                os.killpg(server.pid, 0)
                time.sleep(POLL_SECONDS)
        except ProcessLookupError:
            return


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
