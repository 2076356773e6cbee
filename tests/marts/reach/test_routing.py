"""The router on timetables whose travel times are known in closed form."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.marts.reach.routing import kernels, preparation
from pipelines.marts.reach.routing.feeds import Travel
from pipelines.marts.reach.routing.matrix import nearest_rank
from pipelines.marts.reach.routing.router import Router
from pipelines.marts.reach.routing.runs import phases
from pipelines.marts.reach.routing.timetable import Departures, read_timetable
from tests.marts.reach.toy_networks import (
    DAY,
    ZONE,
    Call,
    Network,
    Rule,
    Trip,
    cell_walks,
    feeds_of,
    in_a_row,
    router_of,
    timetable_of,
)

EIGHT, NINE = 8 * 3600, 9 * 3600
HOUR = Departures(EIGHT, NINE)


def ride(*calls: tuple[int, int], **about: int) -> Trip:
    """A trip that calls at stops at seconds after eight."""
    return Trip(tuple(Call(stop, EIGHT + at, EIGHT + at) for stop, at in calls), **about)  # type: ignore[arg-type]  # routes and days


def line(stops: list[int], every: int, first: int, last: int, hop: int, **about: int) -> list[Trip]:
    """Trips that leave the first stop every so many seconds and take `hop` to each next one."""
    return [
        ride(*((stop, leaves + place * hop) for place, stop in enumerate(stops)), **about)
        for leaves in range(first, last, every)
    ]


def times_of(network: Network, departures: Departures = HOUR, **how: int) -> np.ndarray:
    """Seconds of each departure from cell 0 to cell 1."""
    access, egress, direct = cell_walks(network)
    router = router_of(network, departures, **how)  # type: ignore[arg-type]  # numbers
    return router.profiles(access, egress, direct, origins=[0])[0, 1]


def matrix_of(network: Network, departures: Departures = HOUR, **how: int) -> pl.DataFrame:
    """Percentiles between all cells."""
    access, egress, direct = cell_walks(network)
    router = router_of(network, departures, draws=how.pop("draws", 10))
    return router.travel_times(access, egress, direct, **how)  # type: ignore[arg-type]  # numbers


def across(trips: list[Trip], **about: object) -> Network:
    """Two cells at the first and last of two stops, a minute's walk from each."""
    return Network(in_a_row(2), tuple(trips), access={(0, 0): 60}, egress={(1, 1): 60}, **about)  # type: ignore[arg-type]  # any field


@pytest.mark.slow
def test_one_line_of_a_headway() -> None:
    """Vehicles at 1, 11, 21 ... past, a minute's walk: waits are 0, 9, 8 ... 1 minutes, again."""
    network = across(line([0, 1], 600, 60, 2 * 3600, 300))
    waits = np.array([0, *range(540, 0, -60)] * 6)
    np.testing.assert_array_equal(times_of(network), 60 + waits + 300 + 60)
    row = matrix_of(network).row(0, named=True)
    # Of 60 departures the 15th, 30th and 45th smallest: each wait occurs six times.
    assert (row["p25_seconds"], row["p50_seconds"], row["p75_seconds"]) == (
        420 + 120,
        420 + 240,
        420 + 420,
    )
    assert row["p50_error_seconds"] is None


def test_the_nearest_rank() -> None:
    assert [nearest_rank(percentile, 60) for percentile in (25, 50, 75)] == [15, 30, 45]
    assert [nearest_rank(percentile, 1) for percentile in (25, 50, 75)] == [1, 1, 1]
    assert [nearest_rank(percentile, 10) for percentile in (25, 50, 75)] == [3, 5, 8]


@pytest.mark.slow
def test_departures_that_never_arrive_count_as_infinitely_long() -> None:
    network = across([ride((0, 29 * 60), (1, 40 * 60))])  # the last that people can catch at 8:28
    row = matrix_of(network).row(0, named=True)
    times = times_of(network)
    assert np.isfinite(times).sum() == 29
    assert row["p25_seconds"] == np.sort(times)[14]
    assert (row["p50_seconds"], row["p75_seconds"]) == (None, None)


@pytest.mark.slow
def test_two_hours_are_the_longest() -> None:
    network = across([ride((0, 60), (1, 7200 - 60)), ride((0, 3600), (1, 3600 + 7200 - 119))])
    departures = Departures(EIGHT, EIGHT + 60)
    assert times_of(network, departures).tolist() == [7200]
    late = across([ride((0, 60), (1, 7200 - 59))])
    assert times_of(late, departures).tolist() == [np.inf]
    assert matrix_of(late, departures).is_empty()


