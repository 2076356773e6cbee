"""Where people may walk, by the tags of an OpenStreetMap way.

A way is walked when its highway is open to people on foot by default and nothing closes it: `foot`
is asked first, then `access`. A highway made for others (bicycles, horses, buses) is walked where
`foot` says so, a motorway never. Platforms and piers are walked. Meanings of the tags:
wiki.openstreetmap.org, "Key:highway", "Key:foot" and "Key:access". By default countries differ in
trunk roads: in towns they have pavements, and a road for motor vehicles alone says `motorroad`.

Left out: one-way streets (walkers go both ways), opening hours and other conditions, gates and
fences that stand on a way, what is under construction or gone, ferries, and surfaces or slopes.
"""

from __future__ import annotations

from typing import Protocol

OPEN_HIGHWAYS = frozenset(
    {
        *("footway", "pedestrian", "path", "steps", "corridor", "platform", "crossing"),
        *("living_street", "residential", "service", "unclassified", "road", "track"),
        *("trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link"),
        *("tertiary", "tertiary_link"),
    }
)
HIGHWAYS_OF_OTHERS = frozenset({"cycleway", "bridleway", "busway", "bus_guideway"})
# Other features that people walk on, with or without a highway.
WALKED_FEATURES = (("railway", "platform"), ("public_transport", "platform"), ("man_made", "pier"))
OPEN_TO_FOOT = frozenset(
    {"yes", "designated", "official", "permissive", "destination", "customers", "public"}
)
# `use_sidepath` and `separate`: the pavement is a way of its own.
CLOSED_TO_FOOT = frozenset({"no", "private", "use_sidepath", "separate"})
CLOSED_TO_ALL = frozenset({"no", "private"})


class Tags(Protocol):
    """Tags of a way: a mapping, or what OpenStreetMap's reader hands out."""

    def get(self, key: str) -> str | None:
        """The tag's value; None where the way lacks it."""
        ...


def is_walkable(tags: Tags) -> bool:
    """Whether people may walk along the way."""
    highway, foot = tags.get("highway"), tags.get("foot")
    if highway in HIGHWAYS_OF_OTHERS:
        return foot in OPEN_TO_FOOT
    if highway not in OPEN_HIGHWAYS and (
        highway is not None or all(tags.get(key) != value for key, value in WALKED_FEATURES)
    ):
        return False
    if foot in OPEN_TO_FOOT:
        return True
    if foot in CLOSED_TO_FOOT or tags.get("access") in CLOSED_TO_ALL:
        return False
    return tags.get("motorroad") != "yes"
