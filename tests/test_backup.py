"""A backup is whole, costs little the second time, and a restored city goes on where it was."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.backup import MANIFEST, damaged, make_backup, read_backup, restore_backup
from pipelines.city_file import City, load_city
from pipelines.cli import app
from pipelines.errors import BackupError
from pipelines.settings import Settings, load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import open_lake
from pipelines.warehouse.maintenance import lake_size, live_files, missing_files
from tests.toy_city import run_night

pytestmark = pytest.mark.slow

DAY = "2026-11-18"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def city() -> tuple[Settings, City]:
    settings = load_settings()
    return settings, load_city(settings.city_file)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that is published, but for the clock's."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("status.json", ".lock")
    }


def test_a_restored_city_publishes_the_same_and_computes_nothing(
    small_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, toy = city()
    published = hashes(settings.publish)
    made = make_backup(settings, toy, tmp_path / "backups", "test", NOW)
    assert damaged(made) == []
    again = make_backup(settings, toy, tmp_path / "backups", "test", NOW + timedelta(days=1))
    linked = [name for name in again.files if (again.folder / name).stat().st_nlink == 2]
    assert {name.partition("/")[0] for name in linked} == {"landing", "objects"}
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "elsewhere"))
    settings, _ = city()
    restore_backup(settings, toy, again.folder, "test")
    assert hashes(settings.publish) == published
    told = run_night(DAY, "restored")
    outcomes = {name: r["outcome"] for name, r in told.items() if name != "close"}  # type: ignore[index]  # no step failed
    assert set(outcomes.values()) == {"unchanged"}
    assert hashes(settings.publish) == published
    with open_lake(settings, read_only=True) as lake:
        assert missing_files(lake) == []
        assert all(Path(path).is_relative_to(settings.data) for path in live_files(lake))
        acts = lake.read("ops.upkeeps", ops.Upkeeps).sort("done_at").get_column("act")
        assert lake_size(lake).file_count > 0
    assert acts.to_list() == ["backup", "restore"], "the second backup came after its own copy"
    with pytest.raises(BackupError, match="There is something already"):
        restore_backup(settings, toy, again.folder, "test")


def test_what_is_wrong_with_a_backup_is_said_before_anything_is_restored(
    small_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, toy = city()
    made = make_backup(settings, toy, tmp_path / "backups", "test", NOW)
    [landed, *_] = (made.folder / name for name in made.files if name.startswith("landing/"))
    landed.chmod(0o644)
    landed.write_bytes(b"something else")
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "elsewhere"))
    elsewhere, _ = city()
    with pytest.raises(BackupError, match=r"1 files of .* are damaged: 'landing/"):
        restore_backup(elsewhere, toy, made.folder, "test")
    assert not elsewhere.landing.exists()
    other = toy.model_copy(update={"city": toy.city.model_copy(update={"id": "other"})})
    with pytest.raises(BackupError, match="is a backup of toy, not of other"):
        restore_backup(elsewhere, other, made.folder, "test")
    text = (made.folder / MANIFEST).read_text().replace('"landing/', '"landing/../../../', 1)
    (made.folder / MANIFEST).write_text(text)
    with pytest.raises(BackupError, match="leads out of the backup"):
        restore_backup(elsewhere, toy, made.folder, "test")
    (made.folder / MANIFEST).write_text("[]")
    with pytest.raises(BackupError, match="is no backup"):
        read_backup(made.folder)


def test_the_commands(small_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(*words: str) -> str:
        done = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    assert "snapshots would expire" in said("upkeep", "--dry-run")
    assert "files" in said("backup", str(tmp_path / "backups"))
    by = ("--by", "A. Person", "--reason", "case 12")
    assert "12: source fleet; held by A. Person" in said(
        "hold", "place", "12", "--source", "fleet", *by
    )
    assert "12: source fleet" in said("hold", "list")
    assert "lifted by A. Person" in said("hold", "lift", "12", *by)
    assert "Nothing is held." in said("hold", "list")
    assert "A night is late" in said("alerts", "--dry-run")  # the night of 2026 was the last one
    [folder] = (tmp_path / "backups").iterdir()
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "elsewhere"))
    assert "are restored to" in said("restore", str(folder))
