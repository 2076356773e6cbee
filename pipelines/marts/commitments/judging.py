"""When a value meets a target, and where a commitment stands by it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType

COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"at most": operator.le, "at least": operator.ge, "below": operator.lt, "above": operator.gt}
)
DOWNWARDS = ("at most", "below")


def worse_end(low: float, high: float, comparison: str | None) -> float:
    """The end of a range that is farther from meeting a target."""
    return high if comparison in DOWNWARDS else low


def judge(
    value: float,
    on: date,
    *,
    target: float | None,
    comparison: str | None,
    deadline: date | None = None,
    baseline: tuple[float, date] | None = None,
) -> str:
    """Status of a measured value on a service date (`marts.commitments_status` tells the rules)."""
    if target is None or comparison is None:
        return "direction only"
    if COMPARE[comparison](value, target):
        return "met"
    if deadline is None:
        return "behind"
    if on > deadline:
        return "overdue"
    if baseline is None or baseline[1] >= deadline:
        return "behind"
    start, since = baseline
    elapsed_share = (on - since) / (deadline - since)
    expected = start + (target - start) * elapsed_share
    is_ahead = value >= expected if target > start else value <= expected
    return "on track" if is_ahead else "behind"
