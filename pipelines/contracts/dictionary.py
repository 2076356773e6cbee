"""What the published file says of its tables and columns, read off contracts and translations.

`dictionary_rows` and `table_rows` are what tables and columns mean in three languages,
`lineage_rows` what each table is made from, down to the sources.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts import allowed_words, unit
from pipelines.contracts.ddl import sql_type
from pipelines.contracts.meta import Dictionary, Lineage, Tables
from pipelines.contracts.translations import Language, column_labels, table_words, term
from pipelines.flow import Table


def dictionary_rows(contracts: Mapping[str, type[dy.Schema]]) -> dy.DataFrame[Dictionary]:
    """The dictionary of tables that go out, by name, in the order of their columns.

    KeyError where a column has no labels.
    """
    rows = [row for name, contract in contracts.items() for row in _column_rows(name, contract)]
    types = Dictionary.create_empty().schema
    return Dictionary.validate(pl.DataFrame(rows, schema=types, orient="row"))


def table_rows(
    names: Iterable[str], extracts: Collection[str], counts: Mapping[str, int]
) -> dy.DataFrame[Tables]:
    """What the tables of the published file are, and how many rows each has."""
    rows = [
        {
            "table_name": name,
            "grain": words.description_en,
            "name_en": words.name_en,
            "name_kk": words.name_kk,
            "name_ru": words.name_ru,
            "description_kk": words.description_kk,
            "description_ru": words.description_ru,
            "is_extract": name in extracts,
            "row_count": counts[name],
        }
        for name in names
        for words in [table_words(name)]
    ]
    return Tables.validate(pl.DataFrame(rows, schema=Tables.create_empty().schema))


def lineage_rows(makers: Mapping[Table, str], published: Collection[str]) -> dy.DataFrame[Lineage]:
    """What each table of the flow is made from, and what makes it.

    `published` are those in the file.
    """
    rows = [
        (table.name, name, is_kind, maker, table.name in published)
        for table, maker in makers.items()
        for name, is_kind in [(table.source, True)] * bool(table.source)
        + [(read, False) for read in dict.fromkeys((*table.reads, *table.past))]
    ]
    types = Lineage.create_empty().schema
    return Lineage.validate(pl.DataFrame(rows, schema=types, orient="row"))


def _column_rows(table: str, contract: type[dy.Schema]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for position, (name, column) in enumerate(contract.columns().items(), start=1):
        labels = column_labels(table, name)
        rows.append(
            (
                *(table, name, position, sql_type(column), unit(column)),
                *(column.primary_key, column.nullable),
                ", ".join(allowed_words(column)) or None,
                column.description or "",
                *(labels.en, labels.kk, labels.ru),
                *(_terms(name, column, "kk"), _terms(name, column, "ru")),
            )
        )
    return rows


def _terms(name: str, column: dy.Column, language: Language) -> str | None:
    return "; ".join(term(name, word, language) for word in allowed_words(column)) or None
