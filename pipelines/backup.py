"""Backup and restore: catalog, the lake's files, landing and what is published, consistent.

The catalog is copied first, as of one moment; the files that it names are copied after, since
DuckLake never changes a file, and nothing deletes one meanwhile but upkeep, which waits, and the
forgetting of single vehicles. A file that an earlier backup in the same folder holds is linked, not
copied, so that a daily backup costs what a day brought. A backup has its name once it is whole;
each file stands in its manifest with size and SHA-256.

Where objects lie in S3, they stay there (versions and copies of a bucket are its store's own
business): the backup holds the catalog and the list of files that it names.

Left out: Airflow's own database (the history of runs) and secrets.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.city_file import City
from pipelines.errors import BackupError, sample_text
from pipelines.fingerprint import code_version
from pipelines.publication import file_sha256
from pipelines.settings import Settings
from pipelines.upkeep import only_one, write_act
from pipelines.warehouse.catalog_copy import (
    DUMP_NAME,
    SQLITE_NAME,
    copy_catalog,
    is_there,
    put_back,
)
from pipelines.warehouse.lake import open_lake
from pipelines.warehouse.maintenance import live_files

MANIFEST = "backup.json"
ROOMS = ("objects", "landing", "publish")
TEMPORARY = (".landing-", ".lock", ".status.building")  # what is no part of a room


@dataclass(frozen=True)
class Backup:
    """A whole backup: its folder, and size and SHA-256 of every file in it."""

    folder: Path
    city_id: str
    files: Mapping[str, tuple[int, str]]


def make_backup(settings: Settings, city: City, target: Path, run_id: str, now: datetime) -> Backup:
    """Back a city up into a folder of its own under `target`. Raises `BackupError`."""
    name = f"{city.city.id}-{now:%Y%m%dT%H%M%SZ}"
    folder, building = target / name, target / f".{name}.building-{os.getpid()}"
    if folder.exists():
        raise BackupError(f"There is a backup {folder} already.", "Wait a second.")
    with only_one(settings):
        before = _latest(target, city)
        try:
            building.mkdir(parents=True)
            files = _fill(settings, building, before)
            told = {
                "city": city.city.id,
                "code_version": code_version(),
                "taken_at": now.isoformat(),
                "files": files,
            }
            (building / MANIFEST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            building.replace(folder)
        except OSError as error:
            raise BackupError(
                f"The backup in {target} could not be written: {error}.", "Make room, or mend it."
            ) from None
        finally:
            shutil.rmtree(building, ignore_errors=True)
        with open_lake(settings, run_id=run_id, code_version=code_version()) as lake:
            write_act(lake, "backup", str(folder))
    return read_backup(folder)


def read_backup(folder: Path) -> Backup:
    """The manifest of a backup. Raises `BackupError` where there is none that can be read."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        files = {name: (int(size), str(sha256)) for name, (size, sha256) in told["files"].items()}
        return Backup(folder, str(told["city"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BackupError(
            f"{folder} is no backup.", f"Give a folder that holds {MANIFEST}."
        ) from None


def damaged(backup: Backup) -> list[str]:
    """Files of a backup that are gone or are not what was backed up."""
    return [
        name
        for name, (_, sha256) in sorted(backup.files.items())
        if file_sha256(_inside(backup.folder, name)) != sha256
    ]


def restore_backup(settings: Settings, city: City, folder: Path, run_id: str) -> Backup:
    """Put a backup where the settings say, and only where nothing is. Raises `BackupError`."""
    backup = read_backup(folder)
    if backup.city_id != city.city.id:
        raise BackupError(
            f"{folder} is a backup of {backup.city_id}, not of {city.city.id}.",
            "Name the right city file with --city.",
        )
    if wrong := damaged(backup):
        raise BackupError(
            f"{len(wrong)} files of {folder} are damaged: {sample_text(wrong)}.",
            "Take another backup; nothing was restored.",
        )
    with only_one(settings):
        places = _places(settings)
        taken = [str(place) for place in places.values() if any(_files(place))]
        if is_there(settings.catalog, settings.access.catalog_password):
            taken.append(settings.catalog)
        if taken:
            raise BackupError(
                f"There is something already: {sample_text(taken)}.",
                "Restore into an empty place: move it away, set QALA_DATA, or make a new database.",
            )
        for name in backup.files:
            room, _, rest = name.partition("/")
            if room in places and rest:
                _copy(_inside(folder, name), _inside(places[room], rest))
        catalog = next(name for name in (SQLITE_NAME, DUMP_NAME) if name in backup.files)
        put_back(folder / catalog, settings.catalog, settings.access.catalog_password)
        with open_lake(settings, run_id=run_id, code_version=code_version()) as lake:
            missing = [path for path in live_files(lake) if not _is_there(path)]
            if missing:
                raise BackupError(
                    f"{len(missing)} files that the catalog names are missing: "
                    f"{sample_text(missing)}.",
                    "Restore the bucket to the moment of the backup, or take another backup.",
                )
            write_act(lake, "restore", str(folder))
    return backup


def _fill(settings: Settings, building: Path, before: Backup | None) -> dict[str, tuple[int, str]]:
    """Copy everything; size and hash of each file by its name in the backup."""
    catalog = copy_catalog(settings.catalog, building, settings.access.catalog_password)
    files = {catalog.name: (catalog.stat().st_size, file_sha256(catalog))}
    for room, place in _places(settings).items():
        for path in _files(place):
            name = f"{room}/{path.relative_to(place).as_posix()}"
            files[name] = _keep(path, building / name, before, name)
    if "://" in settings.objects:
        with open_lake(settings, read_only=True) as lake:
            text = json.dumps(live_files(lake), indent=1, sort_keys=True)
        (building / "objects.json").write_text(text, encoding="utf-8")
        files["objects.json"] = (len(text.encode()), file_sha256(building / "objects.json"))
    return files


def _keep(path: Path, target: Path, before: Backup | None, name: str) -> tuple[int, str]:
    """Link a file from the backup before where it can't have changed, else copy it."""
    size = path.stat().st_size
    known = before.files.get(name) if before else None
    if before and known and known[0] == size and not name.startswith("publish/"):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(before.folder / name, target)
        return known
    _copy(path, target)
    return size, file_sha256(target)


def _latest(target: Path, city: City) -> Backup | None:
    found = sorted(target.glob(f"{city.city.id}-*Z/{MANIFEST}"))
    return read_backup(found[-1].parent) if found else None


def _places(settings: Settings) -> dict[str, Path]:
    """The rooms that lie in folders."""
    places = {"landing": settings.landing, "publish": settings.publish}
    return places if "://" in settings.objects else {"objects": Path(settings.objects), **places}


def _files(place: Path) -> Iterator[Path]:
    for path in sorted(place.rglob("*")) if place.is_dir() else ():
        if path.is_file() and not path.name.startswith(TEMPORARY):
            yield path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _inside(folder: Path, name: str) -> Path:
    """A file of a folder; a name that would lead out of it is no name of a backup."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{name!r} leads out of the backup.", "Take another backup.")
    return path


def _is_there(path: str) -> bool:
    return "://" in path or Path(path).is_file()
