"""Editions of a toy night's extracts: signed, the same twice, restated, withdrawn, succeeded.

One night is run. What later ones would tell is written into the lake in its place, and published.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dataframely as dy
import fastexcel
import polars as pl
import pytest

from pipelines import flow, run
from pipelines.audit import CHECKS
from pipelines.contracts import load_contract
from pipelines.contracts.canonical import content_hash, in_key_order
from pipelines.errors import QalaError
from pipelines.quality.results import CheckResults
from pipelines.settings import load_settings
from pipelines.signing import read_signer
from pipelines.trusted_keys import TrustedKeys, trusted_by
from pipelines.verification import verify_folder
from pipelines.warehouse.lake import open_lake
from pipelines.warehouse.night_sources import SourceNights, governing
from pipelines.warehouse.state import date_key, written
from tests.toy_city import FLEET, SMALL, run_night, write_toy_city

pytestmark = [pytest.mark.slow, pytest.mark.long]

DAY, NEXT_DAY = "2026-11-18", "2026-11-19"
SEED = base64.b64encode(bytes(range(32))).decode()
CITY = re.sub(
    r"(?ms)^\[sources\.transit\].*?(?=^\[)",
    "",
    SMALL.replace("stop_departures", "diesel_burn_down"),
)
HOSTILE = "=HYPERLINK(1);<b>\u202eGreen"
PHASE_OUT, BURN_DOWN = flow.table("marts.diesel_phase_out"), flow.table("marts.diesel_burn_down")
Told = dict[str, Any]


def public() -> TrustedKeys:
    key = read_signer(SEED).public
    assert key is not None
    return trusted_by(key.text)


def folder(day: str = DAY) -> Path:
    return load_settings().publish / "extracts" / day


def read(name: str, day: str = DAY) -> Told:
    told: Told = json.loads((folder(day) / name).read_bytes())
    return told


def contents(day: str = DAY) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder(day).iterdir()}


def tell(table: flow.Table, change: Callable[[pl.DataFrame], pl.DataFrame], day: str = DAY) -> None:
    """Let the lake hold, for a day, what was told for the first one, changed."""
    contract, rows = mart(table)
    key = date_key(date.fromisoformat(day))
    changed = change(rows.with_columns(service_date=pl.lit(key["service_date"])))
    with open_lake(load_settings(), run_id="later") as lake:
        lake.write(written(lake, table, key, contract, changed, input_hash="later")[0])


def one_more(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("vehicle_count") + 1)


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("editions")
    write_toy_city(root, city=CITY)
    (root / "fleet.csv").write_text(FLEET.replace("Green", HOSTILE))
    with pytest.MonkeyPatch.context() as patch:
        point_at(root, patch)
        told = run_night(DAY)
    assert not [error for error in told.values() if isinstance(error, QalaError)]
    return root


def point_at(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("QALA_CITY", str(root / "toy.toml"))
    patch.setenv("QALA_DATA", str(root / "data"))
    patch.setenv("QALA_SIGNING_KEY", SEED)
    for name in ("QALA_CATALOG", "QALA_OBJECTS"):
        patch.delenv(name, raising=False)


@pytest.fixture
def toytown(first_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(first_night, tmp_path / "copy")
    point_at(tmp_path / "copy", monkeypatch)
    return tmp_path / "copy"


def mart(table: flow.Table) -> tuple[type[dy.Schema], pl.DataFrame]:
    contract = load_contract(table)
    with open_lake(load_settings(), read_only=True) as lake:
        rows = lake.read_partitions(table.name, contract, [date_key(date.fromisoformat(DAY))])
    return contract, in_key_order(rows, contract)


@pytest.mark.parametrize("table", [PHASE_OUT, BURN_DOWN], ids=lambda table: table.short_name)
def test_every_value_that_goes_out_is_the_marts(toytown: Path, table: flow.Table) -> None:
    contract, rows = mart(table)
    assert rows.height
    stem = folder() / table.short_name
    assert pl.read_parquet(f"{stem}.parquet").equals(rows)
    plain = rows.with_columns(pl.selectors.date().cast(pl.String)).to_dicts()
    assert json.loads(Path(f"{stem}.json").read_bytes()) == plain
    told = list(csv.DictReader(io.StringIO(Path(f"{stem}.csv").read_bytes().decode(), newline="")))
    for found, row in zip(told, plain, strict=True):
        for column, value in row.items():
            text = found[column].removeprefix("'")
            assert (json.loads(text) if isinstance(value, float | bool) else text) == (
                value if isinstance(value, float | bool) else "" if value is None else str(value)
            )
    sheet = fastexcel.read_excel(f"{stem}.xlsx").load_sheet(table.short_name).to_polars()
    for column in contract.column_names():
        kind = rows.schema[column]
        assert sheet[column].cast(kind).to_list() == rows[column].to_list()
    (facts,) = (f for f in read("manifest.json")["files"] if f["file"] == f"{table.short_name}.csv")
    assert facts["content_sha256"] == content_hash(rows, contract)


def test_a_night_is_signed_and_comes_out_the_same_again(toytown: Path) -> None:
    assert verify_folder(folder(), public()) == []
    manifest, before = read("manifest.json"), contents()
    assert (manifest["edition"], manifest["replaces"]) == (1, None)
    assert read("restatements.json")["comparisons"] == []
    first = manifest["files"][0]
    assert {"definition_version", "schema_version", "content_sha256", "mark", "rows"} <= set(first)
    assert run.publish(DAY, "again")["outcome"] == "unchanged"
    shutil.rmtree(folder())
    assert run.publish(DAY, "again")["outcome"] == "done"
    assert contents() == before
    (folder() / "manifest.sig").write_bytes(b"{}")
    assert run.publish(DAY, "again")["outcome"] == "done"
    assert contents() == before


def test_without_a_key_the_same_night_goes_out_unsigned(
    toytown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = contents()
    monkeypatch.delenv("QALA_SIGNING_KEY")
    assert "none: no key" in run.publish(DAY, "without")["text"]
    unsigned = contents()
    assert set(signed) - set(unsigned) == {"manifest.sig"}
    assert {name for name in unsigned if unsigned[name] != signed[name]} == {"manifest.json"}
    assert (read("manifest.json")["signature"], read("manifest.json")["edition"]) == (
        *("none: no key", 1),
    )


def test_other_contents_are_the_next_edition_which_says_what_it_restates(toytown: Path) -> None:
    old = mart(PHASE_OUT)[1]
    sources = {s["source_id"]: s["version_id"] for s in read("manifest.json")["sources"]}
    tell(PHASE_OUT, one_more)
    with open_lake(load_settings(), run_id="later") as lake:
        (fleet,) = governing(lake, date.fromisoformat(DAY), ["fleet"])
        other = replace(fleet, version_id="another")
        lake.write(SourceNights(lake, "fleet").partitions(date.fromisoformat(DAY), [other]))
    run.publish(DAY, "later")
    manifest = read("manifest.json")
    assert verify_folder(folder(), public()) == []
    assert (manifest["edition"], manifest["replaces"]["edition"]) == (2, 1)
    (comparison,) = read("restatements.json")["comparisons"]
    assert comparison["before"]["manifest_sha256"] == manifest["replaces"]["manifest_sha256"]
    (table,) = comparison["tables"]
    assert table["table"] == PHASE_OUT.name
    assert table["causes"] == [
        {
            "cause": "new version of a source",
            "source_id": "fleet",
            "object_name": fleet.object_name,
            "from": sources["fleet"],
            "to": "another",
        }
    ]
    counts = [(row["from"]["vehicle_count"], row["to"]["vehicle_count"]) for row in table["rows"]]
    assert sorted(counts) == sorted((n, n + 1) for n in old["vehicle_count"].drop_nulls())
    second = contents()
    shutil.rmtree(folder())
    run.publish(DAY, "again")
    assert contents() == second


def test_a_later_night_says_which_past_figures_it_tells_otherwise(toytown: Path) -> None:
    def with_another_past(rows: pl.DataFrame) -> pl.DataFrame:
        is_old = pl.col("as_of_date") == rows["as_of_date"].min()
        return rows.with_columns(fleet_count=pl.when(is_old).then(99).otherwise("fleet_count"))

    with open_lake(load_settings(), run_id="later") as lake:
        checks = lake.read(CHECKS, CheckResults)
        key = date_key(date.fromisoformat(NEXT_DAY))
        rows = checks.with_columns(service_date=pl.lit(key["service_date"]))
        lake.write(written(lake, CHECKS, key, CheckResults, rows, input_hash="later")[0])
    tell(PHASE_OUT, one_more, NEXT_DAY)  # a figure of the night itself
    tell(BURN_DOWN, with_another_past, NEXT_DAY)
    run.publish(NEXT_DAY, "later")
    (comparison,) = read("restatements.json", NEXT_DAY)["comparisons"]
    assert (comparison["before"]["service_date"], comparison["before"]["edition"]) == (DAY, 1)
    (table,) = comparison["tables"]
    assert table["table"] == BURN_DOWN.name
    oldest = mart(BURN_DOWN)[1]["as_of_date"].min()
    assert {row["key"]["as_of_date"] for row in table["rows"]} == {str(oldest)}
    assert {row["to"]["fleet_count"] for row in table["rows"]} == {99}


def test_an_edition_is_withdrawn_and_succeeded(toytown: Path) -> None:
    with pytest.raises(QalaError, match="No extracts of 2026-11-19 were ever published"):
        run.withdraw(NEXT_DAY, "by hand", reason="why")
    with pytest.raises(QalaError, match="for a reason"):
        run.withdraw(DAY, "by hand", reason=" ")
    before = contents()
    run.withdraw(DAY, "by hand", reason="Diesel was counted twice.")
    assert contents().keys() - before.keys() == {"WITHDRAWN.json"}
    (finding,) = verify_folder(folder(), public())
    assert finding.kind == "withdrawn"
    assert finding.text.endswith("Diesel was counted twice. Nothing stands in its place.")
    withdrawn = contents()
    assert run.publish(DAY, "again")["outcome"] == "unchanged"
    assert contents() == withdrawn  # the same figures are withdrawn still
    copied = toytown / "elsewhere" / DAY  # what the ministry received
    shutil.copytree(folder(), copied)
    (copied / "WITHDRAWN.json").unlink()
    assert verify_folder(copied, public()) == []

    tell(PHASE_OUT, one_more)
    run.publish(DAY, "later")
    assert verify_folder(folder(), public()) == []
    assert read("manifest.json")["replaces"]["withdrawn"] == "Diesel was counted twice."
    shutil.copy(folder().parent / "notices.jsonl", copied.parent)
    (finding,) = verify_folder(copied, public())
    assert finding.text.endswith(f"edition 2 of {DAY} stands in its place.")
