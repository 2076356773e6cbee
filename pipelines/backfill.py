"""`qala backfill FROM TO`: the nights of some days, those that are missing alone.

A night is there when it was published by this version of the program, with all figures that the
city file asks for, and the sources that govern it are still those that it was published with. All
others are run, in order: a figure may look back at the nights before. So a backfill that was killed
goes on where it stopped when it is started again.

Where the scheduler of `make airflow` runs, Airflow's own backfill runs them, `--at-once` at a time.
Elsewhere one process runs one night after the other.

Exit codes: 0 all there, 1 nights failed (the others are there), 2 can't run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from pipelines.city_file import City, load_city
from pipelines.embedded_nights import run_embedded, run_on_dags
from pipelines.errors import QalaError
from pipelines.locks import exclusive, is_held
from pipelines.options import FINDINGS, CityOption
from pipelines.settings import (
    Settings,
    load_settings,
    point_to_city,
    scheduler_environment,
    scheduler_home,
)

NIGHTS_A_PROCESS = 60  # Airflow keeps a little of each night in memory

console = Console()


def backfill(
    first: Annotated[str, typer.Argument(metavar="FROM", help="First service date.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="Last service date.")],
    at_once: Annotated[
        int, typer.Option(min=1, help="Nights at a time, where Airflow's scheduler runs.")
    ] = 1,
    city: CityOption = None,
) -> None:
    """Run the nights of some days that are missing, or were published otherwise than now."""
    point_to_city(city)
    settings = load_settings()
    city_file = load_city(settings.city_file)
    days = _days(first, last, city_file)
    missing = missing_nights(settings, city_file, days)
    there = len(days) - len(missing)
    name = city_file.city.name
    console.print(f"{name}: {len(missing)} of {len(days)} nights are missing.", highlight=False)
    if not missing:
        raise typer.Exit(0)
    if is_held(scheduler_home(settings) / "server.lock"):
        code = _by_scheduler(settings, missing, at_once)
    elif at_once > 1:
        raise QalaError(
            "Without a scheduler nights are run one by one.",
            "Leave --at-once, or start the scheduler first: make airflow.",
        )
    else:
        with exclusive(settings.data / "night.lock", f"A night of {name}") as lock:
            code = _one_by_one(settings, missing, lock)
    left = missing_nights(settings, city_file, days)
    console.print(
        f"{len(missing) - len(left)} nights run, {there} were there, {len(left)} are missing.",
        highlight=False,
    )
    raise typer.Exit(code or (FINDINGS if left else 0))


def missing_nights(settings: Settings, city: City, days: Sequence[date]) -> list[date]:
    """Those of some nights that are not published as this program would publish them."""
    from pipelines import flow
    from pipelines.fingerprint import code_version
    from pipelines.warehouse.lake import open_lake
    from pipelines.warehouse.nights import published_nights

    wanted = {t.name for t in flow.published_tables(city.city.marts) if t.by == "service_date"}
    with open_lake(settings) as lake:
        there = published_nights(lake, days[0], days[-1], code_version(), wanted)
    return [day for day in days if day not in there]


def _one_by_one(settings: Settings, missing: Sequence[date], lock: int) -> int:
    worst = 0
    for some in _parts(missing, NIGHTS_A_PROCESS):
        code = run_embedded(settings, some, lock)
        worst = max(worst, code)
        if code > FINDINGS:
            break  # it can't run, or was told to stop
    return worst


def _by_scheduler(settings: Settings, missing: Sequence[date], at_once: int) -> int:
    environment = scheduler_environment(settings)
    worst = 0
    for some in _unbroken(missing):
        dates = [str(some[0]), str(some[-1])]
        code = run_on_dags("scheduled.py", [*dates, "--at-once", str(at_once)], environment)
        worst = max(worst, code)
        if code > FINDINGS:
            break
    return worst


def _days(first: str, last: str, city: City) -> list[date]:
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise QalaError(
            f"{first!r} to {last!r} are no dates.", "Write them as 2026-11-20."
        ) from None
    today = datetime.now(ZoneInfo(city.city.time_zone)).date()
    if not start <= end < today:
        raise QalaError(
            f"{start} to {end} are not days in order that have ended.",
            "A night is about a day that is over: name the first and the last such day.",
        )
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def _parts(days: Sequence[date], most: int) -> Iterator[Sequence[date]]:
    return (days[at : at + most] for at in range(0, len(days), most))


def _unbroken(days: Sequence[date]) -> Iterator[list[date]]:
    """Runs of days without a gap."""
    run: list[date] = []
    for day in days:
        if run and day - run[-1] > timedelta(days=1):
            yield run
            run = []
        run.append(day)
    yield run
