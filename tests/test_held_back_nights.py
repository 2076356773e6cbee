"""Nights with a feed version that is held back: what stands in, and what a decision does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import release, run
from pipelines.settings import load_settings
from pipelines.warehouse.lake import open_lake
from tests.toy_city import CITY, write_toy_city
from tests.toy_feeds import FILES, toy_feed

pytestmark = [pytest.mark.slow, pytest.mark.long]

ORPHANS = FILES["stop_times"].replace(",MB,", ",XX,").replace(",BB,", ",YY,")
HELD_BACK: dict[str, tuple[Callable[[], bytes], str]] = {
    "a file is missing": (lambda: toy_feed(stops=None), "missing_required_file in stops.txt (1)"),
    "a column is missing": (
        lambda: toy_feed(trips=FILES["trips"].replace("service_id", "servis_id")),
        "missing_required_column in trips.txt (1)",
    ),
    "too many rows are refused": (
        lambda: toy_feed(stop_times=ORPHANS),
        "4 of 14 rows of transit break rules: foreign_key_violation (4)",
    ),
}
MENDED = "feed_publisher_name,feed_publisher_url,feed_lang\nToy,https://example.org,en\n"


@pytest.fixture
def toytown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy city whose feed is not critical, after a good first night."""
    write_toy_city(tmp_path, city=CITY.replace("critical = true\n", ""))
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    assert load("2026-11-18")["outcome"] == "done"
    return tmp_path


def load(key: str) -> run.Report:
    run_id = f"night of {key}"
    return run.load("transit", run.fetch("transit", key, run_id), key, run_id)


@pytest.mark.parametrize("how", HELD_BACK)
def test_a_released_version_is_loaded_and_not_asked_about_again(toytown: Path, how: str) -> None:
    feed, why = HELD_BACK[how]
    (toytown / "transit.zip").write_bytes(feed())
    for key in ("2026-11-19", "2026-11-20"):
        told = load(key)
        assert told["outcome"] == "stale"
        assert f"is held back: {why}" in told["text"].replace("staging.stop_times: ", "")
    [asked] = run.waiting_feeds()
    assert "since the night of 2026-11-19" in asked["body"]
    assert "| `missing_recommended_file` |" in asked["body"]  # its notices are readable
    decide(asked["version_id"], "released")
    assert load("2026-11-21")["outcome"] == "done"
    assert load("2026-11-22")["outcome"] == "unchanged"
    assert run.waiting_feeds() == []


def test_a_rejected_version_is_never_tried_again(toytown: Path) -> None:
    (toytown / "transit.zip").write_bytes(toy_feed(stops=None))
    load("2026-11-19")
    [asked] = run.waiting_feeds()
    decide(asked["version_id"], "rejected")
    told = load("2026-11-20")
    assert (told["outcome"], told["rows"]) == ("stale", 0)
    assert "was rejected by Aigul on" in told["text"]
    assert run.waiting_feeds() == []
    (toytown / "transit.zip").write_bytes(toy_feed(feed_info=MENDED))
    assert load("2026-11-21")["outcome"] == "done"


def test_a_version_that_the_publisher_has_replaced_is_not_asked_about(toytown: Path) -> None:
    (toytown / "transit.zip").write_bytes(toy_feed(stops=None))
    load("2026-11-19")
    (toytown / "transit.zip").write_bytes(toy_feed(feed_info=MENDED))
    assert load("2026-11-20")["outcome"] == "done"
    assert run.waiting_feeds() == []


def test_what_cannot_be_read_at_all_is_failed_and_not_held_back(toytown: Path) -> None:
    (toytown / "transit.zip").write_bytes(b"no archive")
    assert load("2026-11-19")["outcome"] == "stale"
    assert run.waiting_feeds() == []
    with open_lake(load_settings(), read_only=True) as lake:
        assert release.held_back(lake) == []


def test_a_policy_may_let_it_pass(toytown: Path) -> None:
    city = (toytown / "toy.toml").read_text()
    (toytown / "toy.toml").write_text(city.replace("[city]", '[city]\npolicy = "p.toml"', 1))
    rule = (
        '[[rule]]\ncode = "missing_required_file"\nstops_feed = false\nowner = "A. Person"\n'
        'reason = "Known."\nexpires = {}\n'
    )
    (toytown / "transit.zip").write_bytes(toy_feed(agency=None))
    (toytown / "p.toml").write_text(rule.format("2026-11-19"))
    assert load("2026-11-19")["outcome"] == "stale"  # it has expired
    (toytown / "p.toml").write_text(rule.format("2026-11-20"))
    assert load("2026-11-19")["outcome"] == "done"


def decide(version_id: str, word: str) -> None:
    run.decide_feed("transit", version_id, word, decided_by="Aigul", reason="So.", run_id="r")
