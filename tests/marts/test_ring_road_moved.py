"""What the ring moved off the city's streets: km and hours by hand, sums by brute force, truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import cos, hypot, radians

import numpy as np
import polars as pl
import pytest

from pipelines.marts import ring_road_moved as mart
from pipelines.marts.emissions.classes import UNKNOWN, kind_of
from pipelines.marts.ring_road.ways import ROAD_DETOUR
from pipelines.marts.ring_road_diversion import compute_ring_road_diversion
from pipelines.marts.ring_road_moved import RingRoadMoved, compute_ring_road_moved
from pipelines.marts.through_trips import compute_through_trips
from pipelines.marts.toll_audits import TollAudits
from pipelines.night import Night, SourceVersion
from pipelines.sample import DEFAULT_SEED, make_object
from pipelines.sample.days import start_ms
from pipelines.sample.paths import path_numbers, paths
from pipelines.sample.stations import CORDON
from pipelines.sample.trucks import CONGESTION, journeys
from pipelines.sources.traffic.parse import parse_count_stations
from pipelines.sources.traffic.passages import parse_passages, parse_read_audits
from pipelines.staging.passages import ReadAudits, stage_passages, stage_read_audits
from pipelines.staging.traffic import CountStations, stage_count_stations
from tests.marts.toy_passages import (
    ALMATY,
    DAY,
    MORNING,
    NOVEMBER,
    PERFECT,
    STATIONS,
    Reading,
    a_night,
    matched,
    some_trips,
    the_audits,
    the_days,
    the_passages,
    the_stations,
)

DECEMBER = date(2026, 12, 5)
PAIRS = (("west", "east"), ("east", "north"), ("north", "west"), ("west", "north"))


def straight_km(one: str, other: str) -> float:
    (_, north, east), (_, north_2, east_2) = STATIONS[one], STATIONS[other]
    across = (east_2 - east) * cos(radians((north + north_2) / 2))
    return 6371.0 * radians(hypot(north_2 - north, across))


def city_km(entry: str, exit_: str) -> float:
    return ROAD_DETOUR * straight_km(entry, exit_)


def ring_km(entry: str, exit_: str, *ring: str) -> float:
    return ROAD_DETOUR * max(straight_km(entry, g) + straight_km(g, exit_) for g in ring)


def inputs(
    passages: pl.DataFrame, rates: dict[str, tuple[int, int]] = PERFECT, night: Night | None = None
) -> dict[str, pl.DataFrame]:
    """The figures that the mart reads, made of toy passages."""
    listed = CountStations.validate(the_stations())
    counted = {
        "matched_trips": matched(passages, listed),
        "passage_days": the_days(passages),
        "count_stations": listed,
        "read_audits": ReadAudits.validate(the_audits(rates)),
        "toll_audits": TollAudits.create_empty(),
    }
    at = night or a_night(DECEMBER)
    return {
        "ring_road_diversion": compute_ring_road_diversion(at, **counted, forgotten_days=()),  # type: ignore[arg-type]  # frames by name
        "through_trips": compute_through_trips(at, **counted),  # type: ignore[arg-type]  # the same
        "matched_trips": counted["matched_trips"],
        "count_stations": listed,
    }


def computed(
    passages: pl.DataFrame, rates: dict[str, tuple[int, int]] = PERFECT, night: Night | None = None
) -> pl.DataFrame:
    frames = inputs(passages, rates, night)
    return compute_ring_road_moved(night or a_night(DECEMBER), **frames)  # type: ignore[arg-type]  # the same


def the_row(rows: pl.DataFrame, vehicle_class: str = "heavy") -> dict[str, object]:
    one = rows.filter(month_date=NOVEMBER, vehicle_class=vehicle_class)
    return one.row(0, named=True)


def on_days(trips: Sequence[Reading], days: int) -> list[Reading]:
    """The same trips on several days."""
    return [
        (f"{plate}-{day}", station, moment - timedelta(days=day), direction)
        for day in range(days)
        for plate, station, moment, direction in trips
    ]


# By hand


def test_km_and_hours_of_one_pair_by_hand() -> None:
    # West to east: 64.7 km straight, 84.2 km through the city, 89.2 km past g1. All take an hour,
    # which counts as the middle of its bin, 59.6 minutes. Two days: 12 trips a day on the ring.
    row = the_row(computed(the_passages(on_days(some_trips(12, 8), 2))))
    city, ring = city_km("west", "east"), ring_km("west", "east", "g1")
    assert (city, ring) == pytest.approx((84.16, 89.2), abs=0.05)
    assert row["ring_trips_per_day"] == 12.0
    assert row["city_km_avoided_per_day"] == pytest.approx(12 * city, abs=0.06)
    assert row["ring_km_per_day"] == pytest.approx(12 * ring, abs=0.06)
    assert row["extra_km_per_day"] == pytest.approx(12 * (ring - city), abs=0.11)
    assert row["city_hours_avoided_per_day"] == row["ring_hours_per_day"] == 11.9
    assert (row["reason"], row["mark"]) == (None, "modelled")
    assert row["method"] == f"{mart.METHOD}; {mart.EMISSIONS}"


def test_the_bounds_are_those_of_the_share() -> None:
    frames = inputs(the_passages(on_days(some_trips(12, 8), 2)))
    share = the_row(frames["ring_road_diversion"])
    row = the_row(compute_ring_road_moved(a_night(DECEMBER), **frames))  # type: ignore[arg-type]  # frames by name
    for name in ("ring_trips", "city_km_avoided", "city_hours_avoided"):
        value = row[f"{name}_per_day"]
        for end in ("low", "high"):
            expected = value * share[f"diversion_share_{end}"] / share["diversion_share"]  # type: ignore[operator]  # numbers
            assert row[f"{name}_per_day_{end}"] == pytest.approx(expected, rel=0.01)


def test_exhaust_runs_from_the_cleanest_engine_to_the_dirtiest_at_the_way_s_speed() -> None:
    frames = inputs(the_passages(some_trips(12, 8)))
    share = the_row(frames["ring_road_diversion"])
    row = the_row(compute_ring_road_moved(a_night(DECEMBER), **frames))  # type: ignore[arg-type]  # frames by name
    for way, avoided, km in (
        ("city", "_avoided", city_km("west", "east")),
        ("ring", "", ring_km("west", "east", "g1")),
    ):
        speed = np.array([km / (59.6 / 60)])
        for pollutant, unit in (("NOx", "kg"), ("PM10", "kg"), ("CO2e", "tonne")):
            least, most = kind_of("diesel", UNKNOWN).bounds(pollutant, speed)  # type: ignore[arg-type]  # its words
            grams = {"kg": 1e3, "tonne": 1e6}[unit]
            name = f"{way}_{pollutant.lower()}_{unit}{avoided}_per_day"
            low = 20 * share["diversion_share_low"] * km * least[0] / grams  # type: ignore[operator]  # numbers
            high = 20 * share["diversion_share_high"] * km * most[0] / grams  # type: ignore[operator]  # numbers
            assert row[f"{name}_low"] == pytest.approx(low, abs=1e-4)
            assert row[f"{name}_high"] == pytest.approx(high, abs=1e-4)


def test_unread_plates_are_corrected_as_in_the_share() -> None:
    rates = {"west": (100, 50), "east": (100, 50), "north": (100, 50), "g1": (10, 8), "g2": (10, 8)}
    row = the_row(computed(the_passages(some_trips(16, 20)), rates))
    # 36 matched stand for 144, and 16 read on the ring for 64 / 0.8 = 80 of these.
    assert row["ring_trips_per_day"] == pytest.approx(80.0)


def test_the_ring_s_way_goes_by_the_farthest_station_on_it() -> None:
    trips = some_trips(0, 10)
    for number in range(20):
        trips += [
            (f"r{number}", "west", MORNING, "in"),
            (f"r{number}", "g1", MORNING + timedelta(minutes=20), "in"),
            (f"r{number}", "g2", MORNING + timedelta(minutes=40), "in"),
            (f"r{number}", "east", MORNING + timedelta(minutes=60), "out"),
        ]
    row = the_row(computed(the_passages(trips)))
    assert row["ring_km_per_day"] == pytest.approx(
        20 * ring_km("west", "east", "g1", "g2"), abs=0.06
    )


# Pairs that tell little


def test_a_pair_seldom_driven_takes_the_speed_of_the_others() -> None:
    # West-east is timed at 59.6 minutes for 84.2 km; north-west has five trips through the city
    # of three times its time, which are too few to tell: it is driven at the speed of west-east.
    trips = some_trips(10, 20)
    trips += some_trips(20, 0, "n", ends=("north", "west"))
    trips += some_trips(0, 5, "slow", ends=("north", "west"), minutes=90)
    row = the_row(computed(the_passages(trips)))
    hours = 59.6 / 60 * (10 + 20 * city_km("north", "west") / city_km("west", "east"))
    assert row["city_hours_avoided_per_day"] == pytest.approx(hours, abs=0.06)
    assert mart.OTHER_SPEED in str(row["method"])


def test_hidden_pairs_count_as_the_mean_of_the_told() -> None:
    # North-west has 3 trips through the city, and hides west-north with it: two equations of their
    # trips and km would give both away.
    trips = some_trips(30, 30)
    trips += some_trips(20, 3, "a", ends=("north", "west"))
    trips += some_trips(10, 9, "b", ends=("west", "north"))
    row = the_row(computed(the_passages(trips)))
    assert row["ring_trips_per_day"] == 60.0
    assert row["city_km_avoided_per_day"] == pytest.approx(60 * city_km("west", "east"), abs=0.06)
    assert mart.OTHER_PAIRS in str(row["method"])


def test_where_every_pair_is_hidden_nothing_is_told() -> None:
    trips = some_trips(10, 3) + some_trips(10, 3, "a", ends=("north", "west"))
    row = the_row(computed(the_passages(trips)))
    assert row["reason"] == mart.ALL_HIDDEN
    assert row["ring_trips_per_day"] is row["city_km_avoided_per_day"] is None


def test_a_pair_whose_station_is_no_longer_listed_counts_as_the_mean_of_the_others() -> None:
    trips = some_trips(30, 30) + some_trips(20, 20, "n", ends=("north", "west"))
    frames = inputs(the_passages(trips))
    frames["count_stations"] = frames["count_stations"].filter(pl.col("station_id") != "north")
    row = the_row(compute_ring_road_moved(a_night(DECEMBER), **frames))  # type: ignore[arg-type]  # frames by name
    assert row["city_km_avoided_per_day"] == pytest.approx(50 * city_km("west", "east"), abs=0.06)
    assert mart.OTHER_PAIRS in str(row["method"])


def test_no_share_no_figure_and_its_reason() -> None:
    frames = inputs(the_passages(some_trips(30, 30)), rates={})
    row = the_row(compute_ring_road_moved(a_night(DECEMBER), **frames))  # type: ignore[arg-type]  # frames by name
    assert row["reason"] == the_row(frames["ring_road_diversion"])["reason"] is not None
    told = RingRoadMoved.column_names()[8:]
    assert {row[name] for name in told} == {None}


def test_a_ring_that_nobody_takes_avoids_nothing() -> None:
    row = the_row(computed(the_passages(some_trips(0, 40))))
    assert (row["ring_trips_per_day"], row["city_km_avoided_per_day"]) == (0.0, 0.0)
    assert row["city_km_avoided_per_day_high"] > 0  # type: ignore[operator]  # a number
    assert row["ring_km_per_day"] is None
    assert row["reason"] == mart.NOT_TIMED


def test_other_classes_have_km_and_no_exhaust() -> None:
    passages = the_passages(some_trips(12, 8), "medium")
    rows = computed(passages)
    medium, heavy = the_row(rows, "medium"), the_row(rows)
    assert medium["city_km_avoided_per_day"] == pytest.approx(
        12 * city_km("west", "east"), abs=0.06
    )
    assert medium["city_nox_kg_avoided_per_day_low"] is medium["ring_nox_kg_per_day_low"] is None
    assert heavy["reason"] is not None


def test_the_running_month_is_left_out() -> None:
    frames = inputs(the_passages(some_trips(12, 8)), night=a_night())
    assert compute_ring_road_moved(a_night(), **frames).is_empty()  # type: ignore[arg-type]  # frames by name


def test_synthetic_stays_synthetic() -> None:
    frames = inputs(the_passages(some_trips(12, 8)))
    night = replace(a_night(DECEMBER), mark="synthetic")
    rows = compute_ring_road_moved(night, **frames)  # type: ignore[arg-type]  # frames by name
    assert rows.get_column("mark").to_list() == ["synthetic"]


# By brute force


@pytest.mark.parametrize("seed", range(4))
def test_sums_over_pairs_equal_a_count_of_the_readings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    readings: list[Reading] = []
    km = hours = ring_trips = 0.0
    days = int(rng.integers(1, 4))
    for ends in PAIRS:
        ring, city, minutes = (int(n) for n in rng.integers((5, 8, 50), (30, 30, 70)))
        start = MORNING - timedelta(minutes=int(rng.integers(0, 60)))
        trips = some_trips(ring, city, "-".join(ends), ends=ends, minutes=minutes, start=start)
        readings += on_days(trips, days)
        middle = np.exp((np.floor(np.log(minutes) / 0.025) + 0.5) * 0.025)
        ring_trips += ring
        km += ring * city_km(*ends)
        hours += ring * round(float(middle), 1) / 60
    row = the_row(computed(the_passages(readings)))
    assert row["ring_trips_per_day"] == pytest.approx(ring_trips, abs=0.06)
    assert row["city_km_avoided_per_day"] == pytest.approx(km, rel=1e-4)
    assert row["city_hours_avoided_per_day"] == pytest.approx(hours, rel=1e-3)


def test_the_order_of_rows_does_not_matter() -> None:
    trips = [r for ends in PAIRS for r in some_trips(12, 9, "-".join(ends), ends=ends)]
    frames = inputs(the_passages(trips))
    rows = compute_ring_road_moved(a_night(DECEMBER), **frames)  # type: ignore[arg-type]  # frames by name
    mixed = {
        name: frame.sample(fraction=1.0, shuffle=True, seed=3) for name, frame in frames.items()
    }
    assert compute_ring_road_moved(a_night(DECEMBER), **mixed).equals(rows)  # type: ignore[arg-type]  # the same


# The sample city, whose trips are known


def staged_sample(product: str, names: Sequence[str]) -> pl.DataFrame:
    parse, stage = {
        "passages": (parse_passages, stage_passages),
        "read_audits": (parse_read_audits, stage_read_audits),
        "count_stations": (parse_count_stations, stage_count_stations),
    }[product]
    sources = [SourceVersion(product, n, n, n.rpartition(".")[2], time_zone=ALMATY) for n in names]
    objects = zip(sources, (make_object(product, name, DAY) for name in names), strict=True)
    return pl.concat(stage(parse(payload, source), source).rows for source, payload in objects)


def true_drives(days: Sequence[date]) -> tuple[int, float, float]:
    """Through trips on the ring, and the city's way that they did not take: km and hours."""
    by_ring = {number: ends for ends, number in path_numbers("through ring").items()}
    by_city = path_numbers("through city")
    trips, km, hours = 0, 0.0, 0.0
    for day in days:
        legs = journeys(day, DEFAULT_SEED)[0]
        starts = (legs.start_ms - start_ms(day)) // 3_600_000 % 24
        for number, hour in zip(legs.path.tolist(), starts.tolist(), strict=True):
            if number in by_ring:
                one, other = (CORDON[end] for end in by_ring[number])
                across = (one.longitude - other.longitude) * cos(
                    radians((one.latitude + other.latitude) / 2)
                )
                trips += 1
                km += ROAD_DETOUR * 6371 * radians(hypot(one.latitude - other.latitude, across))
                hours += paths()[by_city[by_ring[number]]].minutes[-1] * CONGESTION[hour] / 60
    return trips, km, hours


