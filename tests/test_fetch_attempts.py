"""What a night writes down of its fetching: every try, and never a key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import run
from pipelines.errors import TransientSourceError
from pipelines.settings import load_settings
from pipelines.sources.fetch import retries
from pipelines.warehouse import ops
from pipelines.warehouse.lake import open_lake
from tests.sources.upstream import Reply, Upstream, serving

pytestmark = pytest.mark.slow

KEY = "2026-11-20"
CITY = """
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"

[sources.fleet]
kind = "fleet"
address = "{url}/fleet.csv?key={{secret:fleet_key}}"
format = "csv"
mark = "measured"
allow_private = true
headers = {{ "X-Api-Key" = "{{secret:fleet_key}}" }}
"""
FLEET = b"vehicle_id,fuel_type\nA1,diesel\nA2,electric\n"
GOOD = Reply(200, FLEET, {"ETag": '"v1"'})


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """The owner of the fleet's register; the environment points at a city that asks there."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    monkeypatch.setenv("QALA_SECRET_FLEET_KEY", "of the environment")
    with serving() as server:
        (tmp_path / "toy.toml").write_text(CITY.format(url=server.url))
        yield server


def fetch_and_load(key: str = KEY, **options: Any) -> run.Report:
    return run.load("fleet", run.fetch("fleet", key, key, **options), key, key)


def attempts() -> list[tuple[str, str]]:
    """Outcome and reason of each attempt, in order."""
    with open_lake(load_settings(), read_only=True) as lake:
        rows = lake.read("ops.fetch_attempts", ops.FetchAttempts).sort("attempted_at", "outcome")
        return list(rows.select("outcome", "reason").iter_rows())


def test_every_try_of_a_night_is_a_row(upstream: Upstream) -> None:
    upstream.tell("/fleet.csv", Reply(503, b""), Reply(length=9_999), GOOD)
    assert fetch_and_load()["outcome"] == "done"
    rows = attempts()
    assert sorted(outcome for outcome, _ in rows) == ["failed", "failed", "new"]
    reasons = [reason for outcome, reason in rows if outcome == "failed"]
    assert all(reason.startswith(upstream.url) for reason in reasons)
    assert fetch_and_load("2026-11-21")["outcome"] == "unchanged"
    assert attempts()[-1] == ("unchanged", "")
    assert upstream.asked[-1].headers["If-None-Match"] == '"v1"'


def test_an_unchanged_source_costs_next_to_nothing(upstream: Upstream) -> None:
    upstream.tell("/fleet.csv", GOOD)
    fetch_and_load()
    sent = upstream.bodies_sent
    started = time.monotonic()
    assert fetch_and_load("2026-11-21")["outcome"] == "unchanged"
    assert time.monotonic() - started < 2
    assert upstream.bodies_sent == sent


def test_tries_are_kept_where_the_night_comes_back_later(upstream: Upstream) -> None:
    upstream.tell("/fleet.csv", Reply(503, b""))
    today = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()  # its cut-off is to come
    with pytest.raises(TransientSourceError, match=r"answered 503.*tried again until 05:00"):
        run.fetch("fleet", today, "the run", may_wait=True)
    assert [outcome for outcome, _ in attempts()] == ["failed"] * retries.TRIES
    upstream.tell("/fleet.csv", GOOD)
    assert fetch_and_load(today, may_wait=True)["outcome"] == "done"


def test_a_missing_secret_is_that_sources_error_alone(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QALA_SECRET_FLEET_KEY")
    assert run.secret_names("fleet") == ["fleet_key"]
    report = fetch_and_load()
    assert report["outcome"] == "failed"
    assert "Make an Airflow connection 'fleet_key'" in report["text"]
    assert upstream.asked == []


def test_a_secret_of_the_caller_is_sent_and_told_to_nobody(upstream: Upstream) -> None:
    upstream.tell("/fleet.csv", Reply(403, b""))
    report = fetch_and_load(secrets={"fleet_key": "of the connection"})
    [asked] = upstream.asked
    assert asked.headers["X-Api-Key"] == "of the connection"
    assert asked.path == "/fleet.csv?key=of%20the%20connection"
    assert "connection" not in str(report) + str(attempts())
