"""A feed's zip archive, opened with suspicion: bytes of a stranger become named files, or an error.

The files of one feed lie together in one folder of the archive (its top, or a folder that the
publisher zipped with them). Refused by name: paths that lead outside, encrypted members, two feeds
in one archive, an archive that unpacks to more than `MOST_UNPACKED_BYTES`. Left out: whatever
else lies in the archive (notes, spreadsheets, the desktop's hidden files).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection
from pathlib import PurePosixPath

from pipelines.errors import SourceError, sample_text
from pipelines.night import SourceVersion

# A national feed (Germany's) unpacks to 3 GiB; what is larger is no city's feed.
MOST_UNPACKED_BYTES = 4 * 1024**3
# GTFS knows about 35 files, publishers add a few of their own.
MOST_MEMBERS = 1_000
ENCRYPTED_FLAG = 0x1


def read_archive(payload: bytes, source: SourceVersion, names: Collection[str]) -> dict[str, bytes]:
    """Contents of the members with these base names, by name.

    Raises SourceError where the bytes are no readable zip, where a member is unsafe, where the
    members lie in more than one folder, and where none of them is there.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            members = _safe_members(archive, source)
            folder = _only_folder(members, source, names)
            return {
                path.name: archive.read(info)
                for path, info in members.items()
                if path.parent == folder and path.name in names
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceError(
            f"{_where(source)} is not a whole zip archive ({len(payload):,} bytes; {error}).",
            "Ask the publisher for the file again, or correct the address in the city file.",
        ) from error


def _safe_members(
    archive: zipfile.ZipFile, source: SourceVersion
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MOST_UNPACKED_BYTES or len(infos) > MOST_MEMBERS:
        raise SourceError(
            f"{_where(source)} unpacks to {unpacked:,} bytes in {len(infos):,} files; at most "
            f"{MOST_UNPACKED_BYTES:,} bytes in {MOST_MEMBERS:,} files are read.",
            "Look at the archive by hand: it is no timetable.",
        )
    outside = [info.filename for info in infos if _leads_outside(info.filename)]
    if outside:
        raise SourceError(
            f"{_where(source)} holds paths that lead outside it: {sample_text(outside)}.",
            "Don't unpack it; tell the publisher.",
        )
    encrypted = [info.filename for info in infos if info.flag_bits & ENCRYPTED_FLAG]
    if encrypted:
        raise SourceError(
            f"{_where(source)} is encrypted: {sample_text(encrypted)}.",
            "Ask the publisher for an archive without a password.",
        )
    return {PurePosixPath(info.filename): info for info in infos}


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]


def _only_folder(
    members: Collection[PurePosixPath], source: SourceVersion, names: Collection[str]
) -> PurePosixPath:
    visible = [path for path in members if not path.parts[0].startswith(("__MACOSX", "."))]
    folders = sorted({path.parent for path in visible if path.name in names})
    if len(folders) > 1:
        raise SourceError(
            f"{_where(source)} holds more than one feed, in the folders "
            f"{sample_text([str(folder) for folder in folders])}.",
            "Deliver each feed in an archive of its own.",
        )
    if not folders:
        found = sorted(str(path) for path in visible)
        raise SourceError(
            f"{_where(source)} holds none of {sample_text(sorted(names))}; "
            f"it holds {sample_text(found) or 'nothing'}.",
            "Correct the address or the format in the city file.",
        )
    return folders[0]


def _where(source: SourceVersion) -> str:
    return f"Source {source.source_id!r}: {source.object_name}"
