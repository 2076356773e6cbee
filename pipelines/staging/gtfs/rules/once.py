"""What several rules ask of one feed or table is computed once, and forgotten with it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Subject = TypeVar("Subject")
Result = TypeVar("Result")


def once(compute: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
    """A function of one feed or table that remembers its result as long as that object lives.

    The result must not hold the object itself, or neither would ever go.
    """
    results: dict[int, Result] = {}

    @wraps(compute)
    def recall(subject: Subject) -> Result:
        key = id(subject)
        if key not in results:
            results[key] = compute(subject)
            weakref.finalize(subject, results.pop, key, None)
        return results[key]

    return recall
