"""Reach on real grids, districts and feeds against an independent computation."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.marts.bus_reach import compute_bus_reach
from pipelines.marts.metro_reach import compute_metro_reach
from pipelines.night import SourceVersion
from pipelines.sources.districts.parse import parse_districts
from pipelines.sources.population.parse import parse_population
from pipelines.staging.districts import stage_districts
from pipelines.staging.population import stage_population_cells
from tests.marts.reach.test_walking import Plain
from tests.marts.reach.toy_city import a_night, districts, no_streets, timetable
from tests.toy_feeds import toy_feed
from tests.toy_streets import staged_streets

pytestmark = pytest.mark.slow

ESTIMATES = ("p10", "p50", "p90")
ALMATY_GRID = {
    "p10": "population_p10",
    "p50": "population_p50",
    "p90": "population_p90",
    "centroid_latitude": "latitude",
    "centroid_longitude": "longitude",
}


def nearest_m(lat: float, lon: float, places: list[tuple[float, float]]) -> float:
    """Haversine distance from one point to the nearest of the others, the long way."""
    lats, lons = np.radians(np.array(places)).T
    p, q = np.radians(lat), np.radians(lon)
    a = np.sin((lats - p) / 2) ** 2 + np.cos(p) * np.cos(lats) * np.sin((lons - q) / 2) ** 2
    return float((2 * 6_371_008.8 * np.arcsin(np.sqrt(a))).min())


def a_grid(file: Path, columns: dict[str, str]) -> pl.DataFrame:
    source = SourceVersion("grid", "v1", file.name, "csv", columns=columns)
    return stage_population_cells(parse_population(file.read_bytes(), source), source).rows


def centroid(cell: dict[str, str]) -> tuple[float, float]:
    return float(cell["centroid_latitude"]), float(cell["centroid_longitude"])


def metro_feed(stations: list[dict[str, str]]) -> bytes:
    """One trip that calls at every station."""
    stops = [f"{s['slug']},{s['name_en']},{s['lat']},{s['lon']}" for s in stations]
    calls = [f"M1-0700,07:{n:02d}:00,07:{n:02d}:00,{s['slug']},{n}" for n, s in enumerate(stations)]
    return toy_feed(
        stops="stop_id,stop_name,stop_lat,stop_lon\n" + "\n".join(stops),
        stop_times="trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "\n".join(calls),
    )


@dataclass(frozen=True)
class Almaty:
    """The real city: its metro's eleven stations, its modelled grid, its districts."""

    folder: Path

    def stations(self) -> list[dict[str, str]]:
        with (self.folder / "metro/metro_line1_stations.csv").open(encoding="utf-8-sig") as lines:
            return list(csv.DictReader(lines))

    def places(self) -> list[tuple[float, float]]:
        return [(float(station["lat"]), float(station["lon"])) for station in self.stations()]

    def cells(self) -> list[dict[str, str]]:
        with (self.folder / "population/almaty_uncertainty_cells_500m.csv").open() as lines:
            return list(csv.DictReader(lines))

    def reach(self, street_nodes: pl.DataFrame, street_links: pl.DataFrame) -> pl.DataFrame:
        boundaries = (self.folder / "boundaries/almaty_districts_osm.geojson").read_bytes()
        named = {"name": "district_name"}
        source = SourceVersion("osm", "v1", "d.geojson", "geojson", columns=named)
        grid = self.folder / "population/almaty_uncertainty_cells_500m.csv"
        return compute_metro_reach(
            a_night(),
            **timetable(metro_feed(self.stations())),
            population_cells=a_grid(grid, ALMATY_GRID),
            districts=stage_districts(parse_districts(boundaries, source), source).rows,
            street_nodes=street_nodes,
            street_links=street_links,
        )


@pytest.fixture
def almaty(shared_data: Path) -> Almaty:
    return Almaty(shared_data / "almaty")


def people(cells: list[dict[str, str]]) -> dict[str, float]:
    return {estimate: sum(float(cell[estimate]) for cell in cells) for estimate in ESTIMATES}


