"""Count stations: enough of each role, and where they should lie."""

from __future__ import annotations

import numpy as np
import polars as pl
import shapely

from pipelines.sample.places import district_polygons, to_plane
from pipelines.sample.stations import CORDON, RING


def test_enough_of_each_role(stations: pl.DataFrame) -> None:
    roles = dict(stations["role"].value_counts().iter_rows())
    assert roles["control"] >= 40
    assert roles["cordon"] >= 6
    assert roles["ring"] >= 6
    assert roles["screenline"] >= 8
    assert stations["station_id"].n_unique() == len(stations)
    assert stations.null_count().sum_horizontal().item() == 0


def test_gantries_stand_in_order_from_west_to_east() -> None:
    chainages = [station.ring_km for station in RING]
    assert chainages == sorted(chainages)
    longitudes = [station.longitude for station in RING]
    assert longitudes == sorted(longitudes)


def test_cordon_lies_outside_the_ring_and_the_city(stations: pl.DataFrame) -> None:
    city = shapely.union_all(list(district_polygons().values()))
    ring = shapely.LineString([(station.longitude, station.latitude) for station in RING])
    inside = shapely.convex_hull(shapely.union_all([city, ring]))
    for station in CORDON:
        assert not inside.contains(shapely.Point(station.longitude, station.latitude))


def test_controls_lie_far_from_the_ring(stations: pl.DataFrame) -> None:
    controls = stations.filter(pl.col("role") == "control")
    east_m, north_m = to_plane(controls["latitude"].to_numpy(), controls["longitude"].to_numpy())
    assert (np.hypot(east_m, north_m) > 40_000).all()
