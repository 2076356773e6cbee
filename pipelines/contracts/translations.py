"""Words for what goes out, in English, Kazakh and Russian: tables, columns, and words in columns.

They are read from `words/*.toml` beside this module, once. English descriptions are not there: the
contract's docstring and columns say them, and are read here, so that no fact is written twice.
Left out: names (of stops, roads, carriers), which stay as their source writes them, and sentences
such as reasons and methods, which are English in every language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pkgutil import get_data
from typing import Any, Literal, get_args

from pipelines import flow
from pipelines.contracts import grain, load_contract
from pipelines.contracts.meta import META

Language = Literal["en", "kk", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_EVERY_TABLE = "every_table"
_SAME_WORDS = "same_words"


@dataclass(frozen=True)
class Labels:
    """One short text in the three languages."""

    en: str
    kk: str
    ru: str

    def of(self, language: Language) -> str:
        """The text in a language."""
        text: str = getattr(self, language)
        return text


@dataclass(frozen=True)
class Words:
    """Name of a table and what one row of it is, in the three languages."""

    name_en: str
    name_kk: str
    name_ru: str
    description_en: str
    description_kk: str
    description_ru: str

    @property
    def name(self) -> Labels:
        """The name by language."""
        return Labels(self.name_en, self.name_kk, self.name_ru)

    @property
    def description(self) -> Labels:
        """What one row is, by language."""
        return Labels(self.description_en, self.description_kk, self.description_ru)


def table_words(name: str) -> Words:
    """Words of a table that goes out, e.g. ``marts.metro_reach``. KeyError for any other."""
    found = _read("tables")[name]
    contract = META[name] if name in META else load_contract(flow.table(name))
    return Words(
        **{f"name_{language}": found["name"][language] for language in LANGUAGES},
        description_en=grain(contract),
        description_kk=found["description"]["kk"],
        description_ru=found["description"]["ru"],
    )


def column_labels(table: str, column: str) -> Labels:
    """Labels of a column of a table that goes out. KeyError where it has none."""
    found = _read("columns")
    own: Mapping[str, Any] = found.get(table, {})
    return Labels(**(own[column] if column in own else found[_EVERY_TABLE][column]))


def term(column: str, word: str, language: Language) -> str:
    """A word that an enumerated column takes, e.g. ``term("fuel_type", "cng", "ru")``.

    KeyError for a column that takes any text, and for a word that the column doesn't take.
    """
    found = _read("terms")
    words = found[found[_SAME_WORDS].get(column, column)]
    text: str = words[word][language]
    return text


def terms(column: str, language: Language) -> dict[str, str]:
    """All words of a column and what they are in a language; empty for one that takes any text."""
    found = _read("terms")
    words = found.get(found[_SAME_WORDS].get(column, column), {})
    return {word: labels[language] for word, labels in words.items()}


@cache
def _read(name: str) -> dict[str, Any]:
    payload = get_data("pipelines.contracts", f"words/{name}.toml")
    if payload is None:
        raise FileNotFoundError(f"words/{name}.toml is no part of the package")
    return tomllib.loads(payload.decode())
