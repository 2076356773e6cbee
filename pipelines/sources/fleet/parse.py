"""Fleet register: one row per vehicle, as an operator's system exports it (CSV, XLSX, Parquet).

The city file's `columns` map the register's headings to the columns of `staging.vehicles`, its
`terms` map the register's words (fuels, states, yes and no) to ours. Columns that the register
has beyond those are left out when rows are staged. Three forms, told apart by their columns:

- *whole*: the register as it stands, one row per vehicle;
- *snapshots*: with `snapshot_date`, one row per vehicle and day on which the register was saved;
- *events*: with `event_date` and `event_type` (entered, changed, left), one row per event.

The last two are dated: they become changes (`dated`), however many days they tell.

A column `license_plate` is looked at here and goes no further: what is left of it is said in
`plates`.
"""

from __future__ import annotations

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.fleet.dated import (
    EVENT_DATE,
    EVENT_TYPE,
    SNAPSHOT_DATE,
    states_of_events,
    states_of_snapshots,
    with_text_ids,
)
from pipelines.sources.fleet.plates import without_plates
from pipelines.sources.table import described, map_table, raw_slices, read_table, require_columns

REQUIRED_COLUMNS = ("vehicle_id", "fuel_type")


def parse_fleet(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frames `vehicles`, as the register last has them, and `vehicle_states`, changes by date.

    `vehicle_states` is empty for a register that tells no dates of its own. SourceError where the
    register can't be read, lacks a vehicle's number or fuel, or is of two forms at once.
    """
    headings, slices = raw_slices(payload, source)
    first = next(slices)
    head = map_table(first.head(1), source, headings)
    require_columns(head, source, REQUIRED_COLUMNS)
    _require_plain(head, source)
    is_snapshots = SNAPSHOT_DATE in head.columns
    if is_snapshots and (EVENT_DATE in head.columns or EVENT_TYPE in head.columns):
        raise SourceError(
            f"{described(source)} tells both snapshots and events.",
            "Deliver them as two sources, or map only one of them in the city file.",
        )
    if is_snapshots:
        return states_of_snapshots(first, slices, headings, source)
    vehicles = with_text_ids(read_table(payload, source))
    if EVENT_DATE in head.columns or EVENT_TYPE in head.columns:
        require_columns(vehicles, source, (EVENT_DATE, EVENT_TYPE))
        return states_of_events(vehicles)
    vehicles = without_plates(vehicles)
    no_dates = [pl.lit(None, pl.Date).alias(f"valid_{end}_date") for end in ("from", "to")]
    none = vehicles.clear().with_columns(*no_dates, told_by=pl.lit(None, pl.String))
    return {"vehicles": vehicles, "vehicle_states": none}


def _require_plain(table: pl.DataFrame, source: SourceVersion) -> None:
    nested = [name for name, dtype in table.schema.items() if dtype.is_nested()]
    if nested:
        raise SourceError(
            f"{described(source)} has lists or structures in {', '.join(map(repr, nested))}.",
            "Ask who delivers it for one value in each cell.",
        )
