"""Faults: kills, a full disk, a moved clock, damaged bytes, a catalog server that is lost.

After each, what is published is whole, and the night run again is the night that nobody disturbed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipelines import run
from pipelines.settings import load_settings
from pipelines.staging.fleet import Vehicles
from pipelines.warehouse.lake import open_lake
from tests.chaos.harness import FIRST, KEY, Chaos, Town
from tests.postgres_server import postgres_server
from tests.toy_city import SMALL, write_toy_city

pytestmark = [pytest.mark.slow, pytest.mark.long]

KILLS = 5
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
DAYS_OFF = 400
FREE_BYTES = 150_000


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Chaos:
    """A night and the next one, which nobody disturbed."""
    seed = int(os.environ.get("QALA_SEED") or random.randrange(10_000))
    return Chaos(tmp_path_factory.mktemp("chaos"), seed)


def assert_undisturbed(chaos: Chaos, town: Town) -> None:
    assert town.outside() == chaos.outside
    assert town.inside() == chaos.inside
    assert town.leftovers() == []


def test_killed_nights_come_to_the_same_end(
    chaos: Chaos, capsys: pytest.CaptureFixture[str]
) -> None:
    chaos.run(KILLS)
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(chaos.told()) + "\n")
    assert chaos.violations == []
    assert len(chaos.kills) == KILLS


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MB."""
    with TemporaryDirectory(prefix="qala-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("mounting a small disk needs root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_what_was_published(chaos: Chaos, small_disk: Path) -> None:
    town = chaos.template.copied(small_disk / "town")
    taken = small_disk / "taken"
    free = shutil.disk_usage(small_disk).free
    taken.write_bytes(bytes(free - FREE_BYTES))
    said = town.run(KEY)
    assert "full" in said or "No space left" in said
    assert list(chaos.half_published(town)) == []
    taken.unlink()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert town.run(KEY) == ""
    assert_undisturbed(chaos, town)


@pytest.mark.parametrize("days", [DAYS_OFF, pytest.param(-DAYS_OFF, marks=pytest.mark.exhaustive)])
def test_a_moved_clock_changes_no_figure(chaos: Chaos, tmp_path: Path, days: int) -> None:
    if not FAKETIME:
        pytest.skip("libfaketime is not installed (Debian: faketime)")
    town = chaos.template.copied(tmp_path / "town")
    town.changed = {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME": f"{days:+d}d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    assert town.run(KEY) == ""
    assert_undisturbed(chaos, town)


@pytest.mark.exhaustive
def test_a_lost_catalog_server_loses_no_night(chaos: Chaos, tmp_path: Path) -> None:
    """PostgreSQL killed within a commit, started again: the same night as on SQLite."""
    with postgres_server() as server:
        town = Town(tmp_path / "town", {"QALA_CATALOG": server.catalog})
        shutil.copytree(
            chaos.template.folder, town.folder, dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("data", "trace.tsv"),
        )  # fmt: skip
        changed = (town.folder / "fleet.csv").read_text()
        (town.folder / "fleet.csv").write_text(changed.replace("2016-01-01", "2015-01-01", 1))
        assert town.run(FIRST) == ""
        (town.folder / "fleet.csv").write_text(changed)
        for _ in range(2):
            before = [kind for kind, _ in chaos.operations if kind == "write"]
            kill_within(town, server.kill, chaos.draw.randrange(1, len(before)))
            server.start()
            assert list(chaos.half_published(town)) == []
        assert town.run(KEY) == ""
        assert_undisturbed(chaos, town)


def kill_within(town: Town, kill: Callable[[], None], number: int) -> None:
    """Run a night and kill something else when a certain write has begun."""
    process = town.start(KEY)
    try:
        while process.poll() is None:
            begun = [told for told in town.traced() if told[0] == "begin" and told[2] == "write"]
            if len(begun) >= number:
                kill()
                break
            time.sleep(0.005)
        _, said = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert "Error" in said or process.returncode == 0


@pytest.fixture
def small_town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QALA_CITY", str(write_toy_city(tmp_path, city=SMALL)))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    return tmp_path


def test_a_damaged_landed_object_is_never_staged_and_a_fetch_mends_it(small_town: Path) -> None:
    fetched = run.fetch("fleet", KEY, "damaged")
    landed = load_settings().landing
    [path] = [path for path in landed.rglob("*") if path.is_file()]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"Green", b"Greed"))
    loaded = run.load("fleet", fetched, KEY, "damaged")
    assert loaded["outcome"] == "failed"
    assert loaded["text"].startswith(f"Landed object {path.name} in {landed} is not what was")
    assert "restore it from a backup, or delete it and run the night again" in loaded["text"]
    assert staged_vehicles() == 0
    again = run.fetch("fleet", KEY, "mended")  # the source still has it
    assert run.load("fleet", again, KEY, "mended")["outcome"] == "done"
    assert staged_vehicles() == 5


def staged_vehicles() -> int:
    with open_lake(load_settings(), read_only=True) as lake:
        return lake.read("staging.vehicles", Vehicles).height
