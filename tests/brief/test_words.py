from __future__ import annotations

import string
from importlib.resources import files

import pytest

from pipelines.brief.cells import Number, Text, plain, web_address
from pipelines.brief.words import LANGUAGES, phrases, show, written
from pipelines.flow import TABLES
from pipelines.marts.commitment_targets import OUTCOMES
from pipelines.marts.commitments_status import STATUSES
from pipelines.marts.diesel_forecast import FORECAST_METHODS
from pipelines.night import DAY_TYPES, MARKS
from pipelines.staging.commitments import COMPARISONS
from pipelines.staging.published_levels import QUALIFIERS
from pipelines.staging.traffic import STATION_ROLES, VEHICLE_CLASSES

WORDS = {
    "mark": MARKS,
    "day": DAY_TYPES,
    "status": STATUSES,
    "outcome": OUTCOMES,
    "compare": COMPARISONS,
    "qualifier": QUALIFIERS,
    "class": VEHICLE_CLASSES,
    "role": STATION_ROLES,
    "forecast": FORECAST_METHODS,
}


def parts(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_with_the_same_parts(language: str) -> None:
    here, english = phrases(language), phrases("en")
    assert list(here) == list(english)
    assert all(parts(here[key]) == parts(english[key]) for key in english)
    assert all(phrase.strip() for phrase in here.values())


def test_kazakh_and_russian_are_written_in_cyrillic() -> None:
    latin = set(string.ascii_letters)
    free = ("docs/methods.md", "PM10", "city", "day", "version", "caption", "p")
    for language in ("kk", "ru"):
        for key, phrase in phrases(language).items():
            rest = phrase
            for name in (*parts(phrase), *free):
                rest = rest.replace(name, "")
            assert not latin & set(rest), (language, key, phrase)


@pytest.mark.parametrize(("group", "words"), WORDS.items())
def test_every_word_of_the_tables_has_its_phrase(group: str, words: tuple[str, ...]) -> None:
    assert {f"{group}.{word.replace(' ', '_')}" for word in words} <= set(phrases("en"))


def test_no_phrase_is_left_over() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("pipelines.brief", "pipelines.brief.templates")
        for path in _files(folder)
        if path.name.endswith((".py", ".j2"))
    ]
    code = "\n".join(sources)
    made = ("answer.", "define.", "name.", "verdict.", "question.", "section.", "term.", "chart.")
    made += (
        "about.",
        "head.",
        *(f"{group}." for group in WORDS),
        "state.is_assumed",
        "state.in_force",
    )
    unused = [key for key in phrases("en") if key not in code and not key.startswith(made)]
    assert unused == []


def _files(package: str):  # type: ignore[no-untyped-def]  # importlib's own unnamed type
    return files(package).iterdir()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Number(0.0995, "share"), "10.0\u202f%"),
        (Number(0.2, "whole_share"), "20\u202f%"),
        (Number(-0.0004, "points"), "0.0"),
        (Number(0.024, "points"), "+2.4"),
        (Number(-0.469, "change"), "\u221246.9\u202f%"),
        (Number(1901817.0, "count"), "1\u202f901\u202f817"),
        (Number(498.08, "tenths"), "498.1"),
    ],
)
def test_numbers_are_written_with_thin_spaces_and_a_true_minus(number: Number, text: str) -> None:
    assert written(number, ".") == text


def test_a_hostile_text_is_one_line_of_plain_signs() -> None:
    text = "a\u202eb\u2066c\u200b\r\n<script>alert('x')</script>" + "x" * 1_000
    assert plain(text).startswith("abc <script>")
    assert len(plain(text)) == 240
    assert "<script>" not in show(Text(text))


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://[", "", None]
)
def test_only_web_addresses_may_be_followed(address: str | None) -> None:
    assert web_address(address) == ""


def test_a_web_address_stays() -> None:
    assert web_address("https://example.org/a?b=1") == "https://example.org/a?b=1"


def test_the_brief_shows_tables_of_the_flow() -> None:
    from pipelines.brief.material import TABLES as SHOWN

    assert set(SHOWN) <= {table.name for table in TABLES}
