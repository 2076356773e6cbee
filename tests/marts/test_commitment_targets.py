"""Commitment targets: outcomes by hand, and every target that Almaty announced."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.errors import ContractError
from pipelines.marts.commitment_targets import NOT_KNOWN, compute_commitment_targets
from pipelines.marts.diesel_burn_down import DieselBurnDown
from pipelines.night import SourceVersion
from pipelines.sources.commitments.parse import parse_commitments
from pipelines.staging.commitments import (
    AnnouncedTargets,
    Commitments,
    stage_announced_targets,
    stage_commitments,
)
from tests.toy_feeds import night_of

ALMATY = Path(__file__).parents[2] / "cities" / "almaty.commitments.toml"
TARGET = {
    "source_id": "promises",
    "version_id": "v1",
    "target_id": "half",
    "commitment_id": "clean",
    "announced_date": date(2022, 4, 13),
    "source_name": "City",
    "source_address": "https://example.org",
    "statement": "Half",
    "target_value": 0.5,
    "target_comparison": "at least",
    "deadline_date": date(2022, 12, 31),
    "published_value": 0.53,
    "published_date": date(2023, 3, 1),
    "published_scope": "city",
    "published_address": "https://example.org/53",
}


FIGURE = {
    "figure_table": "marts.diesel_burn_down",
    "figure_column": "clean_share",
    "figure_latest_column": "as_of_date",
    "figure_where_json": '{"status_scope": "in service"}',
    "figure_scope": "in service",
}


def burn_down(day: str, *counted: tuple[date, float | None]) -> pl.DataFrame:
    schema = {name: column.dtype for name, column in DieselBurnDown.columns().items()}
    rows = [
        {
            "service_date": date.fromisoformat(day),
            "as_of_date": as_of,
            "status_scope": scope,
            "clean_share": share,
            "mark": "synthetic",
        }
        for as_of, share in counted
        for scope in ("in service", "with reserve")
    ]
    return pl.DataFrame(rows, schema=schema)


def computed(
    day: str, *targets: dict[str, Any], counted: tuple[tuple[date, float | None], ...] = ()
) -> list[dict[str, Any]]:
    schema = {name: column.dtype for name, column in AnnouncedTargets.columns().items()}
    listed = AnnouncedTargets.validate(pl.DataFrame(list(targets), schema=schema))
    rows = compute_commitment_targets(
        night_of(day), announced_targets=listed, diesel_burn_down=burn_down(day, *counted)
    )
    return rows.rows(named=True)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({}, "met"),
        ({"published_value": 0.5}, "met"),
        ({"published_value": 0.49}, "missed"),
        ({"target_comparison": "above", "published_value": 0.5}, "missed"),
        ({"target_comparison": "at most", "published_value": 0.5}, "met"),
        ({"target_comparison": "below", "published_value": 0.5}, "missed"),
        ({"published_date": date(2023, 4, 2)}, "met"),
        ({"published_date": date(2023, 4, 3)}, "not known"),
        ({"published_date": date(2022, 9, 30)}, "met"),
        ({"published_date": date(2022, 9, 29)}, "not known"),
        ({"deadline_date": date(2026, 11, 20)}, "not due"),
        (dict.fromkeys(("published_value", "published_date")), "not known"),
    ],
)
def test_an_outcome_by_its_rules(told: dict[str, Any], outcome: str) -> None:
    if told.get("published_date", 0) is None:
        told = {**told, "published_scope": None, "published_address": None}
    [row] = computed("2026-11-20", {**TARGET, **told})
    assert row["outcome"] == outcome
    assert row["reason"] == (NOT_KNOWN if outcome == "not known" else None)


def test_a_past_night_knows_nothing_of_what_came_later() -> None:
    assert computed("2022-04-12", TARGET) == []
    [row] = computed("2023-02-28", TARGET)
    assert (row["outcome"], row["published_value"], row["published_address"]) == (
        *("not known", None),
        None,
    )
    [row] = computed("2023-03-01", TARGET)
    assert (row["outcome"], row["published_after_days_count"]) == ("met", 60)
    undated = {**TARGET, "announced_date": None, "announced_text": "long ago"}
    assert len(computed("2020-01-01", undated)) == 1


def test_a_figure_measures_up_to_the_deadline_and_decides_where_nothing_was_published() -> None:
    unpublished = dict.fromkeys(
        f"published_{part}" for part in ("value", "date", "scope", "address")
    )
    target = {**TARGET, **FIGURE, **unpublished}
    months = (
        (date(2022, 10, 31), 0.4),
        (date(2022, 11, 30), 0.51),
        (date(2022, 12, 31), None),
        (date(2023, 1, 31), 0.2),
    )
    [row] = computed("2026-11-20", target, counted=months)
    assert (row["measured_value"], row["measured_date"]) == (0.51, date(2022, 11, 30))
    assert (row["measured_scope"], row["measured_mark"]) == ("in service", "synthetic")
    assert (row["outcome"], row["mark"], row["published_value"]) == ("met", "synthetic", None)
    # What was published near the deadline goes first.
    [row] = computed("2026-11-20", {**TARGET, **FIGURE, "published_value": 0.4}, counted=months)
    assert (row["outcome"], row["mark"], row["measured_value"]) == ("missed", "published", 0.51)
    # Before the deadline it tells how things stand; long before it decides nothing.
    [row] = computed("2022-11-15", target, counted=months)
    assert (row["outcome"], row["measured_value"]) == ("not due", 0.4)
    [row] = computed("2026-11-20", target, counted=((date(2022, 9, 29), 0.6),))
    assert (row["outcome"], row["measured_value"], row["mark"]) == ("not known", 0.6, "published")
    [row] = computed("2026-11-20", target)
    assert (row["outcome"], row["measured_value"]) == ("not known", None)


def test_an_address_that_leads_nowhere_is_an_error() -> None:
    with pytest.raises(
        ContractError, match=r"'half' names of marts.diesel_burn_down the value 'x'"
    ):
        computed("2026-11-20", {**TARGET, **FIGURE, "figure_column": "x"})
    with pytest.raises(ContractError, match=r"'half' names the mart 'marts.x'"):
        computed("2026-11-20", {**TARGET, **FIGURE, "figure_table": "marts.x"})


def test_of_two_lists_with_one_target_the_first_counts() -> None:
    rows = computed("2026-11-20", {**TARGET, "source_id": "z", "target_value": 1.0}, TARGET)
    assert [row["target_value"] for row in rows] == [0.5]


def almaty() -> pl.DataFrame:
    source = SourceVersion("commitments", "v1", ALMATY.name, "toml")
    raw = parse_commitments(ALMATY.read_bytes(), source)
    result = stage_announced_targets(raw, source)
    assert not result.quarantine.height
    listed = Commitments.validate(stage_commitments(raw, source).rows)
    assert set(result.rows.get_column("commitment_id")) <= set(listed.get_column("commitment_id"))
    return AnnouncedTargets.validate(result.rows)


def test_almaty_s_targets_over_time_and_what_became_of_them() -> None:
    night = night_of("2026-11-20")
    never = burn_down("2026-11-20")
    rows = compute_commitment_targets(night, announced_targets=almaty(), diesel_burn_down=never)
    told = rows.sort("deadline_date", "target_id").select(
        pl.col("deadline_date").dt.year(), "target_value", "outcome", "published_value"
    )
    assert told.rows() == [
        (2016, 1.0, "not known", 0.6),
        (2022, 0.5, "not known", 0.53),
        (2023, 0.6, "missed", 0.53),
        (2024, 0.7, "not known", 0.5264),
        (2025, 1.0, "missed", 0.5264),
        (2025, 0.0, "missed", 1392.0),
        (2027, 0.0, "not due", None),
    ]


def agree_with(snapshots: list[dict[str, str]], month: str, share: str, diesel: str) -> None:
    """Every published value of Almaty's targets is that of a snapshot of its month."""
    for row in almaty().drop_nulls("published_value").rows(named=True):
        that_month = row["published_date"].strftime("%Y-%m")
        told = next(s for s in snapshots if s[month].startswith(that_month))
        is_share = row["unit"] == "share"
        percent = 100 if share.endswith("_pct") else 1
        expected = float(told[share]) / percent if is_share else float(told[diesel])
        assert row["published_value"] == pytest.approx(expected)
        assert row["published_address"] == told.get("source_address", told.get("source"))


def test_almaty_s_published_values_are_those_of_its_snapshots() -> None:
    with ALMATY.with_name("almaty.fleet_snapshots.csv").open(encoding="utf-8") as table:
        agree_with(list(csv.DictReader(table)), "as_of", "clean_share", "diesel_count")


def test_almaty_s_published_values_are_those_of_the_facts(shared_data: Path) -> None:
    with (shared_data / "methods" / "fleet_snapshots.csv").open(encoding="utf-8") as table:
        agree_with(list(csv.DictReader(table)), "date", "clean_share_pct", "diesel")
