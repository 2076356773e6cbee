"""The page of validation rules says what the rules say."""

from __future__ import annotations

from pathlib import Path

from pipelines.feed_report.rules_page import render_rules_page
from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.not_raised import NOT_RAISED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "feed-rules.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_rules_page(), "run: make docs"


def test_every_canonical_code_is_a_rule_or_says_why_not() -> None:
    canonical = {code for code, told in CODES.items() if not told.is_extension}
    # The canonical validator's rules page lists 181 codes in version 8: 111, 53 and 17.
    assert len(canonical | set(NOT_RAISED)) == 181
    assert not canonical & set(NOT_RAISED)


def test_every_rule_says_what_breaks_it() -> None:
    assert not [code for code, told in CODES.items() if len(told.meaning) < 10]
