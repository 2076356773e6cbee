"""What a validation rule is, and what it finds.

A rule is one function over a typed feed that yields the rows which break it. Codes and severities
are those of the Canonical GTFS Validator; a defect for which it has no code gets one of ours,
marked as an extension. Every rule ends as *pass*, *fail*, *not applicable* (the feed has nothing
that it speaks of) or *not run* (what it needs could not be read): silence is never an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from pipelines.staging.gtfs.specification import FILES

if TYPE_CHECKING:
    from pipelines.staging.gtfs.rules.feed import Feed

Severity = Literal["ERROR", "WARNING", "INFO"]
Status = Literal["pass", "fail", "not applicable", "not run"]
ERROR: Severity = "ERROR"
WARNING: Severity = "WARNING"
INFO: Severity = "INFO"
ROW = "row_number"

# One row per row (or pair of row and field) of a file that breaks a rule. `row_number` counts as
# an editor does, the header being row 1; it is null for what concerns a whole file.
FOUND_SCHEMA = {ROW: pl.Int64, "field_name": pl.String, "value": pl.String}


@dataclass(frozen=True)
class Found:
    """Rows of one file that break a rule; an empty frame breaks nothing."""

    file: str
    rows: pl.DataFrame


Find = Callable[["Feed"], Iterable[Found]]
_NOTHING = pl.DataFrame(schema=FOUND_SCHEMA)


@dataclass(frozen=True)
class Rule:
    """A rule: its code, severity, what it needs, and the function that finds what breaks it.

    `needs` are files (``stops``) and columns (``stops.stop_code``) without which it is not
    applicable; ``calls`` is the part of stop_times at hand (the rule then runs once for each part),
    ``trip_spans``, ``served_stops`` and ``route_stops`` are what all parts told.
    A `dated` rule also needs the date as of which the feed is judged; one that `waits` is never
    run, for the reason given.
    """

    code: str
    severity: Severity
    needs: tuple[str, ...]
    find: Find
    meaning: str
    dated: bool = False
    is_extension: bool = False
    waits: str = ""

    @property
    def reads_calls(self) -> bool:
        """Whether it runs once for each part of stop_times."""
        return "calls" in self.needs


_RULES: dict[str, Rule] = {}


def rule(
    code: str,
    severity: Severity,
    *needs: str,
    dated: bool = False,
    is_extension: bool = False,
    waits: str = "",
) -> Callable[[Find], Find]:
    """Register a function as the rule with this code; its docstring is what the rule means."""

    def register(find: Find) -> Find:
        if code in _RULES:
            raise ValueError(f"Two rules have the code {code!r}.")
        meaning = " ".join((find.__doc__ or "").split())
        _RULES[code] = Rule(code, severity, needs, find, meaning, dated, is_extension, waits)
        return find

    return register


def registered() -> tuple[Rule, ...]:
    """Every rule that the imported modules have registered, by code."""
    return tuple(_RULES[code] for code in sorted(_RULES))


def found(
    file: str, broken: pl.DataFrame, field: str | None = None, value: pl.Expr | None = None
) -> Found:
    """What a rule yields: the rows in `broken` (they have `row_number`) of a file.

    `field` names the field at fault; its value is told (a time as H:MM:SS, a date as YYYYMMDD),
    or another `value`.
    """
    if broken.is_empty():
        return Found(file, _NOTHING)
    if value is None:
        value = as_text(file, broken, field) if field else pl.lit(None, pl.String)
    rows = broken.select(
        pl.col(ROW).cast(pl.Int64),
        pl.lit(field, pl.String).alias("field_name"),
        value.cast(pl.String).alias("value"),
    )
    return Found(file, rows)


def found_file(file: str, field: str | None = None, value: str | None = None) -> Found:
    """What a rule yields about a file as a whole: one finding without a row."""
    return Found(file, pl.DataFrame([(None, field, value)], schema=FOUND_SCHEMA, orient="row"))


def as_text(file: str, frame: pl.DataFrame, field: str) -> pl.Expr:
    """A field's value as GTFS writes it: a date as YYYYMMDD, a time of the day as H:MM:SS."""
    column = pl.col(field)
    if frame.schema[field] == pl.Date:
        return column.dt.strftime("%Y%m%d")
    if frame.schema[field].is_integer() and file in FILES:
        kinds = {one.name: one.kind for one in FILES[file].fields}
        if kinds.get(field) in {"time", "local_time"}:
            return clock(column)
    return column.cast(pl.String)


def clock(seconds: pl.Expr) -> pl.Expr:
    """Seconds after the service day's start as H:MM:SS."""
    minutes, rest = (seconds // 60 % 60).cast(pl.String), (seconds % 60).cast(pl.String)
    return pl.concat_str(
        (seconds // 3600).cast(pl.String), minutes.str.zfill(2), rest.str.zfill(2), separator=":"
    )
