"""Delivery into a folder: each file by itself, with a receipt, and the manifest last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipelines.delivery import deliver_night
from pipelines.errors import QalaError
from pipelines.settings import City, Settings, load_city
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from tests.toy_city import CITY, write_toy_city

DAY = date(2026, 11, 18)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[tuple[Lake, Settings, City]]:
    city_file = write_toy_city(tmp_path, city=CITY + '\n[delivery]\nfolder = "handed over"\n')
    data = tmp_path / "data"
    settings = Settings(city_file, data, str(data / "catalog.sqlite"), str(data / "objects"))
    extracts = settings.publish / "extracts" / DAY.isoformat()
    extracts.mkdir(parents=True)
    for name in ("a.csv", "b.xlsx", "manifest.json"):
        (extracts / name).write_text(name)
    with open_lake(settings, run_id="r") as lake:
        yield lake, settings, load_city(city_file)


def receipts(lake: Lake) -> list[tuple[str, str]]:
    rows = lake.read("ops.deliveries", ops.Deliveries)
    return sorted(rows.select("file_name", "outcome").rows())


@pytest.mark.slow
def test_files_are_handed_over_once(night: tuple[Lake, Settings, City], tmp_path: Path) -> None:
    lake, settings, city = night
    assert deliver_night(lake, settings, city, DAY)[:2] == ("done", 3)
    target = tmp_path / "handed over" / DAY.isoformat()
    assert sorted(path.name for path in target.iterdir()) == ["a.csv", "b.xlsx", "manifest.json"]
    assert deliver_night(lake, settings, city, DAY)[:2] == ("unchanged", 0)
    (target / "a.csv").write_text("cut sh")  # half a file from a delivery that died
    assert deliver_night(lake, settings, city, DAY)[:2] == ("done", 1)
    assert (target / "a.csv").read_text() == "a.csv"


@pytest.mark.slow
def test_one_file_that_fails_does_not_hold_back_the_rest(
    night: tuple[Lake, Settings, City], tmp_path: Path
) -> None:
    lake, settings, city = night
    target = tmp_path / "handed over" / DAY.isoformat()
    (target / "a.csv").mkdir(parents=True)  # something is in the way
    with pytest.raises(QalaError, match=r"1 of 3 files were not delivered .*a\.csv"):
        deliver_night(lake, settings, city, DAY)
    assert (target / "manifest.json").is_file()
    assert receipts(lake) == [
        ("a.csv", "failed"),
        ("b.xlsx", "delivered"),
        ("manifest.json", "delivered"),
    ]


def test_a_night_without_extracts(night: tuple[Lake, Settings, City]) -> None:
    lake, settings, city = night
    with pytest.raises(QalaError, match="no extracts of 2026-11-19"):
        deliver_night(lake, settings, city, date(2026, 11, 19))
