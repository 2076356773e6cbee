"""Nights whose readings arrive with plates in clear: on disk there are only their hashes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import ingest, run
from pipelines.city_file import load_city
from pipelines.doctor import look_at_secrets
from pipelines.errors import SourceError
from pipelines.settings import load_settings
from pipelines.sources.fetch import Fetched, retries
from pipelines.sources.landing import Landing
from pipelines.staging.passages import Passages
from pipelines.warehouse.lake import open_lake
from tests.sources.upstream import Reply, Upstream, known_of, serving

NIGHT, NEXT_NIGHT = "2026-11-20", "2026-11-21"
KEY = "a key that nobody guesses"
PLATES = ("123ABC02", "A777BCD", "456KLM05")
CITY = """
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"
figures = ["ring_road_diversion"]

[sources.passages]
kind = "passages"
address = "{address}"
format = "csv"
mark = "measured"
allow_private = true
max_quarantine_share = 0.5
columns = {{ "Number" = "plate" }}

[sources.passages.plates]
column = "plate"
key = "{{secret:plate_key}}"
"""
ROWS = [
    f"a,2026-11-20T05:00:00Z,in,heavy,{PLATES[0]}",
    f"a,2026-11-20T05:00:01Z,in,heavy,{PLATES[1]}",
    f"a,when it rained,in,heavy,{PLATES[2]}",
]
HEADINGS = "station_id,passed_at,direction,vehicle_class,Number"


def a_day(*rows: str, headings: str = HEADINGS) -> Reply:
    return Reply(200, "\n".join([headings, *rows]).encode(), {"ETag": '"v1"'})


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """Who reads the plates; temporary files of this process are the night's too."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    monkeypatch.setenv("QALA_SECRET_PLATE_KEY", KEY)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serving() as server:
        (tmp_path / "toy.toml").write_text(CITY.format(address=f"{server.url}/day.csv"))
        yield server


def fetch(known: Fetched | None = None, **secrets: str) -> Fetched:
    """Fetch the one object into landing, without a lake."""
    settings = load_settings()
    [fetched] = ingest.fetch(
        settings,
        load_city(settings.city_file),
        "passages",
        date.fromisoformat(NIGHT),
        {known.object_name: known_of(known)} if known else {},
        connections=secrets,
        failed_try=lambda _: None,
    )
    return fetched


def found_on_disk(folder: Path, *texts: str) -> set[str]:
    """Which of the texts stand in any file below a folder, packed in Parquet or not."""
    found = set()
    for file in (file for file in folder.rglob("*") if file.is_file()):
        contents = [file.read_bytes()]
        if contents[0][:4] == b"PAR1":
            contents.append(pl.read_parquet(file).write_csv().encode())
        found |= {text for text in texts for content in contents if text.encode() in content}
    return found


def hashes() -> list[str]:
    with open_lake(load_settings(), read_only=True) as lake:
        rows = lake.read("staging.passages", Passages)
    return rows.sort("passage_number").get_column("plate_hash").to_list()


@pytest.mark.slow
def test_no_plate_and_no_key_is_on_disk(upstream: Upstream, tmp_path: Path) -> None:
    upstream.tell("/day.csv", a_day(*ROWS))
    report = run.load("passages", run.fetch("passages", NIGHT, NIGHT), NIGHT, NIGHT)
    assert report["outcome"] == "done", report
    assert len(hashes()) == 2  # the third is in quarantine
    assert found_on_disk(tmp_path / "data", *hashes()) == set(hashes())  # looked at rightly
    assert found_on_disk(tmp_path / "data", "when it rained") == {"when it rained"}
    assert found_on_disk(tmp_path, *PLATES, KEY) == set()
    assert not any(hidden in str(report) for hidden in (*PLATES, KEY))
    again = run.load("passages", run.fetch("passages", NEXT_NIGHT, "2"), NEXT_NIGHT, "2")
    assert again["outcome"] == "unchanged"
    assert upstream.asked[-1].headers["If-None-Match"] == '"v1"'


def test_what_is_unchanged_is_told_by_its_etag_or_by_its_bytes(upstream: Upstream) -> None:
    upstream.tell("/day.csv", a_day(*ROWS))
    first = fetch()
    sent = upstream.bodies_sent
    again = fetch(first)
    assert (again.outcome, again.version_id) == ("unchanged", first.version_id)
    assert upstream.asked[-1].headers["If-None-Match"] == '"v1"'
    assert upstream.bodies_sent == sent
    upstream.tell("/day.csv", Reply(200, a_day(*ROWS).body))
    assert fetch(again).outcome == "unchanged"
    assert upstream.bodies_sent == sent + 1


