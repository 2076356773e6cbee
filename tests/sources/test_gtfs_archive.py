"""Archives: a feed is found wherever it lies, everything unsafe or ambiguous refused by a rule."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.sources.gtfs import archive
from pipelines.sources.gtfs.archive import Archive, open_archive
from tests.toy_feeds import feed_source, toy_feed

NAMES = ("stops.txt", "routes.txt")
SOURCE = feed_source()
LINK = 0o120777 << 16


def zipped(*members: tuple[str, str | bytes], attributes: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that repeat
        for name, text in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, text)
    return out.getvalue()


def opened(payload: bytes) -> Archive:
    return open_archive(payload, SOURCE, NAMES)


def codes(found: Archive) -> list[tuple[str, str]]:
    return [(code, what.rows.item(0, "value")) for code, what in found.findings]


@pytest.mark.parametrize("folder", ["", "feed/", "deliveries/2026/"])
def test_files_are_found_in_the_folder_they_share(folder: str) -> None:
    found = opened(toy_feed(folder))
    assert found.names() == ["routes.txt", "stops.txt"]
    assert found.read("stops.txt").startswith(b"stop_id,")
    assert found.size("stops.txt") == len(found.read("stops.txt"))
    with found.open("routes.txt") as stream:
        assert stream.read(8) == b"route_id"
    is_told = ("invalid_input_files_in_subfolder", f"{folder}stops.txt") in codes(found)
    assert is_told == bool(folder)


def test_names_are_known_in_any_case() -> None:
    assert opened(zipped(("STOPS.TXT", "a"))).read("stops.txt") == b"a"


def test_hidden_files_of_desktops_are_passed_over() -> None:
    found = opened(zipped(("stops.txt", "a"), ("__MACOSX/stops.txt", "b"), (".old/stops.txt", "c")))
    assert found.read("stops.txt") == b"a"
    assert codes(found) == []


def test_files_at_the_top_are_the_feed_and_others_are_told() -> None:
    found = opened(zipped(("stops.txt", "a"), ("old/stops.txt", "b"), ("readme.md", "c")))
    assert found.read("stops.txt") == b"a"
    assert codes(found) == [
        ("invalid_input_files_in_subfolder", "old/stops.txt"),
        ("unknown_file", "readme.md"),
    ]


def test_the_only_archive_within_is_unwrapped() -> None:
    found = opened(zipped(("2026/gtfs.zip", toy_feed()), ("readme.md", "a")))
    assert found.names() == ["routes.txt", "stops.txt"]
    assert codes(found)[0] == ("nested_archive", "2026/gtfs.zip")


def with_flag(payload: bytes, flag: int) -> bytes:
    """The archive with a flag set in its directory and in its members' heads."""
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = payload.find(mark)
        while at >= 0:
            bits = struct.unpack_from("<H", payload, at + place)[0] | flag
            payload = payload[: at + place] + struct.pack("<H", bits) + payload[at + place + 2 :]
            at = payload.find(mark, at + 4)
    return payload


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        (b"<html>not found</html>", "not_a_zip"),
        (b"", "not_a_zip"),
        (toy_feed()[:-40], "truncated"),
        (zipped(("../stops.txt", "a")), "path_outside"),
        (zipped(("/etc/stops.txt", "a")), "path_outside"),
        (zipped(("C:/stops.txt", "a")), "path_outside"),
        (zipped(("a\\stops.txt", "a")), "path_outside"),
        (zipped(("stops.txt", "/etc/passwd"), attributes=LINK), "link_or_device"),
        (with_flag(zipped(("stops.txt", "a")), 1), "encrypted"),
        (zipped(("stops.txt", "a"), ("stops.txt", "b")), "duplicate_member"),
        (zipped(("a/stops.txt", "a"), ("b/stops.txt", "b")), "several_feeds"),
        (zipped(("a.zip", toy_feed()), ("b.zip", toy_feed())), "several_archives"),
        (zipped(("a.zip", zipped(("b.zip", toy_feed())))), "no_feed"),
        (zipped(("a.zip", b"no zip")), "not_a_zip"),
        (zipped(("readme.md", "a")), "no_feed"),
        (zipped(), "no_feed"),
        (zipped(*((f"{n}.txt", "") for n in range(1_001))), "too_many_members"),
        (zipped(("stops.txt", b"0" * 70_000_000)), "zip_bomb"),
    ],
)
def test_archives_are_refused_by_a_rule_that_is_named(payload: bytes, rule: str) -> None:
    with pytest.raises(SourceError, match=rf"\(rule {rule}\)") as caught:
        opened(payload)
    assert "'toy'" in caught.value.what
    assert caught.value.remedy


