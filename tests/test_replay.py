"""Past nights made again from landing: the same, or the first difference in words.

A random night of the sample city is replayed by test_backfill.py.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.fingerprint import sources_hash
from pipelines.marts.diesel_phase_out import DieselPhaseOut
from pipelines.replaying.checkout import checkout, commit_of
from pipelines.replaying.compare import first_difference
from pipelines.replaying.replay import Replayed, replay_night, told
from pipelines.settings import load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Partition, open_lake
from tests.toy_city import CITY, FLEET, SMALL, city_of, run_night, write_toy_city
from tests.toy_feeds import toy_feed

pytestmark = [pytest.mark.slow, pytest.mark.long]

NIGHTS = ("2026-11-14", "2026-11-16", "2026-11-18")
# A retention of three days: the passages of the first days are forgotten on the first night.
RETAINED = (
    city_of(["ring_road_diversion"], ["stations", "passages", "audits"])
    + "\n[privacy]\npassage_retention_days = 3\n"
)


def point_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALA_CITY", str(folder / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(folder / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)


def published_nights(folder: Path, city: str) -> Path:
    """A few nights; a register and a feed change on the way, and one night is restated."""
    write_toy_city(folder, city=city)
    with pytest.MonkeyPatch.context() as patch:
        point_at(folder, patch)
        for number, key in enumerate(NIGHTS):
            if number == 1:
                changed = FLEET.replace("5,Blue,electric", "5,Blue,diesel")
                (folder / "fleet.csv").write_text(changed)
                (folder / "transit.zip").write_bytes(toy_feed(transfers=None))
            assert_published(run_night(key, f"run of {key}"))
        (folder / "fleet.csv").write_text(FLEET)
        assert_published(run_night(NIGHTS[2], "restated"))
    return folder


def assert_published(said: dict[str, object]) -> None:
    assert not [error for error in said.values() if isinstance(error, QalaError)]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_nights(tmp_path_factory.mktemp("nights"), SMALL)


@pytest.fixture
def past(nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(nights, tmp_path / "copy")
    point_at(tmp_path / "copy", monkeypatch)
    return tmp_path / "copy"


def replay(key: str, instant: datetime | None = None) -> Replayed:
    settings = load_settings()
    return replay_night(settings, load_city(settings.city_file), date.fromisoformat(key), instant)


def difference(replayed: Replayed) -> str:
    assert replayed.compared is not None, replayed.failure
    return replayed.compared.difference


def first_publication(key: str) -> datetime:
    """A moment after a night went out for the first time."""
    with open_lake(load_settings(), read_only=True) as lake:
        sent = lake.read("ops.editions", ops.Editions, "service_date = ?", [key])
    instant: datetime = sent.sort("edition").item(0, "published_at")
    return instant + timedelta(seconds=1)  # the commit comes after the time in it


def test_a_restated_night_is_replayed_as_it_was_known(past: Path) -> None:
    key = NIGHTS[2]
    first = replay(key, first_publication(key))
    assert first.published.edition.edition == 1
    assert difference(first) == ""
    last = replay(key)
    assert last.published.edition.edition == 2
    assert difference(last) == ""
    assert list(told(last))[-1].endswith("by this version.")
    with pytest.raises(QalaError, match=f"night of {key} was not published by 2020"):
        replay(key, datetime(2020, 1, 1, tzinfo=UTC))


def test_the_first_difference_is_shown(past: Path) -> None:
    """Somebody changes a figure in the lake and its hash with it: landing tells otherwise."""
    day = date.fromisoformat(NIGHTS[2])
    settings = load_settings()
    name, at = "marts.diesel_phase_out", [day]
    with open_lake(settings) as lake:
        rows = lake.read(name, DieselPhaseOut, "service_date = ?", at)
        fuel = pl.col("fuel_type") == "diesel"
        more = pl.when(fuel).then(pl.col("fleet_count") + 1).otherwise(pl.col("fleet_count"))
        wrong = rows.with_columns(fleet_count=more)
        sent = lake.read("ops.published_partitions", ops.PublishedPartitions, "night_date = ?", at)
        lake.write([Partition(name, {"service_date": day}, DieselPhaseOut, wrong)])
        own = pl.col("table_name") == name
        told_hash = pl.when(own).then(pl.lit("0" * 64)).otherwise(pl.col("content_hash"))
        lied = sent.with_columns(content_hash=told_hash, snapshot_id=lake.snapshot_id())
        lake.write(
            [
                Partition(
                    "ops.published_partitions", {"night_date": day}, ops.PublishedPartitions, lied
                )
            ]
        )
    said = difference(replay(NIGHTS[2]))
    assert said.startswith(f"{name} {day}: in the row of ")
    assert "fuel_type diesel" in said
    assert "fleet_count 5 was published, and now it is 4" in said or "fleet_count" in said


@pytest.mark.exhaustive
def test_what_is_forgotten_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "retained"
    write_toy_city(folder, city=RETAINED)
    point_at(folder, monkeypatch)
    for key in NIGHTS[1:]:
        assert_published(run_night(key, key))
    replayed = replay(NIGHTS[2])
    assert difference(replayed) == ""
    assert any("are forgotten" in line for line in told(replayed))


def test_a_landed_object_that_is_damaged_is_named(past: Path) -> None:
    for path in (past / "data" / "toy" / "landing").rglob("*"):
        if path.is_file() and b"vehicle_id" in path.read_bytes()[:20]:
            path.chmod(0o644)
            path.write_bytes(path.read_bytes().replace(b"Green", b"Greed"))
    replayed = replay(NIGHTS[2])
    assert replayed.compared is None
    assert "is not what was landed" in replayed.failure


def test_another_version_is_looked_for(past: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night by code that no commit holds: the version that is needed is named."""
    monkeypatch.setattr("pipelines.replaying.replay.code_version", lambda: "9.9.9+another")
    monkeypatch.setattr("pipelines.replaying.checkout.ROOT", repository(past / "code", ["one\n"]))
    with pytest.raises(QalaError, match="which is not among the last"):
        replay(NIGHTS[2])
    monkeypatch.setattr("pipelines.replaying.checkout.ROOT", past)
    with pytest.raises(QalaError, match="can't be asked for another version"):
        replay(NIGHTS[2])


