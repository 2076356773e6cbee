"""Where the sample lies: a flat plane, eight district polygons, and a population grid.

Districts are simple polygons of our own, drawn roughly and to about 500 m from general knowledge
of where districts lie. Neighbours share named corners, so they tile the city without overlap.
The grid has 500 m cells whose centre lies in a district; its pattern is ours (denser towards the
centre, nearly empty in the mountains), its totals are official: each district's cells sum to its
published population, and what remains of the city's total is shared between Auezov and Turksib,
whose published figures are lower bounds, in proportion to those bounds.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from pipelines.sample.facts import CITY_POPULATION, DISTRICTS
from pipelines.sample.seeds import generator

Floats = npt.NDArray[np.float64]

# The plane: metres east and north of an origin in the centre (equirectangular).
ORIGIN_LATITUDE, ORIGIN_LONGITUDE = 43.25, 76.93
METRES_PER_DEGREE_LATITUDE = 111_195.0
METRES_PER_DEGREE_LONGITUDE = 80_993.0  # at the origin's latitude
CELL_M = 500.0

# Our corners, longitude and latitude.
_CORNERS = {
    "alatau_west": (76.745, 43.315),
    "alatau_north_west": (76.80, 43.33),
    "alatau_north": (76.81, 43.355),
    "alatau_north_east": (76.875, 43.345),
    "alatau_zhetysu_north": (76.91, 43.35),
    "alatau_zhetysu": (76.888, 43.288),
    "alatau_zhetysu_almaly": (76.885, 43.262),
    "alatau_almaly_auezov": (76.863, 43.255),
    "alatau_auezov_nauryzbay": (76.81, 43.238),
    "alatau_nauryzbay": (76.785, 43.24),
    "alatau_south_west": (76.795, 43.285),
    "almaly_zhetysu_medeu": (76.945, 43.27),
    "almaly_medeu_bostandyk": (76.95, 43.243),
    "almaly_bostandyk_auezov": (76.873, 43.234),
    "auezov_bostandyk": (76.882, 43.207),
    "auezov_bostandyk_nauryzbay": (76.865, 43.194),
    "auezov_nauryzbay": (76.84, 43.2),
    "bostandyk_medeu_esentai": (76.948, 43.228),
    "bostandyk_medeu_park": (76.93, 43.213),
    "bostandyk_medeu_south": (76.963, 43.178),
    "bostandyk_medeu_gorge": (76.955, 43.135),
    "bostandyk_medeu_lake": (76.985, 43.075),
    "bostandyk_medeu_peak": (76.99, 43.045),
    "bostandyk_south": (76.94, 43.04),
    "bostandyk_south_west": (76.905, 43.085),
    "bostandyk_nauryzbay_south": (76.9, 43.13),
    "bostandyk_nauryzbay": (76.868, 43.175),
    "nauryzbay_south": (76.835, 43.123),
    "nauryzbay_south_west": (76.775, 43.16),
    "nauryzbay_west": (76.793, 43.178),
    "nauryzbay_north_west": (76.77, 43.228),
    "medeu_south_east": (77.08, 43.035),
    "medeu_east_gorge": (77.085, 43.11),
    "medeu_east_ridge": (77.065, 43.155),
    "medeu_east": (77.12, 43.155),
    "medeu_far_east": (77.145, 43.19),
    "medeu_north_east": (77.035, 43.245),
    "medeu_kuldzhinsky": (77.01, 43.268),
    "medeu_turksib_east": (77.04, 43.31),
    "medeu_turksib": (77.0, 43.295),
    "zhetysu_turksib_medeu": (76.972, 43.292),
    "zhetysu_medeu": (76.967, 43.272),
    "zhetysu_turksib": (76.937, 43.294),
    "zhetysu_turksib_north": (76.935, 43.345),
    "zhetysu_turksib_outer": (76.963, 43.38),
    "zhetysu_north": (76.93, 43.38),
    "turksib_north": (76.985, 43.403),
    "turksib_north_east": (77.015, 43.362),
    "turksib_airport": (77.1, 43.383),
    "turksib_east": (77.045, 43.345),
}
_OUTLINES = {
    "alatau": "alatau_west alatau_north_west alatau_north alatau_north_east alatau_zhetysu_north "
    "alatau_zhetysu alatau_zhetysu_almaly alatau_almaly_auezov alatau_auezov_nauryzbay "
    "alatau_nauryzbay alatau_south_west",
    "almaly": "alatau_zhetysu_almaly almaly_zhetysu_medeu almaly_medeu_bostandyk "
    "almaly_bostandyk_auezov alatau_almaly_auezov",
    "auezov": "alatau_almaly_auezov almaly_bostandyk_auezov auezov_bostandyk "
    "auezov_bostandyk_nauryzbay auezov_nauryzbay alatau_auezov_nauryzbay",
    "bostandyk": "almaly_bostandyk_auezov almaly_medeu_bostandyk bostandyk_medeu_esentai "
    "bostandyk_medeu_park bostandyk_medeu_south bostandyk_medeu_gorge bostandyk_medeu_lake "
    "bostandyk_medeu_peak bostandyk_south bostandyk_south_west bostandyk_nauryzbay_south "
    "bostandyk_nauryzbay auezov_bostandyk_nauryzbay auezov_bostandyk",
    "medeu": "almaly_zhetysu_medeu zhetysu_medeu zhetysu_turksib_medeu medeu_turksib "
    "medeu_turksib_east medeu_kuldzhinsky medeu_north_east medeu_far_east medeu_east "
    "medeu_east_ridge medeu_east_gorge medeu_south_east bostandyk_medeu_peak "
    "bostandyk_medeu_lake bostandyk_medeu_gorge bostandyk_medeu_south bostandyk_medeu_park "
    "bostandyk_medeu_esentai almaly_medeu_bostandyk",
    "nauryzbay": "alatau_nauryzbay alatau_auezov_nauryzbay auezov_nauryzbay "
    "auezov_bostandyk_nauryzbay bostandyk_nauryzbay bostandyk_nauryzbay_south nauryzbay_south "
    "nauryzbay_south_west nauryzbay_west nauryzbay_north_west",
    "turksib": "zhetysu_turksib_medeu zhetysu_turksib zhetysu_turksib_north "
    "zhetysu_turksib_outer turksib_north turksib_north_east turksib_airport turksib_east "
    "medeu_turksib_east medeu_turksib",
    "zhetysu": "alatau_zhetysu_almaly alatau_zhetysu alatau_zhetysu_north zhetysu_north "
    "zhetysu_turksib_outer zhetysu_turksib_north zhetysu_turksib zhetysu_turksib_medeu "
    "zhetysu_medeu almaly_zhetysu_medeu",
}

# Our pattern of settlement: people thin out by this distance from the centre, and south of the
# edge of the foothills within a few hundred metres.
SETTLEMENT_SCALE_M = 9_000.0
FOOTHILLS_LATITUDE = 43.185
FOOTHILLS_SCALE_DEGREES = 0.012
CELL_SPREAD = 0.4  # standard deviation of the log of a cell's density around the pattern
INTERVAL_SPREAD = (0.12, 0.35)  # P10 lies below P50 by this share of it, drawn per cell
UPPER_STRETCH = 1.3  # P90 lies above P50 by so many times as much


def to_plane(latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """Metres east and north of the origin."""
    east_m = (longitude - ORIGIN_LONGITUDE) * METRES_PER_DEGREE_LONGITUDE
    north_m = (latitude - ORIGIN_LATITUDE) * METRES_PER_DEGREE_LATITUDE
    return east_m, north_m


def to_degrees(east_m: Floats, north_m: Floats) -> tuple[Floats, Floats]:
    """Latitude and longitude of points of the plane, to 6 decimals (0.1 m)."""
    latitude = np.round(ORIGIN_LATITUDE + north_m / METRES_PER_DEGREE_LATITUDE, 6)
    longitude = np.round(ORIGIN_LONGITUDE + east_m / METRES_PER_DEGREE_LONGITUDE, 6)
    return latitude, longitude


@cache
def district_polygons() -> dict[str, shapely.Polygon]:
    """Polygon of each district by its id, in degrees."""
    return {
        district_id: shapely.Polygon([_CORNERS[corner] for corner in outline.split()])
        for district_id, outline in _OUTLINES.items()
    }


def district_of(latitude: Floats, longitude: Floats) -> npt.NDArray[np.int64]:
    """Index into DISTRICTS of the district that holds each point, -1 outside the city."""
    found = np.full(len(latitude), -1, dtype=np.int64)
    for index, district in enumerate(DISTRICTS):
        inside = shapely.contains_xy(district_polygons()[district.district_id], longitude, latitude)
        found[inside & (found < 0)] = index
    return found


def settlement_weight(latitude: Floats, longitude: Floats) -> Floats:
    """Relative density of people at each point by our pattern, 0..1."""
    east_m, north_m = to_plane(latitude, longitude)
    from_centre = np.exp(-np.hypot(east_m, north_m) / SETTLEMENT_SCALE_M)
    lowland = 1 / (1 + np.exp((FOOTHILLS_LATITUDE - latitude) / FOOTHILLS_SCALE_DEGREES))
    return np.round(from_centre * lowland, 9)


@cache
def district_totals() -> dict[str, int]:
    """Residents that each district's cells sum to; all eight sum to the city's total."""
    exact = {d.district_id: d.official_population for d in DISTRICTS if d.is_exact}
    bounds = {d.district_id: d.official_population for d in DISTRICTS if not d.is_exact}
    remainder = CITY_POPULATION - sum(exact.values())
    names = sorted(bounds)
    shared = apportion(np.array([bounds[name] for name in names], dtype=np.float64), remainder)
    return exact | dict(zip(names, shared.tolist(), strict=True))


def apportion(weights: Floats, total: int) -> npt.NDArray[np.int64]:
    """Whole numbers in proportion to the weights that sum to the total (largest remainders)."""
    quotas: Floats = np.round(weights / weights.sum() * total, 6)
    parts: npt.NDArray[np.int64] = np.floor(quotas).astype(np.int64)
    order = np.argsort(parts - quotas, kind="stable")
    parts[order[: total - int(parts.sum())]] += 1
    return parts


def make_districts() -> bytes:
    """GeoJSON FeatureCollection of the eight districts."""
    features = [
        {
            "type": "Feature",
            "properties": {
                "district_id": district.district_id,
                "name_en": district.name_en,
                "name_kk": district.name_kk,
                "name_ru": district.name_ru,
                "official_population": district.official_population,
                "population_precision": "exact" if district.is_exact else "lower_bound",
                "annexed_date": district.annexed_date and district.annexed_date.isoformat(),
                "source": "population: gov.kz page of the district; outline: synthetic",
            },
            "geometry": json.loads(
                shapely.to_geojson(district_polygons()[district.district_id].normalize())
            ),
        }
        for district in DISTRICTS
    ]
    collection = {"type": "FeatureCollection", "features": features}
    return (json.dumps(collection, ensure_ascii=False, indent=1) + "\n").encode()


def make_population(seed: int) -> bytes:
    """CSV grid of residents: a row per 500 m cell, in order of cell_id."""
    north_cells, east_cells = np.meshgrid(np.arange(-50, 40), np.arange(-32, 38), indexing="ij")
    east_m = np.asarray((east_cells.ravel() + 0.5) * CELL_M, dtype=np.float64)
    north_m = np.asarray((north_cells.ravel() + 0.5) * CELL_M, dtype=np.float64)
    latitude, longitude = to_degrees(east_m, north_m)
    district = district_of(latitude, longitude)
    inside = district >= 0
    latitude, longitude, district = latitude[inside], longitude[inside], district[inside]
    rng = generator(seed, "population")
    spread = np.exp(CELL_SPREAD * rng.standard_normal(len(district)))
    weights = np.round(settlement_weight(latitude, longitude) * spread, 9)
    half_width = rng.uniform(*INTERVAL_SPREAD, len(district))

    residents = np.zeros(len(district), dtype=np.int64)
    for index, entry in enumerate(DISTRICTS):
        cells = district == index
        residents[cells] = apportion(weights[cells], district_totals()[entry.district_id])
    names = cell_names(north_cells.ravel()[inside], east_cells.ravel()[inside])
    cells_table = pl.DataFrame(
        {
            "cell_id": names,
            "latitude": latitude,
            "longitude": longitude,
            "population_p10": np.round(residents * (1 - half_width), 1),
            "population_p50": residents,
            "population_p90": np.round(residents * (1 + UPPER_STRETCH * half_width), 1),
        }
    )
    return cells_table.write_csv().encode()


def cell_names(north: npt.NDArray[np.int64], east: npt.NDArray[np.int64]) -> list[str]:
    """Names of cells by their row and column, counted from the south-west."""
    return [f"N{n + 50:02d}E{e + 32:02d}" for n, e in zip(north, east, strict=True)]