def test_damaged_contents_are_refused_when_read() -> None:
    payload = toy_feed()
    at = payload.find(b"stops.txt") + len("stops.txt") + 20
    damaged = payload[:at] + bytes([payload[at] ^ 0xFF]) + payload[at + 1 :]
    with pytest.raises(SourceError, match=r"\(rule damaged\)"):
        opened(damaged).read("stops.txt")


def test_a_directory_that_lies_about_sizes_is_refused() -> None:
    payload = zipped(("stops.txt", b"stop_id\n" * 1_000))
    at = payload.find(b"PK\x01\x02") + 24
    lying = payload[:at] + struct.pack("<I", 8) + payload[at + 4 :]
    with pytest.raises(SourceError, match=r"\(rule (zip_bomb|damaged)\)"):
        opened(lying).read("stops.txt")


def test_archives_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED_BYTES", 100)
    with pytest.raises(SourceError, match=r"\(rule zip_bomb\)"):
        opened(toy_feed())


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("archives/invalid.zip", "not_a_zip"),
        ("archives/example-nested-two-feeds.zip", "several_feeds"),
        ("archives/example-nested-dir-ambiguous.zip", "several_feeds"),
        ("transitfeed/unknown_format.zip", "not_a_zip"),
    ],
)
def test_real_broken_archives(shared_data: Path, name: str, rule: str) -> None:
    payload = (shared_data / "bad_gtfs" / name).read_bytes()
    with pytest.raises(SourceError, match=rf"\(rule {rule}\)"):
        opened(payload)


def test_of_two_spellings_the_one_in_small_letters_is_read() -> None:
    found = opened(zipped(("Stops.txt", "a"), ("stops.txt", "b")))
    assert found.read("stops.txt") == b"b"
    assert codes(found) == [("unknown_file", "Stops.txt")]


def test_an_archive_beside_a_feed_is_left_alone() -> None:
    found = opened(zipped(("stops.txt", "a"), ("old.zip", toy_feed())))
    assert found.names() == ["stops.txt"]
    assert codes(found) == [("unknown_file", "old.zip")]


def test_a_nested_archive_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_NESTED_BYTES", 100)
    with pytest.raises(SourceError, match=r"\(rule zip_bomb\)"):
        opened(zipped(("gtfs.zip", toy_feed())))


def test_members_that_share_bytes_are_refused() -> None:
    payload = zipped(("stops.txt", random.Random(1).randbytes(1_000)))
    at = payload.find(b"PK\x01\x02") + 20
    shared = payload[:at] + struct.pack("<I", len(payload) + 1) + payload[at + 4 :]
    with pytest.raises(SourceError, match=r"\(rule (zip_bomb|damaged)\)"):
        opened(shared)


def test_a_directory_that_is_too_large_is_not_read() -> None:
    payload = zipped(("stops.txt", "a"))
    at = payload.find(b"PK\x05\x06") + 12
    claiming = payload[:at] + struct.pack("<I", 500_000_000) + payload[at + 4 :]
    with pytest.raises(SourceError, match=r"\(rule too_many_members\)"):
        opened(claiming)


def test_a_stream_is_read_and_left_open() -> None:
    stream = io.BytesIO(toy_feed())
    found = open_archive(stream, SOURCE, NAMES)
    with found.open("stops.txt") as member:
        pieces = iter(lambda: member.read(5), b"")
        assert b"".join(pieces) == found.read("stops.txt")
    assert not stream.closed


@pytest.mark.parametrize("seed", range(8))
def test_damaged_archives_raise_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    whole = (toy_feed(), toy_feed("feed/"), zipped(("gtfs.zip", toy_feed())))
    refusals: list[str] = []
    for _ in range(60):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 4)):
            # Most of what can go wrong is in the directory, at the end.
            at = chance.choice((chance.randrange(len(data)), len(data) - chance.randint(1, 200)))
            data[at : at + chance.choice((0, 1, 1, 20))] = bytes([chance.randrange(256)])
        try:
            found = opened(bytes(data))
            for name in found.names():
                found.read(name)
        except SourceError as error:
            refusals.append(error.what)
    assert refusals
    assert all("(rule " in what for what in refusals)
