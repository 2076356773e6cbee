"""Groups of processes: started each in a session of its own, stopped together whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import QalaError

HOST = "127.0.0.1"
POLL_SECONDS = 0.2
STOPPED_WITHIN_SECONDS = 15.0
LOG_LINES = 12  # of a program that ended too early, in the error


class ClusterError(QalaError):
    """A server of the cluster did not do what it should."""


class NotNowError(ClusterError):
    """A server of the cluster can't answer now; it may be starting."""


@dataclass
class Group:
    """A program and all that it starts, known by its process group."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    kindly: signal.Signals
    begin: Callable[[], subprocess.Popen[bytes]]  # starts the program, and starts it again

    def revive(self) -> None:
        """Start it again where it has ended."""
        if self.process.poll() is not None:
            self.process = self.begin()

    def require_alive(self) -> None:
        """Raise `ClusterError` where it has ended."""
        if self.process.poll() is None:
            return
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        raise ClusterError(f"{self.name} has ended: {' / '.join(lines)}", f"See {self.log}.")

    def tell(self, number: signal.Signals) -> bool:
        """Send all of it a signal; False when nobody is left."""
        self.process.poll()  # who has ended counts as alive until waited for
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def is_there(self) -> bool:
        """Whether any process of it is left."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


@dataclass
class Groups:
    """All groups of a cluster, in the order in which they were started.

    With `revives`, a program that ends while something is waited for is started again, as a
    supervisor would.
    """

    logs: Path
    revives: bool = False
    found: list[Group] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        kindly: signal.Signals = signal.SIGTERM,
        folder: Path | None = None,
    ) -> Group:
        """Start a program; `kindly` is the signal at which it ends in order."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"

        def begin() -> subprocess.Popen[bytes]:
            with log.open("ab") as said:
                return subprocess.Popen(  # noqa: S603  # the cluster's own programs
                    [str(word) for word in command],
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=user,
                    extra_groups=None if user is None else [],
                )

        group = Group(name, begin(), log, kindly, begin)
        self.found.append(group)
        return group

    def stop(self, names: Sequence[str] | None = None) -> None:
        """Stop groups, the last started first: kindly, and after a while for good."""
        chosen = [one for one in reversed(self.found) if names is None or one.name in names]
        for group in chosen:
            group.tell(group.kindly)
        until = time.monotonic() + STOPPED_WITHIN_SECONDS
        while time.monotonic() < until and any(group.is_there() for group in chosen):
            time.sleep(POLL_SECONDS)
        for group in chosen:
            while group.tell(signal.SIGKILL):
                time.sleep(POLL_SECONDS)
            group.process.wait()
            self.found.remove(group)

    def wait_for(
        self,
        what: str,
        is_ready: Callable[[], bool],
        seconds: float,
        *,
        pause_seconds: float = POLL_SECONDS,
    ) -> None:
        """Wait until something is so. Raises `ClusterError` when time is up or a program ends that
        is not started again."""
        until = time.monotonic() + seconds
        while not is_ready():
            self.tend()
            if time.monotonic() > until:
                raise ClusterError(f"{what}: not within {seconds:.0f} s.", f"See {self.logs}.")
            time.sleep(pause_seconds)

    def tend(self) -> None:
        """Start again what has ended, or raise `ClusterError` naming it."""
        for group in list(self.found):
            if self.revives:
                group.revive()
            group.require_alive()


@contextmanager
def groups(logs: Path) -> Iterator[Groups]:
    """Groups that are all stopped at the end."""
    found = Groups(logs)
    try:
        yield found
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # stopping is not to be stopped
        found.stop()


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def listens(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
