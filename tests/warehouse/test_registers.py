"""Which versions of registers governed which nights: runs, gaps, several files, refused rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.settings import Settings
from pipelines.staging.fleet import Vehicles
from pipelines.warehouse.lake import Lake, open_lake
from pipelines.warehouse.night_sources import Governing, SourceNights
from pipelines.warehouse.registers import VEHICLES, register_versions
from pipelines.warehouse.state import version_key, written

pytestmark = pytest.mark.slow


def night(number: int) -> date:
    return date(2026, 11, number)


def governs(lake: Lake, source_id: str, day: date, **objects: str) -> None:
    """One night of a source: the version of each object that governs, empty for none."""
    rows = [
        Governing(source_id, name, version, "", "fleet", "measured", is_stale=False, good_date=day,
                  reason="")
        for name, version in objects.items()
    ]  # fmt: skip
    lake.write(SourceNights(lake, source_id).partitions(day, rows))


def runs(lake: Lake, *source_ids: str) -> list[tuple[object, ...]]:
    columns = ("source_id", "object_name", "known_from_date", "known_to_date", "version_id")
    return register_versions(lake, source_ids).select(columns).rows()


def test_runs_of_versions(tmp_path: Path) -> None:
    catalog, objects = tmp_path / "lake" / "catalog.sqlite", tmp_path / "lake" / "objects"
    settings = Settings(tmp_path / "toy.toml", tmp_path, str(catalog), str(objects))
    with open_lake(settings) as lake:
        assert runs(lake, "bus") == []
        for day, version in ((1, "v1"), (2, "v1"), (5, "v2"), (6, "v1")):
            governs(lake, "bus", night(day), r=version)
        # A file more, which goes again and comes back; and a night on which nothing was there.
        governs(lake, "tram", night(1), a="a1")
        governs(lake, "tram", night(2), a="a1", b="b1")
        governs(lake, "tram", night(3), a="a1")
        governs(lake, "tram", night(4), a="", b="b1")
        governs(lake, "other", night(1), r="o1")

        assert runs(lake, "bus") == [
            ("bus", "r", night(1), night(5), "v1"),
            ("bus", "r", night(5), night(6), "v2"),
            ("bus", "r", night(6), None, "v1"),
        ]
        assert runs(lake, "tram", "bus")[3:] == [
            ("tram", "a", night(1), night(4), "a1"),
            ("tram", "b", night(2), night(3), "b1"),
            ("tram", "b", night(4), None, "b1"),
        ]
        partitions, _ = written(
            lake, VEHICLES, version_key("bus", "v2"), Vehicles, Vehicles.create_empty(),
            input_hash="", refused_count=7,
        )  # fmt: skip
        lake.write(partitions)
        refused = register_versions(lake, ["bus"]).get_column("refused_count")
        assert refused.to_list() == [0, 7, 0]
