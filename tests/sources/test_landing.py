"""Landing keeps bytes by their hash; a version is known by its contents."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.sources.landing import Landing, version_id


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, payload in files.items():
            archive.writestr(name, payload)
    return out.getvalue()


def test_what_is_landed_comes_back_and_is_written_once(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    sha256 = landing.write(b"bytes")
    written = landing.path(sha256).stat().st_mtime_ns
    assert landing.write(b"bytes") == sha256
    assert landing.path(sha256).stat().st_mtime_ns == written
    assert landing.read(sha256) == b"bytes"
    assert landing.path(sha256).stat().st_mode & 0o777 == 0o444


def test_a_changed_or_missing_object_is_said_so(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    sha256 = landing.write(b"bytes")
    landing.path(sha256).chmod(0o644)
    landing.path(sha256).write_bytes(b"other")
    with pytest.raises(SourceError, match="is not what was landed"):
        landing.read(sha256)
    landing.path(sha256).unlink()
    with pytest.raises(SourceError, match="is missing"):
        landing.read(sha256)


def test_a_half_written_object_is_written_again(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    sha256 = landing.write(b"bytes")
    landing.path(sha256).chmod(0o644)
    landing.path(sha256).write_bytes(b"by")
    landing.write(b"bytes")
    assert landing.read(sha256) == b"bytes"


def test_a_repacked_zip_is_no_new_version() -> None:
    files = {"a.txt": b"1", "b.txt": b"2" * 999}
    one = zipped(files)
    other = zipped(dict(reversed(files.items())), zipfile.ZIP_STORED)
    assert one != other
    assert version_id(one) == version_id(other)


@pytest.mark.parametrize(
    "files",
    [
        {"a.txt": b"1"},  # a file is gone
        {"a.txt": b"1", "c.txt": b"2"},  # a file has another name
        {"a.txt": b"1", "b.txt": b"3"},  # a file has other bytes
    ],
)
def test_another_set_of_files_is_a_new_version(files: dict[str, bytes]) -> None:
    assert version_id(zipped({"a.txt": b"1", "b.txt": b"2"})) != version_id(zipped(files))


def test_a_truncated_zip_has_a_version_of_its_bytes() -> None:
    whole = zipped({"a.txt": b"1" * 5_000}, zipfile.ZIP_STORED)
    assert version_id(whole[:3_000]) != version_id(whole[:3_001])
