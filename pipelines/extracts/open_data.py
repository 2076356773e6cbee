"""An extract in the form of data.egov.kz: its rows as JSON, and their metadata in three languages.

`<table>.json` is an array of objects, one a row, in key order: dates as ISO 8601, null as null.
The portal takes files of at most 10 MB, so that a larger one is split by whole rows, in order, into
`<table>.part-001.json` and so on, each an array by itself. `<table>.meta.json` holds names,
descriptions and the fields' labels in Kazakh, Russian and English, each field's type, whether it
belongs to the key (`pk`), and its format.

Left out: sending it to the portal, which a person does.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from pipelines.contracts.translations import Labels, Words

MOST_BYTES = 10_000_000  # data.egov.kz: a file is at most 10 MB
_BRACKETS = len(b"[\n\n]\n")
SPLIT_RULE = f"whole rows in key order, a file of at most {MOST_BYTES} bytes"
_FIELD_TYPES: tuple[tuple[Callable[[pl.DataType], bool], str, str], ...] = (
    (lambda kind: kind == pl.Boolean, "Boolean", ""),
    (lambda kind: kind.is_integer(), "Integer", ""),
    (lambda kind: kind.is_numeric(), "Double", ""),
    (lambda kind: kind == pl.Date, "Date", "yyyy-MM-dd"),
    (lambda kind: isinstance(kind, pl.Datetime), "Datetime", "yyyy-MM-dd'T'HH:mm:ss'Z'"),
)


@dataclass(frozen=True)
class Telling:
    """What is told of an extract beside its rows: words, labels of columns, facts."""

    words: Words
    label: Callable[[str], Labels]
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """A JSON array of some of the rows."""

    payload: bytes
    row_count: int


def json_files(
    name: str, ordered: pl.DataFrame, *, most_bytes: int = MOST_BYTES
) -> dict[str, Part]:
    """The rows, in the order given, as one file or as many as the limit asks for.

    Raises `ValueError` where one row alone is larger than a file may be.
    """
    parts = list(_parts(_lines(ordered), most_bytes))
    if len(parts) == 1:
        return {f"{name}.json": parts[0]}
    return {f"{name}.part-{number:03d}.json": part for number, part in enumerate(parts, start=1)}


def metadata(contract: type[dy.Schema], telling: Telling, parts: Sequence[str]) -> bytes:
    """The metadata of an extract whose rows are in the files `parts`."""
    words, fields = telling.words, {}
    for name, column in contract.columns().items():
        labels = telling.label(name)
        kind, form = _field_type(column.dtype)
        fields[name] = {
            "type": kind,
            "pk": column.primary_key,
            "labelKk": labels.kk,
            "labelRu": labels.ru,
            "labelEn": labels.en,
            "format": form,
        }
    told = {
        "nameKk": words.name_kk,
        "nameRu": words.name_ru,
        "nameEn": words.name_en,
        "descriptionKk": words.description_kk,
        "descriptionRu": words.description_ru,
        "descriptionEn": words.description_en,
        **telling.facts,
        "parts": list(parts),
        "fields": fields,
    }
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def _field_type(kind: pl.DataType) -> tuple[str, str]:
    return next(((name, form) for is_of, name, form in _FIELD_TYPES if is_of(kind)), ("String", ""))


def _lines(ordered: pl.DataFrame) -> list[bytes]:
    """Each row as a JSON object in one line."""
    instants = pl.selectors.datetime()
    file = io.BytesIO()
    ordered.with_columns(instants.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")).write_ndjson(file)
    return file.getvalue().splitlines()  # bytes: split at line ends alone, which texts escape


def _parts(lines: list[bytes], most_bytes: int) -> Iterator[Part]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        if len(line) + _BRACKETS > most_bytes:
            raise ValueError(f"A row of {len(line)} bytes is more than a file may hold.")
        if held and size + len(line) + _BRACKETS > most_bytes:
            yield _array(held)
            held, size = [], 0
        held.append(line)
        size += len(line) + 2
    yield _array(held)


def _array(lines: list[bytes]) -> Part:
    text = b"[\n" + b",\n".join(lines) + b"\n]\n" if lines else b"[]\n"
    return Part(text, len(lines))
