"""From addresses to landed bytes: paths, folders, HTTP on loopback, and what can go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.settings import Source
from pipelines.sources import fetch
from pipelines.sources.fetch import Fetched, Known, fetch_source
from pipelines.sources.landing import Landing

DAY = date(2026, 11, 20)
BODY = b"stop_id\nA\n"


class Upstream(ThreadingHTTPServer):
    """A server on loopback that counts what it is asked and sends what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[str] = []
        self.bodies_sent = 0
        self.failures_left = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.failures_left:
            self.server.failures_left -= 1
            self.send_error(503)
        elif self.path == "/gone.zip":
            self.send_error(404)
        elif self.path == "/moved.zip":
            self.send_response(302)
            self.send_header("Location", "/feed.zip")
            self.end_headers()
        elif self.path == "/elsewhere.zip":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
        elif self.headers.get("If-None-Match") == '"v1"':
            self.send_response(304)
            self.end_headers()
        else:
            self.server.bodies_sent += 1
            half = self.path == "/half.zip"
            self.send_response(200)
            self.send_header("ETag", '"v1"')
            self.send_header("Content-Length", str(len(BODY) * (2 if half else 1)))
            self.end_headers()
            self.wfile.write(BODY)
            self.close_connection = half

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(fetch, "FIRST_PAUSE_SECONDS", 0.001)
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def source(address: str, **more: object) -> Source:
    given = {"kind": "gtfs", "address": address, "format": "zip", "mark": "measured", **more}
    return Source.model_validate(given)


def fetch_one(folder: Path, address: str, known: Known | None = None, **more: object) -> Fetched:
    what = source(address, **more)
    landing = Landing(folder / "landing")
    knowns = {} if known is None else {Path(address).name: known}
    fetched = fetch_source(what, folder, DAY, knowns, landing)
    assert len(fetched) == 1
    return fetched[0]


def known_of(fetched: Fetched) -> Known:
    return Known(fetched.sha256, fetched.version_id, fetched.etag, fetched.last_modified)


def test_a_file_is_new_then_unchanged_then_new_again(tmp_path: Path) -> None:
    (tmp_path / "feed.zip").write_bytes(b"one")
    first = fetch_one(tmp_path, "feed.zip")
    assert (first.outcome, first.size_bytes) == ("new", 3)
    assert fetch_one(tmp_path, "feed.zip", known_of(first)).outcome == "unchanged"
    (tmp_path / "feed.zip").write_bytes(b"two")
    assert fetch_one(tmp_path, "feed.zip", known_of(first)).outcome == "new"


def test_a_file_address_with_blanks(tmp_path: Path) -> None:
    (tmp_path / "my feed.zip").write_bytes(b"one")
    address = (tmp_path / "my feed.zip").as_uri()
    assert "%20" in address
    assert fetch_one(tmp_path, address).outcome == "new"


def test_a_folder_of_a_feed_is_one_object_with_bytes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "stops.txt").write_bytes(BODY)
    first = fetch_one(tmp_path, "feed")
    (tmp_path / "feed" / "stops.txt").touch()
    assert fetch_one(tmp_path, "feed").sha256 == first.sha256


def test_a_folder_of_tables_is_an_object_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "counts").mkdir()
    for name in ("b.csv", "a.csv", "note.txt"):
        (tmp_path / "counts" / name).write_bytes(name.encode())
    landing = Landing(tmp_path / "landing")
    for address in ("counts", "counts/*.csv"):
        what = source(address, kind="traffic_counts", format="csv")
        fetched = fetch_source(what, tmp_path, DAY, {}, landing)
        assert [item.object_name for item in fetched] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("address", "more", "said"),
    [
        ("nowhere.zip", {}, "nowhere.zip does not exist. Check `address` in the city file."),
        ("none/*.csv", {}, "holds no file"),
        ("empty.zip", {}, "empty.zip is empty"),
        ("big.zip", {"max_megabytes": 1}, "larger than 1 MB. Raise `max_megabytes`"),
        ("ftp://127.0.0.1/feed.zip", {}, "has the unknown scheme 'ftp'"),
        ("sample:nothing", {}, "no product 'nothing'"),
    ],
)
def test_what_can_not_be_had_is_an_outcome_with_its_reason(
    tmp_path: Path, address: str, more: dict[str, object], said: str
) -> None:
    (tmp_path / "empty.zip").write_bytes(b"")
    (tmp_path / "big.zip").write_bytes(b"x" * 1_000_001)
    fetched = fetch_one(tmp_path, address, **more)
    assert fetched.outcome == "failed"
    assert said in fetched.reason
    assert not fetched.is_transient


