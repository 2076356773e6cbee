"""The brief's own sentences in Kazakh, Russian and English, and how numbers and dates are written.

A phrase is written in all three languages at once, each marked with its language; the page shows
one of them. Thousands are set apart by a narrow space in all, decimals by a point in English and
by a comma in the others. Dates are written year-month-day, as the tables have them.
"""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from markupsafe import Markup, escape

from pipelines.brief.cells import Named, Number, Span, Text, Word, plain

LANGUAGES = ("kk", "ru", "en")
_THIN = "\u202f"  # narrow no-break space
_DASH = Markup("&#8211;")
_DECIMALS = {"share": 1, "points": 1, "tenths": 1, "thousandths": 3, "change": 1}
_PERCENT = ("share", "whole_share", "points", "change")
_WITH_SIGN = ("share", "whole_share", "change")
_SIGNED = ("points", "change", "signed_count")


def resource(name: str) -> str:
    """The text of a file of this package. FileNotFoundError where there is none."""
    return (pkgutil.get_data("pipelines.brief", name) or b"").decode()


@cache
def phrases(language: str) -> Mapping[str, str]:
    """Every phrase of a language by its dotted key. KeyError for one that is not there."""
    return {
        f"{group}.{name}": phrase
        for group, names in tomllib.loads(resource(f"words/{language}.toml")).items()
        for name, phrase in names.items()
    }


def say(key: str, **parts: object) -> Markup:
    """A phrase in three languages, what is put into it escaped. KeyError for an unknown one."""
    return Markup("").join(
        Markup('<span class="t" lang="{}">{}</span>').format(
            language, escape(phrases(language)[key]).format(**parts)
        )
        for language in LANGUAGES
    )


def has_phrase(key: str) -> bool:
    """Whether there is such a phrase."""
    return key in phrases("en")


def label(group: str, word: str | None) -> Markup:
    """A word of the tables (a mark, a status) in three languages; itself where it has no phrase."""
    if word is None:
        return show(None)
    key = f"{group}.{slug(word)}"
    return say(key) if has_phrase(key) else show(Text(word, lang="en"))


def slug(word: str) -> str:
    """The name of a word of the tables in the files of phrases."""
    return word.replace(" ", "_").replace("-", "_").replace(".", "_")


def show(cell: Any) -> Markup:  # noqa: PLR0911  # one line for each kind of cell
    """A cell as HTML."""
    match cell:
        case None:
            return Markup(
                '<span class="none"><span aria-hidden="true">{}</span>'
                '<span class="unseen">{}</span></span>'
            ).format(_DASH, say("word.none"))
        case Number():
            return _number(cell)
        case Span():
            return Markup("{}{}{}").format(_number(cell.low), _between(cell), _number(cell.high))
        case Word():
            parts = {name: show(part) for name, part in (cell.parts or {}).items()}
            return say(cell.key, **parts)
        case Named():
            return Markup("").join(
                Markup('<span class="t" lang="{}"><bdi>{}</bdi></span>').format(
                    language, plain(getattr(cell, language))
                )
                for language in LANGUAGES
            )
        case Text():
            return _text(cell)
        case date():
            return Markup('<time datetime="{0}">{0}</time>').format(cell.isoformat())
        case Markup():
            return cell
        case str():
            return _text(Text(cell))
        case _:
            return Markup(" ").join(show(part) for part in cell if part is not None)


def written(cell: Number, mark: str) -> str:
    """A number as text with a decimal mark; thousands apart, per cent where it is a share."""
    value = (cell.value or 0.0) * (100 if cell.form in _PERCENT else 1)
    decimals = _DECIMALS.get(cell.form, 0)
    value = round(value, decimals) + 0.0  # no minus before a zero
    text = f"{value:+,.{decimals}f}" if cell.form in _SIGNED else f"{value:,.{decimals}f}"
    text = text.replace(",", _THIN).replace(".", mark).replace("-", "\u2212")
    if not value:
        text = text.lstrip("+")
    return text + (f"{_THIN}%" if cell.form in _WITH_SIGN else "")


def _number(cell: Number) -> Markup:
    if cell.value is None:
        return show(None)
    point, comma = written(cell, "."), written(cell, ",")
    inside = (
        escape(point)
        if point == comma
        else Markup('<span class="p">{}</span><span class="c">{}</span>').format(point, comma)
    )
    where = Markup(' data-from="{}"').format(cell.address) if cell.address else Markup("")
    return Markup('<data value="{}"{}>{}</data>').format(repr(cell.value), where, inside)


def _between(cell: Span) -> Markup:
    signed = cell.low.form in _SIGNED
    return (
        Markup(" {} ").format(say("word.to"))
        if signed
        else Markup("{0}{1}{0}").format(_THIN, _DASH)
    )


def _text(cell: Text) -> Markup:
    lang = Markup(' lang="{}"').format(cell.lang) if cell.lang else Markup("")
    inside = Markup("<bdi{}>{}</bdi>").format(lang, plain(cell.text))
    if not cell.link:
        return inside
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(cell.link, inside)