def test_another_key_fetches_anew_what_is_unchanged_upstream(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.tell("/day.csv", a_day(*ROWS))
    first = fetch()
    other = "another key that nobody guesses"
    second = fetch(first, plate_key=other)
    assert "If-None-Match" not in upstream.asked[-1].headers
    assert second.outcome == "new"
    landing = Landing(load_settings().landing)
    before, after = (
        set(pl.read_parquet(landing.read(item.sha256)).get_column("plate_hash").drop_nulls())
        for item in (first, second)
    )
    assert len(before) == len(after) == 2
    assert not before & after
    assert found_on_disk(tmp_path, *PLATES, KEY, other) == set()


@pytest.mark.parametrize(("key", "said"), [("", "is missing"), ("short", "fewer than 16 bytes")])
def test_without_a_good_key_nothing_is_asked_for(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    monkeypatch.setenv("QALA_SECRET_PLATE_KEY", key)
    upstream.tell("/day.csv", a_day(*ROWS))
    assert run.secret_names("passages") == ["plate_key"]
    failed = fetch()
    assert (failed.outcome, failed.object_name) == ("failed", "")
    assert failed.reason.startswith("The secret 'plate_key' ")
    assert said in failed.reason
    assert upstream.asked == []


@pytest.mark.usefixtures("upstream")
def test_the_doctor_knows_the_key_and_tells_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> list[tuple[str, str]]:
        return [(item.subject, item.found) for item in look_at_secrets(load_settings())]

    assert told() == [("secret plate_key", "in QALA_SECRET_PLATE_KEY")]
    monkeypatch.setenv("QALA_SECRET_PLATE_KEY", "")
    [(_, elsewhere)] = told()
    assert elsewhere.endswith("an Airflow connection 'plate_key' must hold it")
    monkeypatch.setenv("QALA_SECRET_PLATE_KEY", "short")
    with pytest.raises(SourceError, match="fewer than 16 bytes"):
        told()


@pytest.mark.parametrize(
    "reply",
    [
        a_day(*ROWS, headings=HEADINGS.replace("direction", "plate_back")),
        a_day(*ROWS, ROWS[0].replace("a,", f"{PLATES[1]},")),
        a_day(*ROWS, headings=HEADINGS.replace("Number", "No")),
        a_day(*ROWS, headings=ROWS[0]),
        a_day(*ROWS, f'{PLATES[0]},"{PLATES[1]}'),
        a_day(*ROWS, f"{ROWS[0]},{PLATES[1]}"),
        Reply(200, "\n".join([HEADINGS, *ROWS]).encode("utf-16-le")),
        Reply(200, b"\xff" + a_day(*ROWS).body),
    ],
)
def test_a_file_that_is_refused_leaves_no_trace(
    upstream: Upstream, tmp_path: Path, reply: Reply
) -> None:
    upstream.tell("/day.csv", reply)
    failed = fetch()
    assert (failed.outcome, failed.object_name) == ("failed", "day.csv")
    assert failed.reason
    assert not any(plate in failed.reason for plate in PLATES)
    assert found_on_disk(tmp_path, *PLATES) == set()


def test_an_error_of_the_reader_is_told_without_its_words(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise pl.exceptions.InvalidOperationError(f"conversion failed for {PLATES[0]}")

    monkeypatch.setattr("pipelines.sources.traffic.passages.hashed_plates", wrong)
    upstream.tell("/day.csv", a_day(*ROWS))
    failed = fetch()
    assert failed.reason.startswith(
        "day.csv of the source 'passages' can't be read as the table that it should be. Nothing"
    )
    assert not any(plate in failed.reason for plate in PLATES)
    assert found_on_disk(tmp_path, *PLATES) == set()


def test_files_of_a_folder_stay_where_their_owner_put_them(
    upstream: Upstream, tmp_path: Path
) -> None:
    """What lies beside the data folder is its owner's; below it there are hashes alone."""
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "one.csv").write_bytes(a_day(*ROWS).body)
    (tmp_path / "toy.toml").write_text(CITY.format(address="days"))
    first = fetch()
    assert first.outcome == "new"
    assert fetch(first).outcome == "unchanged"
    assert found_on_disk(tmp_path / "data", *PLATES) == set()
