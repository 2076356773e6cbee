"""Secrets: put in where the city file names them, and taken out of everything that is told.

An address is shown without what may be secret in it: user, password and query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

import httpx

from pipelines.access import SECRET, secret_variable
from pipelines.city_file import Source
from pipelines.errors import SourceError
from pipelines.settings import load_secrets

HIDDEN = "***"


@dataclass(frozen=True)
class Secrets:
    """The secrets of one source by name; their values are in no text about them."""

    values: Mapping[str, str] = field(repr=False)

    def fill(self, template: str) -> str:
        """The text with its secrets put in, for a header or a key."""
        return SECRET.sub(lambda found: self.values[found[1]], template)

    def fill_address(self, template: str) -> str:
        """The address with its secrets put in, each quoted so that it can't end its part."""
        return SECRET.sub(lambda found: quote(self.values[found[1]], safe=""), template)

    def redact(self, text: str) -> str:
        """The text without any of the secrets."""
        forms = {form for value in self.values.values() for form in _forms(value)}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, HIDDEN)
        return text


def find_secrets(source: Source, connections: Mapping[str, str]) -> Secrets:
    """The secrets that a source names. Raises `SourceError` naming the first that is missing."""
    values = load_secrets(source.secret_names, connections)
    for name in source.secret_names:
        if name not in values:
            raise SourceError(
                f"The secret {name!r} that the city file names is missing.",
                f"Make an Airflow connection {name!r} with it as the password, or set "
                f"{secret_variable(name)} in the environment.",
            )
        if not (values[name].isascii() and values[name].isprintable()):
            raise SourceError(
                f"The secret {name!r} holds characters that no header can carry.",
                "Set it again; printable ASCII alone is allowed.",
            )
    return Secrets(values)


def shown(address: str) -> str:
    """An address for people: without user and password, and without its query's contents."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return address.partition("?")[0].rpartition("@")[2]
    plain = url.copy_with(userinfo=b"", query=None, fragment=None)
    return str(plain) + ("?..." if url.query else "")


def _forms(value: str) -> set[str]:
    return {value, quote(value, safe=""), quote_plus(value), repr(value)[1:-1]}
