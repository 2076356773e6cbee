"""Locks between processes: one night at a time, and none left behind by a process that died."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pipelines.errors import NightInProgressError
from pipelines.locks import exclusive, is_held

pytestmark = pytest.mark.slow


def _hold(path: str, pipe: Connection) -> None:
    with exclusive(Path(path), "A night"):
        pipe.send("held")
        pipe.recv()


def test_a_second_night_leaves_with_a_clear_message_and_a_killed_one_lets_go(
    tmp_path: Path,
) -> None:
    path = tmp_path / "night.lock"
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    holder = context.Process(target=_hold, args=(str(path), there))
    holder.start()
    assert here.recv() == "held"
    with (
        pytest.raises(NightInProgressError, match=rf"in progress already \(process {holder.pid}\)"),
        exclusive(path, "A night of Toytown"),
    ):
        pass
    os.kill(holder.pid or 0, signal.SIGKILL)
    holder.join()
    with exclusive(path, "A night"):
        pass


def test_waiting_ends_when_the_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "night.lock"
    with (
        exclusive(path, "A night"),
        pytest.raises(NightInProgressError),
        exclusive(path, "A publication", wait_seconds=0.3),
    ):
        pass
    with exclusive(path, "A publication", wait_seconds=0.3):
        pass


def test_a_process_that_was_handed_the_lock_goes_on_holding_it(tmp_path: Path) -> None:
    """The command line may be killed while the night that it began goes on."""
    path = tmp_path / "night.lock"
    with exclusive(path, "A night") as lock:
        command = [sys.executable, "-c", "input()"]
        night = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[lock])
    try:
        assert is_held(path)
    finally:
        night.communicate(b"\n")
    assert not is_held(path)
    assert not is_held(tmp_path / "never.lock")
