"""Main streets: a toy register by hand, what its silence means, and Almaty's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.marts.main_streets import NO_REGISTER, compute_main_streets
from pipelines.night import SourceVersion
from pipelines.sources.works.parse import parse_works
from pipelines.staging.sift import Staged
from pipelines.staging.street_works import StreetWorks, stage_street_works
from tests.toy_feeds import night_of

ALMATY = Path(__file__).parents[2] / "cities" / "almaty.works.csv"
HEADING = "work_id,street_name,street_class,stage,stage_date,planned_opening_date,opened_date\n"
TOY = (
    HEADING
    + """\
opened,First,radial,open,2026-05-01,2026-03-31,2026-04-20
told open,Second,radial,open,2026-06-01,,
ahead,Third,radial,construction,2026-01-01,2026-12-31,
overdue,Fourth,radial,construction,2026-01-01,2026-08-31,
never planned,Fifth,internal,design,2026-01-01,,
silent,,internal,,,,
"""
)


def staged(payload: bytes) -> Staged:
    source = SourceVersion("works", "w1", "works.csv", "csv")
    return stage_street_works(parse_works(payload, source), source)


def computed(text: str, day: str) -> list[dict[str, object]]:
    result = staged(text.encode())
    assert not result.quarantine.height
    works = StreetWorks.validate(result.rows)
    return compute_main_streets(night_of(day), street_works=works).rows(named=True)


def test_a_toy_register_by_hand() -> None:
    total, internal, radial = computed(TOY, "2026-11-20")
    assert (radial["street_class"], radial["street_count"], radial["known_count"]) == (
        *("radial", 4),
        3,  # nobody told whether the one due in August opened
    )
    assert (radial["opened_count"], radial["opened_count_low"], radial["opened_count_high"]) == (
        *(None, 2),
        3,
    )
    assert radial["reason"] == "a range: of 1 of 4 streets it is not known"
    assert radial["next_opening_date"] == date(2026, 12, 31)
    assert (internal["opened_count_low"], internal["opened_count_high"]) == (0, 1)
    assert (total["street_class"], total["opened_count_low"], total["opened_count_high"]) == (
        *("all", 2),
        4,
    )


@pytest.mark.parametrize(
    ("day", "low", "high"),
    [("2026-04-19", 0, 0), ("2026-04-20", 1, 1), ("2026-06-01", 2, 2), ("2026-08-31", 2, 3)],
)
def test_a_street_opens_on_its_day(day: str, low: int, high: int) -> None:
    radial = computed(TOY, day)[2]
    assert (radial["opened_count_low"], radial["opened_count_high"]) == (low, high)
    assert radial["opened_count"] == (low if low == high else None)


def test_without_a_register_there_is_a_reason() -> None:
    works = StreetWorks.validate(staged(TOY.encode()).rows.clear())
    rows = compute_main_streets(night_of("2026-11-20"), street_works=works).rows(named=True)
    assert [(row["street_class"], row["reason"]) for row in rows] == [("all", NO_REGISTER)]
    assert {rows[0][name] for name in ("street_count", "opened_count", "opened_count_high")} == {
        None
    }


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("x,X,ring,,,,", "street_class|check"),
        ("x,X,radial,finished,2026-01-01,,", "stage|check"),
        ("x,X,radial,design,,,", "stage_has_a_day"),
        ("x,X,radial,construction,2026-05-01,,2026-04-20", "opened_is_open"),
        ("x,X,radial,,,soon,", "planned_opening_date|unparsable"),
    ],
)
def test_a_bad_row_goes_to_quarantine_by_its_rule(row: str, rule: str) -> None:
    assert staged((HEADING + row + "\n").encode()).quarantine.get_column("rule").to_list() == [rule]


def test_a_register_without_stages_is_no_register() -> None:
    with pytest.raises(SourceError, match="lacks the column 'stage'"):
        staged(b"work_id,street_class\nx,radial\n")


def test_almaty_knows_its_ten_streets_and_not_what_nobody_told() -> None:
    rows = StreetWorks.validate(staged(ALMATY.read_bytes()).rows)
    named = rows.filter(pl.col("street_name").is_not_null())
    assert dict(rows.group_by("street_class").len().rows()) == {"radial": 6, "internal": 4}
    assert named.get_column("street_class").unique().to_list() == ["radial"]
    assert rows.filter(pl.col("stage").is_not_null(), pl.col("source_address").is_null()).is_empty()
    total = compute_main_streets(night_of("2026-01-31"), street_works=rows).row(0, named=True)
    assert (total["street_count"], total["known_count"], total["opened_count_low"]) == (10, 4, 0)
    assert total["next_opening_date"] == date(2026, 8, 31)
