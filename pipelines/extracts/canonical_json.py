"""JSON in its one canonical form (RFC 8785): the same value gives the same bytes everywhere.

Names are sorted by their UTF-16 code units, numbers written as ECMAScript writes them, nothing is
escaped that need not be, and there is no blank anywhere. What is signed is written so, so that
anyone can make the signed bytes again from what they have read.

Left out: whole numbers beyond 2^53, which a reader of JSON may round.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal

MOST_EXACT = 2**53 - 1


def canonical_json(value: object) -> bytes:
    """The canonical bytes of None, booleans, numbers, texts, lists and objects keyed by text.

    Raises `ValueError` for a number that JSON can't hold exactly and `TypeError` for other things.
    """
    return _text(value).encode()


def _text(value: object) -> str:
    if isinstance(value, str | bool) or value is None:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > MOST_EXACT:
            raise ValueError(f"{value} is too large for a number in JSON")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return f"{{{','.join(f'{_text(name)}:{_text(value[name])}' for name in names)}}}"
    raise TypeError(f"{type(value).__name__} is nothing that JSON holds")


def _number(value: float) -> str:
    """Shortest digits that read back as the same number, as ECMAScript's Number::toString."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number in JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    _, parts, exponent = Decimal(repr(abs(value))).as_tuple()
    all_digits = "".join(map(str, parts))
    point = len(all_digits) + int(exponent)  # digits before the decimal point
    digits = all_digits.rstrip("0")
    if len(digits) <= point <= 21:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"
