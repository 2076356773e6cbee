"""A deep look finds what is damaged, missing or old, and says what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.backup import make_backup
from pipelines.city_file import load_city
from pipelines.deep_look import look_deep
from pipelines.findings import Finding
from pipelines.settings import load_settings

pytestmark = pytest.mark.slow


def findings() -> dict[str, Finding]:
    return {finding.subject: finding for finding in look_deep(load_settings())}


def test_what_is_whole_is_well_and_what_is_damaged_is_named(
    small_city: Path, tmp_path: Path
) -> None:
    settings = load_settings()
    before = findings()
    assert not before["last backup"].is_well
    assert not before["channels of alerts"].is_well
    others = set(before) - {"last backup", "channels of alerts"}
    assert [name for name in others if not before[name].is_well] == []
    assert before["landed objects"].found == "2 of 2 hashed, 0 missing or changed"
    make_backup(settings, load_city(settings.city_file), tmp_path, "test", datetime.now(UTC))
    [landed, *_] = (path for path in settings.landing.rglob("*") if path.is_file())
    landed.chmod(0o644)
    landed.write_bytes(b"something else")
    [parquet, *_] = Path(settings.objects).rglob("*.parquet")
    parquet.unlink()
    [extract, *_] = (settings.publish / "extracts" / "2026-11-18").glob("*.csv")
    extract.chmod(0o644)
    extract.write_text("forged")
    after = findings()
    assert after["last backup"].is_well
    assert landed.name in after["landed objects"].remedy
    assert "1 missing" in after["the lake's files"].found
    assert after["extracts"].found == "1 nights, 1 not as signed"
    (settings.publish / "toy.duckdb").unlink()
    assert not findings()["published file"].is_well
