"""Mode sets: by which modes, and whether without steps, people travel where reach is counted.

- `all`: every route of every feed.
- `metro`, `bus`: by one mode alone (and on foot); `metro and bus`: by both, so that what the metro
  adds to buses is told apart from what suburban rail or trams add.
- `step-free known`, `step-free possible`: by all modes without steps. The first counts stops and
  trips that the feeds call accessible (a lower bound), the second all that they don't call
  inaccessible (an upper bound).

Modes by GTFS and extended route types are those of `marts.metro_reach` and `marts.bus_reach`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.marts.bus_reach import BUS
from pipelines.marts.metro_reach import METRO
from pipelines.marts.reach.routing.feeds import Travel


@dataclass(frozen=True)
class ModeSet:
    """A mode set: its name in figures, its routes, and what its trips are called in a reason."""

    name: str
    travel: Travel
    trips: str


ALL = ModeSet("all", Travel(), "trips")
METRO_ONLY = ModeSet("metro", Travel(METRO.route_types), "metro trips")
BUS_ONLY = ModeSet("bus", Travel(BUS.route_types), "bus trips")
METRO_AND_BUS = ModeSet(
    "metro and bus", Travel(METRO.route_types | BUS.route_types), "metro or bus trips"
)
STEP_FREE_KNOWN = ModeSet(
    "step-free known", Travel(step_free="lower"), "trips known to be step-free"
)
STEP_FREE_POSSIBLE = ModeSet(
    "step-free possible", Travel(step_free="upper"), "trips that may be step-free"
)

MODE_SETS = (ALL, METRO_ONLY, BUS_ONLY, METRO_AND_BUS, STEP_FREE_KNOWN, STEP_FREE_POSSIBLE)
MODE_SET_NAMES = tuple(mode_set.name for mode_set in MODE_SETS)


def mode_set(name: str) -> ModeSet:
    """The mode set of this name. KeyError where there is none."""
    return {one.name: one for one in MODE_SETS}[name]
