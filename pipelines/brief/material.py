"""What the brief is made of: the night, its figures' frames, and what governs it.

A city need not make every figure: a table that is not there is an empty frame of its contract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from pipelines import flow
from pipelines.brief.cells import Named
from pipelines.contracts import load_contract
from pipelines.night import Night

# What the brief shows of the night itself.
TONIGHT = (
    "marts.cell_access",
    "marts.accessibility",
    "marts.diesel_burn_down",
    "marts.diesel_forecast",
    "marts.diesel_vehicle_km",
    "marts.bus_emissions",
    "marts.ring_road_diversion",
    "marts.ring_road_moved",
    "marts.ring_road_effect",
    "marts.ring_road_levels",
    "marts.commitments_status",
    "marts.commitment_targets",
    "marts.feed_health",
    "marts.sensor_health",
)
# Of these the year before too.
REACH = ("marts.metro_reach", "marts.bus_reach", "marts.rail_reach")
TABLES = (*REACH, *TONIGHT)


@dataclass(frozen=True)
class SourceState:
    """A source as it governs the night: its objects taken together."""

    source_id: str
    kind: str
    mark: str
    is_stale: bool
    good_date: date | None


@dataclass(frozen=True)
class Compared:
    """Two dates of the same kind of day, about a year apart."""

    later_date: date
    earlier_date: date


@dataclass(frozen=True)
class Material:
    """Everything that the page says, as frames under their contracts.

    `frames` holds the tables of `TABLES` by name, rows of the night (of reach also those of the
    compared dates). `lines` are tracks as (latitude, longitude) in degrees, `stations` has the
    columns stop_name, stop_lat and stop_lon.
    """

    night: Night
    city: Named
    frames: Mapping[str, pl.DataFrame]
    districts: pl.DataFrame
    stations: pl.DataFrame
    lines: Sequence[Sequence[tuple[float, float]]] = ()
    sources: Sequence[SourceState] = ()
    compared: Compared | None = None
    code_version: str = ""
    _empty: dict[str, pl.DataFrame] = field(default_factory=dict)

    def frame(self, table: str) -> pl.DataFrame:
        """Rows of a table; none where the city does not make it."""
        if table in self.frames:
            return self.frames[table]
        return self._empty.setdefault(table, load_contract(flow.table(table)).create_empty())

    def tonight(self, table: str) -> pl.DataFrame:
        """Rows of a table that are about the night itself."""
        return self.on(table, self.night.service_date)

    def on(self, table: str, service_date: date) -> pl.DataFrame:
        """Rows of a table that are about a date."""
        return self.frame(table).filter(pl.col("service_date") == service_date)
