"""Archives: one feed in one folder is read, everything unsafe or ambiguous refused by name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.sources.gtfs import archive
from pipelines.sources.gtfs.archive import read_archive
from tests.toy_feeds import feed_source, toy_feed

NAMES = ("stops.txt", "routes.txt")
SOURCE = feed_source()


def zipped(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, text in members.items():
            made.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize("folder", ["", "feed/", "deliveries/2026/"])
def test_files_are_found_in_the_folder_they_share(folder: str) -> None:
    files = read_archive(toy_feed(folder), SOURCE, NAMES)
    assert sorted(files) == ["routes.txt", "stops.txt"]
    assert files["stops.txt"].startswith(b"stop_id,")


def test_hidden_files_of_desktops_are_passed_over() -> None:
    payload = zipped(**{"stops.txt": "a", "__MACOSX/stops.txt": "b", ".old/stops.txt": "c"})
    assert read_archive(payload, SOURCE, NAMES) == {"stops.txt": b"a"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"<html>not found</html>", "no|not a whole zip"),
        (b"", "not a whole zip"),
        (toy_feed()[:-40], "not a whole zip"),
        (zipped(**{"../stops.txt": "a"}), "lead outside"),
        (zipped(**{"/etc/stops.txt": "a"}), "lead outside"),
        (zipped(**{"C:/stops.txt": "a"}), "lead outside"),
        (zipped(**{"a/stops.txt": "a", "b/stops.txt": "b"}), "more than one feed.*'a', 'b'"),
        (zipped(**{"stops.txt": "a", "b/routes.txt": "b"}), "more than one feed"),
        (zipped(**{"readme.md": "a"}), "holds none of .*readme.md"),
        (zipped(), "holds nothing"),
    ],
)
def test_unreadable_archives_say_why(payload: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        read_archive(payload, SOURCE, NAMES)
    assert "'toy'" in caught.value.what
    assert caught.value.remedy


def test_damaged_contents_are_refused() -> None:
    payload = bytearray(toy_feed())
    payload[60:90] = bytes(30)
    with pytest.raises(SourceError, match="not a whole zip"):
        read_archive(bytes(payload), SOURCE, ("agency.txt", "stops.txt"))


def test_encrypted_archives_are_refused() -> None:
    payload = bytearray(zipped(**{"stops.txt": "a"}))
    directory = payload.index(b"PK\x01\x02")
    payload[directory + 8] |= 1
    with pytest.raises(SourceError, match=r"encrypted: 'stops\.txt'"):
        read_archive(bytes(payload), SOURCE, NAMES)


def test_archives_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED_BYTES", 1_000)
    with pytest.raises(SourceError, match="unpacks to 5,000 bytes"):
        read_archive(zipped(**{"stops.txt": "x" * 5_000}), SOURCE, NAMES)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("invalid.zip", "not a whole zip"),
        ("example-nested-two-feeds.zip", "more than one feed"),
        ("example-nested-dir-ambiguous.zip", "more than one feed"),
    ],
)
def test_real_broken_archives(shared_data: Path, name: str, said: str) -> None:
    payload = (shared_data / "bad_gtfs" / "archives" / name).read_bytes()
    with pytest.raises(SourceError, match=said):
        read_archive(payload, SOURCE, ("stops.txt", "agency.txt"))
