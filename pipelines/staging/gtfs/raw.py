"""A feed as it was read, before anything is judged: text by file, stop_times in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines.staging.gtfs.rules.rule import Found


@dataclass(frozen=True)
class TextTable:
    """One file, or one part of it, as text.

    `rows` are `row_number` (the header is row 1) and text columns, trimmed, blank as null;
    `columns` the header's names; `findings` what reading it found, by notice code.
    """

    rows: pl.DataFrame
    columns: tuple[str, ...]
    findings: Mapping[str, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class RawFeed:
    """A feed version as text. `stop_times` gives its parts, each of whole trips, as often as asked;
    it is None where the feed lacks the file."""

    tables: Mapping[str, TextTable]
    stop_times: Callable[[], Iterator[TextTable]] | None = None
    findings: tuple[tuple[str, Found], ...] = ()
    geojson: bytes | None = None
