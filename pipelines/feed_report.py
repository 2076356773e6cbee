"""`qala validate FEED`: a GTFS feed read as a night would read it, without a lake."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines import flow
from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.settings import Source
from pipelines.sources.fetch import fetch_source
from pipelines.sources.landing import Landing
from pipelines.staging.sift import Staged

SOURCE_ID = "feed"
KIND = "gtfs"


def print_feed_report(console: Console, address: str) -> int:
    """Print what each table of the feed holds and refuses; returns the number of findings.

    A feed that can't be read as GTFS is a finding. Raises `SourceError` where there is no such
    file or address, or it does not answer.
    """
    with console.status(f"Fetching {address} ...") as progress:
        payload, version = _fetch(address)
        progress.update("Reading ...")
        try:
            raw = flow.load_function(flow.source_kind(KIND).parse)(payload, version)
        except SourceError as error:
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            return 1
        staged = {}
        for table in flow.staging_tables(KIND):
            progress.update(f"Checking {table.short_name} ...")
            staged[table.short_name] = flow.load_function(table.maker_path)(raw, version)
    _print_tables(console, staged)
    return _print_findings(console, staged)


def _fetch(address: str) -> tuple[bytes, SourceVersion]:
    source = Source(kind=KIND, address=address, format="zip", mark="measured")
    with tempfile.TemporaryDirectory(prefix="qala-validate-") as folder:
        landing = Landing(Path(folder))
        today = datetime.now(UTC).date()
        fetched = fetch_source(source, Path.cwd(), today, {}, landing)[0]
        if fetched.outcome == "failed":
            raise SourceError(f"The feed can't be fetched: {fetched.reason}")
        version = SourceVersion(SOURCE_ID, fetched.version_id, fetched.object_name, "zip")
        return landing.read(fetched.sha256), version


def _print_tables(console: Console, staged: dict[str, Staged]) -> None:
    table = Table(title="What was read", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("refused", justify="right")
    for name, result in staged.items():
        table.add_row(name, f"{result.rows.height:,}", f"{result.refused:,}" or "")
    console.print(table)


def _print_findings(console: Console, staged: dict[str, Staged]) -> int:
    table = Table(title="Findings", title_justify="left")
    for column in ("table", "rule"):
        table.add_column(column)
    table.add_column("rows", justify="right")
    table.add_column("first, in row")
    count = 0
    for name, result in staged.items():
        rules = Counter(result.quarantine.get_column("rule").to_list())
        for rule, rows in sorted(rules.items()):
            first = _first(result, rule)
            table.add_row(
                name, rule, f"{rows:,}", f"{first['row_number']}: {first['row_json']:.80}"
            )
            count += 1
    notices = staged["feed_notices"].rows if "feed_notices" in staged else None
    for row in notices.iter_rows(named=True) if notices is not None else ():
        table.add_row(
            row["table_name"], row["notice_code"], f"{row['affected_count']:,}", row["description"]
        )
        count += 1
    console.print(table if count else "No findings.")
    return count


def _first(result: Staged, rule: str) -> dict[str, Any]:
    rows = result.quarantine.filter(result.quarantine.get_column("rule") == rule)
    return rows.sort("row_number").row(0, named=True)