def test_a_grid_of_streets_with_two_perpendicular_lines() -> None:
    """East every 8 minutes, then north every 6: at the crossing one waits for what is left.

    The eastbound ride leaves at 8k and takes 10, the northbound leaves the crossing at 6m and takes
    7. Over the 24 minutes that both repeat in, a departure at d catches 8k = the next multiple of 8
    and goes on at the next multiple of 6 from 8k + 10.
    """
    east = line([0, 1], 8 * 60, 0, 4 * 3600, 600, route=0)
    north = line([2, 3], 6 * 60, 0, 4 * 3600, 420, route=1)
    network = Network(
        in_a_row(4),
        (*east, *north),
        foot={(1, 2): 0},
        access={(0, 0): 0},
        egress={(1, 3): 0},
    )
    minutes = np.arange(60)
    boards = -(-minutes // 8) * 8 + 10
    arrives = -(-boards // 6) * 6 + 7
    np.testing.assert_array_equal(times_of(network), (arrives - minutes) * 60)
    row = matrix_of(network).row(0, named=True)
    ranked = np.sort((arrives - minutes) * 60)
    assert [row[f"p{p}_seconds"] for p in (25, 50, 75)] == ranked[[14, 29, 44]].tolist()


def test_two_walks_are_not_chained() -> None:
    """One rides to stop 1, walks to 2; from there to 3 is another walk, which nobody takes."""
    network = Network(
        in_a_row(4),
        (ride((0, 0), (1, 60)),),
        foot={(1, 2): 60, (2, 3): 60},
        access={(0, 0): 0},
        egress={(1, 3): 0, (2, 2): 0, (3, 1): 0},
        cells=4,
    )
    access, egress, direct = cell_walks(network)
    router = router_of(network, Departures(EIGHT, EIGHT + 60))
    times = router.profiles(access, egress, direct, origins=[0])[0, :, 0]
    # Nor does one walk on to a cell from where one has walked to.
    assert times.tolist() == [np.inf, np.inf, np.inf, 60]


def test_a_loop_calls_twice_at_a_stop() -> None:
    network = across([ride((0, 0), (1, 300), (0, 600), (1, 660))])
    times = times_of(network, Departures(EIGHT - 120, EIGHT + 600))
    assert times.tolist() == [480, 420, *(720 - 60 * n for n in range(10))]


@pytest.mark.slow
def test_circles_of_rides_that_last_no_time() -> None:
    """Three vehicles that all ride at one minute, each into the next one's start, in any order."""
    stops = [0, 1, 2, 3]
    legs = [(2, 3), (0, 1), (1, 2), (1, 0), (2, 1)]
    network = Network(
        in_a_row(4),
        tuple(ride((one, 600), (other, 600)) for one, other in legs),
        access={(0, stops[0]): 0},
        egress={(1, stops[3]): 0},
    )
    assert times_of(network, Departures(EIGHT, EIGHT + 60)).tolist() == [600]
    assert times_of(network, Departures(EIGHT, EIGHT + 60), max_rides=3).tolist() == [600]
    assert times_of(network, Departures(EIGHT, EIGHT + 60), max_rides=2).tolist() == [np.inf]


@pytest.mark.slow
def test_at_most_so_many_rides() -> None:
    """The express needs two changes and half an hour, the slow line none and an hour."""
    network = Network(
        in_a_row(4),
        (
            ride((0, 0), (1, 600)),
            ride((1, 600), (2, 1200)),
            ride((2, 1200), (3, 1800)),
            ride((0, 0), (2, 3000)),
            ride((0, 0), (3, 3600)),
        ),
        access={(0, 0): 0},
        egress={(1, 3): 0},
    )
    leaves = Departures(EIGHT, EIGHT + 60)
    found = [times_of(network, leaves, max_rides=rides)[0] for rides in (1, 2, 3, 4)]
    assert found == [3600, 3600, 1800, 1800]
    assert times_of(network, leaves)[0] == 1800


def test_staying_seated_is_no_new_ride() -> None:
    """A line goes on under another trip_id, from a stop that is elsewhere."""
    trips = (ride((0, 0), (1, 600)), ride((2, 600), (3, 1200)))
    cells = {"access": {(0, 0): 0}, "egress": {(1, 3): 0}}
    leaves = Departures(EIGHT, EIGHT + 60)
    seated = (Rule(None, None, 4, from_trip=0, to_trip=1),)
    assert (
        times_of(Network(in_a_row(4), trips, rules=seated, **cells), leaves, max_rides=1)[0] == 1200
    )
    assert times_of(Network(in_a_row(4), trips, **cells), leaves)[0] == np.inf


@pytest.mark.slow
def test_transfer_rules_at_one_stop() -> None:
    """Ten minutes between two lines, of which the second leaves every two."""
    trips = (ride((0, 0), (1, 600), route=1), *line([1, 2], 120, 600, 3600, 60, route=2))
    rules = (
        Rule(1, 1, 2, seconds=300),
        Rule(1, 1, 2, seconds=100, from_route=1, to_route=2),
        Rule(1, 1, 3, from_trip=0, to_trip=2),
    )
    cells = {"access": {(0, 0): 0}, "egress": {(1, 2): 0}}
    leaves = Departures(EIGHT, EIGHT + 60)
    found = [
        times_of(Network(in_a_row(3), trips, rules=rules[:count], **cells), leaves)[0]
        for count in range(4)
    ]
    # At once; after 300 s at 960; after 100 s at 720; not into the trip that leaves then.
    assert found == [660, 1020, 780, 900]


def test_frequencies_that_are_exact_are_written_out() -> None:
    trip = Trip((Call(0, 0, 0), Call(1, 300, 300)), repeats=(EIGHT, NINE + 3600, 600))
    written = across(line([0, 1], 600, 0, 2 * 3600, 300))
    np.testing.assert_array_equal(times_of(across([trip])), times_of(written))


@pytest.mark.slow
def test_a_drawn_line_waits_uniformly_within_its_headway() -> None:
    """A headway of ten minutes, unknown phase: the wait is uniform on [0, 600), its mean 300 s."""
    trip = Trip((Call(0, 0, 0), Call(1, 300, 300)), repeats=(0, 86400, 600), is_exact=False)
    waits = times_of(across([trip]), draws=400).reshape(400, 60) - 420
    assert waits.min() >= 0
    assert waits.max() < 600
    first = np.sort(waits[:, 0])
    # Kolmogorov-Smirnov: the sample distribution is off by more than 0.082 once in a hundred times.
    assert np.abs(first / 600 - (np.arange(400) + 0.5) / 400).max() < 0.082
    assert waits.mean() == pytest.approx(300, abs=3 * 600 / np.sqrt(12 * 400 * 10))
    row = matrix_of(across([trip]), draws=50).row(0, named=True)
    assert abs(row["p50_seconds"] - 720) <= 60
    assert 0 < row["p50_error_seconds"] < 30


@pytest.mark.slow
def test_the_error_is_what_draws_leave() -> None:
    """Two drawn lines: medians of many samples of draws spread as each sample says."""
    first = Trip((Call(0, 0, 0), Call(1, 300, 300)), repeats=(0, 86400, 600), is_exact=False)
    second = Trip((Call(1, 0, 0), Call(2, 300, 300)), repeats=(0, 86400, 900), is_exact=False)
    network = Network(in_a_row(3), (first, second), access={(0, 0): 0}, egress={(1, 2): 0})
    access, egress, direct = cell_walks(network)
    router = router_of(network, HOUR, draws=200)
    times = router.profiles(access, egress, direct, origins=[0])[0, 1].reshape(200, 60)
    medians = np.sort(times, axis=1)[:, 29]
    row = router.travel_times(access, egress, direct).row(0, named=True)
    assert row["p50_error_seconds"] == pytest.approx(medians.std(ddof=1) / np.sqrt(200), rel=1e-5)
    assert row["p50_seconds"] == np.sort(times.ravel())[6000 - 1]


def test_phases_depend_on_the_trip_and_the_draw_alone() -> None:
    trips = [
        Trip((Call(0, 0, 0), Call(1, 300, 300)), repeats=(0, 86400, 600 + n), is_exact=False)
        for n in range(40)
    ]
    alone, among = (timetable_of(across(some), HOUR).spans for some in (trips[:1], trips))
    assert phases(among, 3)[0] == phases(alone, 3)[0]
    assert phases(among, 3).to_list() != phases(among, 4).to_list()
    assert phases(among, 0).is_between(0, 639).all()
    assert phases(among, 0).n_unique() > 30


def test_trips_past_midnight_are_of_the_day_before() -> None:
    early = Departures(300, 360)
    late = Trip((Call(0, 87000, 87000), Call(1, 87300, 87300)), day=-1)
    assert times_of(across([late]), early).tolist() == [87300 - 86400 - 300 + 60]
    # In a window past midnight the runs of the date after count.
    tomorrow = Trip((Call(0, 600, 600), Call(1, 900, 900)), day=1)
    assert times_of(across([tomorrow]), Departures(86400, 86460)).tolist() == [960]


def test_a_day_of_25_hours() -> None:
    """On 2024-03-01 at 00:00 Almaty's clock went back an hour: that day's service began 25 h after
    the one before, so a trip at 25:30 of the day before leaves half an hour after D's start."""
    trip = Trip((Call(0, 91800, 91800), Call(1, 92000, 92000)), day=-1)
    feeds = feeds_of(across([trip]))
    for day, expected in ((date(2024, 3, 1), [1800]), (date(2024, 3, 2), [5400])):
        dated = feeds.service_dates.with_columns(service_date=pl.lit(day) - pl.duration(days=1))
        moved = type(feeds)(**(vars(feeds) | {"service_dates": dated}))
        timetable = read_timetable(moved, day, ZONE, Departures(0, 3600))
        assert timetable.connections().departure.tolist() == expected


def test_times_that_go_back_are_read_forward() -> None:
    network = across([Trip((Call(0, EIGHT, EIGHT + 600), Call(1, EIGHT + 300, EIGHT + 300)))])
    assert times_of(network, Departures(EIGHT, EIGHT + 60)).tolist() == [660]


def test_modes_and_travellers_without_steps() -> None:
    """Bus 0 is quickest, then the metro, then a trip of which nobody knows whether it has steps."""
    trips = [
        ride((0, 60), (1, 120), route=0, route_type=3, wheelchair=2),
        ride((0, 60), (1, 240), route=1, route_type=1, wheelchair=1),
        ride((0, 60), (1, 180), route=2, route_type=3, wheelchair=0),
    ]
    feeds = feeds_of(across(trips))
    open_stops = feeds.stops.with_columns(wheelchair_boarding=pl.lit(1, pl.Int32))
    feeds = type(feeds)(**(vars(feeds) | {"stops": open_stops}))

    def first(travel: Travel) -> list[int]:
        timetable = read_timetable(feeds, DAY, ZONE, HOUR, travel)
        connections = timetable.connections()
        is_open = connections.can_board & connections.can_alight
        return sorted((connections.arrival[is_open] - EIGHT).tolist())

    assert first(Travel()) == [120, 180, 240]
    assert first(Travel(frozenset({1}))) == [240]
    assert first(Travel(frozenset({3}))) == [120, 180]
    assert first(Travel(step_free="lower")) == [240]
    assert first(Travel(step_free="upper")) == [180, 240]
    unknown = type(feeds)(**(vars(feeds) | {"stops": feeds_of(across(trips)).stops}))
    timetable = read_timetable(unknown, DAY, ZONE, HOUR, Travel(step_free="lower"))
    assert not timetable.connections().can_board.any()


def busy() -> Network:
    """Five lines over twelve stops between 150 cells, some known by their headway only."""
    rng = np.random.default_rng(7)
    trips = []
    for route in range(5):
        stops = rng.permutation(12)[:6].tolist()
        trips += line(stops, 240 + 60 * route, 0, 2 * 3600, 150, route=route)
    drawn = Trip((Call(0, 0, 0), Call(11, 500, 500)), repeats=(EIGHT, NINE, 420), is_exact=False)
    return Network(
        in_a_row(12),
        (*trips, drawn),
        foot={(n, n + 1): 200 for n in range(11)},
        access={(cell, int(rng.integers(12))): int(rng.integers(600)) for cell in range(150)},
        egress={(cell, int(rng.integers(12))): int(rng.integers(600)) for cell in range(150)},
        direct={(cell, cell): 0 for cell in range(150)},
        cells=150,
    )


@pytest.mark.slow
def test_threads_shards_and_order_change_nothing() -> None:
    network = busy()
    access, egress, direct = cell_walks(network)
    router = router_of(network, HOUR, draws=3)
    whole = router.travel_times(access, egress, direct, threads=1)
    assert whole.height > 10_000
    assert_frame_equal(router.travel_times(access, egress, direct, threads=2), whole)
    shards = [range(0, 150, 2), range(1, 150, 2)]
    parts = [router.travel_times(access, egress, direct, origins=list(shard)) for shard in shards]
    assert_frame_equal(pl.concat(parts).sort("origin", "destination"), whole)
    shuffled = [
        walks.sample(fraction=1, shuffle=True, seed=1) for walks in (access, egress, direct)
    ]
    assert_frame_equal(router.travel_times(*shuffled), whole)


@pytest.mark.slow
def test_a_window_is_its_departures_one_by_one() -> None:
    """A window of more departures than a byte counts, and each by itself."""
    network = busy()
    access, egress, direct = cell_walks(network)
    window = Departures(EIGHT, NINE, 12)
    assert window.count == 300
    origins = list(range(0, 150, 15))
    whole = router_of(network, window, draws=2).profiles(access, egress, direct, origins=origins)
    for lane in range(0, window.count, 23):
        leaves = window.start_seconds + lane * window.step_seconds
        alone = router_of(network, Departures(leaves, leaves + 1), draws=2)
        times = alone.profiles(access, egress, direct, origins=origins)
        np.testing.assert_array_equal(times, whole[:, :, [lane, 300 + lane]])


@pytest.mark.slow
def test_percentiles_are_those_of_the_profiles() -> None:
    network = busy()
    access, egress, direct = cell_walks(network)
    router = router_of(network, HOUR, draws=2)
    rows = router.travel_times(access, egress, direct, origins=range(70))
    profiles = np.sort(router.profiles(access, egress, direct, origins=range(70)), axis=2)
    for percentile in (25, 50, 75):
        expected = profiles[:, :, nearest_rank(percentile, 120) - 1]
        found = np.full(expected.shape, np.inf)
        seconds = rows[f"p{percentile}_seconds"].cast(pl.Float64).fill_null(np.inf)
        found[rows["origin"], rows["destination"]] = seconds
        np.testing.assert_array_equal(found, expected)


def test_nobody_rides_without_service() -> None:
    network = across([ride((0, 60), (1, 120), day=3)])
    assert matrix_of(network).is_empty()
    walked = Network(network.stops, network.trips, direct={(0, 1): 900})
    assert matrix_of(walked).rows() == [(0, 1, 900, 900, 900, None, None, None)]


def test_cells_without_walks_reach_nothing() -> None:
    network = across([ride((0, 60), (1, 120))], direct={(1, 1): 0, (0, 1): 70_000})
    access, egress, direct = cell_walks(network)
    router = router_of(network, HOUR)
    assert router.travel_times(access, egress, direct, origins=[7]).is_empty()
    profiles = router.profiles(access, egress, direct, origins=[7, 0])
    assert np.isinf(profiles[0]).all()
    assert np.isfinite(profiles[1, 1]).tolist() == [True] + [False] * 59
    with pytest.raises((TypeError, pl.exceptions.InvalidOperationError)):
        router.travel_times(access, egress, direct, origins=[-1])


def test_one_timetable_has_one_identity() -> None:
    trips = [ride((0, 60), (1, 120)), ride((0, 660), (1, 720))]
    own = timetable_of(across(trips), HOUR).identity()
    assert timetable_of(across(trips[::-1]), HOUR).identity() == own  # trip_ids change places
    later = [trips[0], ride((0, 660), (1, 721))]
    assert timetable_of(across(later), HOUR).identity() != own
    closed = [
        trips[0],
        Trip((Call(0, EIGHT + 660, EIGHT + 660, can_board=False), trips[1].calls[1])),
    ]
    assert timetable_of(across(closed), HOUR).identity() != own
    named = (Rule(0, 0, 3, from_trip=0),)
    assert timetable_of(across(trips, rules=named), HOUR).identity() != own
    # What rides out of the window is no part of it.
    assert timetable_of(across([*trips, ride((0, -600), (1, -500))]), HOUR).identity() == own


def test_each_kernel_is_compiled_for_one_kind_of_arguments() -> None:
    """Another kind (a read-only array, say) would cost seconds in every process without a cache."""
    matrix_of(busy(), draws=2)
    compiled = (kernels.sweep, kernels.finish, preparation.deliveries, preparation.by_end)
    assert [len(kernel.signatures) for kernel in compiled] == [1, 1, 1, 1]


@pytest.mark.slow
def test_numba_is_loaded_by_those_who_route_alone() -> None:
    code = "import sys, pipelines.marts.reach.routing.router; sys.exit('numba' in sys.modules)"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_departures_of_a_window() -> None:
    assert (HOUR.count, HOUR.until_seconds) == (60, NINE - 60 + 7200)
    assert Departures(0, 61).count == 2
    assert isinstance(router_of(across([ride((0, 0), (1, 60))]), HOUR), Router)
