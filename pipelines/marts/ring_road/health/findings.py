"""What is wrong with a station, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from pipelines.marts.ring_road.reader_faults import MOST_EQUAL_SHARE
from pipelines.night import Event

# Ours: below these, a station is as others are.
LEAST_MISSING_HOUR_SHARE = 0.1
LEAST_COMPLETE_SHARE = 0.5
LEAST_UNREAD_SHARE = 0.5
# Ours: traffic moves in the fortnight before an event that closes roads, and for a month after it.
EVENT_LEAD, EVENT_SETTLING = timedelta(days=14), timedelta(days=28)


def is_at_event(day: date, events: Sequence[Event]) -> bool:
    """Whether a change of level on the day may be an event's effect."""
    return any(
        event.first_date - EVENT_LEAD <= day <= event.settled_date + EVENT_SETTLING
        for event in events
    )


def findings_text(
    found: Mapping[str, Any], events: Sequence[Event], successors: Mapping[str, str]
) -> str | None:
    """The findings of a station as one text, None where there are none.

    `found` has the columns of `marts.sensor_health` and `last_stuck_date`, `copied_day_count`,
    `duplicate_share`, `all_clocks_shift_hours`; `successors` names the station that a
    silent one was renamed to.
    """
    return "; ".join(_findings(found, events, successors)) or None


def _findings(
    found: Mapping[str, Any], events: Sequence[Event], successors: Mapping[str, str]
) -> Iterator[str]:
    if not found["is_listed"]:
        yield "not in the list of stations"
    if old := found["renamed_from_station_id"]:
        yield f"began at the level of {old} when that fell silent: renamed?"
    if successor := successors.get(found["station_id"]):
        yield f"fell silent when {successor} began at its level: renamed?"
    yield from _gaps(found)
    yield from _numbers(found)
    yield from _steps(found, events)
    if (found["unread_share"] or 0) >= LEAST_UNREAD_SHARE:
        yield f"{found['unread_share']:.0%} of readings without a plate"
    if (found["equal_direction_share"] or 0) > MOST_EQUAL_SHARE:
        yield "seems to tell in and out the wrong way round"


def _gaps(found: Mapping[str, Any]) -> Iterator[str]:
    expected, complete = found["expected_day_count"], found["complete_day_count"]
    if not expected:
        return
    last = found["last_counted_date"]
    if found["missing_day_count"] == expected:
        yield f"silent since {last + timedelta(days=1)}" if last else "never counted"
        return
    missing = found["missing_hour_share"]
    if missing >= LEAST_MISSING_HOUR_SHARE or complete < LEAST_COMPLETE_SHARE * expected:
        yield f"{complete} of {expected} days counted whole, {missing:.0%} of hours missing"


def _numbers(found: Mapping[str, Any]) -> Iterator[str]:
    if found["zero_hour_share"]:
        yield f"zero where the road is never empty, in {found['zero_hour_share']:.0%} of its hours"
    if found["stuck_day_count"]:
        yield f"stuck on {found['stuck_day_count']} days, last on {found['last_stuck_date']}"
    if twin := found["duplicate_of_station_id"]:
        yield f"same daily counts as {twin} on {found['duplicate_share']:.0%} of days"
    elif copied := found["copied_day_count"]:
        yield f"{copied} days in months in which it had another station's counts"


def _steps(found: Mapping[str, Any], events: Sequence[Event]) -> Iterator[str]:
    if day := found["change_point_date"]:
        at_event = ", at an event" if is_at_event(day, events) else ""
        change = found["change_point_ratio"] - 1
        yield f"level {change:+.0%} against other stations since {day}{at_event}"
    if (shift := found["clock_shift_hours"]) is not None:
        yield f"clock {shift:+.1f} h against other stations"
    if (shift := found["all_clocks_shift_hours"]) is not None:
        yield f"clocks of all stations moved by {shift:+.1f} h"
