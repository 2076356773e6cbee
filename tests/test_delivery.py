"""Delivery to a folder and to file systems: each file by itself, with a receipt, manifest last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.city_file import City, Place, load_city
from pipelines.delivery import deliver_night
from pipelines.errors import DeliveryError, QalaError
from pipelines.settings import Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from tests.toy_city import CITY, write_toy_city

DAY = date(2026, 11, 18)
FOLDER = '\n[delivery]\nfolder = "handed over"\n'
PLACES = (
    FOLDER
    + """
[[delivery.places]]
address = "sftp:///incoming/qala"
connection = "ministry"

[[delivery.places]]
address = "s3://bucket/toy"
connection = "archive"
"""
)
Night = tuple[Lake, Settings, City]


def write_extracts(folder: Path, edition: int = 1) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("a.csv", "b.xlsx", "manifest.sig"):
        (folder / name).write_text(f"{name} {edition}")
    (folder / "manifest.json").write_text(json.dumps({"edition": edition}))


@pytest.fixture
def night(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Night]:
    city_file = write_toy_city(tmp_path, city=CITY + getattr(request, "param", FOLDER))
    data = tmp_path / "data"
    settings = Settings(city_file, data, str(data / "catalog.sqlite"), str(data / "objects"))
    write_extracts(settings.publish / "extracts" / DAY.isoformat())
    with open_lake(settings, run_id="r") as lake:
        yield lake, settings, load_city(city_file)


class Server(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A place in memory that records what it is given, and refuses some of it."""

    cachable = False

    def __init__(self, *, refused: tuple[str, ...] = (), garbled: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.store: dict[str, object] = {}
        self.pseudo_dirs = [""]
        self.refused, self.garbled = refused, garbled
        self.given: list[str] = []

    def pipe_file(self, path: str, value: bytes, **_: object) -> None:
        name = path.rpartition("/.")[2].removesuffix(".part")
        if name in self.refused:
            raise ConnectionResetError("the line went dead")
        super().pipe_file(path, b"garbled" if name in self.garbled else value)
        self.given.append(name)

    def files(self) -> list[str]:
        return sorted(str(path).lstrip("/") for path in self.store)


def receipts(lake: Lake) -> list[tuple[str, str]]:
    rows = lake.read("ops.deliveries", ops.Deliveries)
    return sorted(rows.select("file_name", "outcome").rows())


@pytest.mark.slow
def test_files_are_handed_over_once(night: Night, tmp_path: Path) -> None:
    lake, settings, city = night
    assert deliver_night(lake, settings, city, DAY)[:2] == ("done", 4)
    target = tmp_path / "handed over" / DAY.isoformat()
    source = settings.publish / "extracts" / DAY.isoformat()
    assert {p.name: p.read_bytes() for p in target.iterdir()} == {
        p.name: p.read_bytes() for p in source.iterdir()
    }
    assert deliver_night(lake, settings, city, DAY)[:2] == ("unchanged", 0)
    (target / "a.csv").write_text("cut sh")  # half a file from a delivery that died
    assert deliver_night(lake, settings, city, DAY)[:2] == ("done", 1)
    assert (target / "a.csv").read_text() == "a.csv 1"


@pytest.mark.slow
def test_one_file_that_fails_does_not_hold_back_the_rest(night: Night, tmp_path: Path) -> None:
    lake, settings, city = night
    target = tmp_path / "handed over" / DAY.isoformat()
    (target / "a.csv").mkdir(parents=True)  # something is in the way
    with pytest.raises(DeliveryError, match=r"1 of 4 files were not delivered .*a\.csv"):
        deliver_night(lake, settings, city, DAY)
    assert (target / "manifest.json").is_file()
    assert receipts(lake) == [
        ("a.csv", "failed"),
        ("b.xlsx", "delivered"),
        ("manifest.json", "delivered"),
        ("manifest.sig", "delivered"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("night", [PLACES], indirect=True)
def test_places_are_opened_by_their_connections(night: Night, tmp_path: Path) -> None:
    lake, settings, city = night
    servers = {("sftp", "ministry"): Server(refused=("a.csv",)), ("s3", "archive"): Server()}
    sftp, bucket = servers.values()
    with pytest.raises(DeliveryError, match="the line went dead") as error:
        deliver_night(lake, settings, city, DAY, lambda *asked: servers[asked])
    assert "sftp:///incoming/qala: " in str(error.value)
    assert bucket.given == ["a.csv", "b.xlsx", "manifest.sig", "manifest.json"]
    assert sftp.given == ["b.xlsx", "manifest.sig", "manifest.json"]
    assert bucket.files()[0] == f"bucket/toy/{DAY}/a.csv"
    assert (tmp_path / "handed over" / DAY.isoformat() / "a.csv").is_file()
    sftp.refused = ()  # it is mended: only what lacks is sent
    deliver_night(lake, settings, city, DAY, lambda *asked: servers[asked])
    assert sftp.given[3:] == ["a.csv"]
    assert bucket.given[4:] == []
    names = ("a.csv", "b.xlsx", "manifest.json", "manifest.sig")
    assert sftp.files() == [f"incoming/qala/{DAY}/{name}" for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("night", [PLACES], indirect=True)
def test_a_place_that_is_shut_holds_back_no_other(night: Night) -> None:
    lake, settings, city = night
    bucket = Server(garbled=("b.xlsx",))

    def open_files(scheme: str, _: str) -> Server:
        if scheme == "sftp":
            raise PermissionError("no such user")
        return bucket

    with pytest.raises(DeliveryError, match=r"5 of 12 files .*PermissionError: no such user"):
        deliver_night(lake, settings, city, DAY, open_files)
    names = ("a.csv", "manifest.json", "manifest.sig")
    assert bucket.files() == [f"bucket/toy/{DAY}/{name}" for name in names]


@pytest.mark.slow
def test_another_edition_and_notices_overwrite_nothing(night: Night, tmp_path: Path) -> None:
    lake, settings, city = night
    deliver_night(lake, settings, city, DAY)
    source = settings.publish / "extracts" / DAY.isoformat()
    write_extracts(source, edition=2)
    (source.parent / "notices.jsonl").write_text("{}\n")
    assert deliver_night(lake, settings, city, DAY)[1] == 5
    target = tmp_path / "handed over"
    assert (target / DAY.isoformat() / "a.csv").read_text() == "a.csv 1"
    assert (target / f"{DAY}.edition-2" / "a.csv").read_text() == "a.csv 2"
    assert (target / "notices.jsonl").is_file()


def test_a_night_without_extracts(night: Night) -> None:
    lake, settings, city = night
    with pytest.raises(QalaError, match="no extracts of 2026-11-19"):
        deliver_night(lake, settings, city, date(2026, 11, 19))


@pytest.mark.parametrize("address", ["ftp:///a", "sftp://host/a", "s3://", "sftp:///a/"])
def test_an_address_that_nothing_reaches_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Place(address=address, connection="c")
