"""The table schema of a fleet register says what the contract says."""

from __future__ import annotations

from pathlib import Path

from pipelines.drop_in_schemas import render_vehicles_schema, vehicles_schema
from pipelines.staging.fleet import FUEL_TYPES, Vehicles

FILE = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "vehicles.schema.json"


def test_the_file_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == render_vehicles_schema(), "run: make docs"


def test_every_column_that_a_register_brings_is_a_field() -> None:
    fields = {field["name"]: field for field in vehicles_schema()["fields"]}  # type: ignore[attr-defined]  # a JSON tree
    made_here = {"source_id", "version_id", "has_year_only_date", "plate_check"}
    read_alone = {"license_plate", "snapshot_date", "event_date", "event_type"}
    assert set(fields) == {*Vehicles.column_names()} - made_here | read_alone
    assert fields["fuel_type"]["constraints"]["enum"] == list(FUEL_TYPES)
    assert fields["vehicle_id"]["constraints"] == {"required": True}
    from_tides = {name for name, field in fields.items() if field["origin"] == "TIDES"}
    assert from_tides == {"vehicle_id", "license_plate"}
