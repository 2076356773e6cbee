"""The command line: `qala nightly`, `qala sql`, `qala validate`, `qala quarantine`, `qala doctor`.

`qala backfill` runs the nights of some days that are missing, `qala replay` makes a past one again.
`qala verify` judges a folder of extracts by public keys alone, `qala withdraw` calls one back,
`qala keys` makes and revokes the keys. `qala quarantine` lists the feed versions that wait for a
person's decision; `qala release` and `qala reject` are the decisions. `qala upkeep`, `qala backup`,
`qala restore` and `qala hold` care for the lake; `qala alerts` tells what people must know.

Exit codes: 0 done, 1 findings (a night that failed, a feed with defects, a check with a remedy),
2 can't run. An error is one clear sentence with its remedy; only a defect shows a traceback.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markdown import Markdown

from pipelines import keys, upkeep_commands
from pipelines.backfill import backfill
from pipelines.city_file import City, load_city
from pipelines.embedded_nights import run_embedded
from pipelines.errors import NightInProgressError, QalaError
from pipelines.options import FINDINGS, RUN_ID, ByOption, CityOption, ReasonOption
from pipelines.printing import brief
from pipelines.replaying.command import replay
from pipelines.settings import Settings, load_settings, point_to_city

if TYPE_CHECKING:
    from pipelines.warehouse.publish import Connection

CANT_RUN = 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measures a city's public transport and traffic every night.",
)
app.add_typer(keys.app, name="keys")
app.add_typer(upkeep_commands.hold_app, name="hold")
app.command()(brief)
app.command()(backfill)
app.command()(replay)
for _command in (upkeep_commands.upkeep, upkeep_commands.backup, upkeep_commands.restore):
    app.command()(_command)
console = Console()
errors = Console(stderr=True)

SourceArgument = Annotated[str, typer.Argument(help="Source as the city file names it.")]
VersionArgument = Annotated[
    str, typer.Argument(help="Version that is held back; the beginning of its id will do.")
]


def main() -> None:
    """Run the command line; what people did wrong becomes one sentence and exit code 2."""
    try:
        app()
    except QalaError as error:
        _complain(error)
        sys.exit(CANT_RUN)


@app.command()
def nightly(
    city: CityOption = None,
    on: Annotated[
        str | None,
        typer.Option("--date", help="Service date, e.g. 2026-11-20; the day before today if left."),
    ] = None,
) -> None:
    """Run one night to its end: ingest, figures, checks, publication, delivery."""
    from pipelines.locks import exclusive
    from pipelines.summary import print_summary

    settings, city_file = _city(city)
    day = _service_date(city_file, on)
    started = datetime.now(UTC)
    console.print(f"{city_file.city.name}, night of {day}: {settings.data}", highlight=False)
    with exclusive(settings.data / "night.lock", f"A night of {city_file.city.name}") as lock:
        code = run_embedded(settings, [day], lock)
    if code == 0:
        print_summary(console, settings, city_file, day, started)
    raise typer.Exit(code)


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(help="SQL; without it a shell opens, or stdin is read.")
    ] = None,
    city: CityOption = None,
    form: Annotated[
        Literal["table", "csv", "json", "parquet"],
        typer.Option("--format", help="How to write the answer of one query."),
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write it to; stdout if left.")
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(help="Ask what was published at a time, e.g. 2026-11-20 or 2026-11-20T08:00."),
    ] = None,
) -> None:
    """Ask the published file, read-only."""
    from pipelines.known_at import open_known, parse_instant
    from pipelines.warehouse.publish import open_published
    from pipelines.warehouse.shell import open_shell

    settings, city_file = _city(city)
    if known_at is None:
        opened = open_published(settings.publish / f"{city_file.city.id}.duckdb")
    else:
        opened = open_known(settings, city_file, parse_instant(known_at, city_file.city.time_zone))
    with opened as connection:
        if query is None and form == "table" and output is None and sys.stdin.isatty():
            open_shell(connection)
        else:
            _answer(connection, sys.stdin.read() if query is None else query, form, output)


@app.command()
def validate(
    feed: Annotated[str, typer.Argument(help="GTFS: a zip, a folder, file: or http(s): address.")],
    form: Annotated[
        Literal["table", "json", "html"], typer.Option("--format", help="How to print the report.")
    ] = "table",
    on: Annotated[
        str | None, typer.Option("--date", help="Judge as of this date; today if left.")
    ] = None,
) -> None:
    """Judge a GTFS feed by every rule; exit code 1 with an ERROR, 2 if it can't be read."""
    from pipelines.feed_report import print_report, report_on

    as_of = _date(on) if on else datetime.now(UTC).date()
    with errors.status(f"Judging {feed} ..."):
        report = report_on(feed, as_of)
    print_report(console, report, form)
    raise typer.Exit(report.exit_code)


@app.command()
def quarantine(city: CityOption = None) -> None:
    """List the feed versions that are held back and wait for a decision; 1 where there are any."""
    from pipelines.run import waiting_feeds

    _city(city)
    waiting = waiting_feeds()
    for held in waiting:
        console.rule(held["subject"], align="left")
        console.print(Markdown(held["body"]))
    if not waiting:
        console.print("Nothing waits for a decision.")
    raise typer.Exit(FINDINGS if waiting else 0)


