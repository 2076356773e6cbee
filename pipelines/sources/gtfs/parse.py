"""A timetable's bytes become a feed in judgement: every file as text, every rule asked.

Archives are opened with suspicion (`archive.py`) and files read with tolerance (`text.py`): what
real publishers do is read and told, what can't be read is named. stop_times larger than
`BLOCK_BYTES` is read in blocks, which are sorted into parts of whole trips in a temporary folder,
so that memory does not grow with it. Timetables in other formats are turned into GTFS first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.gtfs.archive import Archive, open_archive
from pipelines.sources.gtfs.metro_timetable import METRO_FILES, read_metro_timetable
from pipelines.sources.gtfs.text import read_text, read_text_blocks
from pipelines.staging.gtfs.raw import RawFeed, TextTable
from pipelines.staging.gtfs.specification import FILES
from pipelines.staging.gtfs.validation import Validation

ALMATY_METRO = "almaty_metro"
ZONES = "locations.geojson"
CALLS = "stop_times"
KNOWN_FILES = frozenset({ZONES, *(f"{name}.txt" for name in FILES)})
# Text of stop_times held at once.
BLOCK_BYTES = 64 * 1024**2
# Text of one part of a large one: some 700,000 calls, which take 0.8 GB while they are judged.
PART_BYTES = 32 * 1024**2


def parse_gtfs(payload: bytes, source: SourceVersion) -> Validation:
    """One timetable in judgement: its files but stop_times are judged, that one part by part.

    Raises SourceError for what is no archive of a timetable at all.
    """
    return Validation(read_feed(payload, source))


def validate_feed(payload: bytes, source: SourceVersion, as_of: date) -> Validation:
    """As `parse_gtfs`, judged as of a date and to its end: notices and statuses can be asked."""
    feed = Validation(read_feed(payload, source), as_of)
    for _ in feed.parts():
        pass
    return feed


def read_feed(payload: bytes, source: SourceVersion) -> RawFeed:
    """Every file of a timetable as text. Raises SourceError as `parse_gtfs`."""
    if source.format == ALMATY_METRO:
        archive = open_archive(payload, source, METRO_FILES)
        files = {name: archive.read(name) for name in archive.names()}
        return read_metro_timetable(files, source)
    archive = open_archive(payload, source, KNOWN_FILES)
    names = [name for name in FILES if f"{name}.txt" in archive.names()]
    tables: dict[str, TextTable] = {}
    stop_times = _stop_times(archive, tables) if CALLS in names else None
    tables.update(
        (name, read_text(archive.read(f"{name}.txt"), name)) for name in names if name != CALLS
    )
    return RawFeed(
        tables,
        stop_times,
        tuple(archive.findings),
        archive.read(ZONES) if ZONES in archive.names() else None,
    )


def _stop_times(
    archive: Archive, tables: dict[str, TextTable]
) -> Callable[[], Iterator[TextTable]]:
    """The parts of stop_times: the whole of a small one, sorted buckets of trips of a large one.

    A small one is read in a thread of its own, while the caller reads and judges other `tables`.
    """
    name = f"{CALLS}.txt"
    if archive.size(name) <= BLOCK_BYTES:
        thread = ThreadPoolExecutor(1)
        whole = thread.submit(read_text, archive.read(name), CALLS)
        thread.shutdown(wait=False)
        return lambda: iter((whole.result(),))

    def parts() -> Iterator[TextTable]:
        with tempfile.TemporaryDirectory(prefix="qala-stop-times-") as folder:
            with archive.open(name) as stream:
                blocks = read_text_blocks(stream, CALLS, BLOCK_BYTES)
                count = -(-archive.size(name) // PART_BYTES)
                buckets = _buckets(tables, count)
                columns: tuple[str, ...] = ()
                for number, block in enumerate(blocks):
                    columns = columns or block.columns
                    if "trip_id" in block.rows.columns:
                        _sort_into(Path(folder), number, block.rows, buckets, count)
                    yield TextTable(block.rows.clear(), columns, block.findings)
            for bucket in range(count):
                files = sorted(Path(folder, str(bucket)).glob("*.arrow"))
                if files:
                    rows = pl.concat([pl.read_ipc(file) for file in files])
                    yield TextTable(rows, columns)

    return parts


def _buckets(tables: dict[str, TextTable], count: int) -> pl.DataFrame:
    """Bucket of each trip: as many trips in each, in order of trip_id."""
    known = tables["trips"].rows if "trips" in tables else pl.DataFrame()
    ids = (
        known.get_column("trip_id")
        if "trip_id" in known.columns
        else pl.Series([], dtype=pl.String)
    )
    ranked = ids.drop_nulls().unique().sort().to_frame("trip_id").with_row_index("rank")
    return ranked.select(
        "trip_id", bucket=(pl.col("rank").cast(pl.Int64) * count // max(ranked.height, 1))
    )


def _sort_into(
    folder: Path, number: int, rows: pl.DataFrame, buckets: pl.DataFrame, count: int
) -> None:
    """Add a block's rows to the buckets of their trips; those of unknown trips go anywhere.

    All rows of one trip_id go to one bucket, so that each bucket holds whole trips.
    """
    placed = rows.join(buckets, on="trip_id", how="left", maintain_order="left")
    anywhere = (pl.col("trip_id").hash() % count).cast(pl.Int64).fill_null(0)
    placed = placed.with_columns(pl.col("bucket").fill_null(anywhere))
    for (bucket,), piece in placed.partition_by(
        "bucket", as_dict=True, include_key=False, maintain_order=True
    ).items():
        target = folder / str(bucket)
        target.mkdir(exist_ok=True)
        piece.write_ipc(target / f"{number:06}.arrow", compression="lz4")
