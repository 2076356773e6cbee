"""Trip statistics: the toy by hand, real feeds by gtfs-kit, the same in any order of rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gtfs_kit
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.oracle import differences, under_our_names
from pipelines.marts.trip_stats import TripStats, compute_trip_stats
from tests.toy_feeds import FILES, feed_source, staged_feed, toy_feed

pytestmark = pytest.mark.slow

READS = (
    *("trips", "routes", "stops", "stop_times"),
    *("shapes", "frequencies", "feed_versions"),
)


def compute(*feeds: dict[str, pl.DataFrame]) -> pl.DataFrame:
    tables: dict[str, Any] = {name: pl.concat([feed[name] for feed in feeds]) for name in READS}
    return compute_trip_stats(**tables)


def toy(**overrides: str | None) -> pl.DataFrame:
    return compute(staged_feed(toy_feed(**overrides)))


def test_the_toy_by_hand() -> None:
    rows = toy().select(
        "trip_id",
        "stop_pattern_name",
        "stop_count",
        "start_seconds",
        "end_seconds",
        "start_stop_id",
        "end_stop_id",
        "is_loop",
        "duration_seconds",
        "departure_count",
    )
    assert rows.rows() == [
        ("B1", "0-1", 4, 28800, 29160, "BA", "BD", False, 360, 1),
        ("B2", "1-1", 4, 86280, 86640, "BD", "BA", False, 360, 1),
        ("M1-0700", "0-1", 3, 25200, 25560, "MA", "MC", False, 360, 1),
        ("M1-0710", "0-1", 3, 25800, 26160, "MA", "MC", False, 360, 1),
    ]


def test_distance_along_the_shape_and_speed() -> None:
    rows = toy()
    metro = rows.filter(trip_id="M1-0700")
    # 0.0369 degrees of longitude at 43.24 N are 2.998 km; UTM's scale there is 0.9998.
    assert metro.item(0, "distance_km") == pytest.approx(2.998, rel=1e-3)
    assert metro.item(0, "speed_kmh") == pytest.approx(29.98, rel=1e-3)
    assert rows.filter(trip_id="B1").item(0, "distance_km") is None


def test_part_of_a_shape() -> None:
    calls = FILES["stop_times"].replace("M1-0700,07:00:00,07:00:00,MA,1\n", "")
    metro = toy(stop_times=calls).filter(trip_id="M1-0700")
    assert metro.item(0, "distance_km") == pytest.approx(1.999, rel=1e-3)


def test_a_shape_that_crosses_itself_counts_whole() -> None:
    # MA -> MC -> north -> back over itself to MB: about 3.0 + 0.5 + 1.4 + 1.2 km.
    crossing = "metro,43.2445,76.9369,4\nmetro,43.2355,76.9220,5\n"
    shape = FILES["shapes"] + crossing
    metro = toy(shapes=shape).filter(trip_id="M1-0700")
    assert metro.item(0, "distance_km") == pytest.approx(5.1, abs=0.1)


@pytest.mark.parametrize(("unit_m", "last"), [(1, 2998), (0.3048, 9836), (1609.344, 1.863)])
def test_distance_from_stop_times_in_any_unit(unit_m: float, last: float) -> None:
    heading = "trip_id,arrival_time,departure_time,stop_id,stop_sequence,shape_dist_traveled\n"
    calls = f"M1-0700,7:00:00,7:00:00,MA,1,0\nM1-0700,7:06:00,7:06:00,MC,3,{last / 2}\n"
    shapes = (
        "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence,shape_dist_traveled\n"
        f"metro,43.24,76.9000,1,0\nmetro,43.24,76.9369,2,{last}\n"
    )
    rows = toy(stop_times=heading + calls, shapes=shapes)
    assert rows.item(0, "distance_km") == pytest.approx(last / 2 * unit_m / 1000, abs=1e-6)


def test_a_loop_ends_within_400_metres() -> None:
    # BB lies 399.9 m north of BA, BX 411 m.
    stops = FILES["stops"] + "BX,Not so near,43.2537,76.9000\n"
    for end, is_loop in (("BB", True), ("BX", False)):
        calls = FILES["stop_times"].replace("8:06:00,BD,4", f"8:06:00,{end},4")
        assert toy(stops=stops, stop_times=calls).item(0, "is_loop") is is_loop


def test_patterns_are_ranked_by_trips_then_by_the_lower_trip_id() -> None:
    heading = FILES["trips"].splitlines()[0]
    trips = "\n".join([heading, *(f"10,daily,{trip},,0," for trip in "abcde")])
    patterns = {"a": "BA BD", "b": "BA BC", "c": "BA BB", "d": "BA BB", "e": "BA BC"}
    calls = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "".join(
        f"{trip},8:0{place}:00,8:0{place}:00,{stop},{place}\n"
        for trip, pattern in patterns.items()
        for place, stop in enumerate(pattern.split())
    )
    names = toy(trips=trips, stop_times=calls).select("trip_id", "stop_pattern_name")
    assert dict(names.iter_rows()) == {"b": "0-1", "e": "0-1", "c": "0-2", "d": "0-2", "a": "0-3"}


def test_trips_without_direction() -> None:
    columns = "route_id,service_id,trip_id\n"
    none_has = toy(trips=f"{columns}10,daily,B1\n10,daily,B2\n")
    assert none_has.get_column("stop_pattern_name").to_list() == ["0-1", "0-2"]
    columns = "route_id,service_id,trip_id,direction_id\n"
    some_have = toy(trips=f"{columns}10,daily,B1,\n10,daily,B2,0\n")
    assert some_have.get_column("stop_pattern_name").to_list() == ["none-1", "0-1"]


def test_repetitions_by_frequencies_are_counted() -> None:
    # 6:00, 6:20, 6:40 and 7:00, 7:30, 8:00; the ends are no departures.
    spans = "B1,6:00:00,7:00:00,1200\nB1,7:00:00,8:10:00,1800\n"
    frequencies = f"trip_id,start_time,end_time,headway_secs\n{spans}"
    counts = toy(frequencies=frequencies).select("trip_id", "departure_count")
    assert dict(counts.iter_rows()) == {"B1": 6, "B2": 1, "M1-0700": 1, "M1-0710": 1}


def test_feeds_with_the_same_ids_stay_apart() -> None:
    one = staged_feed(toy_feed(), feed_source("one"))
    other_stops = FILES["stops"].replace("76.9369", "76.9123")
    two = staged_feed(toy_feed(stops=other_stops), feed_source("two"))
    both = compute(two, one)
    assert both.get_column("source_id").to_list() == ["one"] * 4 + ["two"] * 4
    assert both.filter(source_id="one").equals(compute(one))
    assert both.filter(source_id="two").equals(compute(two))


def test_nothing_comes_of_nothing() -> None:
    empty = {name: table.clear() for name, table in staged_feed(toy_feed()).items()}
    assert compute(empty).schema == TripStats.create_empty().schema
    only_version = empty | {"feed_versions": staged_feed(toy_feed())["feed_versions"]}
    assert compute(only_version).height == 0


TOY = staged_feed(toy_feed())
TOY_STATS = compute(TOY)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_any_order_of_rows_gives_the_same(seed: int) -> None:
    shuffled = {
        name: table.sample(fraction=1, shuffle=True, seed=seed) for name, table in TOY.items()
    }
    assert compute(shuffled).equals(TOY_STATS)


SCRIPT = """
from benchmarks.trip_stats import made_up_feed
from pipelines.marts.route_stats import compute_route_stats
from pipelines.marts.stop_stats import compute_stop_stats
from pipelines.marts.trip_stats import compute_trip_stats
from tests.marts.test_trip_stats import READS
from tests.toy_feeds import night_of, staged_feed
tables = staged_feed(made_up_feed(trips=900))
night = night_of("2018-03-01")
stats = compute_trip_stats(**{name: tables[name] for name in READS})
routes = compute_route_stats(night, trip_stats=stats, service_dates=tables["service_dates"])
reads = ("service_dates", "trips", "stop_times", "stops", "frequencies")
stops = compute_stop_stats(night, **{name: tables[name] for name in reads})
for rows in (stats, routes, stops):
    print(rows.height, rows.write_csv())
"""


def test_any_number_of_threads_gives_the_same() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"POLARS_MAX_THREADS": threads, "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    ]
    assert told[0] == told[1]
    assert told[0].startswith("900 source_id,")


def test_cairns_equals_the_published_statistics(shared_data: Path) -> None:
    folder = shared_data / "gtfs"
    ours = compute(staged_feed((folder / "gtfskit_cairns_gtfs.zip").read_bytes()))
    ids = dict.fromkeys(("route_short_name", "shape_id", "start_stop_id", "end_stop_id"), str)
    published = pd.read_csv(folder / "gtfskit_cairns_trip_stats.csv", dtype=ids)
    assert ours.height == len(published) == 1339
    assert differences(ours, under_our_names(published), "trip_id") == {}


@pytest.mark.parametrize("name", ["gtfskit_nyc_subway_gtfs.zip", "transitland_bart-old.zip"])
def test_real_feeds_equal_gtfs_kit(shared_data: Path, name: str) -> None:
    path = shared_data / "gtfs" / name
    feed = gtfs_kit.read_feed(path)
    theirs = under_our_names(feed.compute_trip_stats(), feed.dist_units)
    assert differences(compute(staged_feed(path.read_bytes())), theirs, "trip_id") == {}
