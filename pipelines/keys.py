"""`qala keys new|list|revoke`: the keys that extracts are signed with (docs/extracts.md)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.options import CityOption
from pipelines.settings import ROOT, Settings, load_settings, point_to_city

app = typer.Typer(no_args_is_help=True, help="The keys that extracts are signed with.")
console = Console()

FromOption = Annotated[
    str | None, typer.Option("--from", help="First service date, e.g. 2026-11-20.")
]


@app.command()
def new(
    city: CityOption = None,
    out: Annotated[
        Path | None, typer.Option(help="New file of the private key; in secrets/ if left.")
    ] = None,
    valid_from: FromOption = None,
) -> None:
    """Make a key: the private half in a file of its own, the public one among the trusted keys."""
    from pipelines.trusted_keys import add_key

    settings = _settings(city)
    private = out or ROOT / "secrets" / f"{settings.city_file.stem}.signing_key.pem"
    key = add_key(settings.trusted_keys, private, _date(valid_from) if valid_from else None)
    _say(f"The private key is in {private}: keep it secret, and set QALA_SIGNING_KEY={private}")
    _say(f"The public key {key.id} is in {settings.trusted_keys}: hand that file over.")


@app.command("list")
def list_keys(city: CityOption = None) -> None:
    """List the trusted keys, and which of them signs here."""
    from pipelines.trusted_keys import load_signer, read_trusted_keys

    settings = _settings(city)
    signer = load_signer(settings)
    table = Table()
    for column in ("key", "public key", "from", "revoked from", "reason", "signs here"):
        table.add_column(column, overflow="fold")
    for key in read_trusted_keys(settings.trusted_keys).keys:
        signs = signer.public is not None and signer.public.key_id == key.id
        dates = (str(key.valid_from or "any date"), str(key.revoked_from or ""))
        table.add_row(key.id, key.public_key, *dates, key.reason or "", "yes" if signs else "")
    console.print(table)
    _say(f"Extracts are signed: {signer.text}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Key, as `qala keys list` names it.")],
    revoked_from: Annotated[
        str, typer.Option("--from", help="First service date that it no longer counts for.")
    ],
    reason: Annotated[str, typer.Option(help="Why; whoever verifies is told.")],
    city: CityOption = None,
) -> None:
    """Revoke a key for service dates from one on; hand the file of trusted keys over again."""
    from pipelines.trusted_keys import revoke_key

    settings = _settings(city)
    key = revoke_key(settings.trusted_keys, key_id, _date(revoked_from), reason)
    _say(f"The key {key.id} {key.objection(key.revoked_from)}. Hand {settings.trusted_keys} over.")


def _settings(city: Path | None) -> Settings:
    point_to_city(city)
    settings = load_settings()
    load_city(settings.city_file)
    return settings


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QalaError(f"--from {text!r} is no date.", "Write it as 2026-11-20.") from None


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
