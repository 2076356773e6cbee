"""Names that come from feeds, registers and city files are only names: none is ever code."""

from __future__ import annotations

import csv
import tempfile
import tomllib
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.city_file import load_city
from pipelines.contracts.ddl import quoted, quoted_text
from pipelines.errors import SettingsError
from pipelines.settings import Settings
from pipelines.warehouse.lake import open_lake
from tests.toy_city import FLEET, SMALL, run_night, write_toy_city
from tests.toy_feeds import FILES, toy_feed
from tests.warehouse.test_lake import numbers_in, put

DAY = "2026-11-18"
HOSTILE = (
    "'; DROP TABLE marts.stop_departures; --",
    '"; DROP SCHEMA marts CASCADE; --',
    "$$ ATTACH 'x' $$",
    "=HYPERLINK(\"http://x\";\"y\")",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {secret:feed}",
    "../../../etc/passwd",
    "\u202egnp.exe",
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
)


@settings(deadline=None)
@given(NAMES)
def test_quoted_names_and_texts_stay_what_they_are(name: str) -> None:
    with duckdb.connect() as connection:
        assert connection.sql(f"SELECT {quoted_text(name)}").fetchone() == (name,)
        if name:
            found = connection.sql(f"SELECT 1 AS {quoted(name)}").columns
            assert found == [name]


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.lists(NAMES.filter(bool), min_size=1, max_size=3, unique=True))
def test_a_partition_may_have_any_key(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    place = tmp_path_factory.mktemp("lake")
    told = Settings(place, place, str(place / "c.sqlite"), str(place / "objects"))
    with open_lake(told) as lake:
        for number, name in enumerate(names):
            put(lake, name, number, number + 1)
        put(lake, names[0], 77)
        kept = [(name, n) for k, name in enumerate(names) if k for n in (k, k + 1)]
        assert sorted(numbers_in(lake)) == sorted([(names[0], 77), *kept])


@settings(deadline=None)
@given(NAMES)
def test_a_source_has_a_plain_name_or_the_city_file_is_refused(name: str) -> None:
    quoted_key = '"' + "".join(f"\\U{ord(letter):08x}" for letter in name) + '"'
    city = SMALL.replace("[sources.fleet]", f"[sources.{quoted_key}]")
    assert name in tomllib.loads(city)["sources"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "toy.toml")
        path.write_text(city, encoding="utf-8")
        if (
            name.isascii()
            and name.replace("_", "").isalnum()
            and name[0].islower()
            and name.islower()
        ):
            assert name in load_city(path).sources
        else:
            with pytest.raises(SettingsError, match=r"^City file .*toy\.toml: "):
                load_city(path)


def hostile(number: int) -> str:
    return HOSTILE[number % len(HOSTILE)]


def cells(*values: str) -> str:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values)


@pytest.mark.slow
def test_a_night_of_hostile_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops, routes, trips, agency, vehicles and a file are named so; the night goes out whole."""
    ids = {old: f"{hostile(n)} {n}" for n, old in enumerate(("MA", "MB", "MC", "BA", "BB", "BC"))}
    stops, times, routes = (FILES[name].splitlines() for name in ("stops", "stop_times", "routes"))
    hostile_stops = [
        cells(ids.get(one, one), hostile(n), *rest)
        for n, (one, _, *rest) in enumerate(line.split(",") for line in stops[1:])
    ]
    hostile_times = [
        cells(*rest[:3], ids.get(rest[3], rest[3]), rest[4])
        for rest in (line.split(",") for line in times[1:])
    ]
    hostile_routes = [
        cells(one, agency, hostile(n), hostile(n + 2), kind)
        for n, (one, agency, _, _, kind) in enumerate(line.split(",") for line in routes[1:])
    ]
    feed = toy_feed(
        stops="\n".join([stops[0], *hostile_stops]) + "\n",
        stop_times="\n".join([times[0], *hostile_times]) + "\n",
        routes="\n".join([routes[0], *hostile_routes]) + "\n",
    )
    vehicles = [
        cells(f"{one} {hostile(n)}", hostile(n + 1), *rest)
        for n, (one, _, *rest) in enumerate(line.split(",") for line in FLEET.splitlines()[1:])
    ]
    city = SMALL.replace('"fleet.csv"', '"registers/*"').replace("Toytown", HOSTILE[4])
    path = write_toy_city(tmp_path / "city", city=city, feed=feed)
    registers = tmp_path / "city" / "registers"
    registers.mkdir()
    name = "'; DROP TABLE ops.steps; --.csv"
    (registers / name).write_text("\n".join([FLEET.splitlines()[0], *vehicles]) + "\n")
    monkeypatch.setenv("QALA_CITY", str(path))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    told = run_night(DAY)
    assert not [report for report in told.values() if isinstance(report, Exception)], told
    publish = tmp_path / "data" / "toy" / "publish"
    with duckdb.connect(str(publish / "toy.duckdb"), read_only=True) as connection:
        published = connection.sql("SELECT DISTINCT stop_id FROM marts.stop_departures").fetchall()
        operators = connection.sql("FROM marts.diesel_phase_out").pl().get_column("operator_name")
        objects = connection.sql("SELECT object_name FROM meta.sources").fetchall()
    assert set(ids.values()) & {one for (one,) in published}
    assert {hostile(1), hostile(2)} <= set(operators)
    assert (name,) in objects
    for file in (publish / "extracts" / DAY).glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as text:
            starts = {cell[:1] for row in csv.reader(text) for cell in row}
        assert not starts & {"=", "@"}, file.name
    page = publish / "brief" / DAY / "index.html"
    assert "<script>alert(1)" not in page.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in (publish / "checks" / f"{DAY}.html").read_text("utf-8")
