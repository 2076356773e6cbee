"""`qala brief`: where a night's brief lies, and the brief as PDF, printed by an installed Chromium.

The PDF is made on demand and outside the night: Chromium writes the time into it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.options import CityOption
from pipelines.settings import Settings, load_settings, point_to_city

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PRINT_SECONDS = 120

Language = Literal["kk", "ru", "en"]
console = Console()


def brief(
    on: Annotated[
        str | None,
        typer.Option("--date", help="Service date, e.g. 2026-11-20; the latest if left."),
    ] = None,
    language: Annotated[Language, typer.Option(help="Language to open it in.")] = "kk",
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="Print it to this file, by Chromium.")
    ] = None,
    city: CityOption = None,
) -> None:
    """Say where a night's brief lies, or print it as PDF."""
    if city is not None:
        point_to_city(city)
    settings = load_settings()
    load_city(settings.city_file)
    page = find_brief(settings, on)
    if pdf is None:
        told = f"{page.as_uri()}#lang={language}"
    else:
        print_pdf(page, language, pdf)
        told = str(pdf)
    console.print(told, markup=False, highlight=False, soft_wrap=True)


def find_brief(settings: Settings, on: str | None) -> Path:
    """The page of a service date, or of the latest that has one.

    Raises `QalaError` where there is none, or `on` is no date.
    """
    folder = settings.publish / "brief"
    if on is None:
        pages = sorted(folder.glob("????-??-??/index.html"))
    else:
        try:
            pages = [folder / date.fromisoformat(on).isoformat() / "index.html"]
        except ValueError:
            raise QalaError(f"{on!r} is no date.", "Write it as in 2026-11-20.") from None
    if not pages or not pages[-1].is_file():
        raise QalaError(
            f"There is no brief{f' of {on}' if on else ''} in {folder}.",
            "Publish the night first: qala nightly" + (f" --date {on}." if on else "."),
        )
    return pages[-1]


def print_pdf(page: Path, language: Language, target: Path) -> None:
    """Print a page in a language to an A4 PDF.

    Raises `QalaError` where no Chromium is found, or it can't print.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise QalaError(
            f"No Chromium is on the PATH (looked for {', '.join(BROWSERS)}).",
            "Install one (Debian: apt-get install chromium), or print the page from any browser.",
        )
    # As root, in a container, Chromium's own sandbox can't be set up.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="qala-print-") as folder:
        printed = Path(folder) / "brief.pdf"
        command = [
            *(browser, "--headless", *as_root, "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={folder}/profile"),
            *("--no-pdf-header-footer", f"--print-to-pdf={printed}"),
            f"{page.resolve().as_uri()}#lang={language}",
        ]
        try:
            done = subprocess.run(  # noqa: S603  # a fixed command, our own page
                command, capture_output=True, text=True, timeout=PRINT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise QalaError(f"{browser} could not print {page}: {error}", "Try again.") from error
        if done.returncode or not printed.is_file():
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise QalaError(f"{browser} could not print {page}: {last}", "Try again.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(printed, target)
        except OSError as error:
            raise QalaError(f"{target} can't be written: {error}", "Name another file.") from error
