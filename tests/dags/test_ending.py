"""A process' output stays open until it has ended, whenever it lets go of it itself."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from pipelines.settings import ROOT

ENDS_LATE = """
import os, time
from dags.ending import OUTLIVING, seen_ending
try:
    with seen_ending():
        os.write(1, b"at work\\n")
        raise ValueError
except ValueError:
    os.write(1, str(len(OUTLIVING)).encode())
os.close(1)
os.close(2)
time.sleep(0.3)
os._exit(7)
"""


KILLED = "import signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(("end", "code"), [("os._exit(7)", 7), (KILLED, -9)])
def test_the_output_closes_after_the_end(end: str, code: int) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-c", ENDS_LATE.replace("os._exit(7)", end)],
            stdout=theirs, stderr=theirs, cwd=ROOT,
        )  # fmt: skip
        theirs.close()
        assert b"".join(iter(lambda: ours.recv(4096), b"")) == b"at work\n1"
        assert process.poll() == code  # without another look


def test_who_writes_to_no_socket_leaves_nobody_behind() -> None:
    told = subprocess.run(
        [sys.executable, "-c", ENDS_LATE], stdout=subprocess.PIPE, cwd=ROOT, check=False
    )
    assert (told.stdout, told.returncode) == (b"at work\n0", 7)
