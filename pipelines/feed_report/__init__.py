"""`qala validate FEED`: a timetable judged on its own, without a lake, as table, JSON or page.

Notices are what failed; every rule is told with its status, those that were not run too. A feed
that can't be read at all is one notice, and no rule was run.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import typer
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from pipelines.city_file import Source
from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.fetch import fetch_source
from pipelines.sources.gtfs.parse import validate_feed
from pipelines.sources.landing import Landing
from pipelines.staging.gtfs.findings import Notice
from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.rule import Severity, Status

Format = Literal["table", "json", "html"]
SEVERITIES: tuple[Severity, ...] = ("ERROR", "WARNING", "INFO")
STATUSES: tuple[Status, ...] = ("fail", "not run", "pass", "not applicable")
STYLES = {"ERROR": "bold red", "WARNING": "yellow", "INFO": "dim"}
UNREADABLE = "unreadable_archive"
# A feed given by hand may be large; `max_megabytes` of a city file is for what comes unattended.
MAX_MEGABYTES = 4_000


@dataclass(frozen=True)
class FeedReport:
    """What validation says of one feed: status and reason of every rule, and what failed."""

    feed: str
    statuses: dict[str, tuple[Status, str]]
    notices: Sequence[Notice]
    is_readable: bool = True

    @property
    def exit_code(self) -> int:
        """0 without an ERROR, 1 with one, 2 for a feed that can't be read."""
        if not self.is_readable:
            return 2
        return int(any(notice.severity == "ERROR" for notice in self.notices))

    @property
    def worst_first(self) -> list[Notice]:
        """Notices by severity, then code and file."""
        return sorted(
            self.notices, key=lambda one: (SEVERITIES.index(one.severity), one.code, one.file)
        )

    def counts(self) -> dict[str, int]:
        """Rules by status, the worst first."""
        told = Counter(status for status, _ in self.statuses.values())
        return {status: told[status] for status in STATUSES}

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values: feed, rules (code, status), notices (failures only)."""
        return {
            "feed": self.feed,
            "rules": [
                {"code": code, "status": status, **({"reason": reason} if reason else {})}
                for code, (status, reason) in self.statuses.items()
            ],
            "notices": [notice.as_dict() for notice in self.worst_first],
        }


def report_on(address: str, as_of: date) -> FeedReport:
    """Judge the feed at an address or path as of a date. Never raises for a bad feed."""
    try:
        payload, version = _fetch(address, as_of)
        judged = validate_feed(payload, version, as_of)
    except SourceError as error:
        sample = ({"row": None, "field": None, "value": str(error)},)
        notice = Notice(UNREADABLE, CODES[UNREADABLE].severity, Path(address).name, 1, sample)
        unasked: tuple[Status, str] = ("not run", "the feed can't be read")
        statuses = dict.fromkeys(sorted(CODES), unasked)
        statuses[UNREADABLE] = ("fail", "")
        return FeedReport(address, statuses, [notice], is_readable=False)
    return FeedReport(address, judged.statuses(), judged.notices())


def _fetch(address: str, as_of: date) -> tuple[bytes, SourceVersion]:
    try:
        source = Source(
            kind="gtfs",
            address=address,
            format="zip",
            mark="measured",
            max_megabytes=MAX_MEGABYTES,
            allow_private=True,  # whoever types an address means it
        )
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise SourceError(
            f"{address!r} is no address: {why}.", "Name a path or address."
        ) from error
    with tempfile.TemporaryDirectory(prefix="qala-validate-") as folder:
        landing = Landing(Path(folder))
        fetched = fetch_source(source, Path.cwd(), as_of, {}, landing)[-1]
        if fetched.outcome == "failed":
            raise SourceError(fetched.reason)
        version = SourceVersion("feed", fetched.version_id, fetched.object_name, "zip")
        return landing.read(fetched.sha256), version


def print_report(console: Console, report: FeedReport, form: Format) -> None:
    """Print a report to standard output."""
    if form == "json":
        typer.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=1))
    elif form == "html":
        typer.echo(render_page(report))
    else:
        _print_table(console, report)


def render_page(report: FeedReport) -> str:
    """The report as one HTML page, complete in itself."""
    environment = Environment(
        loader=PackageLoader("pipelines.feed_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("feed.html.j2").render(
        report=report, codes=CODES, severities=SEVERITIES, statuses=STATUSES
    )


def _print_table(console: Console, report: FeedReport) -> None:
    if not report.is_readable:
        console.print(
            report.notices[0].sample[0]["value"], markup=False, highlight=False, soft_wrap=True
        )
        return
    table = Table(title="Notices", title_justify="left")
    for column in ("severity", "code", "file"):
        table.add_column(column)
    table.add_column("count", justify="right")
    table.add_column("first")
    for notice in report.worst_first:
        table.add_row(
            f"[{STYLES[notice.severity]}]{notice.severity}[/]",
            notice.code,
            notice.file,
            f"{notice.count:,}",
            sample_line(notice),
        )
    console.print(table if report.notices else "No findings.")
    told = ", ".join(f"{count} {status}" for status, count in report.counts().items())
    console.print(f"{len(report.statuses)} rules: {told}.", highlight=False)


def sample_line(notice: Notice) -> str:
    """The first finding of a notice in a few words, safe for the console."""
    from rich.markup import escape

    first = notice.sample[0]
    where = f"row {first['row']:,}" if first["row"] is not None else ""
    what = f"{first['field']}={first['value']!r}" if first["field"] else (first["value"] or "")
    return escape(": ".join(text for text in (where, f"{what:.80}") if text))
