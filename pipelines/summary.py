"""The end of a night on the terminal: figures, checks, tables, files, and how long steps took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from pipelines import flow
from pipelines.city_file import City
from pipelines.policy import load_policy
from pipelines.release import waiting
from pipelines.settings import Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, open_lake
from pipelines.warehouse.publish import Connection, open_published

Headline = tuple[str, str, str | None, str, str | None]
MOST_STEPS = 12  # the longest ones are shown
HEADLINES = Path(__file__).resolve().parent.parent / "sql" / "headlines"


def print_summary(
    console: Console, settings: Settings, city: City, service_date: date, since: datetime
) -> None:
    """Print what a night came to, from the published file and the steps that ended `since`."""
    published = settings.publish / f"{city.city.id}.duckdb"
    if published.is_file():
        with open_published(published) as connection:
            console.print(_figures(connection, service_date))
            console.print(_checks(connection, service_date))
            for line in _feed_warnings(connection, service_date):
                console.print(line, markup=False)
            console.print(_tables(connection))
    with open_lake(settings, read_only=True) as lake:
        console.print(_steps(lake, service_date, since))
        decisions = list(_decisions_due(lake, settings, city, service_date))
    for sentence in decisions:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    for label, path in _files(settings, city, service_date):
        console.print(f"{label:<10} {path}", soft_wrap=True, highlight=False)


def _figures(connection: Connection, service_date: date) -> Table:
    table = Table(title=f"Figures of {service_date}", title_justify="left")
    for column in ("figure", "scope"):
        table.add_column(column)
    table.add_column("value", justify="right")
    table.add_column("mark")
    for figure, scope, value, mark, reason in headlines(connection, service_date):
        table.add_row(figure, scope, value if value is not None else f"- ({reason})", mark)
    return table


def headlines(connection: Connection, service_date: date) -> list[Headline]:
    """Figure, scope, value, mark and reason of what a person asks for first.

    One file of SQL each, in the order of their names; a city need not make every mart.
    """
    made = _made(connection)
    rows: list[Headline] = []
    for file in sorted(HEADLINES.glob("*.sql")):
        sql = file.read_text(encoding="utf-8")
        if made.issuperset(re.findall(r"FROM (marts\.\w+)", sql)):
            rows += connection.execute(sql, [service_date]).fetchall()
    return rows


def _made(connection: Connection) -> set[str]:
    """The tables of the published file."""
    listed = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
    return {f"{schema}.{name}" for schema, name in listed}


def _checks(connection: Connection, service_date: date) -> str:
    row = connection.execute(
        "SELECT count(*) FILTER (is_passed), count(*) FILTER (NOT is_passed)"
        " FROM quality.check_results WHERE service_date = ?",
        [service_date],
    ).fetchone()
    passed, failed = row or (0, 0)
    return f"Checks: {passed} passed, {failed} failed (warnings)"


def _feed_warnings(connection: Connection, service_date: date) -> list[str]:
    if "marts.feed_health" not in _made(connection):
        return []
    rows = connection.execute(
        "SELECT source_id, warning FROM marts.feed_health"
        " WHERE service_date = ? AND warning IS NOT NULL ORDER BY source_id",
        [service_date],
    ).fetchall()
    return [f"Feed {source_id}: {warning}" for source_id, warning in rows]


def _tables(connection: Connection) -> Table:
    table = Table(title="Published tables", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    counts = connection.execute("SELECT table_name, row_count FROM meta.tables").fetchall()
    rows = dict(counts)
    for name in (t.name for t in flow.TABLES if t.name in rows):
        table.add_row(name, f"{rows[name]:,}")
    return table


def _steps(lake: Lake, service_date: date, since: datetime) -> Table:
    steps = lake.read("ops.steps", ops.Steps, "service_date = ?", [service_date])
    steps = steps.filter(pl.col("ended_at") >= since)
    longest = steps.sort("duration_seconds", descending=True).head(MOST_STEPS)
    total = steps.get_column("duration_seconds").sum()
    title = f"Steps: {steps.height} took {total:.1f} s; the longest"
    table = Table(title=title, title_justify="left")
    table.add_column("step")
    table.add_column("outcome")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    for row in longest.iter_rows(named=True):
        rows = "" if row["row_count"] is None else f"{row['row_count']:,}"
        table.add_row(row["step"], row["outcome"], rows, f"{row['duration_seconds']:.1f}")
    return table


def _decisions_due(lake: Lake, settings: Settings, city: City, service_date: date) -> Iterator[str]:
    """What waits for a person: feed versions held back, and overrides that have expired."""
    for held in waiting(lake):
        yield f"{held.reason} See qala quarantine."
    yield from load_policy(settings.policy_file(city), city.feeds()).expired(service_date)


def _files(settings: Settings, city: City, service_date: date) -> Iterator[tuple[str, Path]]:
    yield "analysts", settings.publish / f"{city.city.id}.duckdb"
    yield "extracts", settings.publish / "extracts" / service_date.isoformat()
    yield "checks", settings.publish / "checks" / f"{service_date.isoformat()}.html"
    brief = settings.publish / "brief" / service_date.isoformat() / "index.html"
    yield "brief", brief
    yield "status", settings.publish / "status.json"
