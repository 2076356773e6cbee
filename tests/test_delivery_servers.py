"""Delivery to a real SFTP server and a real S3 server, opened by Airflow's providers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from pipelines.city_file import load_city
from pipelines.delivery import deliver_night
from pipelines.errors import DeliveryError
from pipelines.settings import Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from tests.s3_server import KEY, SECRET, s3_server
from tests.sftp_server import PASSWORD, USER, sftp_server
from tests.toy_city import CITY, write_toy_city

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAY = date(2026, 11, 18)
FILES = {
    "a.csv": b"a,b\n1,2\n",
    "large.json": b"[]" * 500_000,
    "manifest.json": b'{"edition":1}',
    "manifest.sig": b"{}",
}


def toy_delivery(folder: Path, address: str) -> tuple[Settings, Path]:
    place = f'\n[[delivery.places]]\naddress = "{address}"\nconnection = "ministry"\n'
    city_file = write_toy_city(folder, city=CITY + place)
    data = folder / "data"
    extracts = data / "publish" / "extracts" / DAY.isoformat()
    extracts.mkdir(parents=True)
    for name, payload in FILES.items():
        (extracts / name).write_bytes(payload)
    return Settings(city_file, data, str(data / "catalog.sqlite"), str(data / "objects")), extracts


def deliver(lake: Lake, settings: Settings) -> dict[str, str]:
    """Deliver the night by Airflow's connection; what became of each file this time."""
    from airflow.sdk.io import get_fs

    before = lake.read("ops.deliveries", ops.Deliveries).height
    with suppress(DeliveryError):
        deliver_night(lake, settings, load_city(settings.city_file), DAY, get_fs)
    rows = lake.read("ops.deliveries", ops.Deliveries)
    assert rows.height == before + len(FILES)
    told = rows.sort("delivered_at").tail(len(FILES))
    return dict(told.select("file_name", "outcome").iter_rows())


@pytest.fixture(autouse=True)
def _closed_connections() -> Iterator[None]:
    """File systems that fsspec keeps would say goodbye when nobody listens any more."""
    yield
    import gc

    from fsspec.spec import AbstractFileSystem
    from sshfs import SSHFileSystem

    for kind in (AbstractFileSystem, SSHFileSystem):
        kind.clear_instance_cache()
    gc.collect()


def all_of(outcome: str) -> dict[str, str]:
    return dict.fromkeys(FILES, outcome)


def test_a_delivery_by_sftp_goes_on_where_it_broke_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = toy_delivery(tmp_path, "sftp:///incoming/qala")
    there = tmp_path / "server" / "incoming" / "qala" / DAY.isoformat()
    with sftp_server(tmp_path / "server") as port, open_lake(settings, run_id="r") as lake:

        def connect(password: str) -> None:
            told = {
                "conn_type": "sftp",
                "host": "127.0.0.1",
                "port": port,
                "login": USER,
                "password": password,
                "extra": {"no_host_key_check": "true"},
            }
            monkeypatch.setenv("AIRFLOW_CONN_MINISTRY", json.dumps(told))

        connect("wrong")
        assert deliver(lake, settings) == all_of("failed")
        connect(PASSWORD)
        assert deliver(lake, settings) == all_of("delivered")
        assert deliver(lake, settings) == all_of("unchanged")
        (there / "a.csv").write_bytes(b"cut sh")
        (there / "large.json").unlink()
        (there / ".large.json.part").write_bytes(b"hal")
        again = {"a.csv": "delivered", "large.json": "delivered"}
        assert deliver(lake, settings) == all_of("unchanged") | again
    assert {path.name: path.read_bytes() for path in there.iterdir()} == FILES


def test_a_delivery_to_s3_goes_on_where_it_broke_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.io import get_fs

    settings, _ = toy_delivery(tmp_path, "s3://archive/toy")
    with s3_server(tmp_path / "server") as server, open_lake(settings, run_id="r") as lake:

        def connect(secret: str) -> None:
            told = {
                "conn_type": "aws",
                "login": KEY,
                "password": secret,
                "extra": {"endpoint_url": server.address, "region_name": "us-east-1"},
            }
            monkeypatch.setenv("AIRFLOW_CONN_MINISTRY", json.dumps(told))

        connect("wrong")
        assert deliver(lake, settings) == all_of("failed")
        connect(SECRET)
        files = get_fs("s3", "ministry")
        files.mkdir("archive")
        assert deliver(lake, settings) == all_of("delivered")
        assert deliver(lake, settings) == all_of("unchanged")
        place = f"archive/toy/{DAY}"
        files.pipe_file(f"{place}/a.csv", b"cut sh")
        files.rm_file(f"{place}/large.json")
        again = {"a.csv": "delivered", "large.json": "delivered"}
        assert deliver(lake, settings) == all_of("unchanged") | again
        files.invalidate_cache()
        there = {path.rpartition("/")[2]: files.cat_file(path) for path in files.find("archive")}
        assert there == FILES
