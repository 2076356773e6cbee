"""A feed's zip archive, opened with suspicion: bytes of a stranger become named files, or an error.

The files of a feed lie together in one folder: at the archive's top, as GTFS asks, or in a folder
that the publisher zipped with them. What is done with any other archive follows a rule, whose name
stands in the error or is the finding's code:

- refused: `not_a_zip`, `truncated`, `damaged`, `too_many_members`, `zip_bomb` (too large, packed
  too small, members that share bytes), `path_outside` (absolute paths, ``..``, backslashes,
  drives), `link_or_device`, `encrypted`, `unsupported_compression`, `duplicate_member` (of a known
  name), `several_feeds` (in two folders), `several_archives` (zips within, no feed beside them),
  `no_feed`;
- read, with a finding: `invalid_input_files_in_subfolder` (known names in a folder; beside a feed
  at the top they are not read), `nested_archive` (the only zip within an archive that holds no feed
  itself is opened, one level deep), `unknown_file`.

Left out: what desktops hide (``__MACOSX``, names that begin with a dot).
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, cast

import polars as pl

from pipelines.errors import SourceError, sample_text
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, Found

# A national feed (Germany's) unpacks to 3 GiB, of which stop_times is less than 2.
MOST_UNPACKED_BYTES = 4 * 1024**3
MOST_MEMBER_BYTES = 3 * 1024**3
# A nested archive is held in memory.
MOST_NESTED_BYTES = 512 * 1024**2
# Real files are packed up to 25 times smaller; what unpacks to less than the floor harms nobody.
MOST_RATIO = 250
RATIO_FLOOR_BYTES = 64 * 1024**2
# GTFS knows about 35 files, publishers add a few of their own.
MOST_MEMBERS = 1_000
# A member's entry in the directory is 46 bytes, its path, and what the packer adds.
MOST_DIRECTORY_BYTES = MOST_MEMBERS * 1_024

TOP = PurePosixPath()
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # by password, strongly, with a hidden directory
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SPECIAL = (stat.S_ISLNK, stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO, stat.S_ISSOCK)
_LOCAL, _END, _END_64 = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"
_END_BYTES = 22 + 65_535 + 20 + 56  # with a comment, and the records of large archives before it
# What the standard library raises of damaged archives.
_UNREADABLE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, IndexError, OverflowError),
)
_ASK = "Ask the publisher for the file again, or correct the address in the city file."
_BY_HAND = "Don't unpack it; look at it by hand, and tell the publisher."

_Members = Sequence[tuple[PurePosixPath, zipfile.ZipInfo]]


@dataclass(frozen=True)
class Archive:
    """The known files of one feed, by name in small letters, and what was found on the way.

    `findings` are pairs of notice code and what it was found in. Reading raises SourceError
    (`damaged`) where a file does not unpack to what the archive's directory says.
    """

    findings: tuple[tuple[str, Found], ...]
    _zip: zipfile.ZipFile
    _members: Mapping[str, zipfile.ZipInfo]
    _where: str

    def names(self) -> list[str]:
        """Names of the known files that are there, e.g. ``stops.txt``."""
        return sorted(self._members)

    def size(self, name: str) -> int:
        """Bytes of a file. KeyError where it is not there, as in the methods below."""
        return self._members[name].file_size

    def read(self, name: str) -> bytes:
        """The whole of a file."""
        with self.open(name) as stream:
            return stream.read()

    def open(self, name: str) -> BinaryIO:
        """A file as a stream of bytes."""
        return cast("BinaryIO", _Member(self._zip, self._members[name], self._where))


def open_archive(
    payload: bytes | memoryview | BinaryIO, source: SourceVersion, names: Collection[str]
) -> Archive:
    """The feed in an archive: its members whose base names are `names`, ignoring case.

    Raises SourceError, which names the rule, for what is refused.
    """
    where = f"Source {source.source_id!r}: {source.object_name}"
    known = {name.lower() for name in names}
    stream = io.BytesIO(payload) if isinstance(payload, (bytes, memoryview)) else payload
    archive, members = _open_zip(stream, where)
    nested = [member for member in members if member[0].suffix.lower() == ".zip"]
    if not nested or any(path.name.lower() in known for path, _ in members):
        return _feed(archive, members, known, where, source.object_name)
    if len(nested) > 1:
        raise _refusal(
            "several_archives",
            f"{where} holds no feed itself but more than one archive: {_sample(nested)}",
            "Deliver each feed in an archive of its own.",
        )
    path, info = nested[0]
    _check_readable(nested, where)
    if info.file_size > MOST_NESTED_BYTES:
        raise _bomb(where, f"it holds an archive of {info.file_size:,} bytes")
    with _Member(archive, info, where) as member:
        inner = io.BytesIO(member.read())
    inner_where = f"{where}: {path}"
    opened, inner_members = _open_zip(inner, inner_where)
    feed = _feed(opened, inner_members, known, inner_where, source.object_name)
    told = ("nested_archive", _told(source.object_name, [str(path)]))
    return Archive((told, *feed.findings), opened, feed._members, inner_where)


class _Member(io.BufferedIOBase):
    """A member's bytes; what goes wrong while they are unpacked is a SourceError.

    zipfile unpacks no more than the size in the directory, and compares the checksum at its end.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> None:
        self._told = f"{where}: {info.filename}"
        self._left = info.file_size
        try:
            self._stream = archive.open(info)
        except _UNREADABLE as error:
            raise self._damaged(str(error)) from error

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        try:
            piece = self._stream.read(size)
        except _UNREADABLE as error:
            raise self._damaged(str(error)) from error
        self._left -= len(piece)
        if self._left > 0 and (size < 0 or (size > 0 and not piece)):
            raise self._damaged(f"{self._left:,} bytes are missing")
        return piece

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_stream"):
            self._stream.close()
        super().close()

    def _damaged(self, why: str) -> SourceError:
        return _refusal("damaged", f"{self._told} can't be unpacked: {why}", _ASK)


