"""A city on PostgreSQL and S3 is kept up, loses its catalog and its folders, and goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import fs

from pipelines.backup import damaged, make_backup, restore_backup
from pipelines.city_file import City, load_city
from pipelines.errors import BackupError
from pipelines.settings import Settings, load_settings
from pipelines.upkeep import keep_up
from pipelines.warehouse.attach import let_go
from pipelines.warehouse.lake import Lake, open_lake
from pipelines.warehouse.maintenance import lake_size, live_files
from pipelines.warehouse.store import s3_file_system
from scripts.cluster.prepare import connected, prepare_database, prepare_lake
from scripts.cluster.prepare import run as run_statement
from tests.cluster.servers import LakeServers, lake_servers
from tests.test_backup import hashes
from tests.toy_city import SMALL, run_night, write_toy_city

pytestmark = [pytest.mark.live, pytest.mark.slow]

DAY, NEXT_DAY = "2026-11-18", "2026-11-19"


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LakeServers]:
    with lake_servers() as found:
        city = write_toy_city(tmp_path / "city", city=SMALL + "\n[upkeep]\nsnapshot_days = 1\n")
        monkeypatch.setenv("QALA_CITY", str(city))
        monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
        for name, value in found.environment("toy").items():
            monkeypatch.setenv(name, value)
        yield found
        let_go()  # DuckDB would ask the stopped servers, whatever it is asked


def settings_and_city() -> tuple[Settings, City]:
    settings = load_settings()
    return settings, load_city(settings.city_file)


def objects(lake: Lake) -> dict[str, int]:
    """Size of every object of the lake with bytes in it, by its address."""
    root = fs.FileSelector(lake.objects.removeprefix("s3://"), recursive=True)
    found = s3_file_system(lake.store.access).get_file_info(root)
    return {f"s3://{one.path}": one.size for one in found if one.is_file and one.size}


def outcomes(key: str) -> set[str]:
    told = run_night(key)
    assert not [report for report in told.values() if isinstance(report, Exception)], told
    return {r["outcome"] for name, r in told.items() if name != "close"}  # type: ignore[index]  # as above


def test_upkeep_and_restore_on_servers(servers: LakeServers, tmp_path: Path) -> None:
    assert "done" in outcomes(DAY)
    settings, city = settings_and_city()
    published = hashes(settings.publish)

    later = datetime.now(UTC) + timedelta(days=60)
    with open_lake(settings, run_id="upkeep") as lake:
        before = lake_size(lake)
        keep_up(lake, settings, city, later)
        after = lake_size(lake)
        assert after.snapshot_count < before.snapshot_count / 2
        live = live_files(lake)
        assert live.items() <= objects(lake).items()
        assert len(objects(lake)) < len(live) + before.file_count, "what expired is deleted"
    assert outcomes(DAY) == {"unchanged"}

    made = make_backup(settings, city, tmp_path / "backups", "test", datetime.now(UTC))
    assert damaged(made) == []
    with pytest.raises(BackupError, match=r"There is something already: .*postgres:"):
        restore_backup(settings, city, made.folder, "test")

    let_go()
    shutil.rmtree(settings.data)
    admin, password = servers.secret("catalog_admin_url"), servers.secret("lake_password")
    with connected(admin, "postgres") as database:
        run_statement(database, "DROP DATABASE lake")
    prepare_database(admin, "lake", password)
    restore_backup(settings, city, made.folder, "test")
    prepare_lake(settings, admin, password, servers.secret("reader_password"))

    assert hashes(settings.publish) == published
    assert outcomes(DAY) == {"unchanged"}
    assert hashes(settings.publish) == published
    with open_lake(servers.settings("toy", user="reader"), read_only=True) as lake:
        assert live_files(lake).keys() >= live.keys()
    assert "done" in outcomes(NEXT_DAY)
