"""Districts tile the city; the grid's people are the official ones."""

from __future__ import annotations

import json
from datetime import date
from itertools import combinations

import numpy as np
import polars as pl
import shapely

from pipelines.sample import make_object
from pipelines.sample.facts import CITY_POPULATION, DISTRICTS
from pipelines.sample.places import apportion, district_of, district_polygons


def test_polygons_are_valid_simple_and_disjoint() -> None:
    polygons = district_polygons()
    assert len(polygons) == 8
    for polygon in polygons.values():
        assert polygon.is_valid
        assert len(polygon.exterior.coords) <= 20
    for first, second in combinations(polygons.values(), 2):
        assert first.intersection(second).area < 1e-12


def test_polygons_share_edges_and_leave_no_holes() -> None:
    city = shapely.union_all(list(district_polygons().values()))
    assert isinstance(city, shapely.Polygon)
    assert not city.interiors
    # Almaty has about 700 km2; ours is rough.
    assert 600 < city.area * 111.2 * 81.0 < 800


def test_districts_file(service_date: date) -> None:
    content = json.loads(make_object("districts", "districts.geojson", service_date))
    assert content["type"] == "FeatureCollection"
    rows = {f["properties"]["district_id"]: f["properties"] for f in content["features"]}
    assert len(rows) == 8
    assert rows["almaly"]["official_population"] == 224_600
    dated = {name: row["annexed_date"] for name, row in rows.items() if row["annexed_date"]}
    assert dated == {"nauryzbay": "2014-04-17"}
    assert rows["almaly"]["population_precision"] == "exact"
    assert rows["auezov"]["population_precision"] == "lower_bound"
    assert all(row["name_kk"] and row["name_ru"] and row["source"] for row in rows.values())
    for feature in content["features"]:
        assert shapely.from_geojson(json.dumps(feature["geometry"])).is_valid


def test_cells_sum_to_official_totals(cells: pl.DataFrame) -> None:
    assert 2_700 < len(cells) < 3_200
    assert cells["cell_id"].n_unique() == len(cells)
    assert cells["population_p50"].sum() == CITY_POPULATION
    index = district_of(cells["latitude"].to_numpy(), cells["longitude"].to_numpy())
    assert (index >= 0).all()
    totals = np.bincount(index, weights=cells["population_p50"].to_numpy())
    for district, total in zip(DISTRICTS, totals.tolist(), strict=True):
        if district.is_exact:
            assert total == district.official_population
        else:
            assert total > district.official_population


def test_cells_have_ordered_quantiles_and_a_plausible_density(cells: pl.DataFrame) -> None:
    assert cells.filter(
        (pl.col("population_p10") > pl.col("population_p50"))
        | (pl.col("population_p50") > pl.col("population_p90"))
    ).is_empty()
    # Under 60,000 people a km2.
    assert 2_000 < float(cells["population_p50"].max() or 0) < 15_000  # type: ignore[arg-type]


def test_apportion_hits_the_total() -> None:
    assert apportion(np.array([1.0, 1.0, 1.0]), 10).tolist() == [4, 3, 3]
    assert apportion(np.array([0.0, 2.0, 1.0]), 4).tolist() == [0, 3, 1]


def test_opportunities_follow_the_residents(cells: pl.DataFrame, service_date: date) -> None:
    found = pl.read_csv(make_object("opportunities", "opportunities.csv", service_date))
    assert found.columns == ["place_id", "latitude", "longitude", "jobs", "schools", "clinics"]
    assert set(found["place_id"]) <= set(cells["cell_id"])
    totals = found.select(pl.col("jobs", "schools", "clinics").sum()).row(0)
    assert totals[0] == round(CITY_POPULATION / 2.2)
    # 2,351,424 residents are 293 times 8,000 and 117 times 20,000, and a part of the next.
    assert totals[1] in (293, 294)
    assert totals[2] in (117, 118)
    # Jobs crowd in the centre: the nearest tenth of cells has more of them than of residents.
    near = cells.select(
        "cell_id",
        "population_p50",
        away=(pl.col("latitude") - 43.25) ** 2 + (0.73 * (pl.col("longitude") - 76.93)) ** 2,
    ).sort("away")[: len(cells) // 10]
    jobs = found.filter(pl.col("place_id").is_in(near["cell_id"].implode()))["jobs"].sum()
    assert jobs / totals[0] > 1.5 * near["population_p50"].sum() / CITY_POPULATION > 0.15
