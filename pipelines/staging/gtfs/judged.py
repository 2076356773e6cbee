"""One file of a feed, judged row by row: what can be used, and what is refused by which rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.staging.gtfs.raw import TextTable
from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.fields import (
    Problem,
    duplicate_rows,
    row_problems,
    single_row_problems,
)
from pipelines.staging.gtfs.rules.rule import ERROR, ROW, Found
from pipelines.staging.gtfs.specification import FILES
from pipelines.staging.gtfs.typed import typed_rows
from pipelines.staging.gtfs.vital import is_vital

REFUSED_SCHEMA = {ROW: pl.Int64, "rule": pl.String}
# A row that refers to one that is refused is refused by this rule (it is no notice: the feed is not
# at fault twice).
REFERS_TO_REFUSED = "refers_to_refused_row"
_OUT_OF_BOUNDS = frozenset({"number_out_of_range", "unexpected_enum_value"})


@dataclass
class Judged:
    """One file, or one part of stop_times: its text, its typed rows, and the rows refused.

    `typed` has `row_number` and every field of the reference; values that broke a bound, an enum or
    a reference are null in `usable`. `refused` has one row per refused row and rule.
    """

    name: str
    text: pl.DataFrame
    typed: pl.DataFrame
    usable: pl.DataFrame
    refused: pl.DataFrame

    @property
    def kept(self) -> pl.DataFrame:
        """The usable values of the rows that are not refused, in `usable`'s order."""
        if self.refused.is_empty():
            return self.usable
        return self.usable.filter(~pl.col(ROW).is_in(self.refused.get_column(ROW).implode()))

    def refuse(self, rule: str, what: Found) -> None:
        """Refuse the rows that a rule found."""
        if what.rows.is_empty():
            return
        rows = what.rows.select(pl.col(ROW), pl.lit(rule).alias("rule")).drop_nulls(ROW)
        self.refused = pl.concat([self.refused, rows]).unique(maintain_order=True)

    def refuse_or_blank(self, rule: str, what: Found) -> None:
        """Refuse the rows that were found with a field at fault, or blank that field in them."""
        if what.rows.is_empty():
            return
        column = what.rows.get_column("field_name")[0]
        if is_vital(self.name, column):
            self.refuse(rule, what)
        else:
            rows = what.rows.get_column(ROW).implode()
            usable = pl.when(~pl.col(ROW).is_in(rows)).then(pl.col(column))
            self.usable = self.usable.with_columns(usable.alias(column))


def judge(name: str, table: TextTable, present: Collection[str]) -> tuple[Judged, list[Problem]]:
    """A file or a part of stop_times by each of its rows alone, and by its keys.

    Repeated keys of stop_times are left to whoever has it sorted.
    """
    typed, problems = typed_rows(name, table.rows)
    nothing = pl.DataFrame(schema=REFUSED_SCHEMA)
    judged = Judged(name, table.rows, typed, typed, nothing)
    problems.extend(row_problems(name, table.rows, typed, present))
    problems.extend(single_row_problems(name, table.rows))
    for code, what in problems:
        if what.rows.is_empty():
            continue
        column = what.rows.get_column("field_name")[0]
        if code in _OUT_OF_BOUNDS:
            judged.refuse_or_blank(code, what)
        elif column and is_vital(name, column) and CODES[code].severity == ERROR:
            judged.refuse(code, what)
    if name != "stop_times":
        repeated = duplicate_rows(FILES[name], typed, present)
        judged.refuse("duplicate_key", repeated)
        problems.append(("duplicate_key", repeated))
    return judged, problems


def lost_ids(files: Mapping[str, Judged], references: Iterable[str]) -> pl.Series | None:
    """Ids in referred columns (``routes.route_id``) of which no usable row is left; None where all
    are."""
    gone: list[pl.Series] = []
    left: list[pl.Series] = []
    for reference in references:
        name, _, column = reference.partition(".")
        if name not in files:
            continue
        judged = files[name]
        left.append(judged.kept.get_column(column))
        if not judged.refused.is_empty():
            refused = judged.refused.get_column(ROW).implode()
            gone.append(judged.typed.filter(pl.col(ROW).is_in(refused)).get_column(column))
    if not gone:
        return None
    ids = pl.concat(gone).drop_nulls().unique()
    lost = ids.filter(~ids.is_in(pl.concat(left).implode()))
    return lost if lost.len() else None


def refuse_orphans(judged: Judged, files: Mapping[str, Judged]) -> None:
    """Refuse rows whose vital reference is to rows that are all refused themselves."""
    for field in FILES[judged.name].fields:
        if not field.references or not is_vital(judged.name, field.name):
            continue
        lost = lost_ids(files, field.references)
        if lost is not None:
            orphans = judged.typed.filter(pl.col(field.name).is_in(lost.implode()))
            found = orphans.select(
                ROW, pl.lit(field.name).alias("field_name"), pl.col(field.name).alias("value")
            )
            judged.refuse(REFERS_TO_REFUSED, Found(judged.name, found))