def repository(folder: Path, texts: Sequence[str]) -> Path:
    """A repository with a commit for each text of its one module."""
    module = folder / "pipelines" / "module.py"
    module.parent.mkdir(parents=True)
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    for text in texts:
        module.write_text(text)
        (folder / "README.md").write_text(text)
        subprocess.run([*git, "add", "."], cwd=folder, check=True)
        subprocess.run([*git, "commit", "-q", "-m", text], cwd=folder, check=True)
    return folder


def test_a_version_s_commit_is_found_and_checked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipelines.replaying.checkout.ROOT", repository(tmp_path, ["one\n", "two\n"])
    )
    now = datetime.now(UTC) + timedelta(minutes=1)
    found = {}
    for text in ("one\n", "two\n"):
        found[text] = commit_of(f"0.1+{sources_hash([('pipelines/module.py', text)])}", now)
        with checkout(found[text]) as tree:
            assert (tree / "pipelines" / "module.py").read_text() == text
        assert not tree.exists()
    assert found["one\n"] != found["two\n"]
    with pytest.raises(QalaError, match=r"version 0\.1\+none of the program, which is not among"):
        commit_of("0.1+none", now)


def test_first_difference_in_words() -> None:
    old = pl.DataFrame({"key": ["a", "b", "c"], "value": [1, 2, None]})
    assert "not written alike" in first_difference(old, old, ["key"])
    lacking = first_difference(old, old.filter(key="a"), ["key"])
    assert lacking == "the row of key b is not made again"
    more = first_difference(old.filter(key="a"), old, ["key"])
    assert more == "the row of key b was not published"
    changed = first_difference(old, old.with_columns(value=pl.lit(1)), ["key"])
    assert changed == "in the row of key b, value 2 was published, and now it is 1"


@pytest.mark.exhaustive
def test_twenty_random_nights_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All figures of the toy city on every night of three weeks; two of three nights replayed."""
    folder = tmp_path / "many"
    write_toy_city(folder, city=CITY)
    point_at(folder, monkeypatch)
    draw = random.Random(1)
    keys = [f"2026-11-{day:02d}" for day in range(1, 31)]
    for key in keys:
        if draw.random() < 0.2:
            fleet = FLEET.replace("2020-01-01", f"20{draw.randrange(10, 21)}-01-01")
            (folder / "fleet.csv").write_text(fleet)
        run_night(key, key)
    chosen = draw.sample(published(), 20)
    assert {key: difference(replay(key)) for key in chosen} == dict.fromkeys(chosen, "")


def published() -> list[str]:
    with open_lake(load_settings(), read_only=True) as lake:
        rows = lake.read("ops.publications", ops.Publications)
    return [day.isoformat() for day in rows.get_column("service_date").sort()]