def test_http_body_then_nothing_but_304(tmp_path: Path, upstream: Upstream) -> None:
    first = fetch_one(tmp_path, f"{upstream.url}/feed.zip")
    assert (first.outcome, first.etag, first.size_bytes) == ("new", '"v1"', len(BODY))
    again = fetch_one(tmp_path, f"{upstream.url}/feed.zip", known_of(first))
    assert again.outcome == "unchanged"
    assert again.sha256 == first.sha256
    assert upstream.bodies_sent == 1


def test_a_redirect_is_followed_but_not_to_a_file(tmp_path: Path, upstream: Upstream) -> None:
    assert fetch_one(tmp_path, f"{upstream.url}/moved.zip").outcome == "new"
    assert fetch_one(tmp_path, f"{upstream.url}/elsewhere.zip").outcome == "failed"


def test_a_server_that_stumbles_is_asked_again(tmp_path: Path, upstream: Upstream) -> None:
    upstream.failures_left = fetch.TRIES - 1
    assert fetch_one(tmp_path, f"{upstream.url}/feed.zip").outcome == "new"
    assert len(upstream.asked) == fetch.TRIES


def test_a_server_that_stays_down_may_be_tried_later(tmp_path: Path, upstream: Upstream) -> None:
    upstream.failures_left = 99
    fetched = fetch_one(tmp_path, f"{upstream.url}/feed.zip")
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert "answered 503" in fetched.reason


def test_a_missing_page_is_not_tried_again(tmp_path: Path, upstream: Upstream) -> None:
    fetched = fetch_one(tmp_path, f"{upstream.url}/gone.zip")
    assert (fetched.outcome, fetched.is_transient) == ("failed", False)
    assert upstream.asked == ["/gone.zip"]


def test_half_a_body_is_no_body(tmp_path: Path, upstream: Upstream) -> None:
    fetched = fetch_one(tmp_path, f"{upstream.url}/half.zip")
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert not any((tmp_path / "landing").rglob("*"))


def test_an_address_that_nobody_listens_on(tmp_path: Path, upstream: Upstream) -> None:
    upstream.server_close()
    fetched = fetch_one(tmp_path, f"{upstream.url}/feed.zip")
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert "can't be reached" in fetched.reason


def test_dated_addresses_are_one_object_a_day(tmp_path: Path, upstream: Upstream) -> None:
    what = source(f"{upstream.url}/{{date}}/feed.zip", days=3)
    fetched = fetch_source(what, tmp_path, DAY, {}, Landing(tmp_path / "landing"))
    assert [item.object_name for item in fetched] == [
        "2026-11-18/feed.zip",
        "2026-11-19/feed.zip",
        "2026-11-20/feed.zip",
    ]


def test_what_the_screen_refuses_is_never_stored(tmp_path: Path) -> None:
    (tmp_path / "feed.zip").write_bytes(b"personal")

    def screen(name: str, payload: bytes) -> None:
        raise SourceError(f"{name} holds {len(payload)} bytes that must not be kept.")

    landing = Landing(tmp_path / "landing")
    fetched = fetch_source(source("feed.zip"), tmp_path, DAY, {}, landing, screen=screen)
    assert fetched[0].outcome == "failed"
    assert fetched[0].reason == "feed.zip holds 8 bytes that must not be kept."
    assert not landing.folder.exists()