def _open_zip(stream: BinaryIO, where: str) -> tuple[zipfile.ZipFile, _Members]:
    """An archive, and its visible files by path, after all of them were found harmless."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    start = stream.read(16)
    directory_bytes = _directory_bytes(stream, size)
    if directory_bytes > MOST_DIRECTORY_BYTES:
        raise _too_many(where, f"a directory of {directory_bytes:,} bytes")
    try:
        archive = zipfile.ZipFile(stream)
    except _UNREADABLE as error:
        is_zip = start.startswith(_LOCAL)
        rule = "damaged" if directory_bytes else "truncated" if is_zip else "not_a_zip"
        what = f"{size:,} bytes that begin with {start!r}; {error}"
        raise _refusal(rule, f"{where} is not a whole zip archive ({what})", _ASK) from error
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    _check_sizes(infos, size, where)
    _check_members(infos, where)
    members = [(PurePosixPath(info.filename), info) for info in infos]
    return archive, [member for member in members if not _is_hidden(member[0])]


def _directory_bytes(stream: BinaryIO, size: int) -> int:
    """Size of an archive's directory as its last record says; 0 where there is no such record.

    Asked before the directory is read, since each entry of it becomes an object.
    """
    stream.seek(max(0, size - _END_BYTES))
    tail = stream.read(_END_BYTES)
    stream.seek(0)
    at, large = tail.rfind(_END), tail.rfind(_END_64)
    sizes = [0]
    if at >= 0 and len(tail) >= at + 16:
        sizes.append(struct.unpack_from("<L", tail, at + 12)[0])
    if large >= 0 and len(tail) >= large + 48:
        sizes = [struct.unpack_from("<Q", tail, large + 40)[0]]
    return int(max(sizes))


def _check_sizes(infos: Sequence[zipfile.ZipInfo], size: int, where: str) -> None:
    if len(infos) > MOST_MEMBERS:
        raise _too_many(where, f"{len(infos):,} files")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MOST_UNPACKED_BYTES:
        raise _bomb(where, f"it unpacks to {unpacked:,} bytes")
    if sum(info.compress_size for info in infos) > size:
        raise _bomb(where, "its files share bytes")
    for info in infos:
        most = max(RATIO_FLOOR_BYTES, MOST_RATIO * info.compress_size)
        if info.file_size > min(most, MOST_MEMBER_BYTES):
            what = f"from {info.compress_size:,} to {info.file_size:,} bytes"
            raise _bomb(where, f"{info.filename} unpacks {what}")


def _check_members(infos: Sequence[zipfile.ZipInfo], where: str) -> None:
    outside = [info.filename for info in infos if _leads_outside(info.filename)]
    if outside:
        what = f"{where} holds paths that lead outside it: {sample_text(outside)}"
        raise _refusal("path_outside", what, _BY_HAND)
    special = [
        info.filename
        for info in infos
        if any(is_special(info.external_attr >> 16) for is_special in _SPECIAL)
    ]
    if special:
        what = f"{where} holds links or devices instead of files: {sample_text(special)}"
        raise _refusal("link_or_device", what, _BY_HAND)
    encrypted = [info.filename for info in infos if info.flag_bits & _ENCRYPTED]
    if encrypted:
        raise _refusal(
            "encrypted",
            f"{where} is encrypted: {sample_text(encrypted)}",
            "Ask the publisher for an archive without a password.",
        )


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name)
    has_drive = len(name) > 1 and name[0].isalpha() and name[1] == ":"
    return path == TOP or path.is_absolute() or ".." in path.parts or "\\" in name or has_drive


def _is_hidden(path: PurePosixPath) -> bool:
    return path.parts[0] == "__MACOSX" or any(part.startswith(".") for part in path.parts)


def _feed(
    archive: zipfile.ZipFile, members: _Members, known: Collection[str], where: str, name: str
) -> Archive:
    """The feed in the only folder that has known files, or at the top."""
    found = [member for member in members if member[0].name.lower() in known]
    folders = sorted({path.parent for path, _ in found})
    if not folders:
        raise _refusal(
            "no_feed",
            f"{where} holds none of {sample_text(sorted(known))}; "
            f"it holds {_sample(members) or 'nothing'}",
            "Correct the address or the format in the city file.",
        )
    if TOP not in folders and len(folders) > 1:
        raise _refusal(
            "several_feeds",
            f"{where} holds more than one feed, in the folders "
            f"{sample_text([str(folder) for folder in folders])}",
            "Deliver each feed in an archive of its own.",
        )
    chosen: dict[str, tuple[PurePosixPath, zipfile.ZipInfo]] = {}
    # Of two spellings of a name, the one in small letters is read.
    for path, info in sorted(found, key=lambda member: member[0].name != member[0].name.lower()):
        if path.parent == folders[0]:
            chosen.setdefault(path.name.lower(), (path, info))
    paths = Counter(path for path, _ in members)
    twice = [str(path) for path, _ in chosen.values() if paths[path] > 1]
    if twice:
        raise _refusal(
            "duplicate_member",
            f"{where} holds more than once: {sample_text(twice)}",
            "Ask the publisher for an archive that holds each file once.",
        )
    _check_readable(list(chosen.values()), where)
    findings: list[tuple[str, Found]] = []
    astray = [str(path) for path, _ in found if path.parent != TOP]
    if astray:
        findings.append(("invalid_input_files_in_subfolder", _told(name, astray)))
    read = {path for path, _ in chosen.values()}
    unknown = [str(path) for path, _ in members if path not in read and str(path) not in astray]
    findings.extend(("unknown_file", _told(path, [path])) for path in unknown)
    infos = {name: info for name, (_, info) in chosen.items()}
    return Archive(tuple(findings), archive, infos, where)


def _check_readable(members: _Members, where: str) -> None:
    packed = [member for member in members if member[1].compress_type not in _COMPRESSIONS]
    if packed:
        raise _refusal(
            "unsupported_compression",
            f"{where} is packed in a way that is not read: {_sample(packed)}",
            "Ask the publisher for an ordinary zip archive (deflate).",
        )


def _told(file: str, values: Sequence[str]) -> Found:
    rows = [(None, None, value) for value in values]
    return Found(file, pl.DataFrame(rows, schema=FOUND_SCHEMA, orient="row"))


def _sample(members: _Members) -> str:
    return sample_text([str(path) for path, _ in members])


def _refusal(rule: str, what: str, remedy: str) -> SourceError:
    return SourceError(f"{what} (rule {rule}).", remedy)


def _bomb(where: str, what: str) -> SourceError:
    limits = f"{MOST_MEMBER_BYTES:,} bytes a file, {MOST_UNPACKED_BYTES:,} in all"
    return _refusal(
        "zip_bomb", f"{where} is too large: {what}; at most {limits} are read", _BY_HAND
    )


def _too_many(where: str, what: str) -> SourceError:
    most = f"at most {MOST_MEMBERS:,} files are read"
    return _refusal("too_many_members", f"{where} has {what}; {most}", _BY_HAND)
