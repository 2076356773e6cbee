"""What stands in a cell of the brief: a number with its address, a word, or a text from a source.

Every number that is a mart's carries the address it came from, so that a reader (and a test) can
hold the page against the table. Texts from feeds and registers lose control and direction marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pipelines import flow
from pipelines.contracts import load_contract

# How a number is written: a share as per cent, points as their signed difference.
Form = Literal[
    "share", "whole_share", "points", "count", "signed_count", "tenths", "thousandths", "change"
]
MOST_CHARACTERS = 240


@dataclass(frozen=True)
class Number:
    """A number, how it is written, and where it came from; `address` is empty for a derived one."""

    value: float | None
    form: Form
    address: str = ""


@dataclass(frozen=True)
class Span:
    """Two ends of an interval or range; either may be unknown."""

    low: Number
    high: Number


@dataclass(frozen=True)
class Word:
    """A phrase of the brief in three languages, with what is put into it."""

    key: str
    parts: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Text:
    """A text from a source, in a language of its own; `link` where it was published."""

    text: str
    lang: str = ""
    link: str = ""


@dataclass(frozen=True)
class Named:
    """A name in three languages."""

    kk: str
    ru: str
    en: str


Cell = Number | Span | Word | Text | Named | date | Sequence[Any] | None


@dataclass(frozen=True)
class Table:
    """A table of the page: keys of its caption and headers, and rows of cells, the first a header.

    `numeric` are the places of columns that are set flush right, `prose` of those with sentences.
    """

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: frozenset[int] = frozenset()
    prose: frozenset[int] = frozenset()


def number(table: str, row: Mapping[str, Any], column: str, form: Form) -> Number:
    """A mart's number with its address."""
    found = row[column]
    return Number(None if found is None else float(found), form, address(table, row, column))


def span(table: str, row: Mapping[str, Any], stem: str, form: Form) -> Span | None:
    """The interval <stem>_low to <stem>_high, None where neither is known."""
    if row[f"{stem}_low"] is None and row[f"{stem}_high"] is None:
        return None
    return Span(number(table, row, f"{stem}_low", form), number(table, row, f"{stem}_high", form))


def address(table: str, row: Mapping[str, Any], column: str) -> str:
    """Table, column and key of a number: ``marts.x.column?key=value&...``."""
    return f"{table}.{column}?{urlencode({key: row[key] for key in _keys(table)})}"


def plain(text: str) -> str:
    """A source's text on one line, without control and direction marks, cut where it is long."""
    kept = "".join(
        " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign
        for sign in text
        if unicodedata.category(sign) not in ("Cf", "Co", "Cs", "Cn")
    )
    line = " ".join(kept.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1].rstrip() + "…"


def web_address(text: str | None) -> str:
    """An address that a reader may follow; empty where it is none of http or https."""
    try:
        parts = urlsplit((text or "").strip())
    except ValueError:
        return ""
    return parts.geturl() if parts.scheme in ("http", "https") and parts.netloc else ""


def english(text: str | None) -> Text | None:
    """A text that marts and registers tell in English; None where there is none."""
    return Text(text, lang="en") if text else None


@cache
def _keys(table: str) -> tuple[str, ...]:
    return tuple(load_contract(flow.table(table)).primary_key())
