"""What a pure function is told about the night: dates and names arrive as arguments.

A *night* is one service date of one city. A `SourceVersion` is one object (a feed, a register,
a day of counts) of one source, identified by its contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal

Mark = Literal["measured", "modelled", "published", "synthetic"]
MARKS: tuple[Mark, ...] = ("measured", "modelled", "published", "synthetic")

DayType = Literal["weekday", "saturday", "sunday", "holiday"]
DAY_TYPES: tuple[DayType, ...] = ("weekday", "saturday", "sunday", "holiday")

WHOLE_DAY = "whole day"


@dataclass(frozen=True)
class Window:
    """A departure window in seconds after the service day's start (noon minus 12 h)."""

    start_seconds: int
    end_seconds: int

    @property
    def label(self) -> str:
        """The window as figures name it, e.g. ``07:00-09:00``."""
        return f"{_clock(self.start_seconds)}-{_clock(self.end_seconds)}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


@dataclass(frozen=True)
class Night:
    """One service date of one city, as a mart's maker sees it."""

    city_id: str
    city_name: str
    service_date: date
    day_type: DayType
    time_zone: str
    window: Window
    mark: Mark  # the weakest mark among the sources that the table stands on


@dataclass(frozen=True)
class Event:
    """Something that changes traffic from `first_date` on, and lasts from `settled_date` on."""

    event_id: str
    first_date: date
    settled_date: date
    event_name: str | None = None
    source_address: str | None = None


@dataclass(frozen=True)
class SourceVersion:
    """One object of one source, as its parser and stagers see it.

    `version_id` is the hash of the object's contents, so a repacked zip is no new version.
    `columns` maps upstream headings to ours, `terms` maps upstream words to ours by column.
    """

    source_id: str
    version_id: str
    object_name: str
    format: str
    time_zone: str = "UTC"
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    terms: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))


def weakest_mark(marks: frozenset[Mark] | set[Mark]) -> Mark:
    """The mark of a figure that stands on inputs with these marks.

    Synthetic input makes a synthetic figure, modelled input a modelled one, published input
    (taken over from somebody's statement) a published one; only measured alone is measured.
    """
    for mark in ("synthetic", "modelled", "published"):
        if mark in marks:
            return mark
    return "measured"
