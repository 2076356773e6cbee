"""What a file and a field of GTFS Schedule are, as the reference describes them.

Presence that depends on other values or files, required or forbidden, is ``conditional``; its
conditions are rules of their own and not written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "id",
    "text",
    "url",
    "email",
    "phone",
    "color",
    "currency_code",
    "currency_amount",
    "date",
    "time",
    "local_time",
    "time_zone",
    "language",
    "latitude",
    "longitude",
    "integer",
    "float",
    "enum",
]
Presence = Literal["required", "conditional", "recommended", "optional"]

# How the id of a zone in locations.geojson, which is no table, is named among references.
ZONE_ID = "locations.id"


@dataclass(frozen=True)
class Field:
    """One column of a file.

    ``values`` are an enum's values and ``also`` ranges of further ones in wide use; ``least`` and
    ``most`` are inclusive bounds, ``above`` an exclusive one; ``references`` are the columns
    (``stops.stop_id``) of which one must hold the value; ``default`` is what blank means.
    """

    name: str
    kind: Kind
    presence: Presence = "optional"
    values: tuple[int, ...] = ()
    also: tuple[range, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    is_non_zero: bool = False
    references: tuple[str, ...] = ()
    default: str | None = None
    is_vital: bool = False  # without a readable value the row cannot be used at all
    may_be_blank: bool = False  # a required column in which blank has a meaning
    mixed_case: bool = False  # riders read it: capitals and small letters are recommended

    @property
    def needs_value(self) -> bool:
        """Whether every row must have a value."""
        return self.presence == "required" and not self.may_be_blank


@dataclass(frozen=True)
class File:
    """One file of a feed: its name without .txt, its primary key, its fields in order.

    ``key`` holds every field where the reference says that a row is its own key, and is empty
    where the file has one row only.
    """

    name: str
    presence: Presence
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    is_single: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all its columns."""
        return tuple(field.name for field in self.fields)

    def column(self, name: str) -> Field:
        """The field of that name. Raises KeyError where the file has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name}.{name}")
