"""Text becomes typed fields: what can't be read as its kind is told, and the field is null.

Kinds are those of the GTFS reference. Times of the day become Int32 seconds after the service day's
start (noon minus 12 h), dates become dates, enums and integers Int32, numbers Float64; everything
else stays text. Text that is formally wrong (an address, a colour, a time zone) is null as well:
nobody may quote it. Bounds and enums are judged here, since they hold for one value alone.
Left out: phone numbers, which are possible or not only within a country.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from zoneinfo import available_timezones

import polars as pl

from pipelines.staging.gtfs.currencies import CURRENCY_DIGITS
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, ROW, Found
from pipelines.staging.gtfs.seconds import seconds_of_day
from pipelines.staging.gtfs.specification import FILES, Field, File

NUMBERS = frozenset({"float", "latitude", "longitude", "currency_amount"})
INTEGERS = frozenset({"integer", "enum"})
TIMES = frozenset({"time", "local_time"})

# Codes of what a kind's text can't be read as (Canonical GTFS Validator).
UNREADABLE = {
    **dict.fromkeys(NUMBERS, "invalid_float"),
    **dict.fromkeys(INTEGERS, "invalid_integer"),
    **dict.fromkeys(TIMES, "invalid_time"),
    "date": "invalid_date",
    "color": "invalid_color",
    "currency_code": "invalid_currency",
    "email": "invalid_email",
    "language": "invalid_language_code",
    "time_zone": "invalid_timezone",
    "url": "invalid_url",
}
_PATTERNS = {
    "color": r"^[0-9A-Fa-f]{6}$",
    "email": (
        r"^[^\s@,;<>()\[\]\\\"]+@(?:[\p{L}\d](?:[\p{L}\d-]*[\p{L}\d])?\.)+"
        r"\p{L}[\p{L}\d-]*\p{L}$"
    ),
    "language": (
        r"^(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(?:-[A-Za-z]{4})?"
        r"(?:-(?:[A-Za-z]{2}|\d{3}))?(?:-(?:[A-Za-z\d]{5,8}|\d[A-Za-z\d]{3}))*"
        r"(?:-[A-WY-Za-wy-z\d](?:-[A-Za-z\d]{2,8})+)*(?:-[Xx](?:-[A-Za-z\d]{1,8})+)?$"
        r"|^[Xx](?:-[A-Za-z\d]{1,8})+$"
    ),
    "url": (
        r"^[Hh][Tt][Tt][Pp][Ss]?://(?:[^\s/?#@]+@)?"
        r"(?:\[[\dA-Fa-f:.]+\]|[\p{L}\d_](?:[\p{L}\d_.-]*[\p{L}\d])?)\.?(?::\d{1,5})?(?:[/?#]\S*)?$"
    ),
}
LEAST_INTEGER, MOST_INTEGER = -(2**31), 2**31 - 1


def field_dtype(field: Field) -> pl.DataType:
    """Polars type of a field."""
    if field.kind in NUMBERS:
        return pl.Float64()
    if field.kind in INTEGERS or field.kind in TIMES:
        return pl.Int32()
    return pl.Date() if field.kind == "date" else pl.String()


@cache
def typed_schema(file: File) -> Mapping[str, pl.DataType]:
    """Types of a file's fields, in the reference's order."""
    return {field.name: field_dtype(field) for field in file.fields}


def typed_rows(name: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[str, Found]]]:
    """A file's rows typed (`row_number` and every field of the reference), and what breaks a kind,
    a bound or an enum, by notice code.

    `rows` are `row_number` and text columns, trimmed, blank as null.
    """
    file = FILES[name]
    typed = rows.lazy().select(
        pl.col(ROW),
        *(
            _typed(field).alias(field.name)
            if field.name in rows.columns
            else pl.lit(None, field_dtype(field)).alias(field.name)
            for field in file.fields
        ),
    )
    frame = typed.collect()
    problems: list[tuple[str, Found]] = []
    for field in file.fields:
        if field.name in rows.columns:
            problems.extend(_problems(name, field, rows, frame))
    problems.extend(_amounts(name, rows, frame))
    return frame, problems


def _amounts(name: str, rows: pl.DataFrame, typed: pl.DataFrame) -> Iterator[tuple[str, Found]]:
    """Amounts of money that are not written with the decimals of their currency."""
    kinds = {field.kind: field for field in FILES[name].fields if field.name in rows.columns}
    if "currency_amount" not in kinds or "currency_code" not in kinds:
        return
    amount, currency = kinds["currency_amount"], kinds["currency_code"]
    digits = typed.get_column(currency.name).replace_strict(
        CURRENCY_DIGITS, default=None, return_dtype=pl.UInt32
    )
    decimals = rows.get_column(amount.name).str.extract(r"\.(\d*)$").str.len_chars().fill_null(0)
    is_wrong = typed.get_column(amount.name).is_not_null() & (decimals != digits)
    if is_wrong.any():
        yield "invalid_currency_amount", _found(name, amount, rows, is_wrong)


def _typed(field: Field) -> pl.Expr:
    text = pl.col(field.name)
    readers: dict[str, Callable[[], pl.Expr]] = {
        **dict.fromkeys(TIMES, lambda: seconds_of_day(field.name)),
        **dict.fromkeys(INTEGERS, lambda: text.cast(pl.Int32, strict=False)),
        **dict.fromkeys(NUMBERS, lambda: _finite(text.cast(pl.Float64, strict=False))),
        "date": lambda: _date(text),
        "time_zone": lambda: pl.when(text.is_in(_time_zones())).then(text),
        "currency_code": lambda: pl.when(text.is_in(sorted(CURRENCY_DIGITS))).then(text),
    }
    if field.kind in readers:
        return readers[field.kind]()
    if field.kind in _PATTERNS:
        return pl.when(text.str.contains(_PATTERNS[field.kind])).then(text)
    return text


def _finite(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_finite()).then(number)


def _date(text: pl.Expr) -> pl.Expr:
    # Eight bytes, checked: the parser alone would take fewer.
    return pl.when(text.str.len_bytes() == 8).then(text.str.to_date("%Y%m%d", strict=False))


@cache
def _time_zones() -> list[str]:
    return sorted(available_timezones())


def _problems(
    name: str, field: Field, rows: pl.DataFrame, typed: pl.DataFrame
) -> Iterator[tuple[str, Found]]:
    text, value = rows.get_column(field.name), typed.get_column(field.name)
    if field.kind in UNREADABLE and value.null_count() > text.null_count():
        yield (
            UNREADABLE[field.kind],
            _found(name, field, rows, text.is_not_null() & value.is_null()),
        )
    if field.values:
        known = value.is_in(field.values)
        for more in field.also:
            known |= value.is_between(more.start, more.stop - 1)
        if not known.all():  # null is no unexpected value
            yield "unexpected_enum_value", _found(name, field, rows, ~known)
    outside = _outside(field, value)
    if outside is not None and outside.any():
        yield "number_out_of_range", _found(name, field, rows, outside)


def _outside(field: Field, value: pl.Series) -> pl.Series | None:
    low, high = value.min() if field.least is not None or field.above is not None else None, None
    if field.most is not None:
        high = value.max()
    checks = []
    if field.least is not None and low is not None and low < field.least:  # type: ignore[operator]  # numbers
        checks.append(value < field.least)
    if field.above is not None and low is not None and low <= field.above:  # type: ignore[operator]  # numbers
        checks.append(value <= field.above)
    if field.most is not None and high is not None and high > field.most:  # type: ignore[operator]  # numbers
        checks.append(value > field.most)
    if field.is_non_zero:
        checks.append(value == 0)
    broken = None
    for check in checks:
        broken = check if broken is None else broken | check
    return broken


def _found(name: str, field: Field, rows: pl.DataFrame, mask: pl.Series) -> Found:
    broken = rows.filter(mask.fill_null(value=False))
    return Found(
        name,
        broken.select(
            pl.col(ROW),
            pl.lit(field.name).alias("field_name"),
            pl.col(field.name).alias("value"),
        ).cast(FOUND_SCHEMA),  # type: ignore[arg-type]  # a schema's mapping
    )
