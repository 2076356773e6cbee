"""Published traffic levels: one row per statement about how many vehicles a place has (a table).

Numbers as somebody published them, with the word that stood beside them. `period_from` and
`period_to` are days or months, blank where none was told; without `period_to` it is one of them.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.table import read_table, require_columns

REQUIRED_COLUMNS = ("level_id", "place_name", "qualifier", "what", "source_address")


def parse_published_levels(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `published_levels`, one row per row of the file.

    SourceError where the file can't be read or lacks a statement's name, place, wording or source.
    """
    levels = read_table(payload, source)
    require_columns(levels, source, REQUIRED_COLUMNS)
    return {"published_levels": levels}
