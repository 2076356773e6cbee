"""Nights of a city with one feed: published ahead, expired, failing, renamed, rerun."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines import flow, run
from pipelines.contracts import load_contract
from pipelines.errors import QalaError
from pipelines.settings import load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from pipelines.warehouse.state import stands
from tests.toy_city import run_night
from tests.toy_feeds import FILES, toy_feed

pytestmark = [pytest.mark.slow, pytest.mark.long]

CITY = """\
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"
reference_weekday = "wednesday"
history_months = {months}

[sources.transit]
kind = "gtfs"
address = "transit.zip"
format = "zip"
mark = "published"
"""
FEED_MARTS = ("trip_stats", "trip_patterns", "governing_versions", "feed_health")
DIFFS = ("feed_changes", "feed_change_rows")
ONE_TRAIN_LESS = {
    name: "".join(line for line in FILES[name].splitlines(keepends=True) if "M1-0710" not in line)
    for name in ("trips", "stop_times")
}


def until(last: str, first: str = "20260101") -> bytes:
    """The toy feed whose services run between two days."""
    calendar = FILES["calendar"].replace("20260101", first).replace("20261231", last)
    return toy_feed(calendar=calendar, calendar_dates="service_id,date,exception_type\n")


@dataclass(frozen=True)
class Town:
    """A city on disk whose nights go as far as some marts."""

    folder: Path

    def bring(self, feed: bytes | None) -> None:
        """Put another feed where the city fetches it, or none."""
        path = self.folder / "transit.zip"
        path.unlink(missing_ok=True)
        if feed is not None:
            path.write_bytes(feed)

    def night(self, key: str, *marts: str) -> None:
        """Fetch, load, and make the marts about the feed, and those named."""
        run.load("transit", run.fetch("transit", key, "run"), key, "run")
        for mart in (*FEED_MARTS, *DIFFS, *marts):
            run.build(f"marts.{mart}", key, "run")

    def governing(self, key: str) -> dict[str, Any]:
        """The feed's row of `ops.night_sources`."""
        with self.lake() as lake:
            day = date.fromisoformat(key)
            rows = lake.read("ops.night_sources", ops.NightSources, "service_date = ?", [day])
        return rows.row(0, named=True)

    def rows(self, mart: str, key: str) -> pl.DataFrame:
        """A night's rows of a mart."""
        table = flow.table(f"marts.{mart}")
        with self.lake() as lake:
            day = date.fromisoformat(key)
            return lake.read(table.name, load_contract(table), "service_date = ?", [day])

    def contents(self) -> dict[str, str]:
        """Content hashes of every partition of the marts."""
        names = [table.name for table in flow.marts()]
        with self.lake() as lake:
            found = stands(lake, names)
        return {f"{t} {k}": s.content_hash for t, parts in found.items() for k, s in parts.items()}

    def lake(self) -> AbstractContextManager[Lake]:
        """The lake as the steps open it: a second way in beside theirs would lock them out."""
        return open_lake(load_settings())


