"""Rows of one partition that come in parts: written as the lake's own files, hashed as they pass.

A part goes to a Parquet file in the partition's folder at once, so that a table larger than memory
can be replaced; the catalog learns of the files when the whole partition is committed. What was
written for a commit that never came is no part of the lake (DuckLake's
`ducklake_delete_orphaned_files` removes it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import uuid4

import dataframely as dy
import polars as pl
from pyarrow import parquet

from pipelines.contracts import personal_columns
from pipelines.contracts.canonical import canonical_csv
from pipelines.warehouse.store import Store

# Up to this many rows are inserted, and the catalog keeps them: each is a bit of SQL, written and
# with every look at its table read again, so that a few hundred cost more than a file.
INSERTED_ROWS = 200
ROWS_A_GROUP = 122_880  # DuckDB's own row group: one unit of parallel reading


@dataclass(frozen=True)
class Threads:
    """Two threads beside the caller's: in one rows are hashed in the order given, in the other
    they are written."""

    hashing: ThreadPoolExecutor
    writing: ThreadPoolExecutor


@contextmanager
def two_threads() -> Iterator[Threads]:
    """Threads for some `PartWriter`s; all that was given to them is done at the end."""
    with ExitStack() as stack:
        yield Threads(*(stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2)))


def partition_folder(store: Store, table: str, key: Mapping[str, object]) -> str:
    """Where the files of a partition lie."""
    parts = (f"{column}={quote(str(value), safe='')}" for column, value in key.items())
    return store.address(*table.split("."), *parts)


@dataclass
class PartWriter:
    """One partition's rows in key order, part after part.

    Up to `inserted_rows` of a part are left to the catalog. With `threads` a part is hashed and
    written while the caller goes on, one part at a time: `wait` for the last.
    """

    store: Store
    table: str
    key: Mapping[str, object]
    contract: type[dy.Schema]
    threads: Threads | None = None
    inserted_rows: int = INSERTED_ROWS
    row_count: int = 0
    files: list[str] = field(default_factory=list)
    rest: pl.DataFrame = field(init=False)  # too few rows for a file: to be inserted
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _going: list[Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with nothing."""
        self.rest = pl.DataFrame(schema={n: c.dtype for n, c in self.contract.columns().items()})

    def add(self, ordered: pl.DataFrame) -> None:
        """Write rows; in key order, and after those added before."""
        self.wait()
        if ordered.is_empty():
            return
        is_first = self.row_count == 0
        self.row_count += ordered.height
        rows = ordered.select(self.contract.column_names())
        self._do("hashing", lambda: self._hash(rows, is_first=is_first))
        if rows.height <= self.inserted_rows:
            self.rest = pl.concat([self.rest, rows])
            return
        file = self._new_file()
        self.files.append(file)
        self._do("writing", lambda: self._write(rows, file))

    def wait(self) -> None:
        """Wait for what was added; raises what went wrong with it."""
        going, self._going = self._going, []
        futures.wait(going)
        for one in going:
            one.result()

    def discard(self) -> None:
        """Remove the files that were written: they will not be committed."""
        futures.wait(self._going)
        for file in self.files:
            self.store.remove(file)

    def _do(self, thread: str, work: Callable[[], None]) -> None:
        if self.threads is None:
            work()
        else:
            self._going.append(getattr(self.threads, thread).submit(work))

    def _hash(self, rows: pl.DataFrame, *, is_first: bool) -> None:
        for number, piece in enumerate(rows.iter_slices(ROWS_A_GROUP)):
            has_header = is_first and number == 0
            self._digest.update(canonical_csv(piece, self.contract, header=has_header))

    def _new_file(self) -> str:
        folder = partition_folder(self.store, self.table, self.key)
        return f"{folder}/qala-{uuid4()}.parquet"

    def _write(self, rows: pl.DataFrame, file: str) -> None:
        written = rows.drop(list(self.key))
        if not (hidden := personal_columns(self.contract)):
            with self.store.new_file(file) as stream:
                written.write_parquet(stream, row_group_size=ROWS_A_GROUP)
            return
        # The catalog copies a column's least and greatest value from a file's statistics, and
        # keeps them when the file is deleted. Polars writes statistics of all columns or of none.
        with self.store.new_file(file) as stream:
            parquet.write_table(
                written.to_arrow(),
                stream,
                row_group_size=ROWS_A_GROUP,
                compression="zstd",
                write_statistics=[name for name in written.columns if name not in hidden],
            )

    @property
    def content_hash(self) -> str:
        """Hash of the rows so far: that of `pipelines.contracts.canonical.content_hash`."""
        self.wait()
        if self.row_count == 0:
            return hashlib.sha256(canonical_csv(self.rest, self.contract)).hexdigest()
        return self._digest.hexdigest()
