"""Feeds of a few rows, written in one line a file, and what one rule finds in them.

    findings("missing_stop_name", stops="stop_id,stop_name / A, / B,Beta")
    == [("stops", 2, "stop_name", None)]

A file is its lines between " / ", the header first; rows count from 2, as in an editor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from types import ModuleType
from typing import Any

import polars as pl

from pipelines.staging.gtfs.raw import RawFeed, TextTable
from pipelines.staging.gtfs.rules.feed import Feed, spans_of
from pipelines.staging.gtfs.rules.rule import ROW, Found, Rule, registered
from pipelines.staging.gtfs.typed import typed_rows
from pipelines.staging.gtfs.validation import Validation

TODAY = date(2026, 11, 18)  # a Wednesday
RULES = {rule.code: rule for rule in registered()}

# File, row, field, value.
Finding = tuple[str, int | None, str | None, str | None]


@dataclass(frozen=True)
class Case:
    """What a rule finds in a feed; an empty `found` is a feed that the rule has nothing to say of.

    `found` are the rows in order, each with the value told.
    """

    code: str
    found: list[Finding]
    files: dict[str, str] = field(default_factory=dict)
    as_of: date = TODAY
    geojson: bytes | None = None

    def __str__(self) -> str:
        return f"{self.code}-{len(self.found)}"


def case(code: str, *found: Finding, geojson: str | None = None, **files: str) -> Case:
    """A case; `found` in the order of files and rows."""
    return Case(code, list(found), files, geojson=geojson.encode() if geojson else None)


def on(day: str, code: str, *found: Finding, **files: str) -> Case:
    """A case judged as of a day, YYYY-MM-DD."""
    return Case(code, list(found), files, as_of=date.fromisoformat(day))


def feed(*, as_of: date | None = TODAY, geojson: bytes | None = None, **files: str) -> Feed:
    """A typed feed; stop_times is its only part, and the facts of all parts are told from it."""
    tables, present = {}, {}
    for name, text in files.items():
        columns, typed = _table(name, text)
        present[name] = frozenset(columns)
        tables[name] = typed
    part = tables.pop("stop_times", None)
    toy = Feed(tables, present, as_of=as_of, part=part, geojson=geojson)
    calls = toy.calls
    toy.trip_spans = spans_of(calls)
    named = calls.drop_nulls("stop_id")
    toy.served_stops = named.group_by("stop_id", maintain_order=True).agg(
        call_count=pl.len().cast(pl.UInt32)
    )
    toy.served_groups = calls.select(pl.col("location_group_id").unique().drop_nulls())
    routes = toy["trips"].select("trip_id", "route_id")
    toy.route_stops = named.join(routes, on="trip_id").select("route_id", "stop_id").unique()
    return toy


def tell(what: Iterable[Found]) -> list[Finding]:
    """Findings as tuples, by file and row."""
    told = [(found.file, *row) for found in what for row in found.rows.rows()]
    return sorted(told, key=lambda f: (f[0], f[1] or 0, f[2] or "", f[3] or ""))


def findings(code: str, **feed_arguments: Any) -> list[Finding]:
    """What a rule finds in a toy feed."""
    return tell(RULES[code].find(feed(**feed_arguments)))


def check(tried: Case) -> None:
    """Assert that the rule applies to the feed, and finds what the case says."""
    toy = feed(as_of=tried.as_of, geojson=tried.geojson, **tried.files)
    rule = RULES[tried.code]
    lacking, told = [need for need in rule.needs if not toy.has(need)], tell(rule.find(toy))
    assert not lacking, f"not applicable without {lacking}"
    assert told == tried.found, f"{told} found, {tried.found} expected"


def rules_in(*modules: ModuleType) -> set[str]:
    """Codes of the rules that modules define."""
    names = {module.__name__ for module in modules}
    return {rule.code for rule in RULES.values() if _module(rule) in names}


def rules_broken(cases: Iterable[Case]) -> set[str]:
    """Codes of the rules that cases show broken."""
    return {tried.code for tried in cases if tried.found}


def _module(rule: Rule) -> str:
    return str(getattr(rule.find, "__module__", ""))


def _table(name: str, text: str) -> tuple[tuple[str, ...], pl.DataFrame]:
    table = text_table(text)
    return table.columns, typed_rows(name, table.rows)[0]


def text_table(text: str) -> TextTable:
    """A file as text, before it is typed."""
    header, *lines = (line.strip() for line in text.split(" / "))
    columns = tuple(header.split(","))
    cells = [line.split(",") for line in lines if line]
    texts = {
        column: [(row[at] if at < len(row) else "") or None for row in cells]
        for at, column in enumerate(columns)
    }
    schema = {ROW: pl.Int64, **dict.fromkeys(columns, pl.String)}
    return TextTable(pl.DataFrame({ROW: range(2, 2 + len(cells)), **texts}, schema=schema), columns)


def validated(*, geojson: bytes | None = None, **files: str) -> Validation:
    """A toy feed judged as a whole, all its rules run."""
    tables = {name: text_table(text) for name, text in files.items()}
    calls = tables.pop("stop_times", None)
    parts = (lambda: iter([calls])) if calls else None
    feed = Validation(RawFeed(tables, parts, geojson=geojson), TODAY)
    for _ in feed.parts():
        pass
    return feed
