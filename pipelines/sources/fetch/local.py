"""Addresses on this machine: files, folders, patterns, and the sample city's products."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

from pipelines import sample
from pipelines.city_file import Source
from pipelines.errors import SourceError
from pipelines.sources.fetch.deadline import Deadline
from pipelines.sources.fetch.objects import Body, Candidate, Known, check_size

ARCHIVES = frozenset({"zip", "almaty_metro"})  # formats whose folder is one object


def list_sample_objects(product: str, service_date: date) -> Iterator[Candidate]:
    """What the sample city has of a product on a date. Raises `SourceError` for no such product."""
    if product not in sample.PRODUCTS:
        raise SourceError(
            f"The sample city has no product {product!r}.",
            f"It has: {', '.join(sample.PRODUCTS)}.",
        )
    for item in sample.list_objects(product, service_date):
        make = partial(sample.make_object, product, item.name, service_date)
        yield Candidate(item.name, _reading(make), item.etag)


def list_path_objects(source: Source, path: Path) -> Iterator[Candidate]:
    """The files of a path, folder or pattern; a feed's folder is one object.

    Raises `SourceError` where there is none.
    """
    if "*" in str(path):
        files = sorted(file for file in _glob(path) if file.is_file())
    elif path.is_dir() and source.format in ARCHIVES:
        yield Candidate(path.name, _reading(partial(_zip_folder, path, source)))
        return
    elif path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix == f".{source.format}")
    elif path.is_file():
        files = [path]
    else:
        raise SourceError(f"{path} does not exist.", "Check `address` in the city file.")
    if not files:
        raise SourceError(f"{path} holds no file.", "Check `address` in the city file.")
    for file in files:
        yield Candidate(file.name, _reading(partial(_read_file, file, source)))


def _reading(read: Callable[[], bytes]) -> Callable[[Known | None, Deadline], Body]:
    return lambda _known, _deadline: Body(read())


def _glob(pattern: Path) -> Iterator[Path]:
    parts = pattern.parts
    first_wild = next(place for place, part in enumerate(parts) if "*" in part)
    return Path(*parts[:first_wild]).glob("/".join(parts[first_wild:]))


def _read_file(file: Path, source: Source) -> bytes:
    check_size(file.stat().st_size, source.max_megabytes, file.name)
    return file.read_bytes()


def _zip_folder(folder: Path, source: Source) -> bytes:
    """The files of a folder as one archive whose bytes depend on them alone."""
    buffer = io.BytesIO()
    total = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                total += file.stat().st_size
                check_size(total, source.max_megabytes, folder.name)
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
    return buffer.getvalue()
