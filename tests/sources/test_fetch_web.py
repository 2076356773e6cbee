"""HTTP on loopback: what is unchanged, what is tried again, where redirects may lead, limits."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import SourceError
from pipelines.sources.fetch import Fetched, exchange, guard, retries, web
from pipelines.sources.fetch.exchange import Answer
from pipelines.sources.landing import Landing
from tests.sources.upstream import (
    BODY,
    Reply,
    Upstream,
    fetch_all,
    fetch_one,
    known_of,
    redirect,
    serving,
    source,
)

V1 = Reply(headers={"ETag": '"v1"'})


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    with serving() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Upstream]:
    with serving() as server:
        yield server


# What is unchanged


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply",
    [
        V1,
        Reply(headers={"ETag": '"v1"', "X-Deaf": "to If-None-Match"}),
    ],
    ids=["304", "the same ETag"],
)
def test_an_unchanged_object_sends_no_body(
    tmp_path: Path, upstream: Upstream, reply: Reply
) -> None:
    # Large enough that it can't lie in the sockets' buffers: a body that is begun is not ended.
    reply = Reply(200, BODY * 2_000_000, reply.headers)
    address = upstream.tell("/feed.zip", reply)
    first = fetch_one(tmp_path, address)
    assert (first.outcome, first.etag, first.size_bytes) == ("new", '"v1"', len(reply.body))
    started = time.monotonic()
    again = fetch_one(tmp_path, address, known_of(first))
    assert time.monotonic() - started < 2
    assert (again.outcome, again.sha256, again.size_bytes) == ("unchanged", first.sha256, 0)
    assert again.version_id == first.version_id
    assert upstream.asked[-1].headers["If-None-Match"] == '"v1"'
    assert upstream.bodies_sent == 1


def test_last_modified_is_asked_for_too(tmp_path: Path, upstream: Upstream) -> None:
    when = "Fri, 20 Nov 2026 00:00:00 GMT"
    address = upstream.tell("/feed.zip", Reply(headers={"Last-Modified": when}), Reply(304, b""))
    first = fetch_one(tmp_path, address)
    assert fetch_one(tmp_path, address, known_of(first)).outcome == "unchanged"
    assert upstream.asked[-1].headers["If-Modified-Since"] == when
    assert "If-None-Match" not in upstream.asked[-1].headers


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"', "X-Deaf": "yes"}], ids=["none", "weak"])
def test_without_strong_validators_bytes_decide(
    tmp_path: Path, upstream: Upstream, headers: dict[str, str]
) -> None:
    address = upstream.tell(
        "/feed.zip", Reply(headers=headers), Reply(headers=headers), Reply(200, b"x", headers)
    )
    first = fetch_one(tmp_path, address)
    same = fetch_one(tmp_path, address, known_of(first))
    assert (same.outcome, same.version_id, same.size_bytes) == (
        "unchanged", first.version_id, len(BODY),
    )  # fmt: skip
    assert fetch_one(tmp_path, address, known_of(first)).outcome == "new"


def test_what_landing_has_lost_is_fetched_again(tmp_path: Path, upstream: Upstream) -> None:
    address = upstream.tell("/feed.zip", V1)
    first = fetch_one(tmp_path, address)
    Landing(tmp_path / "landing").path(first.sha256).unlink()
    again = fetch_one(tmp_path, address, known_of(first))
    assert (again.outcome, again.sha256) == ("new", first.sha256)


def test_a_304_that_nobody_asked_for_is_a_failure(tmp_path: Path, upstream: Upstream) -> None:
    fetched = fetch_one(tmp_path, upstream.tell("/feed.zip", Reply(304, b"")))
    assert fetched.outcome == "failed"
    assert "answered 304 Not Modified" in fetched.reason


# Tried again


def test_a_server_that_stumbles_is_asked_again_and_each_try_is_told(
    tmp_path: Path, upstream: Upstream
) -> None:
    address = upstream.tell("/feed.zip", Reply(503, b""), Reply(length=99), Reply())
    tries: list[Fetched] = []
    [fetched] = fetch_all(tmp_path, source(address), failed_try=tries.append)
    assert fetched.outcome == "new"
    assert [(item.outcome, item.is_transient) for item in tries] == [("failed", True)] * 2
    assert "answered 503 Service Unavailable" in tries[0].reason
    assert "broke off" in tries[1].reason
    assert len(upstream.asked) == retries.TRIES


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507])
def test_what_may_pass_is_tried_to_the_end(tmp_path: Path, upstream: Upstream, status: int) -> None:
    fetched = fetch_one(tmp_path, upstream.tell("/feed.zip", Reply(status, b"")))
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert len(upstream.asked) == retries.TRIES


@pytest.mark.parametrize("status", [204, 206, 400, 401, 403, 404, 410, 451])
def test_what_does_not_pass_is_tried_once(tmp_path: Path, upstream: Upstream, status: int) -> None:
    fetched = fetch_one(tmp_path, upstream.tell("/feed.zip", Reply(status, b"")))
    assert (fetched.outcome, fetched.is_transient) == ("failed", False)
    assert f"answered {status}" in fetched.reason
    assert "Check `address` in the city file." in fetched.reason
    assert len(upstream.asked) == 1


def test_half_a_body_is_no_body(tmp_path: Path, upstream: Upstream) -> None:
    fetched = fetch_one(tmp_path, upstream.tell("/feed.zip", Reply(length=2 * len(BODY))))
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert not any((tmp_path / "landing").rglob("*"))


def test_an_address_that_nobody_listens_on(tmp_path: Path, upstream: Upstream) -> None:
    upstream.server_close()
    fetched = fetch_one(tmp_path, f"{upstream.url}/feed.zip")
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert "can't be reached" in fetched.reason


@pytest.mark.slow
def test_retry_after_is_waited_for(tmp_path: Path, upstream: Upstream) -> None:
    busy = Reply(429, b"", {"Retry-After": "1"})
    started = time.monotonic()
    assert fetch_one(tmp_path, upstream.tell("/feed.zip", busy, Reply())).outcome == "new"
    assert time.monotonic() - started >= 1


def test_a_server_that_wants_a_long_rest_gets_it(tmp_path: Path, upstream: Upstream) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for wish in ("3600", later):
        upstream.asked.clear()
        busy = Reply(503, b"", {"Retry-After": wish})
        fetched = fetch_one(tmp_path, upstream.tell("/feed.zip", busy))
        assert (fetched.outcome, fetched.is_transient) == ("failed", True)
        assert "s of rest" in fetched.reason
        assert len(upstream.asked) == 1


@pytest.mark.slow
@given(st.text(max_size=40) | st.integers().map(str) | st.datetimes().map(str))
def test_no_retry_after_breaks_anything(wish: str) -> None:
    assert exchange._retry_after_seconds(wish) >= 0


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    error = retries.BusyError("Busy.")
    first = [retries._pause_seconds(1, error) for _ in range(50)]
    second = [retries._pause_seconds(2, error) for _ in range(50)]
    assert len(set(first)) > 1
    assert max(first) < min(second)


# Limits


@pytest.mark.slow
def test_a_server_that_drips_meets_the_deadline(tmp_path: Path, upstream: Upstream) -> None:
    address = upstream.tell("/feed.zip", Reply(body=b"x" * 1000, drip_seconds=0.05))
    started = time.monotonic()
    fetched = fetch_one(tmp_path, address, max_minutes=0.01)
    assert time.monotonic() - started < 2
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert "feed.zip was not here within 0.01 minutes. Raise `max_minutes`" in fetched.reason


@pytest.mark.slow
def test_a_server_that_is_silent_meets_the_deadline(tmp_path: Path, upstream: Upstream) -> None:
    address = upstream.tell("/feed.zip", Reply(body=b"x", drip_seconds=1.5))
    fetched = fetch_one(tmp_path, address, max_minutes=0.005)
    assert "not here within 0.005 minutes" in fetched.reason


def test_a_body_that_is_announced_too_large_is_not_begun(
    tmp_path: Path, upstream: Upstream
) -> None:
    address = upstream.tell("/feed.zip", Reply(length=1_000_001))
    fetched = fetch_one(tmp_path, address, max_megabytes=1)
    assert not fetched.is_transient
    assert "larger than 1 MB. Raise `max_megabytes`" in fetched.reason


@pytest.mark.parametrize("members", [1, 3])
def test_a_packed_body_is_unpacked(tmp_path: Path, upstream: Upstream, members: int) -> None:
    packed = gzip.compress(BODY, mtime=0) * members + b"\0" * 8
    address = upstream.tell("/feed.zip", Reply(200, packed, {"Content-Encoding": "gzip"}))
    fetched = fetch_one(tmp_path, address)
    assert Landing(tmp_path / "landing").read(fetched.sha256) == BODY * members
    assert upstream.asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.slow
def test_a_small_body_that_unpacks_to_a_large_one_is_refused(
    tmp_path: Path, upstream: Upstream
) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, mtime=0) * 8
    assert len(bomb) < 1_000_000
    address = upstream.tell("/feed.zip", Reply(200, bomb, {"Content-Encoding": "gzip"}))
    started = time.monotonic()
    fetched = fetch_one(tmp_path, address, max_megabytes=1)
    assert time.monotonic() - started < 1
    assert "larger than 1 MB" in fetched.reason


@pytest.mark.parametrize(
    ("packed", "coding", "said"),
    [
        (gzip.compress(BODY * 99, mtime=0)[:-9], "gzip", "broke off"),
        (BODY, "gzip", "arrived damaged"),
        (gzip.compress(BODY, mtime=0) + b"junk", "x-gzip", "arrived damaged"),
        (BODY, "br", "is packed as 'br'"),
    ],
)
def test_a_body_that_can_not_be_unpacked(
    tmp_path: Path, upstream: Upstream, packed: bytes, coding: str, said: str
) -> None:
    address = upstream.tell("/feed.zip", Reply(200, packed, {"Content-Encoding": coding}))
    fetched = fetch_one(tmp_path, address)
    assert said in fetched.reason
    assert fetched.is_transient == (coding != "br")  # it was damaged on the way, or made so


# Servers that do not speak HTTP


@contextmanager
def saying(*pieces: bytes, pause_seconds: float = 0.0) -> Iterator[str]:
    """Address of a server that says these bytes to everybody, over and over where it pauses."""
    stop = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(10_000)
            for piece in itertools.cycle(pieces) if pause_seconds else pieces:
                connection.sendall(piece)
                if stop.wait(pause_seconds):
                    return

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                answer(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/feed.zip"
        finally:
            stop.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\xff" * 500,
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000,
    ],
)
def test_what_is_no_http_is_a_failure_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    with saying(said) as address:
        fetched = fetch_one(tmp_path, address)
    assert (fetched.outcome, fetched.is_transient) == ("failed", True)
    assert fetched.reason.startswith(f"{address} broke off: ")
    assert len(fetched.reason) < 500


@pytest.mark.slow
def test_a_head_that_drips_meets_the_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    with saying(b"HTTP/1.1 200 OK: ", b"x", b"x", pause_seconds=0.05) as address:
        fetched = fetch_one(tmp_path, address, max_minutes=0.005)
    assert time.monotonic() - started < 2
    assert "feed.zip was not here within 0.005 minutes" in fetched.reason


# Redirects


@pytest.mark.parametrize("status", sorted(web.REDIRECT_STATUS))
def test_a_redirect_is_followed(tmp_path: Path, upstream: Upstream, status: int) -> None:
    upstream.tell("/feed.zip", V1)
    address = upstream.tell("/moved.zip", redirect("feed.zip", status))
    first = fetch_one(tmp_path, address)
    assert (first.outcome, first.object_name) == ("new", "moved.zip")
    assert fetch_one(tmp_path, address, known_of(first)).outcome == "unchanged"
    assert upstream.bodies_sent == 1


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/hostname", "only http: and https: are followed"),
        ("ftp://127.0.0.1/feed.zip", "only http: and https: are followed"),
        ("", "redirects to nowhere"),
        ("http://127.0.0.1:99999/", "no machine with a port 99999"),
        ("http://[::1/", "redirects to what is no address"),
    ],
)
def test_a_redirect_to_no_place_is_refused(
    tmp_path: Path, upstream: Upstream, location: str, said: str
) -> None:
    fetched = fetch_one(tmp_path, upstream.tell("/feed.zip", redirect(location)))
    assert (fetched.outcome, fetched.is_transient) == ("failed", False)
    assert said in fetched.reason


def test_a_loop_of_redirects_ends(tmp_path: Path, upstream: Upstream) -> None:
    upstream.tell("/b.zip", redirect("/a.zip"))
    fetched = fetch_one(tmp_path, upstream.tell("/a.zip", redirect("/b.zip")))
    assert f"redirected more than {web.MOST_REDIRECTS} times" in fetched.reason
    assert len(upstream.asked) == web.MOST_REDIRECTS + 1


def test_as_many_redirects_as_allowed(tmp_path: Path, upstream: Upstream) -> None:
    for place in range(web.MOST_REDIRECTS):
        upstream.tell(f"/{place}", redirect(f"/{place + 1}"))
    upstream.tell(f"/{web.MOST_REDIRECTS}", Reply())
    assert fetch_one(tmp_path, f"{upstream.url}/0").outcome == "new"


def test_a_private_address_needs_the_city_files_word(tmp_path: Path, upstream: Upstream) -> None:
    address = upstream.tell("/feed.zip", Reply())
    fetched = fetch_one(tmp_path, address, allow_private=False)
    assert (fetched.outcome, fetched.is_transient) == ("failed", False)
    assert "127.0.0.1 is no public address" in fetched.reason
    assert "set `allow_private = true`" in fetched.reason
    assert upstream.asked == []


def test_a_public_machine_can_not_redirect_to_a_private_one(
    tmp_path: Path,
    upstream: Upstream,
    elsewhere: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "is_public", lambda address: address == "127.0.0.1")
    inside = elsewhere.tell("/feed.zip", Reply()).replace("127.0.0.1", "127.0.0.2")
    address = upstream.tell("/feed.zip", redirect(inside))
    fetched = fetch_one(tmp_path, address, allow_private=False)
    assert fetched.outcome == "failed"
    assert "127.0.0.2 is no public address" in fetched.reason
    assert upstream.paths == ["/feed.zip"]
    assert elsewhere.asked == []


ADDRESSES = st.sampled_from(["http://a.example/feed", "https://a.example:8443/x/feed?a=b"])
PLACES = st.text(max_size=30) | st.sampled_from(
    ["//b.example", "http:feed", "https://u:p@b.example/", "?x", "http://b.example:0/", "//[v1.x]/"]
)


@pytest.mark.slow
@given(ADDRESSES, PLACES)
def test_any_location_is_an_address_or_an_error_in_words(address: str, location: str) -> None:
    answer = Answer(address, 302, {"location": location}, lambda _: b"")
    try:
        target = web._redirect_target(httpx.URL(address), answer, source(address, allow_http=True))
    except SourceError:
        return
    assert target.scheme in ("http", "https")
    assert target.host
    assert not target.userinfo


def test_https_leads_to_http_only_where_the_city_file_says_so() -> None:
    url = httpx.URL("https://a.example/feed.zip")
    answer = Answer(str(url), 302, {"location": "http://a.example/feed.zip"}, lambda _: b"")
    with pytest.raises(SourceError, match=r"from https: to http:.*`allow_http = true`"):
        web._redirect_target(url, answer, source(str(url)))
    allowed = web._redirect_target(url, answer, source(str(url), allow_http=True))
    assert allowed == httpx.URL("http://a.example/feed.zip")
    back = Answer(str(allowed), 302, {"location": "https://a.example/feed.zip"}, lambda _: b"")
    assert web._redirect_target(allowed, back, source(str(url))) == url


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example/x", "https://a.example:443/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("http://a.example:8080/x", "https://a.example:8443/x", False),
        ("https://a.example/x", "https://b.a.example/x", False),
    ],
)
def test_which_machines_are_the_same(one: str, other: str, is_same: bool) -> None:
    assert web._is_same_machine(httpx.URL(one), httpx.URL(other)) == is_same


# Days


def test_dated_addresses_are_one_object_a_day(tmp_path: Path, upstream: Upstream) -> None:
    for path in ("/2026-11-18/feed.zip", "/2026-11-20/feed.zip", "/feed"):
        upstream.tell(path, Reply())
    what = source(f"{upstream.url}/{{date}}/feed.zip", days=3)
    assert [(item.object_name, item.outcome) for item in fetch_all(tmp_path, what)] == [
        ("2026-11-18/feed.zip", "new"),
        ("2026-11-19/feed.zip", "failed"),
        ("2026-11-20/feed.zip", "new"),
    ]
    what = source(f"{upstream.url}/feed?k=1&day={{date}}", days=2)
    names = [item.object_name for item in fetch_all(tmp_path, what)]
    assert names == ["feed?day=2026-11-19", "feed?day=2026-11-20"]
    assert upstream.paths[-1] == "/feed?k=1&day=2026-11-20"
