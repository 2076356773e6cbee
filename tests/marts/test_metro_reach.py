"""Reach by metro in the toy city, its numbers derived by hand (see `reach/toy_city.py`)."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import polars as pl
import pytest

from pipelines.marts.metro_reach import METRO, MetroReach, compute_metro_reach
from pipelines.marts.reach.residents import compute_reach
from pipelines.marts.reach.service import Timetable
from pipelines.marts.reach.walking import Walkways
from tests.marts.reach.toy_city import (
    CELLS,
    EAST,
    WEST,
    a_night,
    districts,
    no_feed,
    population,
    timetable,
    toy_city,
)
from tests.toy_feeds import FILES, NAURYZ, SUNDAY, toy_feed

FIGURES = [
    "scope_id",
    "served_stop_count",
    "residents_count",
    "residents_low",
    "residents_high",
    "residents_within_count",
    "residents_within_low",
    "residents_within_high",
    "reach_share",
]


@pytest.mark.slow
def test_residents_within_1000_m_of_the_stations() -> None:
    reach = compute_metro_reach(a_night(), **toy_city())
    # All: 20 + 200 + 6 + 2 + 2000. Within: hill 20, border 6, gamma 2; slope is 12 m too far.
    assert reach.select(FIGURES).rows() == [
        ("toyville", 3, 2228.0, 1116.0, 3340.0, 28.0, 16.0, 40.0, 0.012567),
        ("east", 1, 8.0, 6.0, 10.0, 8.0, 6.0, 10.0, 1.0),
        ("west", 2, 220.0, 110.0, 330.0, 20.0, 10.0, 30.0, 0.090909),
    ]


def test_rows_name_their_scope_method_and_officials() -> None:
    city, east, west = compute_metro_reach(a_night(), **toy_city()).iter_rows(named=True)
    named = {
        "service_date": date(2026, 11, 18),
        "day_type": "weekday",
        "departure_window": "whole day",
        "method": "straight line x 1.3",
        "mark": "modelled",
        "reason": None,
        "distance_m": 1000,
    }
    assert named.items() <= city.items()
    assert named.items() <= east.items()
    assert (city["scope_type"], city["scope_name"]) == ("city", "Toyville")
    assert (west["scope_type"], west["scope_name"]) == ("district", "West")
    assert (west["official_population"], west["population_precision"]) == (250, "exact")
    assert (city["official_population"], city["population_precision"]) == (260, "lower_bound")


def test_exact_districts_are_rescaled_to_their_totals_and_lower_bounds_never() -> None:
    reach = compute_metro_reach(a_night(), **toy_city())
    rescaled = ("residents_rescaled_count", "residents_within_rescaled_count")
    # West's 220 become 250, of whom hill's 20 become 22.7; East's 8 stay, and are no total.
    assert reach.select("scope_id", *rescaled, "reach_rescaled_share").rows() == [
        ("toyville", 2258.0, 30.7, pytest.approx(30.7 / 2258, abs=1e-6)),
        ("east", None, None, None),
        ("west", 250.0, 22.7, 0.0908),
    ]


@pytest.mark.slow
def test_step_free_reach_has_two_bounds() -> None:
    # At Gamma (2 residents) the feed promises access, at Beta (border's 6) it denies it.
    words = {"MA": "", "MB": "2", "MC": "1"}
    lines = FILES["stops"].strip().split("\n")
    stops = [f"{lines[0]},wheelchair_boarding"]
    stops += [f"{line},{words.get(line.split(',')[0], '')}" for line in lines[1:]]
    columns = ("residents_step_free_low", "residents_step_free_high")
    for trip_flag, expected in (("1", (2.0, 22.0)), ("0", (0.0, 22.0)), ("2", (0.0, 0.0))):
        head, *rows = FILES["trips"].strip().split("\n")
        trips = [f"{head},wheelchair_accessible", *(f"{row},{trip_flag}" for row in rows)]
        feed = toy_feed(stops="\n".join(stops), trips="\n".join(trips))
        city = compute_metro_reach(a_night(), **toy_city() | timetable(feed)).row(0, named=True)
        assert tuple(city[column] for column in columns) == expected
        assert city["step_free_high_share"] == pytest.approx(expected[1] / 2228, abs=1e-6)


def test_the_city_has_no_official_population_unless_each_district_has() -> None:
    city_of = districts(WEST, {**EAST, "official_population": None, "population_precision": None})
    city = compute_metro_reach(a_night(), **toy_city() | city_of).row(0, named=True)
    assert (city["official_population"], city["population_precision"]) == (None, None)


@pytest.mark.parametrize("service_date", [SUNDAY, NAURYZ])
def test_a_day_without_metro_trips_says_so(service_date: str) -> None:
    reach = compute_metro_reach(a_night(service_date), **toy_city())
    assert set(reach.get_column("reason")) == {f"no metro trips on {service_date} in feeds 'feed1'"}
    assert reach.select(FIGURES).row(0) == (
        "toyville",
        0,
        2228.0,
        1116.0,
        3340.0,
        None,
        None,
        None,
        None,
    )


def test_without_a_population_grid_only_the_stops_are_known() -> None:
    reach = compute_metro_reach(a_night(), **toy_city() | population())
    assert reach.get_column("served_stop_count").to_list() == [3, 1, 2]
    assert set(reach.get_column("reason")) == {"no population grid"}
    people = reach.select(pl.col("^residents_.*$", "^.*_share$").null_count())
    assert set(people.row(0)) == {3}


def test_without_a_feed_only_the_residents_are_known() -> None:
    city = compute_metro_reach(a_night(), **toy_city() | no_feed()).row(0, named=True)
    assert (city["reason"], city["served_stop_count"]) == ("no GTFS feed", None)
    assert (city["residents_count"], city["residents_within_count"]) == (2228.0, None)


def test_without_districts_there_is_the_city_alone() -> None:
    reach = compute_metro_reach(a_night(), **toy_city() | districts())
    assert reach.select("scope_type", "reach_share").rows() == [("city", 0.012567)]


def test_one_estimate_gives_no_bounds() -> None:
    grid = population(*((name, lat, lon, None, mid, None) for name, lat, lon, _, mid, _ in CELLS))
    city = compute_metro_reach(a_night(), **toy_city() | grid).row(0, named=True)
    assert (city["residents_within_count"], city["reach_share"]) == (28.0, 0.012567)
    assert (city["residents_low"], city["residents_within_high"]) == (None, None)
    assert city["reason"] == "no low and high estimates in the population grid"


def test_a_district_without_residents_has_no_share() -> None:
    empty = population(*(cell for cell in CELLS if cell[0] not in ("border", "gamma")))
    reach = compute_metro_reach(a_night(), **toy_city() | empty)
    east = reach.row(by_predicate=pl.col("scope_id") == "east", named=True)
    assert (east["residents_count"], east["residents_within_count"]) == (0.0, 0.0)
    assert (east["reach_share"], east["reason"]) == (None, "no residents in the population grid")
    assert reach.row(0, named=True)["reason"] is None


@pytest.mark.slow
def test_feeds_count_together_and_their_ids_may_repeat() -> None:
    other = FILES["stops"].replace("43.2400,76.9000", "43.3000,77.0000")  # MA elsewhere
    night, city = a_night(), toy_city() | timetable(toy_feed(), toy_feed(stops=other))
    row = compute_metro_reach(night, **city).row(0, named=True)
    # The stops of both feeds: three each; far (2000) now lives at the second feed's MA.
    assert (row["served_stop_count"], row["residents_within_count"]) == (6, 2028.0)
    sunday = compute_metro_reach(a_night(SUNDAY), **city).row(0, named=True)
    assert sunday["reason"] == f"no metro trips on {SUNDAY} in feeds 'feed1', 'feed2'"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("route_type", "is_metro"),
    [(1, True), (400, True), (401, True), (404, True), (405, False), (2, False), (0, False)],
)
def test_extended_route_types_of_metros_count(route_type: int, is_metro: bool) -> None:
    routes = FILES["routes"].replace("Alpha - Gamma,1", f"Alpha - Gamma,{route_type}")
    city = toy_city() | timetable(toy_feed(routes=routes))
    row = compute_metro_reach(a_night(), **city).row(0, named=True)
    assert row["residents_within_count"] == (28.0 if is_metro else None)


@pytest.mark.slow
def test_order_of_rows_makes_no_difference() -> None:
    expected = compute_metro_reach(a_night(), **toy_city())
    for seed in range(3):
        shuffled = {
            name: rows.sample(fraction=1, shuffle=True, seed=seed)
            for name, rows in toy_city().items()
        }
        assert compute_metro_reach(a_night(), **shuffled).equals(expected)


@pytest.mark.slow
def test_a_farther_distance_reaches_no_fewer() -> None:
    frames = {name: rows for name, rows in toy_city().items() if "street" not in name}
    grid, areas = frames.pop("population_cells"), frames.pop("districts")
    reached = [
        compute_reach(
            a_night(),
            type(METRO)("metro", distance_m, METRO.route_types),
            Timetable(**frames),
            grid,
            areas,
            walkways=Walkways.straight(),
        ).get_column("residents_within_count")
        for distance_m in (1, 811, 867, 868, 1011, 1012, 20_000)
    ]
    assert [within[0] for within in reached] == [2.0, 8.0, 8.0, 28.0, 28.0, 228.0, 2228.0]
    for nearer, farther in pairwise(reached):
        assert (nearer <= farther).all()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("residents_within_count", 2229.0, "within_at_most_all"),
        ("residents_within_low", 29.0, "bounds_in_order"),
        ("residents_high", 2227.0, "bounds_in_order"),
        ("residents_step_free_low", 29.0, "step_free_within_all"),
        ("residents_step_free_high", 29.0, "step_free_within_all"),
        ("reach_share", None, "reason_given"),
        ("reach_share", 1.1, "reach_share|max"),
        ("population_precision", "guess", "population_precision|check"),
    ],
)
def test_the_contract_refuses_what_cannot_be(column: str, value: object, rule: str) -> None:
    city = compute_metro_reach(a_night(), **toy_city()).head(1)
    wrong = city.with_columns(pl.lit(value, city.schema[column]).alias(column))
    _, failure = MetroReach.filter(wrong)
    assert rule in failure.counts()


def test_the_contract_is_one_row_per_scope() -> None:
    assert MetroReach.primary_key() == ["service_date", "scope_type", "scope_id"]
    assert all(column.description for column in MetroReach.columns().values())
