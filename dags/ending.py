"""A task's end, seen at once by Airflow's process beside it.

That process looks for the end when the task's output closes, which is a moment before the end. On a
busy processor it looks too early, and looks again only at its next heartbeat, while the worker
stands idle. So another process keeps the output open until the task's process has ended.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Processes that see this one end; kept, since who drops one must have waited for it.
OUTLIVING: list[subprocess.Popen[bytes]] = []

_UNTIL_IT_ENDS = """
import os, select, sys
poll = select.poll()
poll.register(os.pidfd_open(int(sys.argv[1])), select.POLLIN)
poll.poll()
"""


@contextmanager
def seen_ending() -> Iterator[None]:
    """At the end of the block begin to keep the output open, for as long as this process lives.

    Nothing is begun where the output is no socket: nobody waits for it there.
    """
    try:
        yield
    finally:
        if stat.S_ISSOCK(os.fstat(1).st_mode):
            command = [sys.executable, "-I", "-S", "-c", _UNTIL_IT_ENDS, str(os.getpid())]
            OUTLIVING.append(subprocess.Popen(command))  # noqa: S603  # our own lines
