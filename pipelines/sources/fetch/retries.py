"""Trying again: only what may pass, with growing pauses, as often as the deadline leaves time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from pipelines.errors import TransientSourceError
from pipelines.sources.fetch.deadline import Deadline

TRIES = 3
FIRST_PAUSE_SECONDS = 0.5
PAUSE_GROWTH = 4.0
LONGEST_PAUSE_SECONDS = 60.0  # a server that asks for more is left alone tonight, or until later

Result = TypeVar("Result")


class BusyError(TransientSourceError):
    """A server says when it wants to be asked again."""

    pause_seconds: float = 0.0


def persist(
    read: Callable[[], Result],
    deadline: Deadline,
    failed_try: Callable[[TransientSourceError], None],
) -> Result:
    """Read, and read again after a failure that may pass.

    `failed_try` is told of each failure that another try follows. Raises the last one, and at once
    any error that no further try can mend.
    """
    for attempt in range(1, TRIES):
        try:
            return read()
        except TransientSourceError as error:
            pause = _pause_seconds(attempt, error)
            if pause > min(LONGEST_PAUSE_SECONDS, deadline.remaining_seconds()):
                raise
            failed_try(error)
        time.sleep(pause)
    return read()


def _pause_seconds(attempt: int, error: TransientSourceError) -> float:
    jitter = random.uniform(0.5, 1.5)  # noqa: S311  # spreads callers, keeps no secret
    pause = FIRST_PAUSE_SECONDS * PAUSE_GROWTH ** (attempt - 1) * jitter
    return max(pause, error.pause_seconds) if isinstance(error, BusyError) else pause
