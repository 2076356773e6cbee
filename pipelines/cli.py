"""The command line: `qala nightly`, `qala sql`, `qala validate`, `qala doctor`.

Exit codes: 0 done, 1 findings (a night that failed, a feed with defects, a check with a remedy),
2 can't run. An error is one clear sentence with its remedy; only a defect shows a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from pipelines.errors import NightInProgressError, QalaError
from pipelines.settings import (
    ROOT,
    City,
    Settings,
    airflow_environment,
    load_city,
    load_settings,
    point_to_city,
)

FINDINGS = 1
CANT_RUN = 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measures a city's public transport and traffic every night.",
)
console = Console()
errors = Console(stderr=True)

CityOption = Annotated[
    Path | None, typer.Option("--city", help="City file; cities/almaty.toml unless told otherwise.")
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
    with exclusive(settings.data / "night.lock", f"A night of {city_file.city.name}"):
        code = _run_embedded(settings, day)
    if code == 0:
        print_summary(console, settings, city_file, day, started)
    raise typer.Exit(code)


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(help="SQL; without it a shell opens, or stdin is read.")
    ] = None,
    city: CityOption = None,
) -> None:
    """Ask the published file, read-only."""
    from pipelines.warehouse.publish import open_published
    from pipelines.warehouse.shell import open_shell, run_query

    settings, city_file = _city(city)
    with open_published(settings.publish / f"{city_file.city.id}.duckdb") as connection:
        if query is not None:
            run_query(connection, query)
        elif sys.stdin.isatty():
            open_shell(connection)
        else:
            run_query(connection, sys.stdin.read())


@app.command()
def validate(
    feed: Annotated[str, typer.Argument(help="GTFS: a zip, a folder, file: or http(s): address.")],
) -> None:
    """Read a GTFS feed as a night would, and say what breaks its contracts."""
    from pipelines.feed_report import print_feed_report

    findings = print_feed_report(console, feed)
    raise typer.Exit(FINDINGS if findings else 0)


@app.command()
def doctor(city: CityOption = None) -> None:
    """Check versions, extensions, disk, database and city file, each with its remedy."""
    from pipelines.doctor import print_health

    point_to_city(city)
    raise typer.Exit(FINDINGS if print_health(console, load_settings()) else 0)


def _city(path: Path | None) -> tuple[Settings, City]:
    point_to_city(path)
    settings = load_settings()
    return settings, load_city(settings.city_file)


def _service_date(city: City, text: str | None) -> date:
    if text is None:
        return datetime.now(ZoneInfo(city.city.time_zone)).date() - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QalaError(f"--date {text!r} is no date.", "Write it as 2026-11-20.") from None


def _run_embedded(settings: Settings, day: date) -> int:
    """Run Airflow on the DAG files in a process of its own; its exit code."""
    settings.airflow_home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "dags" / "embedded.py"), "--date", day.isoformat()]
    environment = airflow_environment(settings)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    with subprocess.Popen(command, env=environment, cwd=ROOT) as process:  # noqa: S603  # our own file
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            return 130


def _complain(error: QalaError) -> None:
    prefix = "Busy" if isinstance(error, NightInProgressError) else "Error"
    errors.print(f"[bold red]{prefix}:[/] ", end="")
    errors.print(str(error), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