def test_the_eleven_stations_of_almaty(almaty: Almaty) -> None:
    reach = almaty.reach(**no_streets())
    near = [
        cell for cell in almaty.cells() if 1.3 * nearest_m(*centroid(cell), almaty.places()) <= 1000
    ]
    expected = people(near)
    city = reach.row(0, named=True)
    assert (city["served_stop_count"], city["method"]) == (11, "straight line x 1.3")
    assert city["residents_count"] == pytest.approx(2_351_424, abs=0.1)
    assert city["residents_within_low"] == pytest.approx(expected["p10"], abs=0.06)
    assert city["residents_within_count"] == pytest.approx(expected["p50"], abs=0.06)
    assert city["residents_within_high"] == pytest.approx(expected["p90"], abs=0.06)
    assert city["reach_share"] == pytest.approx(expected["p50"] / 2_351_424, abs=1e-6)
    by_district = reach.filter(pl.col("scope_type") == "district")
    assert by_district.height == 8
    # Sayran lies in the file's gap between Almaly and Bostandyk.
    assert by_district.get_column("served_stop_count").sum() == 10
    # The grid's own account gives Auezov 146,573 and Medeu 436,521 people.
    residents = dict(by_district.select("scope_id", "residents_count").iter_rows())
    assert residents["auezov"] == pytest.approx(146_573, rel=0.02)
    assert residents["medeu"] == pytest.approx(436_521, rel=0.02)
    assert sum(residents.values()) <= city["residents_count"] + 1
    # The boundaries state no official totals, so nothing can be rescaled.
    assert reach.get_column("residents_rescaled_count").null_count() == 9


def test_the_eleven_stations_along_the_streets_of_2013(almaty: Almaty) -> None:
    extract = (almaty.folder / "osm/almaty_2013-12.osm.pbf").read_bytes()
    nodes, links = staged_streets(extract)
    city = almaty.reach(nodes, links).row(0, named=True)

    places = almaty.places()
    near = [cell for cell in almaty.cells() if nearest_m(*centroid(cell), places) <= 1000]
    walks = Plain(nodes, links).walks(
        np.array(places), np.array([centroid(cell) for cell in near]), 1000
    )
    expected = people([near[number] for number in sorted({cell for _, cell in walks})])
    assert (city["method"], city["unlinked_stop_count"]) == ("OpenStreetMap streets", 0)
    assert city["residents_within_low"] == pytest.approx(expected["p10"], abs=0.06)
    assert city["residents_within_count"] == pytest.approx(expected["p50"], abs=0.06)
    assert city["residents_within_high"] == pytest.approx(expected["p90"], abs=0.06)
    # Longer than a straight line: fewer people than live within 1,000 m of a station by air.
    assert city["residents_within_count"] < people(near)["p50"]


def test_the_buses_of_porto_alegre(shared_data: Path) -> None:
    folder = shared_data / "access/r5r_poa"
    frames = timetable((folder / "poa_eptc.zip").read_bytes())
    columns = {"id": "cell_id", "lat": "latitude", "lon": "longitude"}
    cells = a_grid(folder / "poa_hexgrid.csv", columns)
    night = a_night("2019-05-14")
    reach = compute_bus_reach(
        night, **frames, population_cells=cells, **districts(), **no_streets()
    )

    active = frames["service_dates"].filter(pl.col("service_date") == date(2019, 5, 14))
    services = set(active.get_column("service_id"))
    trips = {
        trip
        for trip, service in frames["trips"].select("trip_id", "service_id").iter_rows()
        if service in services
    }
    calls = frames["stop_times"].select("trip_id", "stop_id").iter_rows()
    called = {stop for trip, stop in calls if trip in trips}
    places = [
        (lat, lon)
        for stop, lat, lon in frames["stops"].select("stop_id", "stop_lat", "stop_lon").iter_rows()
        if stop in called
    ]
    within = sum(
        people
        for lat, lon, people in cells.select("latitude", "longitude", "population_p50").iter_rows()
        if 1.3 * nearest_m(lat, lon, places) <= 500
    )
    row = reach.row(0, named=True)
    assert row["served_stop_count"] == len(called)
    assert row["residents_count"] == 812_935
    assert row["residents_within_count"] == pytest.approx(within, abs=0.06)
