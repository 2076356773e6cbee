"""Raw rows become typed rows under contract; what breaks a rule goes to quarantine with its name.

Every staging table is sifted here: text is parsed to the contract's types, repeated keys keep
their first row in the file's order, rules are applied, and nothing is lost: a row is either in
`rows` or in `quarantine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache

import dataframely as dy
import polars as pl
from polars import selectors as cs

from pipelines.contracts import personal_columns
from pipelines.contracts.canonical import rises
from pipelines.night import SourceVersion

ROW = "row_number"
FIRST_ROW = 2  # the header is row 1, as an editor or a spreadsheet counts
TRUE_WORDS = ("1", "true", "yes", "t", "y")
FALSE_WORDS = ("0", "false", "no", "f", "n")
_OF_THE_VERSION = frozenset({"source_id", "version_id"})  # the same in all rows that are sifted


class Quarantine(dy.Schema):
    """One row per refused row of one version of one source and per rule that it breaks."""

    source_id = dy.String(primary_key=True, description="Source as the city file names it.")
    version_id = dy.String(primary_key=True, description="Version that the row was read from.")
    row_number = dy.Int64(
        primary_key=True, min=1, description="Row in the file as an editor counts; the header is 1."
    )
    rule = dy.String(primary_key=True, description="Name of the rule that the row breaks.")
    row_json = dy.String(
        description="The row as it was read, as JSON, but for columns that tell of a person."
    )


@dataclass(frozen=True)
class Staged:
    """Rows that keep their contract, and the rest with the rules they break."""

    rows: pl.DataFrame
    quarantine: pl.DataFrame

    @property
    def refused(self) -> int:
        """Number of rows in quarantine (a row that breaks two rules counts once)."""
        return self.quarantine.get_column(ROW).n_unique()


def sift(
    schema: type[dy.Schema],
    raw: pl.DataFrame,
    source: SourceVersion,
    parsed: Mapping[str, pl.Expr] | None = None,
    *,
    read_from: Mapping[str, str] | None = None,
    refused: pl.Expr | None = None,
) -> Staged:
    """Sift raw rows (text or typed columns) into rows under `schema` and quarantine.

    `parsed` gives an expression for a column that the default parser for its type can't read
    (GTFS times, say); the expression's null where the raw text is not null means *unparsable*,
    provided the raw frame has a column of that name, or the one that `read_from` names for it.
    Columns of the contract that the raw frame lacks become null, unknown columns are left out.
    `source_id` and `version_id` are filled in. `refused` gives, from the raw columns, the name of a
    rule by which a row is refused unread, null where it isn't. Raw rows that aren't those of the
    file in its order bring their own `row_number`.
    """
    parsed = parsed or {}
    read_from = read_from or {}
    is_numbered = ROW in raw.columns
    numbered = (raw if is_numbered else raw.with_row_index(ROW, offset=FIRST_ROW)).with_columns(
        pl.col(ROW).cast(pl.Int64)
    )
    expressions: list[pl.Expr] = []
    unparsable: dict[str, str] = {}
    for name, column in schema.columns().items():
        if name == "source_id":
            expressions.append(pl.lit(source.source_id).alias(name))
        elif name == "version_id":
            expressions.append(pl.lit(source.version_id).alias(name))
        elif name in parsed:
            expressions.append(parsed[name].cast(column.dtype).alias(name))
            if read_from.get(name, name) in raw.columns:
                unparsable[name] = read_from.get(name, name)
        elif name not in raw.columns:
            expressions.append(pl.lit(None, column.dtype).alias(name))
        else:
            expressions.append(_parse(name, raw.schema[name], column.dtype).alias(name))
            unparsable[name] = name
    typed = numbered.select(pl.col(ROW), *expressions)
    unread = numbered.select(ROW, rule=pl.lit(None, pl.String) if refused is None else refused)
    is_read = unread.get_column("rule").is_null()
    failed = {
        f"{name}|unparsable": _has_value(numbered.get_column(raw_name))
        & typed.get_column(name).is_null()
        & is_read
        for name, raw_name in unparsable.items()
    }
    refused_rules = [
        typed.filter(mask).select(ROW).with_columns(rule=pl.lit(rule))
        for rule, mask in failed.items()
        if mask.any()
    ]
    if not is_read.all():
        refused_rules.append(unread.filter(~is_read))
    if refused_rules:
        bad = pl.concat(refused_rules).get_column(ROW).unique()
        typed = typed.filter(~pl.col(ROW).is_in(bad.implode()))
    key = schema.primary_key()
    kept = typed.unique(key, keep="first", maintain_order=True) if key else typed
    if kept.height < typed.height:
        repeated = typed.join(kept, on=ROW, how="anti")
        refused_rules.append(repeated.select(ROW).with_columns(rule=pl.lit("primary_key|repeated")))
    return settle(schema, kept, numbered, refused_rules, source)


def settle(
    schema: type[dy.Schema],
    typed: pl.DataFrame,
    raw: pl.DataFrame,
    refused: Sequence[pl.DataFrame],
    source: SourceVersion,
) -> Staged:
    """Apply the contract's rules to typed rows; quarantine what breaks them and what was refused.

    `typed` has `row_number` and the contract's columns, without refused rows and repeated keys;
    `raw` has `row_number` and the rows as they were read; `refused` are frames of (row_number,
    rule). The order of `typed` is kept.
    """
    if keeps(schema, typed):
        broken = [frame for frame in refused if frame.height]
        rows = typed.select(schema.column_names())
        return Staged(rows, _quarantine(schema, raw, broken, source))
    return settle_each(schema, typed, raw, refused, source)


def settle_each(
    schema: type[dy.Schema],
    typed: pl.DataFrame,
    raw: pl.DataFrame,
    refused: Sequence[pl.DataFrame],
    source: SourceVersion,
) -> Staged:
    """As `settle`, each row asked for itself."""
    rows, failure = _with_row_number(schema).filter(typed)
    broken = [frame for frame in refused if frame.height]
    if len(failure):
        details = failure.details()
        rules = [c for c in details.columns if c not in (*schema.columns(), ROW)]
        broken.extend(
            details.filter(pl.col(rule).cast(pl.String) == "invalid")
            .select(ROW)
            .with_columns(rule=pl.lit(rule))
            for rule in rules
        )
    broken = [frame for frame in broken if frame.height]
    return Staged(rows.drop(ROW), _quarantine(schema, raw, broken, source))


def keeps(schema: type[dy.Schema], typed: pl.DataFrame) -> bool:
    """Whether all of one version's rows keep the contract.

    To ask each row costs several times as much, in memory too: most of it goes into the search for
    repeated keys, of which there are none where the key rises from row to row, or where all hashes
    differ. False, now and then, also where two keys have one hash.
    """
    key = [name for name in schema.primary_key() if name not in _OF_THE_VERSION]
    if not key:
        return False
    is_unique = rises(typed, key) or typed.select(key).hash_rows().n_unique() == typed.height
    return is_unique and _with_row_number(schema, False).is_valid(typed)


@cache
def _with_row_number(schema: type[dy.Schema], is_keyed: bool = True) -> type[dy.Schema]:  # noqa: FBT001, FBT002  # a cache's key
    """The contract and `row_number`; where it is not keyed, repeated keys break no rule."""
    columns: dict[str, dy.Column] = {ROW: dy.Int64()}
    for name in () if is_keyed else schema.primary_key():
        columns[name] = copy(schema.columns()[name])
        columns[name].primary_key = False
    return type(f"{schema.__name__}Row", (schema,), columns)


def _parse(name: str, raw: pl.DataType, target: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if raw != pl.String or target == pl.String:
        return column.cast(target, strict=False)
    text = column.str.strip_chars()
    if target == pl.Date:
        iso = text.str.to_date("%Y-%m-%d", strict=False)
        return pl.coalesce(iso, text.str.to_date("%Y%m%d", strict=False))
    if isinstance(target, pl.Datetime):
        return text.str.to_datetime(strict=False, time_zone=target.time_zone).cast(target)
    if target == pl.Boolean:
        word = text.str.to_lowercase()
        return pl.when(word.is_in(TRUE_WORDS)).then(True).when(word.is_in(FALSE_WORDS)).then(False)
    return pl.when(text != "").then(text).cast(target, strict=False)


def _has_value(raw: pl.Series) -> pl.Series:
    present = raw.is_not_null()
    return present & (raw.str.strip_chars() != "") if raw.dtype == pl.String else present


def _quarantine(
    schema: type[dy.Schema],
    numbered: pl.DataFrame,
    broken: Sequence[pl.DataFrame],
    source: SourceVersion,
) -> pl.DataFrame:
    if not broken:
        return Quarantine.create_empty()
    rules = pl.concat(broken).unique().sort(ROW, "rule")
    raw = numbered.filter(pl.col(ROW).is_in(rules.get_column(ROW).unique().implode()))
    withheld = cs.by_name(ROW, *personal_columns(schema), require_all=False)
    told = cs.all() - withheld - cs.binary()  # bytes have no place in JSON
    raw = raw.select(ROW, row_json=pl.struct(told).struct.json_encode())
    return Quarantine.validate(
        rules.join(raw, on=ROW).select(
            source_id=pl.lit(source.source_id),
            version_id=pl.lit(source.version_id),
            row_number=pl.col(ROW),
            rule="rule",
            row_json="row_json",
        )
    )
