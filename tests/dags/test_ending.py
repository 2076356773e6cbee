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


def all_of(ours: socket.socket) -> bytes:
    ours.settimeout(30)
    return b"".join(iter(lambda: ours.recv(4096), b""))


def test_the_output_closes_after_the_end() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        process = subprocess.Popen(
            [sys.executable, "-c", ENDS_LATE], stdout=theirs, stderr=theirs, cwd=ROOT
        )
        theirs.close()
        assert all_of(ours) == b"at work\n1"
        assert process.poll() == 7  # without another look


def test_who_writes_to_no_socket_leaves_nobody_behind() -> None:
    told = subprocess.run(
        [sys.executable, "-c", ENDS_LATE], stdout=subprocess.PIPE, cwd=ROOT, check=False
    )
    assert (told.stdout, told.returncode) == (b"at work\n0", 7)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_nobody_outlives_a_process_that_is_killed(name: str) -> None:
    killed = ENDS_LATE.replace("os._exit(7)", f"import signal; os.kill(os.getpid(), signal.{name})")
    ours, theirs = socket.socketpair()
    with ours:
        process = subprocess.Popen(
            [sys.executable, "-c", killed], stdout=theirs, stderr=theirs, cwd=ROOT
        )
        theirs.close()
        assert all_of(ours) == b"at work\n1"
        assert process.wait(5) < 0
