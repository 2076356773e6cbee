"""Commitments: a toy list, what is wrong with a list, and Almaty's own."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.commitments.parse import parse_commitments
from pipelines.staging.commitments import (
    AnnouncedTargets,
    Commitments,
    stage_announced_targets,
    stage_commitments,
)
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


TARGET = """
[[target]]
id = "half"
commitment = "no-diesel"
announced = 2022-04-13
source = "City"
address = "https://example.org/half"
statement = "Half of them clean by 2022"
unit = "share"
value = 0.5
comparison = "at least"
deadline = 2022-12-31

[target.published]
value = 0.53
date = 2023-12-29
scope = "city"
address = "https://example.org/53"
"""


def staged_targets(text: str) -> Staged:
    return stage_announced_targets(parse_commitments(text.encode(), SOURCE), SOURCE)


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
        (WISH + TARGET.replace("deadline", "dedline"), "Target 1 .half. .* lacks 'deadline'"),
        (WISH + TARGET + 'note = "x"\n', "unknown key `published.note`"),
        (WISH + "[target]\nid = 1\n", r"holds no \[\[target\]\]"),
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
        (WISH + '[commitment.forecast]\ntable = "marts.x"\n', "forecast_is_an_address"),
    ],
)
def test_a_bad_commitment_goes_to_quarantine_by_its_rule(text: str, rule: str) -> None:
    assert staged(text).quarantine.get_column("rule").to_list() == [rule]


def test_a_toy_target() -> None:
    result = staged_targets(WISH + TARGET)
    assert not result.quarantine.height
    row = AnnouncedTargets.validate(result.rows).row(0, named=True)
    assert (row["target_id"], row["commitment_id"]) == ("half", "no-diesel")
    assert (row["announced_date"], row["deadline_date"]) == (date(2022, 4, 13), date(2022, 12, 31))
    assert (row["published_value"], row["published_date"]) == (0.53, date(2023, 12, 29))
    assert staged_targets(WISH).rows.is_empty()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (TARGET.replace("announced = 2022-04-13\n", ""), "announcement_is_dated"),
        (TARGET.replace('scope = "city"\n', ""), "published_is_told_whole"),
        (TARGET.replace("value = 0.53\n", ""), "published_is_told_whole"),
        (TARGET.replace("at least", "about"), "target_comparison|check"),
        (
            TARGET + '[target.figure]\ntable = "marts.x"\ncolumn = "y"\n',
            "figure_is_dated",
        ),
        (TARGET + TARGET, "primary_key|repeated"),
    ],
)
def test_a_bad_target_goes_to_quarantine_by_its_rule(text: str, rule: str) -> None:
    assert staged_targets(WISH + text).quarantine.get_column("rule").to_list() == [rule]


def almaty() -> pl.DataFrame:
    source = SourceVersion("commitments", "v1", ALMATY.name, "toml")
    result = stage_commitments(parse_commitments(ALMATY.read_bytes(), source), source)
    assert not result.quarantine.height
    return Commitments.validate(result.rows)


def test_almaty_s_eighteen_commitments_name_figures_that_there_are() -> None:
    rows = almaty()
    assert rows.get_column("rank").to_list() == list(range(1, 19))
    assert rows.get_column("commitment_id").n_unique() == 18
    none_leads_nowhere(rows, "marts.commitments_status", "figure")
    none_leads_nowhere(rows, "marts.commitments_status", "forecast")


def test_almaty_s_targets_name_figures_that_there_are() -> None:
    source = SourceVersion("commitments", "v1", ALMATY.name, "toml")
    raw = parse_commitments(ALMATY.read_bytes(), source)
    rows = AnnouncedTargets.validate(stage_announced_targets(raw, source).rows)
    none_leads_nowhere(rows, "marts.commitment_targets", "figure")


def none_leads_nowhere(rows: pl.DataFrame, mart: str, part: str) -> None:
    """No address of the list leads nowhere."""
    named = rows.filter(pl.col(f"{part}_table").is_not_null())
    assert named.height
    for row in named.rows(named=True):
        assert row[f"{part}_table"] in flow.table(mart).reads
        columns = load_contract(flow.table(row[f"{part}_table"])).column_names()
        told = {row[name] for name in row if name.startswith(part) and name.endswith("column")}
        where = json.loads(row[f"{part}_where_json"] or "{}")
        assert {*told, *where} - {None} <= set(columns)


def test_almaty_s_sentences_are_those_of_the_sources(shared_data: Path) -> None:
    with (shared_data / "methods" / "commitments.csv").open(encoding="utf-8") as table:
        told = [(int(row["rank"]), row["source"], row["sentence"]) for row in csv.DictReader(table)]
    assert almaty().select("rank", "source_name", "sentence").rows() == told
