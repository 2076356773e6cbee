"""The dictionary: what every column of every table means, read off the contracts."""

from __future__ import annotations

from collections.abc import Iterable

import dataframely as dy
import polars as pl

from pipelines.contracts import allowed_words, grain, load_contract, unit
from pipelines.contracts.ddl import sql_type
from pipelines.flow import Table


class Dictionary(dy.Schema):
    """One row per table and column."""

    table_name = dy.String(primary_key=True, description="Table as `flow.py` names it.")
    column_name = dy.String(primary_key=True, description="Column of the table.")
    position = dy.Int32(min=1, description="Place of the column in the table, the first is 1.")
    table_grain = dy.String(description="What one row of the table is.")
    data_type = dy.String(description="Type in DuckDB.")
    unit = dy.String(nullable=True, description="Unit of the values; null where there is none.")
    description = dy.String(description="What the column holds.")
    is_key = dy.Bool(description="Whether the column belongs to the table's primary key.")
    is_nullable = dy.Bool(description="Whether values may be missing.")
    allowed = dy.String(
        nullable=True, description="Words that the column takes, comma-separated; null: any."
    )


def dictionary_rows(tables: Iterable[Table]) -> dy.DataFrame[Dictionary]:
    """The dictionary of the given tables, in their order and in the order of their columns."""
    rows = [row for table in tables for row in _table_rows(table.name, load_contract(table))]
    types = Dictionary.create_empty().schema
    return Dictionary.validate(pl.DataFrame(rows, schema=types, orient="row"))


def _table_rows(table_name: str, contract: type[dy.Schema]) -> list[tuple[object, ...]]:
    return [
        (
            table_name,
            name,
            position,
            grain(contract),
            sql_type(column),
            unit(column),
            column.description or "",
            column.primary_key,
            column.nullable,
            ", ".join(allowed_words(column)) or None,
        )
        for position, (name, column) in enumerate(contract.columns().items(), start=1)
    ]
