"""The time that one object may take in all: every try, pause, redirect and byte of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipelines.errors import TransientSourceError


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock; `minutes` is how far it was when it was set."""

    what: str
    minutes: float
    at: float

    @classmethod
    def after(cls, minutes: float, what: str) -> Deadline:
        """The deadline so many minutes from now; `what` should be here by then."""
        return cls(what, minutes, time.monotonic() + minutes * 60)

    def remaining_seconds(self) -> float:
        """Seconds that are left; never negative."""
        return max(0.0, self.at - time.monotonic())

    def within(self, seconds: float | None) -> float:
        """A time-out in seconds, cut to what is left.

        Raises `TransientSourceError` where nothing is left.
        """
        self.check()
        left = self.remaining_seconds()
        return left if seconds is None else min(seconds, left)

    def check(self) -> None:
        """Raises `TransientSourceError` where nothing is left."""
        if self.remaining_seconds() <= 0:
            raise TransientSourceError(
                f"{self.what} was not here within {self.minutes:g} minutes.",
                "Raise `max_minutes` of the source in the city file if it takes that long.",
            )
