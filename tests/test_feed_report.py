"""`qala validate`: one feed judged on its own, told as table, JSON or page."""

from __future__ import annotations

import io
import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.feed_report import FeedReport, print_report, render_page, report_on
from pipelines.staging.gtfs.rules.catalogue import CODES
from tests.toy_feeds import FILES, toy_feed

TODAY = date(2026, 11, 18)


def report(folder: Path, payload: bytes, name: str = "feed.zip") -> FeedReport:
    path = folder / name
    path.write_bytes(payload)
    return report_on(str(path), TODAY)


def as_json(found: FeedReport, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    print_report(Console(), found, "json")
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.slow
def test_json_has_every_rule_and_failures_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(tmp_path, toy_feed(stops=FILES["stops"] + "MA,Twice,43.2,76.9\n"))
    told = as_json(found, capsys)
    assert list(told) == ["feed", "rules", "notices"]
    statuses = {rule["code"]: rule["status"] for rule in told["rules"]}
    assert sorted(statuses) == sorted(CODES)
    assert set(statuses.values()) <= {"pass", "fail", "not applicable", "not run"}
    failed = {code for code, status in statuses.items() if status == "fail"}
    assert {notice["code"] for notice in told["notices"]} == failed
    duplicate = next(n for n in told["notices"] if n["code"] == "duplicate_key")
    assert duplicate == {
        "code": "duplicate_key",
        "severity": "ERROR",
        "file": "stops.txt",
        "count": 1,
        "sample": [{"row": 9, "field": "stop_id", "value": "MA"}],
    }
    assert found.exit_code == 1


@pytest.mark.slow
def test_a_sound_feed_ends_with_0(tmp_path: Path) -> None:
    assert report(tmp_path, toy_feed()).exit_code == 0


@pytest.mark.parametrize("payload", [b"", b"no zip", toy_feed()[:-50]])
def test_an_unreadable_feed_is_told_in_json_too(
    tmp_path: Path, payload: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(tmp_path, payload)
    assert found.exit_code == 2
    told = as_json(found, capsys)
    assert [notice["code"] for notice in told["notices"]] == ["unreadable_archive"]
    statuses = {rule["status"] for rule in told["rules"] if rule["code"] != "unreadable_archive"}
    assert statuses == {"not run"}


def test_a_missing_file_and_a_wrong_address_are_unreadable() -> None:
    for address in ("/nowhere/feed.zip", "ftp://example.org/feed.zip", "http://[::1", "{secret:"):
        assert report_on(address, TODAY).exit_code == 2


@pytest.mark.slow
def test_a_folder_is_a_feed(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / f"{name}.txt").write_text(text)
    assert report_on(str(tmp_path), TODAY).exit_code == 0


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.told = ""
        self.feed(text)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.told += data


@pytest.mark.slow
def test_the_page_tells_the_same_and_runs_nothing_of_the_feed(tmp_path: Path) -> None:
    evil = 'X,"<script>alert(1)</script>",43.2,76.9\n'
    found = report(tmp_path, toy_feed(stops=FILES["stops"] + evil + evil))
    page = Page(render_page(found))
    assert "script" not in page.tags
    assert "There are errors." in page.told
    for notice in found.notices:
        assert notice.code in page.told


@pytest.mark.slow
def test_the_table_shows_the_worst_first_and_no_markup_of_the_feed(tmp_path: Path) -> None:
    found = report(tmp_path, toy_feed(stops=FILES["stops"] + "[red]X,,,\n[red]X,,,\n"))
    out = io.StringIO()
    print_report(Console(file=out, width=200), found, "table")
    lines = out.getvalue().splitlines()
    severities = [line.split()[1] for line in lines if line.startswith("│")]
    assert severities == sorted(severities, key=["ERROR", "WARNING", "INFO"].index)
    assert "[red]X" in out.getvalue()
    assert f"{len(CODES)} rules:" in out.getvalue()
