"""Canonical JSON: RFC 8785's own examples, and what every number must come back as."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extracts.canonical_json import canonical_json


@pytest.mark.parametrize(
    ("bits", "text"),  # appendix B of RFC 8785
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
    ],
)
def test_numbers_are_written_as_the_standard_writes_them(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(number) == text.encode()


def test_names_are_sorted_by_utf16_and_nothing_is_escaped_that_need_not_be() -> None:
    told = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    names = list(json.loads(canonical_json(told)))
    assert names == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical_json({"b": [1, True, "ә\n\x0f</"], "a": None}) == (
        '{"a":null,"b":[1,true,"ә\\n\\u000f</"]}'.encode()
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_as_it_was(number: float) -> None:
    assert float(json.loads(canonical_json(number))) == number


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53])
def test_what_json_would_not_hold_exactly_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="number in JSON"):
        canonical_json(value)


def test_other_things_are_refused() -> None:
    with pytest.raises(TypeError, match="set is nothing that JSON holds"):
        canonical_json({1})
