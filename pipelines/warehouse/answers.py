"""A query's answer as text or file: CSV (RFC 4180, UTF-8), JSON (a list of objects) or Parquet.

Rows are written as they come, so that an answer may be larger than memory. In CSV and JSON values
look as DuckDB writes them; bytes (WKB) are hexadecimal digits there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, Literal

import duckdb
import pyarrow.parquet

from pipelines.contracts.ddl import quoted

AnswerFormat = Literal["csv", "json", "parquet"]
ROWS_AT_ONCE = 10_000


def write_answer(relation: duckdb.DuckDBPyRelation, form: AnswerFormat, target: BinaryIO) -> None:
    """Write an answer in a format. DuckDB's errors come through, for it runs only now."""
    if form == "parquet":
        reader = relation.to_arrow_reader(ROWS_AT_ONCE)
        with pyarrow.parquet.ParquetWriter(target, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        return
    for text in _csv_lines(relation) if form == "csv" else _json_lines(relation):
        target.write(text.encode())


def _csv_lines(relation: duckdb.DuckDBPyRelation) -> Iterator[str]:
    yield _csv_text([tuple(relation.columns)])
    texts = [
        f"{'hex' if kind == 'BLOB' else ''}({quoted(name)})::VARCHAR"
        for name, kind in zip(relation.columns, map(str, relation.types), strict=True)
    ]
    answer = relation.project(", ".join(texts))
    while rows := answer.fetchmany(ROWS_AT_ONCE):
        yield _csv_text(rows)


def _csv_text(rows: list[tuple[str | None, ...]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _json_lines(relation: duckdb.DuckDBPyRelation) -> Iterator[str]:
    cells = [
        f"{quoted(name)} := {'hex' if kind == 'BLOB' else ''}({quoted(name)})"
        for name, kind in zip(relation.columns, map(str, relation.types), strict=True)
    ]
    answer = relation.project(f"to_json(struct_pack({', '.join(cells)}))::VARCHAR")
    before = "[\n"
    while rows := answer.fetchmany(ROWS_AT_ONCE):
        for (text,) in rows:
            yield before + text
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
