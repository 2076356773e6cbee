"""The dictionary as a page (docs/dictionary.html), in three languages: `make docs`.

Every table that goes out with all its columns, whatever a city makes of them. The page is complete
in itself: it works from a USB stick, light and dark, and is searched without a network. Column
descriptions are English alone, as the contracts say them.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import dataframely as dy
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines import flow
from pipelines.contracts import allowed_words, load_contract, unit
from pipelines.contracts.ddl import sql_type
from pipelines.contracts.meta import META
from pipelines.contracts.translations import (
    LANGUAGES,
    Labels,
    column_labels,
    table_words,
    term,
)


def render_dictionary_page() -> str:
    """The page as HTML."""
    contracts = {table.name: load_contract(table) for table in flow.published_tables()} | META
    extracts = {table.name for table in flow.extracts()}
    tables = [
        {
            "name": name,
            "words": table_words(name),
            "is_extract": name in extracts,
            "columns": [_column(name, *item) for item in contract.columns().items()],
        }
        for name, contract in contracts.items()
    ]
    environment = Environment(
        loader=PackageLoader("pipelines.contracts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("dictionary.html.j2")
    return page.render(words=_words(), languages=LANGUAGES, tables=tables) + "\n"


def _words() -> dict[str, Labels | list[Labels]]:
    """The page's own sentences."""
    file = files("pipelines.contracts").joinpath("words", "dictionary_page.toml")
    told = tomllib.loads(file.read_text("utf-8"))
    headings = [Labels(**heading) for heading in told.pop("headings")]
    return {name: Labels(**texts) for name, texts in told.items()} | {"headings": headings}


def _column(table: str, name: str, column: dy.Column) -> dict[str, object]:
    return {
        "name": name,
        "labels": column_labels(table, name),
        "terms": [
            (word, Labels(*(term(name, word, language) for language in LANGUAGES)))
            for word in allowed_words(column)
        ],
        "description": column.description or "",
        "data_type": sql_type(column),
        "unit": unit(column),
        "is_key": column.primary_key,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_dictionary_page(), encoding="utf-8")
