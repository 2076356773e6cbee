"""The command line: help, exit codes, and one clear sentence for whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import QalaError
from pipelines.settings import ROOT, load_settings
from tests.toy_city import CITY, write_toy_city
from tests.toy_feeds import toy_feed

pytestmark = pytest.mark.slow


def qala(*arguments: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "QALA_CITY": str(folder / "toy.toml"),
            "QALA_DATA": str(folder / "data"),
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "COLUMNS": "160",
            **more,
        },
        capture_output=True,
        text=True,
        input="",
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_toy_city(folder)
    (folder / "broken.zip").write_bytes(toy_feed()[:500])
    (folder / "orphans.zip").write_bytes(
        toy_feed(trips="route_id,service_id,trip_id\nM1,weekday,M1-0700\nnowhere,daily,B1\n")
    )
    (folder / "wrong.toml").write_text(CITY.replace("address", "adress"))
    return folder


@pytest.mark.parametrize("command", ["nightly", "sql", "validate", "doctor"])
def test_every_command_has_help(folder: Path, command: str) -> None:
    ended = qala(command, "--help", folder=folder)
    assert ended.returncode == 0
    assert "Usage" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sql", "SELECT 1"], 2, "Nothing is published at"),
        (["sql", "--known-at", "yesterday", "SELECT 1"], 2, "is no date and no time"),
        (["sql", "--known-at", "2026-11-20", "SELECT 1"], 2, "There is no lake"),
        (["nightly", "--date", "yesterday"], 2, "--date 'yesterday' is no date"),
        (["nightly", "--city", "nowhere.toml"], 2, "nowhere.toml does not exist"),
        (["nightly", "--city", "wrong.toml"], 2, "`sources.transit.address` is missing"),
        (["validate", "nowhere.zip"], 2, "nowhere.zip does not exist"),
        (["validate", "http://127.0.0.1:9/feed.zip"], 2, "can't be reached"),
        (["validate", "broken.zip"], 2, "is not a whole zip archive"),
        (["validate", "orphans.zip"], 1, "foreign_key_violation"),
        (["validate", "transit.zip"], 0, "missing_recommended_file"),
        (["conquer"], 2, "No such command"),
    ],
)
def test_exit_codes_and_sentences(folder: Path, arguments: list[str], code: int, said: str) -> None:
    ended = qala(*arguments, folder=folder)
    told = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == code, told
    assert said in told
    assert "Traceback" not in told


def test_an_answer_goes_to_a_file_or_nothing_does(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALA_CITY", str(folder / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path))
    file = load_settings().publish / "toy.duckdb"
    file.parent.mkdir(parents=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE figures AS SELECT 'Алматы' AS city, 1.5 AS share")
    ask, answer = CliRunner(), tmp_path / "answer"

    def asked(*arguments: str) -> Any:
        return ask.invoke(app, ["sql", *arguments])

    assert asked("--format", "csv", "FROM figures").stdout_bytes == (
        "city,share\r\nАлматы,1.5\r\n".encode()  # noqa: RUF001  # Cyrillic on purpose
    )
    assert asked("--format", "json", "--output", str(answer), "FROM figures").exit_code == 0
    assert json.loads(answer.read_bytes()) == [{"city": "Алматы", "share": 1.5}]
    assert "1.5" in asked("FROM figures").stdout
    for wrong in (["--format", "csv", "FROM nowhere"], ["FROM figures"]):
        ended = asked("--output", str(answer), *wrong)
        assert isinstance(ended.exception, QalaError), ended
    assert json.loads(answer.read_bytes()) == [{"city": "Алматы", "share": 1.5}]
    missing = asked("--format", "csv", "--output", str(tmp_path / "no" / "x.csv"), "FROM figures")
    assert "can't be written" in str(missing.exception)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["answer"]


def test_doctor_is_content_and_names_what_is_not(folder: Path) -> None:
    well = qala("doctor", folder=folder)
    assert well.returncode == 0, well.stdout
    ill = qala("doctor", folder=folder, QALA_CITY=str(folder / "wrong.toml"), COLUMNS="600")
    assert ill.returncode == 1
    assert "`sources.transit.address` is missing" in ill.stdout
