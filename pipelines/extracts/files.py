"""Figures as files: CSV, Parquet, XLSX and JSON, byte for byte the same for the same rows.

No wall-clock time goes in. Every number is the mart's own, whole and unrounded; a value that must
not be told is null, and the row's `reason` says why.

A name may be hostile. CSV is RFC 4180 (UTF-8, CRLF, quotes doubled), and a text that a spreadsheet
program would take for a formula gets an apostrophe before it, as does one that begins with an
apostrophe: who reads the file by program takes one leading apostrophe off. XLSX writes text as
text. HTML and marks of direction stay as they are in all formats: nothing here interprets them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from pipelines.contracts.canonical import canonical_csv, in_key_order
from pipelines.extracts.open_data import Telling, json_files, metadata
from pipelines.extracts.spreadsheet import spreadsheet

LOOKS_LIKE_A_FORMULA = r"^(?:\s*[=+\-@'\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|[\t\r\n])"
# OWASP, "CSV Injection"; the last four are the full-width forms of = + - @.


@dataclass(frozen=True)
class ExtractFile:
    """One file of an extract; a part of one where `part_count` is more than 1."""

    name: str
    form: str  # csv, parquet, xlsx, json, metadata
    payload: bytes
    row_count: int
    part: int = 1
    part_count: int = 1


def extract_files(
    name: str, rows: pl.DataFrame, contract: type[dy.Schema], telling: Telling
) -> list[ExtractFile]:
    """A figure's files: ``<name>.csv``, ``.parquet``, ``.xlsx``, ``.json`` and ``.meta.json``.

    `rows` keep `contract`. The JSON is split where it is larger than data.egov.kz takes.
    """
    ordered = in_key_order(rows, contract)
    whole = {
        "csv": _csv(ordered, contract),
        "parquet": _parquet(ordered),
        "xlsx": spreadsheet(name, ordered, contract, telling),
    }
    parts = json_files(name, ordered)
    described = metadata(contract, telling, list(parts))
    return [
        *(ExtractFile(f"{name}.{form}", form, made, rows.height) for form, made in whole.items()),
        *(
            ExtractFile(file, "json", part.payload, part.row_count, number, len(parts))
            for number, (file, part) in enumerate(parts.items(), start=1)
        ),
        ExtractFile(f"{name}.meta.json", "metadata", described, 0),
    ]


def _csv(ordered: pl.DataFrame, contract: type[dy.Schema]) -> bytes:
    text = pl.selectors.string()
    harmless = (
        pl.when(text.str.contains(LOOKS_LIKE_A_FORMULA)).then("'" + text).otherwise(text)
    ).name.keep()
    return canonical_csv(ordered.with_columns(harmless), contract, line_end="\r\n")


def _parquet(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.rechunk().write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()
