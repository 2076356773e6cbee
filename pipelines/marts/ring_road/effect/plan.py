"""Analysis plan: which events are measured, and what must hold before a number is printed.

The values are chosen before the estimates are seen. With the city file's events they travel with
every result as a SHA-256; `docs/ring-road-plan.md` says why each is what it is, and is tested to
hold the same values.

An event has a first day and a day on which it is settled; periods that touch the days between are
neither before nor after. What is measured ends before the next event and begins after the one
before.

Left out: what no date can tell, such as works on other roads; a city that knows of them names
events of its own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from pipelines.night import Event


@dataclass(frozen=True)
class Window:
    """Days before and after an event: the first day of each span, and the first one beyond it."""

    before_from: date
    before_until: date
    after_from: date
    after_until: date

    def is_before(self, period_date: date, period_days: int) -> bool:
        """Whether a period that begins on the day lies wholly before the event."""
        end = period_date + timedelta(days=period_days)
        return self.before_from <= period_date and end <= self.before_until

    def is_after(self, period_date: date, period_days: int) -> bool:
        """Whether a period that begins on the day lies wholly after the event is settled."""
        end = period_date + timedelta(days=period_days)
        return self.after_from <= period_date and end <= self.after_until


@dataclass(frozen=True)
class Plan:
    """The city's events, and limits; what a limit is a multiple of stands in its name.

    `_log_ratio` is a difference of logs (0.02 is about 2 per cent), `_errors` a multiple of a
    standard error or of a robust standard deviation. All limits are ours; the document has reasons.
    """

    events: tuple[Event, ...] = ()
    # What becomes a period's outcome.
    fewest_days_per_week: int = 4
    stuck_days: int = 4
    # What becomes a balanced panel.
    fewest_station_share: float = 0.5
    most_missing_share: float = 0.10
    longest_gap_periods: int = 3
    fewest_before_periods: int = 52
    fewest_after_periods: int = 8
    block_periods: int = 4
    # Stations that broke, and controls that changed at the event.
    broken_window_periods: int = 8
    broken_errors: float = 6.0
    broken_log_ratio: float = 0.10
    screen_window_periods: int = 26
    screen_windows_before: int = 3
    changed_control_errors: float = 4.0
    changed_control_log_ratio: float = 0.02
    most_changed_share: float = 0.25
    most_control_spread_ratio: float = 1.5
    fewest_controls: int = 20
    # Whether the estimate may be printed.
    interval_level: float = 0.95
    worst_before_rmse_share: float = 1.0
    worst_before_rmse_ratio: float = 2.0
    placebo_date_count: int = 4
    first_placebo_date_share: float = 0.5
    last_placebo_date_share: float = 0.8
    most_placebo_date_errors: float = 4.0
    most_leave_one_out_errors: float = 2.0
    least_agreeing_share: float = 0.25
    agreement_log_ratio: float = 0.03
    fewest_agreeing_methods: int = 3
    harmonic_pairs: int = 2

    def event(self, event_id: str) -> Event:
        """The event of that id.

        Raises `KeyError` for an id that the plan does not hold.
        """
        return {event.event_id: event for event in self.events}[event_id]

    def window(self, event_id: str) -> Window:
        """Days before and after an event, up to the events on either side of it."""
        event = self.event(event_id)
        earlier = [
            other.settled_date for other in self.events if other.settled_date < event.first_date
        ]
        later = [other.first_date for other in self.events if other.first_date > event.settled_date]
        return Window(
            before_from=max(earlier, default=date.min),
            before_until=event.first_date,
            after_from=event.settled_date,
            after_until=min(later, default=date.max),
        )

    def values(self) -> dict[str, Any]:
        """All values by name; of events what decides, which is not how they are called or told."""
        events = [{name: getattr(event, name) for name in _DECISIVE} for event in self.events]
        return asdict(self) | {"events": events}

    def sha256(self) -> str:
        """Hash of all values, 64 hexadecimal digits: of their JSON with sorted keys, no spaces."""
        text = json.dumps(self.values(), sort_keys=True, separators=(",", ":"), default=_iso)
        return hashlib.sha256(text.encode()).hexdigest()


_DECISIVE = ("event_id", "first_date", "settled_date")


def _iso(value: date) -> str:
    return value.isoformat()


# Without events: what a panel needs.
PLAN = Plan()
