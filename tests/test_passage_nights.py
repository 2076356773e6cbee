"""Nights of passages: a day is counted once, late ones restate, and old ones are forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines import run
from pipelines.errors import QalaError
from pipelines.settings import load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import open_lake
from tests.toy_city import STATIONS, run_night

pytestmark = [pytest.mark.slow, pytest.mark.long]

CITY = """\
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"
figures = ["ring_road_diversion", "through_trips", "ring_road_restatements"]

[privacy]
passage_retention_days = 30

[sources.stations]
kind = "count_stations"
address = "stations.csv"
format = "csv"
mark = "measured"

[sources.passages]
kind = "passages"
address = "passages"
format = "csv"
mark = "measured"

[sources.audits]
kind = "read_audits"
address = "audits.csv"
format = "csv"
mark = "measured"
"""
AUDITS = """\
station_id,audit_date,hour_of_day,vehicles_seen_count,plates_read_count
W,2026-10-01,9,100,90
E,2026-10-01,9,100,90
R,2026-10-01,9,100,90
"""
HEADINGS = "station_id,passed_at,direction,vehicle_class,plate_hash"
BUILT = "build marts.matched_trips"


def a_day(day: date, trucks: int = 12, *, ring: int = 6, first: int = 0) -> str:
    """Trucks from west to east within an hour, the first of them past the ring."""
    rows = [HEADINGS]
    for truck in range(first, first + trucks):
        plate = f"{day.toordinal():08x}{truck:08x}"
        entered = datetime(day.year, day.month, day.day, 4, 3 * truck % 60, tzinfo=UTC)
        for station, minutes, way in (("W", 0, "in"), ("R", 30, "in"), ("E", 60, "out")):
            if station != "R" or truck < first + ring:
                at = entered + timedelta(minutes=minutes)
                rows.append(f"{station},{at:%Y-%m-%dT%H:%M:%SZ},{way},heavy,{plate}")
    return "\n".join(rows) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.toml").write_text(CITY)
    (tmp_path / "stations.csv").write_text(STATIONS)
    (tmp_path / "audits.csv").write_text(AUDITS)
    (tmp_path / "passages").mkdir()
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    return tmp_path


def put(folder: Path, day: date, text: str, name: str = "") -> None:
    (folder / "passages" / f"{day}{name}.csv").write_text(text)


def reports(key: object) -> dict[str, dict[str, Any]]:
    told = run_night(str(key))
    assert not [error for error in told.values() if isinstance(error, QalaError)]
    return {step: report for step, report in told.items() if isinstance(report, dict)}


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    file = folder / "data" / "toy" / "publish" / "toy.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def shares(folder: Path, key: object) -> list[tuple[Any, ...]]:
    return ask(
        folder,
        "SELECT month_date, matched_ring_count, matched_count, passage_day_count,"
        f" replayed_day_count FROM marts.ring_road_diversion WHERE service_date = '{key}'"
        " ORDER BY ALL",
    )


def in_lake(table: str, where: str = "true") -> int:
    with open_lake(load_settings(), read_only=True) as lake:
        return int(lake.query(f"SELECT count(*) FROM {lake.address(table)} WHERE {where}").item())


OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def test_a_day_is_counted_once_and_a_late_file_counts_its_days_anew(folder: Path) -> None:
    days = [date(2026, 10, 29) + timedelta(days=n) for n in range(5)]  # to November 2
    for day in days:
        put(folder, day, a_day(day))
    first, second, third = (date(2026, 11, 2) + timedelta(days=n) for n in range(3))
    assert reports(first)[BUILT]["text"] == "5 partitions made"
    assert shares(folder, first) == [(OCTOBER, 18, 36, 3, 0), (NOVEMBER, 12, 24, 2, 0)]
    assert reports(first)[BUILT]["outcome"] == "unchanged"

    put(folder, second, a_day(second))
    # The new day, and the one before it, whose slow trips end on it.
    assert reports(second)[BUILT]["text"] == "2 partitions made"
    assert ask(folder, "SELECT count(*) FROM marts.ring_road_restatements") == [(0,)]

    put(folder, days[1], a_day(days[1], 20, ring=20, first=100), "-late")
    assert reports(third)[BUILT]["text"] == "3 partitions made"  # it, and the days beside it
    assert shares(folder, third)[0] == (OCTOBER, 38, 56, 3, 0)
    restated = (
        "SELECT service_date, month_date, before_date, diversion_share_before < diversion_share,"
        " cause FROM marts.ring_road_restatements"
    )
    assert ask(folder, restated) == [
        (third, OCTOBER, second, True, "passages of days told before came late or were replaced")
    ]


def test_days_shared_by_tasks_are_all_made_once(folder: Path) -> None:
    days = [date(2026, 11, 3) + timedelta(days=n) for n in range(5)]
    for day in days:
        put(folder, day, a_day(day))
    key = str(days[-1])
    for source_id in ("stations", "passages"):
        run.load(source_id, run.fetch(source_id, key, "by hand"), key, "by hand")
    made = [
        run.build("marts.matched_trips", key, "by hand", share=(place, 3))["text"]
        for place in (2, 0, 1)
    ]
    assert made == ["2 partitions made", "1 partitions made", "2 partitions made"]
    assert run.build("marts.matched_trips", key, "by hand")["outcome"] == "unchanged"


def test_what_upstream_no_longer_lists_counts_on(folder: Path) -> None:
    days = [date(2026, 11, 3), date(2026, 11, 4)]
    for day in days:
        put(folder, day, a_day(day))
    reports(days[1])
    (folder / "passages" / f"{days[0]}.csv").unlink()
    after = days[1] + timedelta(days=1)
    assert reports(after)[BUILT]["outcome"] == "unchanged"
    assert shares(folder, after) == [(NOVEMBER, 12, 24, 2, 0)]
    # To take a day back, it is delivered without readings.
    put(folder, days[0], HEADINGS + "\n")
    later = after + timedelta(days=1)
    reports(later)
    assert shares(folder, later) == [(NOVEMBER, 6, 12, 1, 0)]


def test_what_is_too_old_is_forgotten_and_its_counts_stay(folder: Path) -> None:
    old, new = date(2026, 10, 3), date(2026, 11, 3)
    put(folder, old, a_day(old) + "R,yesterday,in,heavy,0123456789abcdef\n")
    put(folder, new, a_day(new))
    (folder / "toy.toml").write_text(
        CITY.replace("[sources.passages]", "[sources.passages]\nmax_quarantine_share = 0.5")
    )
    told = reports(new)
    before = shares(folder, new)
    assert before == [(OCTOBER, 6, 12, 1, 1), (NOVEMBER, 6, 12, 1, 0)]
    assert told["close"]["text"] == "1 objects with passages before 2026-10-04 deleted"
    assert in_lake("staging.passages") == in_lake("staging.passages", f"passed_at >= '{new}'") == 30
    assert in_lake("quarantine.passages") == 0

    # Nothing of it is left on disk: no hash, no file, no landed byte.
    hashed = f"{old.toordinal():08x}"
    files = [path for path in (folder / "data").rglob("*") if path.is_file()]
    assert not [path for path in files if hashed.encode() in path.read_bytes()]
    for path in files:
        if path.suffix == ".parquet" and "passages" in path.parts:
            plates = pl.read_parquet(path).get_column("plate_hash")
            assert not plates.str.starts_with(hashed).any()

    # It is not brought back, though upstream still has it; the night tells the same.
    again = reports(new)
    assert again[BUILT]["outcome"] == again["publish"]["outcome"] == "unchanged"
    assert shares(folder, new) == before
    with open_lake(load_settings(), read_only=True) as lake:
        [row] = lake.read("ops.forgotten", ops.Forgotten).rows(named=True)
    assert (row["first_date"], row["night_date"]) == (old, new)
    assert not [path for path in files if path.name == "none"]
    landed = [path for path in (folder / "data" / "toy" / "landing").rglob("*") if path.is_file()]
    assert not [path for path in landed if hashed.encode() in path.read_bytes()]


def test_a_night_that_fails_forgets_nothing(folder: Path) -> None:
    old, new = date(2026, 10, 3), date(2026, 11, 3)
    put(folder, old, a_day(old))
    (folder / "audits.csv").unlink()
    city = CITY.replace("[sources.audits]", "[sources.audits]\ncritical = true")
    (folder / "toy.toml").write_text(city)
    assert "was not published" in str(run_night(str(new))["close"])
    assert in_lake("staging.passages") == 30


def test_a_night_without_stations_forgets_nothing(folder: Path) -> None:
    old, new = date(2026, 10, 3), date(2026, 11, 3)
    put(folder, old, a_day(old))
    (folder / "stations.csv").unlink()
    assert "no list of stations" in reports(new)["close"]["text"]
    assert in_lake("staging.passages") == 30
    (folder / "stations.csv").write_text(STATIONS)
    reports(new + timedelta(days=1))
    assert shares(folder, new + timedelta(days=1))[0] == (OCTOBER, 6, 12, 1, 1)
    assert in_lake("staging.passages") == 0
