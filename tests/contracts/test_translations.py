"""Every table, column and word that goes out is named in three languages, and nothing else is."""

# ruff: noqa: RUF001  # what is tested is Cyrillic

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines import flow
from pipelines.contracts import allowed_words, load_contract
from pipelines.contracts.meta import META
from pipelines.contracts.translations import (
    LANGUAGES,
    column_labels,
    table_words,
    term,
    terms,
)

WORDS = Path(__file__).resolve().parents[2] / "pipelines" / "contracts" / "words"
CONTRACTS = {
    **{t.name: load_contract(t) for t in (*flow.published_tables(), *flow.extracts())},
    **META,
}
COLUMNS = [(table, name) for table, c in CONTRACTS.items() for name in c.column_names()]
WORDED = {
    (name, word)
    for contract in CONTRACTS.values()
    for name, column in contract.columns().items()
    for word in allowed_words(column)
}
KAZAKH_ALONE = "ӘәҒғҚқҢңӨөҰұҮүҺһІі"


def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))


def _is_cyrillic(text: str) -> bool:
    return re.search("[а-яё]", text.lower()) is not None


def _texts(found: object) -> list[str]:
    if isinstance(found, str):
        return [found]
    return [text for value in found.values() for text in _texts(value)]  # type: ignore[attr-defined]  # a TOML tree


@pytest.mark.parametrize("table", sorted(CONTRACTS))
def test_a_table_has_words_of_its_own_in_each_language(table: str) -> None:
    words = table_words(table)
    assert words.description_en.startswith("One row per ")
    assert words.description_kk.startswith("Бір жол – ")
    assert words.description_ru.startswith("Одна строка – ")
    assert _is_cyrillic(words.name_kk)
    assert _is_cyrillic(words.name_ru)
    assert len({words.name.of(language) for language in LANGUAGES}) == 3


def test_a_column_has_three_labels_and_its_table_no_two_alike() -> None:
    for table, column in COLUMNS:
        labels = column_labels(table, column)
        assert _is_cyrillic(labels.ru), (table, column)
        assert _is_cyrillic(labels.kk), (table, column)
        assert not _is_cyrillic(labels.en), (table, column)
    for table, contract in CONTRACTS.items():
        for language in LANGUAGES:
            found = Counter(column_labels(table, c).of(language) for c in contract.column_names())
            assert [label for label, count in found.items() if count > 1] == [], (table, language)


def test_names_and_descriptions_of_tables_are_told_apart() -> None:
    words = [table_words(table) for table in CONTRACTS]
    for language in LANGUAGES:
        assert len({word.name.of(language) for word in words}) == len(words)
    for language in ("kk", "ru"):
        assert len({word.description.of(language) for word in words}) == len(words), language


def test_every_word_of_a_column_is_a_term() -> None:
    for column, word in sorted(WORDED):
        assert _is_cyrillic(term(column, word, "kk")), (column, word)
        assert _is_cyrillic(term(column, word, "ru")), (column, word)
        assert not _is_cyrillic(term(column, word, "en")), (column, word)
    for contract in CONTRACTS.values():
        for name, column in contract.columns().items():
            words = allowed_words(column)
            for language in LANGUAGES:
                assert len({term(name, word, language) for word in words}) == len(words), name


def test_nothing_is_worded_that_does_not_go_out() -> None:
    assert set(_file("tables")) == set(CONTRACTS)
    shared = _file("columns")["every_table"]
    own = {t: set(columns) for t, columns in _file("columns").items() if t != "every_table"}
    assert {(t, c) for t, columns in own.items() for c in columns} <= set(COLUMNS)
    assert {c for t, c in COLUMNS if c not in own.get(t, set())} == set(shared)
    same = _file("terms")["same_words"]
    listed = {(c, w) for c, ws in _file("terms").items() if c != "same_words" for w in ws}
    assert {(same.get(column, column), word) for column, word in WORDED} == listed
    assert set(same) <= {column for column, _ in WORDED}


def test_a_label_of_a_table_differs_from_the_one_it_stands_in_for() -> None:
    found = _file("columns")
    for table, columns in found.items():
        for column, labels in columns.items() if table != "every_table" else ():
            assert labels != found["every_table"].get(column), (table, column)


def test_texts_are_texts_and_kazakh_is_kazakh() -> None:
    kazakh = 0
    for name in ("tables", "columns", "terms"):
        found = _file(name)
        for text in _texts(found):
            assert text == " ".join(text.split()), text
            assert text, name
            # No Latin letter that looks like a Cyrillic one stands inside a Cyrillic word.
            assert not re.search("[А-Яа-яӘ-ө][A-Za-z]|[A-Za-z][А-Яа-яӘ-ө]", text), text
    for table, column in COLUMNS:
        labels = column_labels(table, column)
        assert not set(labels.ru) & set(KAZAKH_ALONE), (table, column)
        kazakh += bool(set(labels.kk) & set(KAZAKH_ALONE))
    assert kazakh / len(COLUMNS) > 0.9


def test_what_does_not_go_out_has_no_words() -> None:
    with pytest.raises(KeyError):
        table_words("staging.passages")
    with pytest.raises(KeyError):
        column_labels("marts.metro_reach", "no_such_column")
    with pytest.raises(KeyError):
        term("fuel_type", "coal", "ru")
    assert terms("stop_name", "kk") == {}
