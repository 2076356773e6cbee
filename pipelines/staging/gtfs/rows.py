"""Judged rows of a GTFS file under a staging contract; refused ones to quarantine."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.night import SourceVersion
from pipelines.staging.gtfs.judged import Judged
from pipelines.staging.gtfs.rules.rule import ROW
from pipelines.staging.sift import Quarantine, Staged, settle


def staged(
    schema: type[dy.Schema], judged: Judged | None, source: SourceVersion, **columns: pl.Expr
) -> Staged:
    """The usable rows of a file that keep the contract; no rows where the feed lacks the file.

    A column of the contract is the field of that name, or what `columns` says; what is not refused
    and breaks the contract all the same goes to quarantine by the contract's rule.
    """
    if judged is None:
        return Staged(schema.create_empty(), Quarantine.create_empty())
    given = {
        "source_id": pl.lit(source.source_id),
        "version_id": pl.lit(source.version_id),
        **columns,
    }
    kept = judged.kept.select(
        ROW,
        *(
            given.get(name, pl.col(name)).cast(column.dtype).alias(name)
            for name, column in schema.columns().items()
        ),
    )
    return settle(schema, kept, judged.text, [judged.refused], source)
