"""`docs/add-a-city.md`, followed as a newcomer would: its files, its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipelines import flow
from pipelines.city_file import City, CityFacts, Source, load_city
from pipelines.settings import ROOT
from tests.toy_feeds import WEDNESDAY, toy_feed

PAGE = (ROOT / "docs" / "add-a-city.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"^(\.venv/bin/qala .*)$", PAGE, flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.airflow
def test_the_page_leads_to_a_published_city(tmp_path: Path) -> None:
    (tmp_path / "cities").mkdir()
    (tmp_path / "cities" / "springfield.toml").write_text(BLOCKS[0])
    (tmp_path / "cities" / "springfield-gtfs.zip").write_bytes(toy_feed())
    assert len(COMMANDS) == 3
    said = ""
    for command in COMMANDS:
        words = command.replace('"', "").split(maxsplit=2)
        arguments = words[2].split() if words[1] != "sql" else words[2].split(maxsplit=2)
        ended = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", words[1], *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "QALA_DATA": str(tmp_path / "data"),
                 "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "COLUMNS": "160",
                 "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        said = ended.stdout
    assert WEDNESDAY in said
    assert (tmp_path / "data/springfield/publish/springfield.duckdb").is_file()


def test_the_blocks_of_the_page_are_city_files(tmp_path: Path) -> None:
    path = tmp_path / "springfield.toml"
    path.write_text("".join(BLOCKS))
    named = {
        "transit",
        "fleet",
        "registry",
        "streets",
        "jobs_and_schools",
        "positions",
        "bus",
        "counts",
        "passages",
    }
    assert set(load_city(path).sources) == named


def test_every_kind_and_key_is_on_the_page() -> None:
    for kind in flow.SOURCE_KINDS:
        assert f"| `{kind.name}` |" in PAGE
    told = set(re.findall(r"`(?:[a-z_]*\.)?([a-z_]+)`", PAGE))
    keys = {*CityFacts.model_fields, *Source.model_fields} | {
        key
        for part in ("departure_window", "schedule", "delivery")
        for key in type(City.model_fields[part].default).model_fields
    }
    in_blocks = {
        key
        for block in BLOCKS
        for found in tomllib.loads(block).values()
        for part in (found if isinstance(found, list) else [found])
        for value in part.values()
        for key in ([*part] if not isinstance(value, dict) else [*value])
    }
    assert keys <= told | in_blocks
