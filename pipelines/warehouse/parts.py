"""Rows of one partition that come in parts: written as the lake's own files, hashed as they pass.

A part goes to a Parquet file in the partition's folder at once, so that a table larger than memory
can be replaced; the catalog learns of the files when the whole partition is committed. What was
written for a commit that never came is no part of the lake (DuckLake's
`ducklake_delete_orphaned_files` removes it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import dataframely as dy
import polars as pl

from pipelines.contracts.canonical import canonical_csv
from pipelines.warehouse.lake import INLINED_ROWS

ROWS_A_GROUP = 122_880  # DuckDB's own row group: one unit of parallel reading


@dataclass
class PartWriter:
    """One partition's rows in key order, part after part."""

    objects: str
    table: str
    key: Mapping[str, object]
    contract: type[dy.Schema]
    row_count: int = 0
    files: list[str] = field(default_factory=list)
    rest: pl.DataFrame = field(init=False)  # too few rows for a file: to be inserted
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        """Start with nothing: the header is part of what is hashed."""
        self.rest = self.contract.create_empty()
        self._digest.update(canonical_csv(self.rest, self.contract))

    def add(self, ordered: pl.DataFrame) -> None:
        """Write rows; in key order, and after those added before."""
        if ordered.is_empty():
            return
        self._digest.update(canonical_csv(ordered, self.contract, header=False))
        self.row_count += ordered.height
        rows = ordered.select(self.contract.column_names())
        if rows.height <= INLINED_ROWS:
            self.rest = pl.concat([self.rest, rows])
            return
        folder = Path(self.objects, *self.table.split("."))
        for column, value in self.key.items():
            folder /= f"{column}={quote(str(value), safe='')}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"qala-{uuid4()}.parquet"
        rows.write_parquet(file, row_group_size=ROWS_A_GROUP)
        self.files.append(str(file))

    @property
    def content_hash(self) -> str:
        """Hash of the rows so far: that of `pipelines.contracts.canonical.content_hash`."""
        return self._digest.hexdigest()