@app.command()
def release(
    source: SourceArgument,
    version: VersionArgument,
    reason: ReasonOption,
    by: ByOption,
    city: CityOption = None,
) -> None:
    """Release a feed version that is held back: the next load takes it."""
    _decide(city, source, version, "released", by=by, reason=reason)


@app.command()
def reject(
    source: SourceArgument,
    version: VersionArgument,
    reason: ReasonOption,
    by: ByOption,
    city: CityOption = None,
) -> None:
    """Reject a feed version that is held back: it is never tried again."""
    _decide(city, source, version, "rejected", by=by, reason=reason)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of extracts, with its manifest.json.")],
    key: Annotated[
        str | None,
        typer.Option(help="trusted_keys.json, a public key as PEM file, or in base64."),
    ] = None,
    city: CityOption = None,
) -> None:
    """Check a folder of extracts offline; exit code 1 where anything is wrong with it.

    Without --key the trusted keys beside the city file are taken.
    """
    from pipelines.trusted_keys import read_trusted_keys, trusted_by
    from pipelines.verification import verify_folder

    trusted = trusted_by(key) if key else read_trusted_keys(_city(city)[0].trusted_keys)
    findings = verify_folder(folder, trusted)
    for finding in findings:
        told = f"{finding.kind}: {finding.file}: {finding.text}"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
    if not findings:
        console.print(f"{folder} is whole, and signed by a trusted key.", soft_wrap=True)
    raise typer.Exit(FINDINGS if findings else 0)


@app.command()
def withdraw(
    day: Annotated[str, typer.Argument(metavar="DATE", help="Service date of the extracts.")],
    reason: Annotated[str, typer.Option(help="Why; whoever has them is told.")],
    successor: Annotated[
        str | None, typer.Option(help="Service date whose extracts stand in their place.")
    ] = None,
    city: CityOption = None,
) -> None:
    """Withdraw the latest extracts of a service date by a signed notice; nothing is deleted."""
    from pipelines import run

    _city(city)
    told = run.withdraw(day, RUN_ID, reason=reason, successor=successor)
    console.print(told["text"], markup=False, highlight=False, soft_wrap=True)


@app.command()
def doctor(
    city: CityOption = None,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read landing, lake, extracts and backups too.")
    ] = False,
) -> None:
    """Check versions, extensions, disk, database and city file, each with its remedy."""
    from pipelines.doctor import print_health

    point_to_city(city)
    raise typer.Exit(FINDINGS if print_health(console, load_settings(), deep=deep) else 0)


@app.command()
def alerts(
    city: CityOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print them.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a test to every channel.")] = False,
) -> None:
    """Tell each channel of the city file what it was not told yet; 1 where one takes nothing."""
    from pipelines.alerts import console as told

    settings, city_file = _city(city)
    if test:
        raise typer.Exit(FINDINGS if told.print_tests(console, city_file) else 0)
    if dry_run:
        told.print_due(console, settings, city_file)
    else:
        from pipelines import run

        console.print(run.tell_alerts(RUN_ID)["text"], highlight=False)


def _answer(
    connection: Connection,
    query: str,
    form: Literal["table", "csv", "json", "parquet"],
    output: Path | None,
) -> None:
    from pipelines.warehouse.shell import run_query, write_query

    if form == "table":
        if output is not None:
            raise QalaError("A table goes to the terminal.", "Say --format csv, json or parquet.")
        run_query(connection, query)
    elif output is None:
        if form == "parquet" and sys.stdout.isatty():
            raise QalaError("Parquet is no text.", "Name a file with --output.")
        write_query(connection, query, form, sys.stdout.buffer)
    else:
        partial = output.with_name(f".{output.name}.part")
        try:
            with partial.open("wb") as file:
                write_query(connection, query, form, file)
            partial.replace(output)
        except OSError as error:
            raise QalaError(f"{output} can't be written: {error}", "Name another file.") from None
        finally:
            partial.unlink(missing_ok=True)


def _decide(
    city: Path | None, source: str, version: str, decision: str, *, by: str, reason: str
) -> None:
    from pipelines.run import decide_feed

    _city(city)
    told = decide_feed(source, version, decision, decided_by=by, reason=reason, run_id=RUN_ID)
    console.print(f"{source} {told['text']}", markup=False, highlight=False, soft_wrap=True)


def _city(path: Path | None) -> tuple[Settings, City]:
    point_to_city(path)
    settings = load_settings()
    return settings, load_city(settings.city_file)


def _service_date(city: City, text: str | None) -> date:
    if text is None:
        return datetime.now(ZoneInfo(city.city.time_zone)).date() - timedelta(days=1)
    return _date(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QalaError(f"--date {text!r} is no date.", "Write it as 2026-11-20.") from None


def _complain(error: QalaError) -> None:
    prefix = "Busy" if isinstance(error, NightInProgressError) else "Error"
    errors.print(f"[bold red]{prefix}:[/] ", end="")
    errors.print(str(error), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
