"""Numbers and texts read back from the page, as a browser's parser would find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl


@dataclass
class Page(HTMLParser):
    """The elements of a page: each tag with its attributes, numbers with where they came from."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def numbers(self) -> list[tuple[str, str, dict[str, str], float]]:
        """Table, column, key and value of every number that is a mart's."""
        found = []
        for tag, attributes in self.tags:
            if tag == "data" and "data-from" in attributes:
                address, _, key = attributes["data-from"].partition("?")
                table, _, column = address.rpartition(".")
                value = float(attributes["value"])
                found.append((table, column, dict(parse_qsl(key)), value))
        return found

    def with_tag(self, name: str) -> list[dict[str, str]]:
        """The attributes of every element of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]
