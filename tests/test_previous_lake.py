"""Lakes that earlier versions of the code made: a night goes on, and what is new is null before.

Each archive in `tests/lakes` is named by the commit that made it (`scripts/previous-lake`).
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pipelines.settings import ROOT, load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import open_lake
from pipelines.warehouse.maintenance import missing_files
from tests.toy_city import SMALL, run_night, write_toy_city

pytestmark = pytest.mark.slow

LAKES = sorted((ROOT / "tests" / "lakes").glob("*.tar.xz"))


@pytest.mark.parametrize("archive", LAKES, ids=lambda path: path.name)
def test_a_night_goes_on_with_the_lake(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALA_CITY", str(write_toy_city(tmp_path, city=SMALL)))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "data", filter="data")
    settings = load_settings()
    with open_lake(settings) as lake:
        old = lake.read("ops.publications", ops.Publications)
        assert not lake.exists("ops.editions"), "made before extracts had editions"
        assert old.item(0, "brief_sha256") is None
    told = run_night("2026-11-19")
    assert not [name for name, report in told.items() if isinstance(report, Exception)], told
    with open_lake(settings) as lake:
        nights = lake.read("ops.publications", ops.Publications).sort("service_date")
        assert missing_files(lake) == []
    assert nights.row(0, named=True) == old.row(0, named=True)
    assert nights.item(1, "brief_sha256")
    assert (settings.publish / "extracts" / "2026-11-19" / "manifest.json").is_file()


def test_there_are_lakes_to_upgrade() -> None:
    assert LAKES
