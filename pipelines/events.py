"""Events that a city file names: what changes traffic from a day on and is to be measured.

    [[events]]
    id = "opening and tolls"
    first_date = 2023-06-16
    settled_date = 2023-07-21       # may be the same day
    name = "The ring road opens"    # optional
    source = "https://..."          # optional: where the dates were told

Between the two days traffic is neither what it was nor what it became. Events come in order of
time and don't overlap: what is measured of one ends where the next begins.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from pipelines.night import Event


class CityEvent(BaseModel):
    """`[[events]]`: see the module's docstring."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    first_date: date
    settled_date: date
    name: str | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> CityEvent:
        if self.settled_date < self.first_date:
            raise ValueError("settled_date must not be earlier than first_date")
        return self

    def as_told(self) -> Event:
        """The event as makers are told of it."""
        return Event(self.id, self.first_date, self.settled_date, self.name, self.source)


def _one_after_the_other(events: tuple[CityEvent, ...]) -> tuple[CityEvent, ...]:
    names = [event.id for event in events]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"there are two events with the id {repeated[0]!r}")
    for before, after in pairwise(events):
        if after.first_date <= before.settled_date:
            raise ValueError(
                f"{after.id!r} begins on {after.first_date}, and {before.id!r} before it is settled"
                f" on {before.settled_date}: write events in order of time, overlapping ones as one"
            )
    return events


CityEvents = Annotated[tuple[CityEvent, ...], AfterValidator(_one_after_the_other)]