@pytest.mark.slow
def test_the_sample_s_true_trips_are_found_within_a_few_percent() -> None:
    days = [date(2026, 10, 29) + timedelta(days=n) for n in range(3)]
    names = [f"passages_{day:%Y-%m-%d}.parquet" for day in (*days, NOVEMBER)]
    passages = staged_sample("passages", names)
    stations = CountStations.validate(staged_sample("count_stations", ["count_stations.csv"]))
    counted = {
        "matched_trips": matched(passages, stations),
        "passage_days": the_days(passages),
        "count_stations": stations,
        "read_audits": ReadAudits.validate(staged_sample("read_audits", ["read_audits.csv"])),
        "toll_audits": TollAudits.create_empty(),
    }
    rows = compute_ring_road_moved(
        a_night(),
        ring_road_diversion=compute_ring_road_diversion(a_night(), **counted, forgotten_days=()),  # type: ignore[arg-type]  # frames by name
        through_trips=compute_through_trips(a_night(), **counted),  # type: ignore[arg-type]  # the same
        matched_trips=counted["matched_trips"],  # type: ignore[arg-type]  # the same
        count_stations=stations,
    )
    row = rows.row(0, named=True)
    trips, km, hours = (total / len(days) for total in true_drives(days))
    # Three in a hundred trips stop for hours on their way, and are visits to the reader.
    assert row["ring_trips_per_day"] == pytest.approx(trips, rel=0.08)
    assert row["city_km_avoided_per_day"] == pytest.approx(km, rel=0.08)
    assert row["city_hours_avoided_per_day"] == pytest.approx(hours, rel=0.12)
