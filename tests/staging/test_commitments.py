"""Commitments: a toy list, what is wrong with a list, and Almaty's own."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.commitments.parse import parse_commitments
from pipelines.staging.commitments import Commitments, stage_commitments
from pipelines.staging.sift import Staged

ALMATY = Path(__file__).parents[2] / "cities" / "almaty.commitments.toml"
SOURCE = SourceVersion("commitments", "v1", "toy.commitments.toml", "toml")
TOY = """
[[commitment]]
id = "no-diesel"
rank = 1
source = "Speech"
sentence = "No diesel after 2025"
indicator = "Diesel vehicles"
unit = "vehicles"
direction = "falling"
target = 0
target_comparison = "at most"
deadline = 2025-12-31
baseline = 100
baseline_date = 2020-01-01

[commitment.figure]
table = "marts.diesel_phase_out"
column = "vehicle_count"
where = { fuel_type = "diesel", fleet_count = 3, is_clean = false }
"""
WISH = """
[[commitment]]
id = "wish"
rank = 2
source = "Speech"
sentence = "More"
indicator = "More"
needs = "a register"
"""


def staged(text: str) -> Staged:
    return stage_commitments(parse_commitments(text.encode(), SOURCE), SOURCE)


def test_a_toy_list() -> None:
    result = staged(TOY + WISH)
    assert not result.quarantine.height
    first, second = Commitments.validate(result.rows).rows(named=True)
    assert first["target_value"] == 0.0
    assert first["deadline_date"] == date(2025, 12, 31)
    assert (first["baseline_value"], first["baseline_date"]) == (100.0, date(2020, 1, 1))
    assert first["figure_where_json"] == (
        '{"fleet_count": "3", "fuel_type": "diesel", "is_clean": "false"}'
    )
    assert (second["commitment_id"], second["figure_table"]) == ("wish", None)
    assert (second["needed_input"], second["deadline_date"]) == ("a register", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"holds no \[\[commitment\]\]"),
        ("commitment = 3", r"holds no \[\[commitment\]\]"),
        ("[[commitment]\n", "is no TOML: .*line 1"),
        (WISH.replace("sentence", "sentense"), "Commitment 1 .wish. .* lacks 'sentence'"),
        (WISH + "dead_line = 2025-01-01\n", "unknown key `dead_line` .did you mean `deadline`"),
        (WISH + 'figure = "x"\n', "`figure` is no table"),
        (TOY + 'collumn = "x"\n', "unknown key `figure.collumn` .did you mean `figure.column`"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_commitments(text.encode(), SOURCE)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (TOY.replace("target = 0", 'target = "none"'), "target_value|unparsable"),
        (TOY.replace('target_comparison = "at most"', ""), "target_can_be_compared"),
        (TOY.replace("baseline_date = 2020-01-01", ""), "target_can_be_compared"),
        (TOY.replace("falling", "down"), "direction|check"),
        (TOY.replace('column = "vehicle_count"', ""), "figure_is_an_address"),
        (TOY.replace("marts.diesel", "staging.diesel"), "figure_table|regex"),
        (TOY + TOY, "primary_key|repeated"),
        (WISH.replace('needs = "a register"', ""), "figure_is_an_address"),
    ],
)
def test_a_bad_commitment_goes_to_quarantine_by_its_rule(text: str, rule: str) -> None:
    assert staged(text).quarantine.get_column("rule").to_list() == [rule]


def almaty() -> pl.DataFrame:
    source = SourceVersion("commitments", "v1", ALMATY.name, "toml")
    result = stage_commitments(parse_commitments(ALMATY.read_bytes(), source), source)
    assert not result.quarantine.height
    return Commitments.validate(result.rows)


def test_almaty_s_eighteen_commitments_name_figures_that_there_are() -> None:
    rows = almaty()
    assert rows.get_column("rank").to_list() == list(range(1, 19))
    assert rows.get_column("commitment_id").n_unique() == 18
    read = flow.table("marts.commitments_status").reads
    for row in rows.filter(pl.col("figure_table").is_not_null()).rows(named=True):
        assert row["figure_table"] in read
        columns = load_contract(flow.table(row["figure_table"])).column_names()
        named = (row["figure_column"], row["figure_share_column"], row["figure_latest_column"])
        assert set(filter(None, named)) <= set(columns)


def test_almaty_s_sentences_are_those_of_the_sources(shared_data: Path) -> None:
    with (shared_data / "methods" / "commitments.csv").open(encoding="utf-8") as table:
        told = [(int(row["rank"]), row["source"], row["sentence"]) for row in csv.DictReader(table)]
    assert almaty().select("rank", "source_name", "sentence").rows() == told
