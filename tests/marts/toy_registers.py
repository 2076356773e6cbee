"""Toy fleet registers as night after night brings them, and the history that they make."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from pipelines.marts.vehicle_history import VehicleHistory, compute_vehicle_history
from pipelines.night import Night, SourceVersion, Window
from pipelines.sources.fleet.parse import parse_fleet
from pipelines.staging.fleet import (
    RegisterVersions,
    Vehicles,
    VehicleStates,
    stage_vehicle_states,
    stage_vehicles,
)

HEADINGS = "vehicle_id,operator_name,fuel_type,in_service_date,retirement_date,status,license_plate"
Brought = Sequence[tuple[date, Mapping[str, str]]]


def night(day: date) -> Night:
    window = Window(7 * 3600, 9 * 3600)
    return Night("toy", "Toy", day, "weekday", "Asia/Almaty", window, "measured")


def register(*rows: str) -> str:
    return "\n".join([HEADINGS, *rows]) + "\n"


def staged(text: str, version_id: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    source = SourceVersion("fleet", version_id, "register.csv", "csv")
    raw = parse_fleet(text.encode(), source)
    return stage_vehicles(raw, source).rows, stage_vehicle_states(raw, source).rows


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def versions(nights: Brought) -> pl.DataFrame:
    """What governed on which nights, of objects by name; a text is its own version."""
    rows: list[dict[str, object]] = []
    for (day, objects), after in zip(nights, [*nights[1:], (None, {})], strict=True):
        for name, text in objects.items():
            rows.append(
                {
                    "source_id": "fleet",
                    "object_name": name,
                    "version_id": _version(text),
                    "known_from_date": day,
                    "known_to_date": after[0],
                    "refused_count": 0,
                }
            )
    types = {name: column.dtype for name, column in RegisterVersions.columns().items()}
    return RegisterVersions.validate(pl.DataFrame(rows, schema=types))


def history(nights: Brought) -> pl.DataFrame:
    """The history that registers make which came on some nights, each with its objects."""
    texts = {text for _, objects in nights for text in objects.values()}
    made = [staged(text, _version(text)) for text in sorted(texts)]
    return compute_vehicle_history(
        vehicles=Vehicles.cast(pl.concat([vehicles for vehicles, _ in made])),
        vehicle_states=VehicleStates.cast(pl.concat([states for _, states in made])),
        register_versions=RegisterVersions.cast(versions(nights)),
    )


def a_history(*vehicles: Mapping[str, object], known: date = date(2014, 1, 1)) -> pl.DataFrame:
    """History rows as they stand; what a row leaves out is blank, its number is its place."""
    blank: dict[str, object] = dict.fromkeys(VehicleHistory.column_names())
    fixed = {
        "source_id": "fleet",
        "fuel_type": "diesel",
        "valid_from_date": date(2014, 1, 1),
        "known_from_date": known,
        "opened_by": "entry",
        "has_year_only_date": False,
    }
    rows = []
    for number, vehicle in enumerate(vehicles):
        row = {**blank, **fixed, "vehicle_id": f"{number:04d}", **vehicle}
        if row["valid_to_date"] and not row["closed_by"]:
            row["closed_by"] = "retirement"
        rows.append(row)
    types = {name: column.dtype for name, column in VehicleHistory.columns().items()}
    return VehicleHistory.validate(pl.DataFrame(rows, schema=types))
