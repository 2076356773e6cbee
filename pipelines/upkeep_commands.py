"""Commands of upkeep: `qala upkeep`, `qala backup`, `qala restore` and `qala hold`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.city_file import City, load_city
from pipelines.errors import QalaError
from pipelines.options import RUN_ID, ByOption, CityOption, ReasonOption
from pipelines.settings import Settings, load_settings, point_to_city

console = Console()
hold_app = typer.Typer(no_args_is_help=True, help="Legal holds: what retention may not remove.")

HoldArgument = Annotated[str, typer.Argument(help="Name of the hold, e.g. the number of the case.")]


def upkeep(
    city: CityOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
) -> None:
    """Compact the lake, let old snapshots expire, and remove what landing need not keep."""
    from pipelines import run

    _city(city)
    _say(run.keep_up(RUN_ID, dry_run=dry_run)["text"])


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder of backups; each has one of its own.")],
    city: CityOption = None,
) -> None:
    """Back up catalog, lake, landing and publication, consistent with one another."""
    from pipelines.backup import make_backup

    settings, city_file = _city(city)
    made = make_backup(settings, city_file, folder, RUN_ID, datetime.now(UTC))
    size = sum(size for size, _ in made.files.values()) / 1e6
    _say(f"{made.folder}: {len(made.files)} files, {size:,.1f} MB.")


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of one backup.")],
    city: CityOption = None,
) -> None:
    """Put a backup where the settings say, if nothing is there yet."""
    from pipelines.backup import restore_backup

    settings, city_file = _city(city)
    restored = restore_backup(settings, city_file, folder, RUN_ID)
    _say(f"{len(restored.files)} files of {folder} are restored to {settings.data}.")


@hold_app.command("list")
def list_holds(city: CityOption = None) -> None:
    """Show the holds in force."""
    from pipelines.holds import holds
    from pipelines.warehouse.lake import open_lake

    with open_lake(_city(city)[0], read_only=True) as lake:
        found = holds(lake)
    for hold in found:
        _say(str(hold))
    if not found:
        _say("Nothing is held.")


@hold_app.command("place")
def place(
    hold_id: HoldArgument,
    *,
    by: ByOption,
    reason: ReasonOption,
    source: Annotated[str, typer.Option(help="Source; all of them if left.")] = "",
    sha256: Annotated[str, typer.Option("--object", help="Beginning of the bytes' SHA-256.")] = "",
    first: Annotated[str, typer.Option("--from", help="First night, e.g. 2026-11-01.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last night.")] = "",
    city: CityOption = None,
) -> None:
    """Hold a source, an object or nights: nothing removes them until the hold is lifted."""
    from pipelines.holds import place_hold
    from pipelines.warehouse.lake import open_lake

    settings, city_file = _city(city)
    if source and source not in city_file.sources:
        known = ", ".join(city_file.sources)
        raise QalaError(f"The city file has no source {source!r}.", f"There are: {known}.")
    with open_lake(settings, run_id=RUN_ID) as lake:
        hold = place_hold(
            lake,
            hold_id,
            decided_by=by,
            reason=reason,
            source_id=source,
            sha256=sha256,
            first_date=_date(first),
            last_date=_date(last),
        )
    _say(str(hold))


@hold_app.command("lift")
def lift(
    hold_id: HoldArgument, by: ByOption, reason: ReasonOption, city: CityOption = None
) -> None:
    """End a hold: retention applies again."""
    from pipelines.holds import lift_hold
    from pipelines.warehouse.lake import open_lake

    with open_lake(_city(city)[0], run_id=RUN_ID) as lake:
        hold = lift_hold(lake, hold_id, decided_by=by, reason=reason)
    _say(str(hold))


def _city(path: Path | None) -> tuple[Settings, City]:
    point_to_city(path)
    settings = load_settings()
    return settings, load_city(settings.city_file)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise QalaError(f"{text!r} is no date.", "Write it as 2026-11-20.") from None


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
