"""A contract as checks: plain descriptions of what the audit asks of a table in the lake.

Polars has validated every row against its contract when the table was made. The audit asks again,
of what the lake holds and by another engine: columns and types, nulls, the key, ranges, words and
patterns. Named rules of a contract (`@dy.rule()`) are Polars expressions and stay with Polars;
how many rows there are is no matter of a contract but of `expectations/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import dataframely as dy

from pipelines.contracts import allowed_words
from pipelines.contracts.ddl import sql_type

Severity = Literal["critical", "warning"]
Kind = Literal[
    "columns", "types", "not_null", "unique", "range", "finite", "words", "pattern", "length"
]


@dataclass(frozen=True)
class Check:
    """One thing that must hold for a table. Names are unique within a table.

    `low` and `high` bound values (kind range; `open_low`, `open_high`: the bound itself is
    refused) or lengths in bytes (kind length); `words` are the values allowed (kind words),
    the columns' types in DuckDB (kind types); `pattern` is a regular expression that the text
    must contain (kind pattern).
    """

    name: str
    kind: Kind
    description: str
    columns: tuple[str, ...]
    low: Any = None
    high: Any = None
    open_low: bool = False
    open_high: bool = False
    words: tuple[Any, ...] = ()
    pattern: str = ""
    severity: Severity = "critical"


def contract_checks(contract: type[dy.Schema]) -> list[Check]:
    """All checks that a contract implies; those of the whole table first, then by column."""
    columns = contract.columns()
    names = tuple(columns)
    types = tuple(sql_type(column) for column in columns.values())
    checks = [
        Check("columns", "columns", "The table has exactly the contract's columns.", names),
        Check("types", "types", "Columns have the contract's types.", names, words=types),
    ]
    filled = tuple(name for name, column in columns.items() if not column.nullable)
    if filled:
        what = f"No nulls in {', '.join(filled)}."
        checks.append(Check("not_null", "not_null", what, filled))
    if key := tuple(contract.primary_key()):
        checks.append(Check("key", "unique", f"One row for each {', '.join(key)}.", key))
    floats = tuple(name for name, column in columns.items() if _must_be_finite(column))
    if floats:
        what = f"No NaN and no infinity in {', '.join(floats)}."
        checks.append(Check("finite", "finite", what, floats))
    for name, column in columns.items():
        checks.extend(_column_checks(name, column))
    return checks


def _column_checks(name: str, column: dy.Column) -> list[Check]:
    checks: list[Check] = []
    if column.unique:
        checks.append(
            Check(f"{name}|unique", "unique", f"No value of {name} occurs twice.", (name,))
        )
    bounds = _range(name, column)
    if bounds:
        checks.append(bounds)
    words = allowed_words(column) or tuple(getattr(column, "is_in", None) or ())
    if words:
        what = f"{name} is one of {', '.join(str(word) for word in words)}."
        checks.append(Check(f"{name}|words", "words", what, (name,), words=words))
    if isinstance(column, dy.String):
        checks.extend(_text_checks(name, column))
    return checks


def _range(name: str, column: dy.Column) -> Check | None:
    low, above = getattr(column, "min", None), getattr(column, "min_exclusive", None)
    high, below = getattr(column, "max", None), getattr(column, "max_exclusive", None)
    limits = [
        f"{word} {limit}"
        for word, limit in (
            ("at least", low),
            ("more than", above),
            ("at most", high),
            ("less than", below),
        )
        if limit is not None
    ]
    if not limits:
        return None
    return Check(
        f"{name}|range",
        "range",
        f"{name} is {' and '.join(limits)}.",
        (name,),
        low=above if low is None else low,
        high=below if high is None else high,
        open_low=above is not None,
        open_high=below is not None,
    )


def _text_checks(name: str, column: dy.String) -> list[Check]:
    checks: list[Check] = []
    if column.regex is not None:
        what = f"{name} contains the pattern {column.regex}."
        checks.append(Check(f"{name}|pattern", "pattern", what, (name,), pattern=column.regex))
    low, high = column.min_length, column.max_length
    if low is not None or high is not None:
        what = f"{name} has {'any' if low is None else low} to {high or 'any'} bytes."
        checks.append(Check(f"{name}|length", "length", what, (name,), low=low, high=high))
    return checks


def _must_be_finite(column: dy.Column) -> bool:
    lenient = getattr(column, "allow_nan", True) or getattr(column, "allow_inf", True)
    return column.dtype.is_float() and not lenient
