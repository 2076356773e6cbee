"""Keys: where they come from, where they go, and that they are told to nobody else."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import SourceError
from pipelines.sources.fetch import Fetched, retries
from pipelines.sources.fetch.credentials import Secrets, find_secrets, shown
from tests.sources.upstream import Reply, Upstream, fetch_all, redirect, serving, source

KEY = "s3cr3t/+ &key"
HEADERS = {"X-Api-Key": "{secret:bus_feed}", "Authorization": "Bearer {secret:bus_feed}"}


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    with serving() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Upstream]:
    with serving() as server:
        yield server


@pytest.fixture
def in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALA_SECRET_BUS_FEED", f"{KEY}\n")


@pytest.mark.usefixtures("in_environment")
def test_keys_are_sent_in_headers_and_query(tmp_path: Path, upstream: Upstream) -> None:
    address = upstream.tell("/feed.zip", Reply()) + "?key={secret:bus_feed}&x=1"
    [fetched] = fetch_all(tmp_path, source(address, headers={**HEADERS, "User-Agent": "toy"}))
    assert (fetched.outcome, fetched.object_name) == ("new", "feed.zip")
    [asked] = upstream.asked
    assert asked.headers["X-Api-Key"] == KEY
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["User-Agent"] == "toy"
    assert asked.path == "/feed.zip?key=s3cr3t%2F%2B%20%26key&x=1"


def test_a_connections_word_counts_before_the_environments(
    tmp_path: Path, upstream: Upstream, in_environment: None
) -> None:
    what = source(upstream.tell("/feed.zip", Reply()), headers=HEADERS)
    fetch_all(tmp_path, what, connections={"bus_feed": "of the connection"})
    assert upstream.asked[0].headers["X-Api-Key"] == "of the connection"


def test_user_and_password_of_an_address(tmp_path: Path, upstream: Upstream) -> None:
    address = upstream.tell("/feed.zip", Reply()).replace("//", "//me:{secret:word}@")
    [fetched] = fetch_all(tmp_path, source(address), connections={"word": "p@ss:/word"})
    assert fetched.outcome == "new"
    told = b64encode(b"me:p@ss:/word").decode()
    assert upstream.asked[0].headers["Authorization"] == f"Basic {told}"


@pytest.mark.usefixtures("in_environment")
def test_keys_do_not_leave_the_machine_that_they_are_for(
    tmp_path: Path, upstream: Upstream, elsewhere: Upstream
) -> None:
    """Away and back again: the way back was chosen by another, so nothing is said there either."""
    upstream.tell(
        "/second.zip", redirect(elsewhere.tell("/third.zip", redirect(f"{upstream.url}/end.zip")))
    )
    upstream.tell("/end.zip", Reply())
    address = upstream.tell("/first.zip", redirect("/second.zip"))
    address = address.replace("//", "//me:word@") + "?key={secret:bus_feed}"
    [fetched] = fetch_all(tmp_path, source(address, headers=HEADERS))
    assert fetched.outcome == "new"
    first, second, end = upstream.asked
    [third] = elsewhere.asked
    assert first.headers["X-Api-Key"] == second.headers["X-Api-Key"] == KEY
    for asked in (third, end):
        told = json.dumps([asked.path, dict(asked.headers)])
        assert not {"X-Api-Key", "Authorization", "Referer", "Cookie"} & set(asked.headers)
        assert "s3cr3t" not in told


@pytest.mark.usefixtures("in_environment")
@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, b""),
        Reply(503, b""),
        Reply(length=99),
        redirect("ftp://x/?key=s3cr3t%2F%2B%20%26key"),
        redirect("/s3cr3t%2F%2B%20%26key/feed.zip"),
        redirect("http://me:s3cr3t%2F%2B%20%26key@localhost:1/feed.zip?signature=abcdef"),
        redirect(""),
    ],
)
def test_no_outcome_and_no_log_holds_a_key(
    tmp_path: Path, upstream: Upstream, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = "/feed/{secret:bus_feed}"
    upstream.tell("/feed/s3cr3t%2F%2B%20%26key", reply)
    address = f"{upstream.url}{path}?key={{secret:bus_feed}}&other=literal".replace(
        "//127", "//me:word@127"
    )
    tries: list[Fetched] = []
    [fetched] = fetch_all(tmp_path, source(address, headers=HEADERS), failed_try=tries.append)
    assert fetched.outcome == "failed"
    assert upstream.asked
    said = json.dumps([item.as_dict() for item in [*tries, fetched]]) + caplog.text
    for hidden in ("s3cr3t", "word", "literal", "abcdef"):
        assert hidden not in said
    assert fetched.reason


def test_a_missing_secret_is_one_clear_error(tmp_path: Path, upstream: Upstream) -> None:
    what = source(upstream.tell("/feed.zip", Reply()), headers=HEADERS)
    [fetched] = fetch_all(tmp_path, what)
    assert (fetched.outcome, fetched.object_name, fetched.is_transient) == ("failed", "", False)
    assert fetched.reason == (
        "The secret 'bus_feed' that the city file names is missing. Make an Airflow connection "
        "'bus_feed' with it as the password, or set QALA_SECRET_BUS_FEED in the environment."
    )
    assert upstream.asked == []


@pytest.mark.parametrize("value", ["two\nlines", "naïve", "\x00"])
def test_a_secret_that_no_header_can_carry(value: str) -> None:
    with pytest.raises(SourceError, match="no header can carry") as raised:
        find_secrets(source("http://a.example/x", headers=HEADERS), {"bus_feed": value})
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "for_people"),
    [
        ("https://a.example/feed.zip", "https://a.example/feed.zip"),
        ("https://me:word@a.example:8443/feed.zip?key=1#x", "https://a.example:8443/feed.zip?..."),
        ("https://me:word@a.example:port/feed.zip?key=1", "a.example:port/feed.zip"),
    ],
)
def test_an_address_for_people(address: str, for_people: str) -> None:
    assert shown(address) == for_people


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=6)


@pytest.mark.slow
@given(PRINTABLE.filter(lambda value: value.strip() == value), PRINTABLE, PRINTABLE)
def test_no_form_of_a_secret_is_left(value: str, before: str, after: str) -> None:
    secrets = Secrets({"a": value})
    for told in (secrets.fill("{secret:a}"), secrets.fill_address("{secret:a}")):
        assert told not in secrets.redact(f"{before}|{told}|{after}").replace("***", "")
    assert value not in repr(secrets)