def town_at(folder: Path, monkeypatch: pytest.MonkeyPatch, *, months: int = 0) -> Town:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.toml").write_text(CITY.format(months=months))
    monkeypatch.setenv("QALA_CITY", str(folder / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(folder / "data"))
    return Town(folder)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    return town_at(tmp_path, monkeypatch)


def test_a_version_published_ahead_waits_for_its_first_day(town: Town) -> None:
    town.bring(until("20261130"))
    town.night("2026-11-18", "route_stats")
    first = town.governing("2026-11-18")
    town.bring(until("20271231", first="20261120"))
    town.night("2026-11-19", "route_stats")
    second = town.governing("2026-11-19")
    assert second["version_id"] == first["version_id"]
    assert second["sha256"] == first["sha256"]
    assert (second["is_stale"], second["is_assumed"]) == (False, False)
    assert second["good_date"] == date(2026, 11, 18)
    assert town.rows("route_stats", "2026-11-19").get_column("trip_count").to_list() == [2, 2]
    assert town.rows("feed_changes", "2026-11-19").is_empty()
    days = town.rows("governing_versions", "2026-11-19")
    assert days.get_column("to_date").to_list() == [date(2026, 11, 19), date(2027, 12, 31)]

    # On its first day it governs, though nothing new came, and then though nothing came at all.
    town.night("2026-11-20")
    third = town.governing("2026-11-20")
    assert third["version_id"] not in ("", first["version_id"])
    changed = town.rows("feed_changes", "2026-11-20")
    assert changed.get_column("before_version_id").unique().to_list() == [first["version_id"]]
    assert changed.get_column("after_version_id").unique().to_list() == [third["version_id"]]
    assert changed.select("added_count", "removed_count", "changed_count").sum().row(0) == (0, 0, 0)


def test_a_version_published_ahead_takes_over_while_the_feed_is_down(town: Town) -> None:
    town.bring(until("20261130"))
    town.night("2026-11-18")
    town.bring(until("20271231", first="20261120"))
    town.night("2026-11-19")
    town.bring(None)
    town.night("2026-11-20")
    row = town.governing("2026-11-20")
    assert row["is_stale"]
    assert "does not exist" in row["reason"]
    assert row["version_id"] != town.governing("2026-11-19")["version_id"]
    health = town.rows("feed_health", "2026-11-20").row(0, named=True)
    assert (health["is_stale"], health["is_assumed"], health["basis"]) == (True, False, "in force")


def test_an_expired_feed_is_bridged_flagged_and_given_up(town: Town) -> None:
    town.bring(until("20261117"))  # a Tuesday
    town.night("2026-11-17", "route_stats")
    town.night("2026-11-18", "route_stats")
    assert town.governing("2026-11-18")["is_assumed"]
    # As on Wednesday the 11th, and not measured but modelled.
    assumed = town.rows("route_stats", "2026-11-18")
    assert assumed.get_column("trip_count").to_list() == [2, 2]
    assert set(assumed.get_column("mark")) == {"modelled"}
    assert set(town.rows("route_stats", "2026-11-17").get_column("mark")) == {"published"}
    town.night("2026-11-21", "route_stats")  # as on the Saturday before: buses alone
    assert town.rows("route_stats", "2026-11-21").get_column("route_id").to_list() == ["10"]
    town.night("2026-12-16", "route_stats", "metro_reach")
    gone = town.governing("2026-12-16")
    assert (gone["version_id"], gone["is_stale"]) == ("", False)
    assert "no version of the feed covers the day" in gone["reason"]
    assert town.rows("route_stats", "2026-12-16").is_empty()
    assert town.rows("metro_reach", "2026-12-16").get_column("reason").null_count() == 0
    health = town.rows("feed_health", "2026-12-16").row(0, named=True)
    assert health["days_left_count"] == -29
    assert "no_version_governs" in health["warning_codes"]


def test_a_new_version_says_what_it_changed(town: Town) -> None:
    town.bring(toy_feed())
    town.night("2026-11-18")
    assert town.rows("feed_changes", "2026-11-18").is_empty()
    town.bring(toy_feed(**ONE_TRAIN_LESS))
    town.night("2026-11-19")
    rows = town.rows("feed_change_rows", "2026-11-19").sort("table_name", "key")
    told = rows.select("table_name", "key", "change", "count_before", "count_after").rows()
    assert [row for row in told if row[0] != "patterns"] == [
        ("trips", "M1-0710", "removed", 1, 0),
        ("vehicle_km", "M1", "changed", 2, 1),
    ]
    town.night("2026-11-20")
    assert town.rows("feed_changes", "2026-11-20").is_empty()


def test_rerunning_nights_gives_the_same_and_computes_nothing(town: Town) -> None:
    def nights(town: Town) -> None:
        for key, feed in (
            ("2026-11-18", until("20261130")),
            ("2026-11-19", until("20271231", first="20261120")),
            ("2026-11-20", None),
        ):
            town.bring(feed)
            town.night(key, "route_stats")

    nights(town)
    before = town.contents()
    reports = [
        run.build(f"marts.{mart}", key, "again")
        for key in ("2026-11-18", "2026-11-19", "2026-11-20")
        for mart in (*FEED_MARTS, *DIFFS, "route_stats")
    ]
    assert {report["outcome"] for report in reports} == {"unchanged"}
    nights(town)
    assert town.contents() == before


def test_history_stands_on_the_version_of_its_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year that begins with a new feed does not forget the old one's days."""
    town = town_at(tmp_path, monkeypatch, months=2)
    reach = ("metro_reach",)
    town.bring(until("20261130"))
    town.night("2026-11-30", *reach)
    october = town.rows("metro_reach", "2026-10-14")
    assert october.get_column("served_stop_count").max() == 3
    before = town.contents()
    town.bring(until("20271231", first="20261201"))
    town.night("2026-12-01", *reach)
    assert town.rows("metro_reach", "2026-11-11").get_column("served_stop_count").max() == 3
    again = town.contents()
    key = "marts.metro_reach 2026-10-14"
    assert again[key] == before[key]


def test_an_assumed_night_passes_its_audit_and_is_told_as_such(town: Town) -> None:
    figures = 'figures = ["stop_stats", "feed_health"]\n'
    city = CITY.format(months=0).replace("[city]\n", f"[city]\n{figures}", 1)
    (town.folder / "toy.toml").write_text(city)
    town.bring(until("20261117"))
    told = run_night("2026-11-18")
    assert [error for error in told.values() if isinstance(error, QalaError)] == []
    status = json.loads((town.folder / "data" / "toy" / "publish" / "status.json").read_text())
    [feed] = status["feeds"]
    assert (feed["is_assumed"], feed["days_left"]) == (True, -1)
    assert feed["warning"].startswith("The last service ran on 2026-11-17.")
    with duckdb.connect(
        str(town.folder / "data" / "toy" / "publish" / "toy.duckdb"), read_only=True
    ) as published:
        marks = "SELECT DISTINCT mark FROM marts.stop_stats"
        assert published.sql(marks).fetchall() == [("modelled",)]
        warned = (
            "SELECT check_name FROM quality.check_results"
            " WHERE table_name = 'marts.feed_health' AND NOT is_passed ORDER BY 1"
        )
        assert published.sql(warned).fetchall() == [("feeds go on",), ("service is known",)]
