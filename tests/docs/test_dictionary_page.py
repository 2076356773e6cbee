"""The dictionary page says what contracts and translations say, and needs no network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.meta import META
from pipelines.dictionary_page import render_dictionary_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "dictionary.html"


class _Counter(HTMLParser):
    """Counts rows and languages, and collects what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.sections: list[str] = []
        self.addresses: list[str] = []
        self.languages: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.rows += tag == "th" and told.get("scope") == "row"
        if tag == "section":
            self.sections.append(told["id"] or "")
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if told.get("class") == "t":
            language = told["lang"] or ""
            self.languages[language] = self.languages.get(language, 0) + 1


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_dictionary_page(), "run: make docs"


def test_every_table_and_column_is_there_in_three_languages_and_nothing_is_fetched() -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = _Counter()
    found.feed(page)
    contracts = {t.name: load_contract(t) for t in flow.published_tables()} | META
    assert found.sections == list(contracts)
    assert found.rows == sum(len(contract.columns()) for contract in contracts.values())
    assert len(found.languages) == 3
    assert len(set(found.languages.values())) == 1
    assert found.addresses == []
    assert not re.search(r"https?://|@import|url\(", page)
    assert "қызмет күні" in page.lower()
    assert "дата обслуживания" in page.lower()
