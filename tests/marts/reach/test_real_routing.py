"""Travel times of Porto Alegre: both feeds, all cells, against single departures and each other."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.marts.reach.assumptions import ACCESS_LIMIT_M, DIRECT_LIMIT_M, TRANSFER_LIMIT_M
from pipelines.marts.reach.routing.changes import link
from pipelines.marts.reach.routing.coverage import require_links, services
from pipelines.marts.reach.routing.feeds import ANY_TRAVEL, Feeds, Travel
from pipelines.marts.reach.routing.router import Router
from pipelines.marts.reach.routing.stations import Doors, on_foot
from pipelines.marts.reach.routing.timetable import Departures, read_timetable
from pipelines.marts.reach.walking import Walkways
from tests.toy_feeds import feed_source, staged_feed

pytestmark = pytest.mark.slow

TABLES = (
    *("feed_versions", "service_dates", "trips", "stop_times", "frequencies"),
    *("routes", "stops", "transfers", "pathways"),
)
MONDAY, ZONE = date(2019, 5, 13), "America/Sao_Paulo"
WINDOW = Departures(13 * 3600 + 1800, 14 * 3600 + 1800)
BUS, RAIL = frozenset({3}), frozenset({0, 1, 2})


class City:
    """Porto Alegre's feeds, cells and walks in straight lines."""

    def __init__(self, folder: Path) -> None:
        parts = [
            staged_feed((folder / f"poa_{name}.zip").read_bytes(), feed_source(name))
            for name in ("eptc", "trensurb")
        ]
        self.feeds = Feeds(**{name: pl.concat(part[name] for part in parts) for name in TABLES})
        grid = pl.read_csv(folder / "poa_hexgrid.csv")
        self.cells = grid.select(latitude="lat", longitude="lon")
        self.doors = Doors.of(self.feeds)
        here, points = self.cells.to_numpy(), self.doors.points
        walkways = Walkways.straight()
        access = on_foot(walkways.walks(here, points, ACCESS_LIMIT_M))
        back = access.rename({"from_index": "to_index", "to_index": "from_index"})
        self.walks = (
            self.doors.access(access),
            self.doors.egress(back),
            on_foot(walkways.walks(here, here, DIRECT_LIMIT_M)),
        )
        self.foot = self.doors.foot(on_foot(walkways.walks(points, points, TRANSFER_LIMIT_M)))

    def router(
        self, window: Departures = WINDOW, travel: Travel = ANY_TRAVEL, max_rides: int | None = None
    ) -> Router:
        timetable = read_timetable(self.feeds, MONDAY, ZONE, window, travel)
        links = link(timetable, self.foot, self.feeds.transfers)
        return Router.of(timetable, links, window, max_rides=max_rides)


@pytest.fixture(scope="module")
def city(shared_data: Path) -> City:
    return City(shared_data / "access" / "r5r_poa")


def test_a_window_is_its_departures_one_by_one(city: City) -> None:
    origins = list(range(0, 1227, 97))
    whole = city.router().profiles(*city.walks, origins=origins)
    assert np.isfinite(whole).mean() > 0.8
    for lane in (0, 17, 59):
        leaves = WINDOW.start_seconds + 60 * lane
        alone = city.router(Departures(leaves, leaves + 60)).profiles(*city.walks, origins=origins)
        np.testing.assert_array_equal(alone[:, :, 0], whole[:, :, lane])
    # Whoever leaves later does not arrive earlier.
    always = whole[np.isfinite(whole).all(axis=2)]
    assert (np.diff(always + 60 * np.arange(60), axis=1) >= 0).all()


def test_threads_and_shards_give_the_same_rows(city: City) -> None:
    router = city.router()
    whole = router.travel_times(*city.walks, threads=1)
    assert_frame_equal(router.travel_times(*city.walks, threads=2), whole)
    parts = [router.travel_times(*city.walks, origins=range(first, 1227, 3)) for first in range(3)]
    assert_frame_equal(pl.concat(parts).sort("origin", "destination"), whole)


def test_more_is_never_slower(city: City) -> None:
    """Rides, and feeds: two rides beat one, all routes beat buses alone and rail alone."""
    origins = list(range(0, 1227, 60))

    def profiles(router: Router) -> np.ndarray:
        return router.profiles(*city.walks, origins=origins)

    everything = profiles(city.router())
    by_rides = [profiles(city.router(max_rides=rides)) for rides in (1, 2, 4, 8)]
    for fewer, more in zip(by_rides, [*by_rides[1:], everything], strict=True):
        assert (more <= fewer).all()
    assert (by_rides[0] > by_rides[1]).any()
    np.testing.assert_array_equal(by_rides[-1], everything)
    bus = profiles(city.router(travel=Travel(BUS)))
    rail = profiles(city.router(travel=Travel(RAIL)))
    assert (everything <= np.minimum(bus, rail)).all()
    assert (everything < bus).any()
    assert np.isfinite(rail).mean() < np.isfinite(bus).mean()


def test_every_trip_of_the_window_is_linked(city: City) -> None:
    timetable = read_timetable(city.feeds, MONDAY, ZONE, WINDOW)
    assert services(city.feeds, timetable)["reason"].to_list() == [None, None]
    access, egress, _ = city.walks
    require_links(
        timetable, city.doors.doors, access=access, egress=egress, foot=city.foot, cells=city.cells
    )
    sunday = read_timetable(city.feeds, date(2019, 5, 12), ZONE, WINDOW)
    assert services(city.feeds, sunday)["reason"].null_count() < 2


def test_equal_timetables_of_two_days(city: City) -> None:
    identities = [
        read_timetable(city.feeds, date(2019, 5, day), ZONE, WINDOW).identity()
        for day in (13, 14, 18)
    ]
    assert identities[0] == identities[1]
    assert identities[0] != identities[2]
