"""Upkeep: fewer snapshots and files, the same answers; landing loses what is old and not held."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import run, upkeep
from pipelines.city_file import City, load_city
from pipelines.errors import QalaError
from pipelines.forgetting import forget
from pipelines.holds import holds, lift_hold, place_hold
from pipelines.known_at import open_known
from pipelines.settings import Settings, load_settings
from pipelines.sources.landing import Landing
from pipelines.upkeep import keep_up, removable, remove
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, open_lake
from pipelines.warehouse.maintenance import (
    lake_size,
    live_files,
    missing_files,
    orphans,
)
from tests.toy_city import FLEET, SMALL, run_night

pytestmark = pytest.mark.slow

DAY = date(2026, 11, 18)
PURGE = "\n[upkeep]\nsnapshot_days = 1\nlanding_days = 30\n"


def city(folder: Path, more: str = PURGE) -> tuple[Settings, City]:
    (folder / "toy.toml").write_text(SMALL + more)
    settings = load_settings()
    return settings, load_city(settings.city_file)


def known_at(settings: Settings, toy: City, instant: datetime) -> dict[str, list[Any]]:
    """Every table that was published at an instant."""
    with open_known(settings, toy, instant) as connection:
        names = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() ORDER BY ALL"
        ).fetchall()
        return {
            name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for (name,) in names
        }


def test_upkeep_changes_no_answer(small_city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, toy = city(small_city)
    first_known = datetime.now(UTC)
    (small_city / "fleet.csv").write_text(FLEET.replace("1,Green,cng", "1,Green,diesel"))
    run_night(str(DAY), "restated")
    instants = (first_known, datetime.now(UTC))
    before = [known_at(settings, toy, instant) for instant in instants]
    assert before[0] != before[1]
    stray = Path(settings.objects) / "marts" / "stop_departures" / "stray.parquet"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"of a commit that never came")
    os.utime(stray, (0, 0))
    later = datetime.now(UTC) + timedelta(days=60)
    with open_lake(settings, run_id="upkeep") as lake:
        size = lake_size(lake)
        assert len(orphans(lake, datetime.now(UTC))) == 1
        said = keep_up(lake, settings, toy, later, dry_run=True)
        assert lake_size(lake) == size, "a dry run does nothing"
        assert "1 landed objects would be removed" in said
        personal = frozenset({"staging.vehicles"})  # as if it held passages
        files = [path for path in live_files(lake) if "/vehicles/" in path]
        with monkeypatch.context() as patch:
            patch.setattr(upkeep, "personal_tables", lambda: personal)
            keep_up(lake, settings, toy, later)
        assert [path for path in live_files(lake) if "/vehicles/" in path] == files
        after = lake_size(lake)
        keep_up(lake, settings, toy, later)
        again = lake_size(lake)
        assert missing_files(lake) == []
    assert after.snapshot_count < size.snapshot_count / 3
    assert again.snapshot_count <= after.snapshot_count + 3
    assert again.file_count <= after.file_count + 3
    assert not stray.exists()
    assert [known_at(settings, toy, instant) for instant in instants] == before
    told = run_night(str(DAY), "after upkeep")
    assert {name: r["outcome"] for name, r in told.items() if name != "close"} == dict.fromkeys(  # type: ignore[index]  # no step failed
        (name for name in told if name != "close"), "unchanged"
    )


def test_landing_keeps_what_governs_and_what_is_held(small_city: Path) -> None:
    settings, toy = city(small_city)
    landing = Landing(settings.landing)
    (small_city / "fleet.csv").write_text(FLEET + "9,Blue,cng,2024-01-01,,in_service,city\n")
    run_source("fleet")
    later = datetime.now(UTC) + timedelta(days=60)
    told = {"decided_by": "A. Person", "reason": "case 12"}
    with open_lake(settings, run_id="upkeep") as lake:
        [old] = removable(lake, toy, later)
        assert (old.source_id, old.last_date) == ("fleet", DAY)
        assert removable(lake, toy, datetime.now(UTC)) == []
        place_hold(lake, "12", source_id="fleet", **told)
        assert removable(lake, toy, later) == []
        lift_hold(lake, "12", **told)
        place_hold(lake, "13", first_date=DAY, last_date=DAY, **told)
        assert removable(lake, toy, later) == []
        lift_hold(lake, "13", **told)
        place_hold(lake, "14", last_date=DAY - timedelta(days=1), **told)  # of nights before
        place_hold(lake, "15", sha256="0" * 12, **told)  # of another object
        assert removable(lake, toy, later) == [old]
        place_hold(lake, "16", sha256=old.sha256[:12], **told)
        assert removable(lake, toy, later) == []
        assert landing.has(old.sha256)
        lift_hold(lake, "16", **told)
        keep_up(lake, settings, toy, later)
        assert not landing.has(old.sha256)
        removed = lake.read("ops.removals", ops.Removals)
        assert removed.select("sha256", "source_id", "last_date").rows() == [
            (old.sha256, "fleet", DAY)
        ]
        assert len(lake.read("ops.legal_holds", ops.LegalHolds)) == 8, "every decision stays"
    assert [hold.hold_id for hold in _holds(settings)] == ["14", "15"]
    # What comes back is needed again, and stays.
    (small_city / "fleet.csv").write_text(FLEET)
    run_source("fleet", "2026-11-20")
    with open_lake(settings, run_id="upkeep") as lake:
        remove(lake, landing, removable(lake, toy, datetime.now(UTC)))
    assert landing.has(old.sha256)


def _holds(settings: Settings) -> list[Any]:
    with open_lake(settings, read_only=True) as lake:
        return list(holds(lake))


def run_source(source_id: str, key: str = "2026-11-19") -> None:
    """Fetch and load one source."""
    run.load(source_id, run.fetch(source_id, key, "by hand"), key, "by hand")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"decided_by": " ", "reason": "x", "source_id": "fleet"}, "who decides and why"),
        ({"decided_by": "x", "reason": "", "source_id": "fleet"}, "who decides and why"),
        ({"decided_by": "x", "reason": "x"}, "what it is on"),
        ({"decided_by": "x", "reason": "x", "sha256": "abc"}, "names no object"),
        ({"decided_by": "x", "reason": "x", "sha256": "'; DROP TABLE x"}, "names no object"),
    ],
)
def test_a_hold_says_on_what_by_whom_and_why(
    tmp_path: Path, told: dict[str, str], said: str
) -> None:
    settings = Settings(tmp_path, tmp_path, str(tmp_path / "c.sqlite"), str(tmp_path / "objects"))
    with open_lake(settings) as lake, pytest.raises(QalaError, match=said):
        place_hold(lake, "1", **told)  # type: ignore[arg-type]  # texts alone
    with open_lake(settings) as lake, pytest.raises(QalaError, match="no hold 'x'"):
        lift_hold(lake, "x", decided_by="x", reason="x")


def test_what_is_held_is_not_forgotten(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, str(tmp_path / "c.sqlite"), str(tmp_path / "objects"))
    landing = Landing(tmp_path / "landing")
    night, now = date(2026, 11, 1), ops.now()
    with open_lake(settings, run_id="run") as lake:
        for source_id in ("gate", "bridge"):
            sha256 = landing.write(source_id.encode())
            attempt = (night, source_id, "a.csv", "new", "", sha256, source_id, 1, *[None] * 2)
            governs = (night, source_id, "a.csv", source_id, sha256, "passages", "measured")
            lake.write(
                added=[
                    Added("ops.fetch_attempts", ops.FetchAttempts, row_of(
                        ops.FetchAttempts, (*attempt, 0.1, "run", now))),
                    Added("ops.night_sources", ops.NightSources, row_of(
                        ops.NightSources, (*governs, False, night, "", False))),
                ]
            )  # fmt: skip
        place_hold(lake, "1", source_id="gate", decided_by="A. Person", reason="case 12")
        assert forget(lake, landing, date(2026, 12, 1), date(2026, 12, 2)) == 1
        left = {path.read_bytes() for path in landing.folder.rglob("*") if path.is_file()}
        assert left == {b"gate"}
        lift_hold(lake, "1", decided_by="A. Person", reason="closed")
        assert forget(lake, landing, date(2026, 12, 1), date(2026, 12, 2)) == 1
    assert not [path for path in landing.folder.rglob("*") if path.is_file()]


def row_of(contract: Any, values: tuple[Any, ...]) -> pl.DataFrame:
    types = {name: column.dtype for name, column in contract.columns().items()}
    return pl.DataFrame([values], schema=types, orient="row")
