"""What was put right in a feed, or looks odd in it: rows that end in `staging.feed_notices`."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.errors import sample_text

NOTICE_SCHEMA = {
    "notice_code": pl.String,
    "table_name": pl.String,
    "affected_count": pl.Int64,
    "affected_sample": pl.String,
    "description": pl.String,
}


def notice(
    code: str, table: str, affected: Sequence[object], description: str, *, count: int | None = None
) -> pl.DataFrame:
    """One notice about the affected things (`count` of them where only some are named).

    An empty frame where nothing is affected.
    """
    total = len(affected) if count is None else count
    row = (code, table, total, sample_text(affected), description)
    return pl.DataFrame([row] if total else [], schema=NOTICE_SCHEMA, orient="row")
