"""One replay: a lake of its own filled with what governed, the night made in it, and compared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.city_file import City
from pipelines.errors import QalaError
from pipelines.fingerprint import ROOT, code_version
from pipelines.replaying.checkout import checkout, commit_of
from pipelines.replaying.compare import Compared, Comparison
from pipelines.replaying.published import Published, read_published
from pipelines.replaying.state import PastState
from pipelines.settings import Settings, replay_environment
from pipelines.warehouse.lake import forget_lake, open_lake

NIGHT_MODULE = Path("pipelines") / "replaying" / "night.py"


@dataclass(frozen=True)
class Replayed:
    """What came of a replay; `failure` is why the night could not be published again."""

    published: Published
    kept_days: list[date]
    compared: Compared | None
    failure: str = ""


def told(replayed: Replayed) -> Iterator[str]:
    """What came of a replay in words."""
    day = replayed.published.service_date
    if replayed.kept_days:
        first, last = replayed.kept_days[0], replayed.kept_days[-1]
        yield (
            f"Counts of {len(replayed.kept_days)} days from {first} to {last} are as they were"
            " kept: the passages they were counted from are forgotten, and checks not compared."
        )
    compared = replayed.compared
    if compared is None:
        yield f"The night of {day} can't be published again: {replayed.failure}"
    elif compared.difference:
        yield f"The night of {day} differs from what was published: {compared.difference}"
    else:
        yield (
            f"The night of {day} is the same: {compared.partition_count} partitions,"
            f" {compared.file_count} extracts, brief and checks, by {code_of(replayed)}."
        )


def code_of(replayed: Replayed) -> str:
    """Which code made it, in words."""
    version = replayed.published.code_version
    return "this version" if version == code_version() else f"version {version}"


def replay_night(
    settings: Settings,
    city: City,
    service_date: date,
    instant: datetime | None = None,
    *,
    keep: Path | None = None,
) -> Replayed:
    """Replay one night and compare it. Raises `QalaError` where that is impossible."""
    with ExitStack() as stack:
        place = stack.enter_context(_place(keep))
        old = stack.enter_context(open_lake(settings, read_only=True))
        published = read_published(old, service_date, instant)
        code = stack.enter_context(_code(published))
        aside = _aside(settings, place)
        stack.callback(forget_lake, aside)
        state = PastState(old, city, published)
        versions = place / "versions.json"
        versions.write_text(json.dumps([version.as_dict() for version in state.versions()]))
        new = stack.enter_context(open_lake(aside, run_id="replay", code_version=code_version()))
        state.copy_to(new)
        done = subprocess.run(  # noqa: S603  # our own module
            [sys.executable, "-m", "pipelines.replaying.night", str(service_date), str(versions)],
            cwd=code, env=replay_environment(settings, place), check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            why = lines[-1] if lines else f"its process ended with {done.returncode}"
            return Replayed(published, state.kept_days, None, why)
        with open_lake(aside, read_only=True) as made:
            comparison = Comparison(
                old, made, published, settings.publish, aside.publish, bool(state.kept_days)
            )
            return Replayed(published, state.kept_days, comparison.run())


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """A folder for the replay: a new one that is kept, or one that is gone afterwards."""
    if keep is None:
        with TemporaryDirectory(prefix="qala-replay-") as folder:
            yield Path(folder)
        return
    if keep.exists() and any(keep.iterdir()):
        raise QalaError(f"{keep} is not empty.", "Name a new folder.")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


@contextmanager
def _code(published: Published) -> Iterator[Path]:
    """The folder of the code that made the night: this one, or a checkout of it."""
    if published.code_version == code_version():
        yield ROOT
        return
    with checkout(commit_of(published.code_version, published.published_at)) as tree:
        if not (tree / NIGHT_MODULE).is_file():
            raise QalaError(
                f"The night was made by version {published.code_version}, which can't replay yet.",
                "Run that night in a checkout of that version.",
            )
        yield tree


def _aside(settings: Settings, place: Path) -> Settings:
    """The same city with its data in another place; landing is the original's."""
    data = place / settings.city_file.stem
    data.mkdir()
    for shared in (settings.landing, settings.data / "compiled"):
        if shared.is_dir():
            (data / shared.name).symlink_to(shared)
    lake = data / "lake"
    return replace(
        settings, data=data, catalog=str(lake / "catalog.sqlite"), objects=str(lake / "objects")
    )
