"""Street works: one row per street that is to be built or opened (CSV, XLSX, Parquet).

The city file's `columns` map the register's headings to the columns of `staging.street_works`, its
`terms` map the words for class and stage to ours. Other columns are left out when rows are staged.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import SourceVersion
from pipelines.sources.table import read_table, require_columns

REQUIRED_COLUMNS = ("work_id", "street_class", "stage")


def parse_works(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `street_works`, one row per row of the register.

    SourceError where the register can't be read or lacks a street's id, class or stage.
    """
    works = read_table(payload, source)
    require_columns(works, source, REQUIRED_COLUMNS)
    return {"street_works": works}
