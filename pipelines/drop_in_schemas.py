"""Table schemas (Frictionless) of the files that a city drops in, written from the contracts.

`docs/schemas/vehicles.schema.json` is the fleet register: the TIDES table `vehicles`, extended. A
field says by `origin` whether TIDES has it. Written again by `make docs`; a test keeps it fresh.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import dataframely as dy

from pipelines.contracts import allowed_words
from pipelines.staging.fleet import DATE_COLUMNS, Vehicles

# Columns of the contract that no register brings.
_OURS = frozenset({"source_id", "version_id", "has_year_only_date", "plate_check"})
_TIDES = frozenset({"vehicle_id", "license_plate"})
_TYPES = {dy.String: "string", dy.Bool: "boolean", dy.Date: "date", dy.Int64: "integer"}
# Columns that are read and not kept as they are: what the parser looks for beyond the contract.
_READ = (
    ("license_plate", "string", "Plate; looked at for repeats and changes, and never stored."),
    ("snapshot_date", "date", "Day on which the register was saved; makes it one of snapshots."),
    ("event_date", "date", "Day of an event; with event_type it makes the register one of events."),
    ("event_type", "string", "What happened to the vehicle on that day."),
)
_EVENTS = ("entered", "changed", "left")
_SAME_AS = {"in_service_date": "start_date", "retirement_date": "end_date"}


def vehicles_schema() -> dict[str, object]:
    """The schema of a fleet register as a JSON-able tree."""
    return {
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "name": "vehicles",
        "title": "Fleet register",
        "description": "Vehicles of public transport: TIDES vehicles with fuel, emission standard, "
        "dates, operator, depot and state. One row per vehicle; of snapshots one per vehicle and "
        "day, of events one per event.",
        "missingValues": [""],
        "fields": [*_own_fields(), *_read_fields()],
        "fieldsMatch": "partial",
    }


def _own_fields() -> Iterator[dict[str, object]]:
    for name, column in Vehicles.columns().items():
        if name in _OURS:
            continue
        field: dict[str, object] = {
            "name": name,
            "type": _TYPES[type(column)],
            "description": column.description or "",
            "origin": "TIDES" if name in _TIDES else "extension",
        }
        if name in DATE_COLUMNS:
            field["description"] = f"{field['description']} A year alone is tolerated."
            field["type"] = "any"
        if name in _SAME_AS:
            field["tidesEquivalent"] = _SAME_AS[name]
        constraints: dict[str, object] = {}
        if name == "vehicle_id":
            constraints["required"] = True
        if words := allowed_words(column):
            constraints["enum"] = list(words)
        yield field | ({"constraints": constraints} if constraints else {})


def _read_fields() -> Iterator[dict[str, object]]:
    for name, kind, description in _READ:
        field: dict[str, object] = {
            "name": name,
            "type": kind,
            "description": description,
            "origin": "TIDES" if name in _TIDES else "extension",
        }
        words = {"constraints": {"enum": list(_EVENTS)}} if name == "event_type" else {}
        yield field | words


def render_vehicles_schema() -> str:
    """The schema as the text of its file."""
    return json.dumps(vehicles_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_vehicles_schema(), encoding="utf-8")
