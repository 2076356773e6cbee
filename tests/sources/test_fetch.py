"""From addresses to landed bytes: paths, folders, what is refused, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.sources.fetch import Fetched, Gate, Known, Secrets, fetch_source
from pipelines.sources.landing import Landing
from tests.sources.upstream import BODY, DAY, fetch_one, known_of, source


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


def test_what_the_gate_refuses_is_never_stored(tmp_path: Path) -> None:
    (tmp_path / "feed.zip").write_bytes(b"personal")

    def refuse(name: str, payload: bytes) -> bytes:
        raise SourceError(f"{name} holds {len(payload)} bytes that must not be kept.")

    landing = Landing(tmp_path / "landing")
    fetched = fetch_source(
        source("feed.zip"), tmp_path, DAY, {}, landing, open_gate=lambda _: Gate(refuse)
    )
    assert fetched[0].outcome == "failed"
    assert fetched[0].reason == "feed.zip holds 8 bytes that must not be kept."
    assert not landing.folder.exists()


def test_what_the_gate_changes_is_landed_and_known_by_its_own_bytes(tmp_path: Path) -> None:
    (tmp_path / "feed.zip").write_bytes(b"Personal")
    landing = Landing(tmp_path / "landing")

    def fetch(gate: Gate, known: Known | None = None) -> Fetched:
        [fetched] = fetch_source(
            source("feed.zip"),
            tmp_path,
            DAY,
            {"feed.zip": known} if known else {},
            landing,
            open_gate=lambda _: gate,
        )
        return fetched

    lower = Gate(lambda _, payload: payload.lower(), mark="lower")
    first = fetch(lower)
    assert (first.outcome, landing.read(first.sha256)) == ("new", b"personal")
    assert fetch(lower, known_of(first)).outcome == "unchanged"
    assert fetch(Gate(), known_of(first)).outcome == "new"


def test_upstreams_word_counts_under_the_same_mark_alone() -> None:
    one, other = Gate(mark="one"), Gate(mark="other")
    known = Known("sha", "v1", one.recorded('"v1"'), "Friday")
    assert one.recalled(known) == Known("sha", "v1", '"v1"', "Friday")
    for gate in (other, Gate()):
        assert gate.recalled(known) == Known("sha", "v1", None, None)
    plain = Known("sha", "v1", '"v1"', "Friday")
    assert Gate().recalled(plain) == plain
    assert one.recalled(plain) == Known("sha", "v1", None, None)
    dated = Known("sha", "v1", one.recorded(None), "Friday")
    assert one.recalled(dated) == Known("sha", "v1", None, "Friday")


def test_a_gate_that_does_not_open_is_one_outcome(tmp_path: Path) -> None:
    def shut(_: Secrets) -> Gate:
        raise SourceError("The key is too short.", "Set a longer one.")

    landing = Landing(tmp_path / "landing")
    fetched = fetch_source(source("feed.zip"), tmp_path, DAY, {}, landing, open_gate=shut)
    assert [(item.object_name, item.outcome) for item in fetched] == [("", "failed")]
    assert fetched[0].reason == "The key is too short. Set a longer one."
