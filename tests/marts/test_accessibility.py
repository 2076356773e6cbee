"""What residents of the toy city reach on average, by hand, and what the metro adds."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.marts.accessibility import Accessibility
from pipelines.marts.bus_reach import compute_bus_reach
from pipelines.marts.metro_reach import compute_metro_reach
from pipelines.marts.rail_reach import compute_rail_reach
from pipelines.marts.reach_equity import compute_reach_equity
from tests.marts.reach.toy_accessibility import (
    accessibility,
    metro_contribution,
    night,
    opportunities,
)
from tests.marts.reach.toy_city import CELLS, NETWORK_READ, districts, no_feed, population, toy_city
from tests.toy_feeds import SUNDAY

pytestmark = pytest.mark.slow

SCHOOLS = opportunities(("at gamma", "schools", 43.2400, 76.9369, 4.0))


def row(
    rows: pl.DataFrame, scope: str = "west", mode_set: str = "all", **of: Any
) -> dict[str, Any]:
    of = {"opportunity_type": "people", "threshold_minutes": 30, "percentile": 50} | of
    return rows.filter(scope_id=scope, mode_set=mode_set, **of).row(0, named=True)


def test_means_are_weighted_by_residents() -> None:
    rows = accessibility(**SCHOOLS)
    west, east, city = (row(rows, scope) for scope in ("west", "east", "toyville"))
    # Hill and slope both reach all but far; border, 6 people, as much, and gamma's 2 people 8.
    assert (west["reached_count"], west["reached_low"], west["reached_high"]) == (228, 116, 340)
    assert east["reached_count"] == (6 * 228 + 2 * 8) / 8
    assert city["reached_count"] == pytest.approx(
        (226 * 228 + 2 * 8 + 2000 * 2000) / 2228, abs=1e-3
    )
    assert (west["residents_count"], west["opportunities_count"]) == (220.0, 2228.0)
    assert west["reached_share"] == pytest.approx(228 / 2228, abs=1e-6)


def test_other_opportunities_and_mode_sets() -> None:
    rows = accessibility(**SCHOOLS)
    assert row(rows, opportunity_type="schools")["reached_share"] == 1.0
    assert row(rows, mode_set="bus", opportunity_type="schools")["reached_count"] == 0.0
    assert row(rows, mode_set="metro")["inputs_id"] != row(rows, mode_set="all")["inputs_id"]


def test_without_steps_nothing_is_known_and_all_possible() -> None:
    rows = accessibility()
    known, possible = (row(rows, mode_set=f"step-free {word}") for word in ("known", "possible"))
    assert known["reached_count"] is None
    assert known["reason"].startswith("no trips known to be step-free in the window")
    assert possible["reached_count"] == 228.0


def test_a_row_for_everything_also_without_inputs() -> None:
    assert accessibility(**SCHOOLS).height == 3 * 6 * 2 * 9
    nothing = accessibility(**no_feed(NETWORK_READ))
    assert nothing.height == 3 * 6 * 1 * 9
    assert set(nothing.get_column("reason")) == {"no GTFS feed"}


def test_without_people_or_districts_there_is_the_city_alone() -> None:
    rows = accessibility(**population(), **districts())
    assert set(rows.get_column("scope_id")) == {"toyville"}
    assert set(rows.get_column("reason")) == {"no population grid"}
    assert rows.get_column("residents_count").null_count() == rows.height


def test_a_district_where_nobody_lives_says_so() -> None:
    nobody = population(*(cell if cell[0] != "far" else (*cell[:3], 0, 0, 0) for cell in CELLS[2:]))
    assert row(accessibility(**nobody))["reason"] == "no residents in the population grid"


def test_what_the_metro_adds() -> None:
    added = metro_contribution(**SCHOOLS).filter(scope_id="west", threshold_minutes=30)
    people, schools = added.sort("opportunity_type").iter_rows(named=True)
    assert (people["metro_and_bus_count"], people["bus_count"]) == (228.0, 226.0)
    assert (people["added_count"], people["added_share"]) == (2.0, round(2 / 226, 6))
    assert (schools["added_count"], schools["added_share"]) == (4.0, None)
    assert schools["reason"] == "nothing is reached by bus alone"


def test_where_the_metro_does_not_run_it_adds_nothing_that_could_be_told() -> None:
    [told] = (
        metro_contribution(night(SUNDAY))
        .filter(scope_id="west", threshold_minutes=30)
        .iter_rows(named=True)
    )
    assert (told["bus_count"], told["added_count"], told["added_share"]) == (226.0, None, None)
    assert told["reason"].startswith("no metro trips in the window: feed 'feed1'")


def test_equity_compares_districts() -> None:
    city = toy_city()
    reach = {
        "metro_reach": compute_metro_reach(night(), **city),
        "bus_reach": compute_bus_reach(night(), **city),
        "rail_reach": compute_rail_reach(night(), **city),
    }
    rows = compute_reach_equity(
        night(), **reach, accessibility=accessibility(), districts=city["districts"]
    ).filter(figure_table="marts.accessibility")
    assert rows.height == 3
    half = rows.filter(pl.col("figure_rows").str.ends_with("threshold_minutes = 30"))
    [told] = half.iter_rows(named=True)
    assert (told["worst_district_id"], told["best_district_id"]) == ("east", "west")
    assert told["worst_to_best_ratio"] == pytest.approx(173 / 228, abs=1e-5)
    assert told["departure_window"] == "06:40-07:00"


def test_what_is_null_has_a_reason() -> None:
    _, failure = Accessibility.filter(
        accessibility().with_columns(reached_count=pl.lit(None, pl.Float64))
    )
    assert "reason_given" in failure.counts()
