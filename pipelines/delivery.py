"""Delivery: a published night's extracts are handed over, file by file, each with a receipt row.

Places are a folder (a mounted share) and what an fsspec file system reaches (SFTP, S3); who opens
those, with which credentials, is the caller's matter. Each edition of a service date has a folder
of its own at a place, so that no other one is overwritten or deleted. A file that is there with the
same bytes is left alone, so that a delivery that broke off goes on where it stopped; one that fails
does not hold back the others, nor a place the other places, and the step fails at the end. The
manifest goes after all that it lists; the notices of withdrawal lie beside the folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]  # it ships no types
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]  # as above

from pipelines.city_file import City
from pipelines.errors import DeliveryError, QalaError, sample_text
from pipelines.publication import file_sha256
from pipelines.settings import Settings
from pipelines.verification import MANIFEST, SIGNATURE
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake
from pipelines.withdrawn import NOTICES_FILE

Receipt = dict[str, object]
OpenFiles = Callable[[str, str], AbstractFileSystem]
"""Opens the file system of a scheme (``sftp``, ``s3``) by the name of its connection."""


@dataclass(frozen=True)
class Target:
    """A place: what a receipt calls it, the folder of all nights there, and who opens it."""

    name: str
    folder: str
    open: Callable[[], AbstractFileSystem]


def deliver_night(
    lake: Lake,
    settings: Settings,
    city: City,
    service_date: date,
    open_files: OpenFiles | None = None,
) -> tuple[str, int | None, str]:
    """Hand the night's extracts over at every place that the city file names.

    Raises `QalaError` where the night has no extracts, and `DeliveryError` where files could not be
    handed over: another try goes on where this one stopped.
    """
    source = settings.publish / "extracts" / service_date.isoformat()
    if not (source / MANIFEST).is_file():
        raise QalaError(
            f"There are no extracts of {service_date} to deliver.", "Publish the night first."
        )
    targets = list(_targets(settings, city, open_files))
    if not targets:
        return "unchanged", 0, "the city file names no place of delivery"
    receipts = [
        {
            "service_date": service_date,
            "target": target.name,
            "run_id": lake.run_id,
            "delivered_at": ops.now(),
            **receipt,
        }
        for target in targets
        for receipt in _deliver(source, target)
    ]
    types = {name: column.dtype for name, column in ops.Deliveries.columns().items()}
    rows = pl.DataFrame(receipts, schema=types)
    lake.write(added=[Added("ops.deliveries", ops.Deliveries, rows)])
    failed = [r for r in receipts if r["outcome"] == "failed"]
    if failed:
        places = ", ".join(sorted({str(r["target"]) for r in failed}))
        reasons = sample_text([f"{r['file_name']}: {r['reason']}" for r in failed])
        raise DeliveryError(
            f"{len(failed)} of {len(receipts)} files were not delivered to {places}: {reasons}.",
            "Mend the place and run the delivery again: it goes on where it stopped.",
        )
    done = sum(receipt["outcome"] == "delivered" for receipt in receipts)
    return "done" if done else "unchanged", done, ", ".join(target.name for target in targets)


def _targets(settings: Settings, city: City, open_files: OpenFiles | None) -> Iterator[Target]:
    if city.delivery.folder:
        folder = str(settings.city_file.parent / city.delivery.folder)
        yield Target(folder, folder, LocalFileSystem)
    for place in city.delivery.places:
        if open_files is None:
            raise QalaError(
                f"Nothing here opens {place.address}.", "Deliver by Airflow, which has connections."
            )
        opening = partial(open_files, place.scheme, place.connection)
        yield Target(place.address, place.folder, opening)


def _deliver(source: Path, target: Target) -> Iterator[Receipt]:
    """Hand over all files at one place; what can't be reached fails file by file."""
    folder = f"{target.folder}/{folder_name(source)}"
    notices = source.parent / NOTICES_FILE
    order = {SIGNATURE: 1, MANIFEST: 2}
    paths = sorted(source.iterdir(), key=lambda path: (order.get(path.name, 0), path.name))
    wanted = [(path, folder) for path in paths]
    if notices.is_file():
        wanted.append((notices, target.folder))
    try:
        files = target.open()
    except Exception as error:  # noqa: BLE001  # each provider has errors of its own
        for path, _ in wanted:
            yield _receipt(path, "failed", _reason(error))
        return
    for path, place in wanted:
        try:
            outcome = _hand_over(files, path, place)
        except Exception as error:  # noqa: BLE001  # each provider has errors of its own
            yield _receipt(path, "failed", _reason(error))
        else:
            yield _receipt(path, outcome)


def folder_name(source: Path) -> str:
    """The folder of an edition at a place: ``2026-11-21``, then ``2026-11-21.edition-2``."""
    edition = int(json.loads((source / MANIFEST).read_bytes())["edition"])
    return source.name if edition == 1 else f"{source.name}.edition-{edition}"


def _hand_over(files: AbstractFileSystem, path: Path, folder: str) -> str:
    """Hand one file over under another name, read it back, and then give it its own."""
    target, arriving = f"{folder}/{path.name}", f"{folder}/.{path.name}.part"
    payload = path.read_bytes()
    expected = hashlib.sha256(payload).hexdigest()
    if _sha256(files, target) == expected:
        return "unchanged"
    if files.isdir(target):
        raise OSError("a folder of that name is in the way")
    files.makedirs(folder, exist_ok=True)
    files.pipe_file(arriving, payload)
    if _sha256(files, arriving) != expected:
        files.rm_file(arriving)
        raise OSError("what arrived is not what was sent")
    if not isinstance(files, LocalFileSystem) and files.exists(target):
        files.rm_file(target)  # SFTP renames onto no file; the local system does so in one step
    files.mv(arriving, target)
    return "delivered"


def _sha256(files: AbstractFileSystem, target: str) -> str:
    """SHA-256 of a file at a place; empty where there is none."""
    files.invalidate_cache()
    return hashlib.sha256(files.cat_file(target)).hexdigest() if files.isfile(target) else ""


def _receipt(path: Path, outcome: str, reason: str = "") -> Receipt:
    return {
        "file_name": path.name,
        "sha256": file_sha256(path),
        "size_bytes": path.stat().st_size,
        "outcome": outcome,
        "reason": reason,
    }


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
