"""Plates in clear: what counts as anything like one, and that nothing of the file is kept then.

A plate is personal data and is kept only as a keyed hash. A file that holds anything like a plate
in clear is refused before anything of it is kept, and the message never repeats a value. What
counts as anything like a plate:

- a column beyond ours whose heading speaks of plates or vehicle numbers,
- a value of `plate_hash` or `overlap_hash` that isn't hexadecimal or base64 of at least 16
  characters,
- a value of any other text column (or a heading) built like a plate of the region, or with a word
  built like one in it; in columns beyond ours also any short word of letters and digits,
- what can't be looked at: columns without a heading or in whose place another one is taken, sheets
  after the first, columns of bytes or lists.

Refusing a harmless column costs its owner a line in an export; storing a plate can't be undone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.table import described, unread_parts

HASHES = ("plate_hash", "overlap_hash")

# 64 bits are the least at which a day's plates don't collide; hexadecimal is within base64.
_HASH = r"^[0-9A-Za-z+/_-]{16,}={0,2}$"
_PLATE_HEADING = (
    r"(?i)plate|licen[cs]e|registration|номер|грнз|знак|нөмір|"
    r"\bvr[nm]\b|^((vehicle|car|truck|auto|reg|state)[ _]?)?(number|num|no)$"
)
# Kazakhstan 123ABC02 and A123BCD, Russia A123BC77, Kyrgyzstan 01KG123ABC, Uzbekistan 01A123BC.
_REGIONAL_PLATE = (
    r"(\d{3}\p{Lu}{2,3}\d{2}|\p{Lu}\d{3}\p{Lu}{2,3}(\d{2,3})?|\d{2}(KG|\p{Lu})?\d{3}\p{Lu}{2,3})"
)
# Not hyphen, dot or underscore: parts of an identifier may look like a plate by chance.
_EDGE = r"""[\s/,;:|=()\[\]{}"']"""
_PLATE_AS_A_WORD = rf"(^|{_EDGE}){_REGIONAL_PLATE}({_EDGE}|$)"
# A moment in place of a heading: the row is one of readings.
_MOMENT = r"\d{4}-\d\d-\d\d|\d\d:\d\d"
# Letters and at least two digits in 5 to 10 characters.
_SHORT_CODE = r"^(?:\d*\p{L}[\p{L}\d]*)$"
_REMEDY = (
    "Nothing of the file was kept. Ask who delivers it to leave the column out and to replace "
    "each plate by a keyed hash (HMAC-SHA-256, at least 16 hexadecimal characters)."
)


def refuse_headings(headings: Sequence[str], source: SourceVersion) -> None:
    """SourceError where the headings are a row of readings, or one of them is a plate."""
    texts = pl.Series(headings, dtype=pl.String)
    if _plates(texts) or texts.str.contains(_MOMENT).any():
        raise SourceError(
            f"{described(source)} has no row of headings, or a plate in clear in it.", _REMEDY
        )


def refuse_unseen(
    payload: bytes, table: pl.DataFrame, mapped: pl.DataFrame, source: SourceVersion
) -> None:
    """SourceError where the mapped rows lack anything of the file or of its table."""
    unseen = unread_parts(payload, source)
    if _filled_count(mapped) < _filled_count(table):
        unseen.append("columns without a heading, or replaced by others that `columns` names")
    if unseen:
        raise SourceError(
            f"{described(source)} has {' and '.join(unseen)}, in which plates can't be found.",
            _REMEDY,
        )


def refuse_plates(rows: pl.DataFrame, source: SourceVersion, ours: Collection[str]) -> None:
    """SourceError where mapped rows hold anything like a plate; `ours` are the columns kept."""
    for name in rows.columns:
        if name in HASHES:
            _refuse_unhashed(rows.get_column(name), source)
        else:
            _refuse_column(rows.get_column(name), source, is_ours=name in ours)


def _refuse_column(column: pl.Series, source: SourceVersion, *, is_ours: bool) -> None:
    if not is_ours and pl.Series([column.name]).str.contains(_PLATE_HEADING).any():
        raise SourceError(
            f"{described(source)} has the column {column.name!r}, which speaks of plates in clear.",
            _REMEDY,
        )
    if column.dtype != pl.String:
        return
    values = column.drop_nulls().unique()
    found = _plates(values) or (0 if is_ours else _short_codes(values))
    if found:
        raise SourceError(
            f"{described(source)} holds {found} different values like a plate in clear in the "
            f"column {column.name!r}.",
            _REMEDY,
        )


def _refuse_unhashed(hashes: pl.Series, source: SourceVersion) -> None:
    if hashes.dtype not in (pl.String, pl.Null):
        raise SourceError(
            f"{described(source)} holds `{hashes.name}` as {hashes.dtype}, not as text.", _REMEDY
        )
    unhashed = int((~hashes.cast(pl.String).str.contains(_HASH)).sum())
    if unhashed:
        raise SourceError(
            f"{described(source)} holds {unhashed} values of `{hashes.name}` (of {hashes.len()}) "
            f"that are no keyed hashes in hexadecimal or base64 of at least 16 characters.",
            _REMEDY,
        )


def _plates(values: pl.Series) -> int:
    is_one = _squeezed(values).str.contains(rf"^{_REGIONAL_PLATE}$")
    return int((is_one | values.str.to_uppercase().str.contains(_PLATE_AS_A_WORD)).sum())


def _filled_count(table: pl.DataFrame) -> int:
    """Number of columns that hold anything."""
    text = pl.col(pl.String).str.strip_chars()
    told = table.with_columns(pl.when(text != "").then(text))
    return sum(column.null_count() < table.height for column in told.iter_columns())


def _short_codes(values: pl.Series) -> int:
    word = _squeezed(values)
    is_short = word.str.len_chars().is_between(5, 10)
    has_digits = word.str.count_matches(r"\d") >= 2
    return int((is_short & has_digits & word.str.contains(_SHORT_CODE)).sum())


def _squeezed(values: pl.Series) -> pl.Series:
    return values.str.replace_all(r"[\s.-]", "").str.to_uppercase()
