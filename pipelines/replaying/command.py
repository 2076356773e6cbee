"""`qala replay`: whether a past night comes out of landing as it was published.

Exit codes: 0 the same, 1 something differs (the first difference is shown) or the night fails
now, 2 can't be replayed.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.options import FINDINGS, CityOption
from pipelines.settings import load_settings, point_to_city

console = Console()


def replay(
    day: Annotated[str, typer.Argument(metavar="DATE", help="Service date of a published night.")],
    known_at: Annotated[
        str | None,
        typer.Option(help="As it was published at a time, e.g. 2026-11-20; the last time if left."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the replayed night's data in this new folder.")
    ] = None,
    city: CityOption = None,
) -> None:
    """Make a past night again from landing, aside, and compare it with what was published."""
    from pipelines.known_at import parse_instant
    from pipelines.replaying.replay import replay_night, told

    point_to_city(city)
    settings = load_settings()
    city_file = load_city(settings.city_file)
    try:
        service_date = date.fromisoformat(day)
    except ValueError:
        raise QalaError(f"{day!r} is no date.", "Write it as 2026-11-20.") from None
    instant = parse_instant(known_at, city_file.city.time_zone) if known_at else None
    with console.status(f"Replaying {service_date} ..."):
        replayed = replay_night(settings, city_file, service_date, instant, keep=keep)
    for line in told(replayed):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    is_same = replayed.compared is not None and not replayed.compared.difference
    raise typer.Exit(0 if is_same else FINDINGS)
