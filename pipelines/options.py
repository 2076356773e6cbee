"""What the commands of `qala` share: options, the run they record, an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FINDINGS = 1  # the exit code of a command that ran, and found something
RUN_ID = "command line"

CityOption = Annotated[
    Path | None, typer.Option("--city", help="City file; cities/almaty.toml unless told otherwise.")
]
ByOption = Annotated[str, typer.Option(help="Who decides; it is recorded.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is recorded.")]
