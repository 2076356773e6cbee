"""Where vehicles are counted: cordon, ring, screenlines and controls.

- *cordon*: on the main radials outside the ring road, so that both ways through the valley cross
  the cordon twice. In is towards the city, out is away from it.
- *ring*: gantries of the Big Almaty Ring Road (BAKAD), in order of chainage from the west. In is
  eastbound (rising chainage), out is westbound.
- *screenline*: the radials at the edge of the city, and streets inside it. In is towards the
  city's centre, or eastbound. Streets parallel to a relieved one took some of its traffic or gave
  some to the ring: they are contaminated and no controls, and stand here as screenlines.
- *control*: roads of the region tens of kilometres from the ring and from any parallel street.

Roads are real; positions, chainages and levels are ours, except the levels that `facts` publishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from pipelines.sample.facts import (
    KULDZHINSKY_BEFORE,
    RING_DAILY_VEHICLES_AT_OPENING,
    RING_LENGTH_KM,
    RING_OPENED_DATE,
    TASHKENTSKY_BEFORE,
)
from pipelines.sample.places import to_degrees, to_plane

CONTROL_STATIONS = 42
_COUNTED_SINCE = date(2021, 9, 1)
_DIRECTIONS = {
    "cordon": "both; in = towards the city, out = away from the city",
    "ring": "both; in = eastbound, out = westbound",
    "screenline": "both; in = towards the centre or eastbound, out = the other way",
    "control": "both",
}


@dataclass(frozen=True)
class Station:
    """A count station; its level is vehicles a day, both ways, at the ring's opening."""

    station_id: str
    station_name: str
    road_name: str
    role: str
    latitude: float
    longitude: float
    opened_date: date
    daily_vehicles: float
    medium_share: float
    heavy_share: float
    ring_km: float = 0.0  # cordon: where its radial meets the ring; ring: where the gantry stands


# The ring, roughly, from Kaskelen in the west around the north to Talgar in the east.
_RING_LINE = np.array(
    [
        (76.60, 43.21),
        (76.66, 43.27),
        (76.70, 43.34),
        (76.78, 43.40),
        (76.89, 43.44),
        (77.00, 43.45),
        (77.11, 43.42),
        (77.20, 43.37),
        (77.23, 43.30),
    ]
)

# station, name, road, latitude, longitude, vehicles a day, heavy share, km where it meets the ring
_CORDON = (
    ("cordon-1", "Uzynagash", "Tashkentsky trakt", 43.205, 76.46, 34_000, 0.075, 1.0),
    ("cordon-2", "Kaskelen", "Bishkek road", 43.245, 76.51, 24_000, 0.066, 6.0),
    ("cordon-3", "Boraldai", "Boraldai road", 43.43, 76.67, 15_000, 0.06, 20.0),
    ("cordon-4", "Karoi", "Kurty road", 43.50, 76.81, 18_000, 0.10, 27.0),
    ("cordon-5", "Zhetigen", "Kapchagai road", 43.53, 77.03, 38_000, 0.06, 39.0),
    ("cordon-6", "Koktobe", "Kuldzhinsky trakt", 43.44, 77.27, 30_000, 0.092, 52.0),
    ("cordon-7", "Talgar", "Talgar road", 43.31, 77.31, 21_000, 0.055, 64.0),
)
# Gantries: chainage and level relative to the mean of all.
_RING = (
    (10.0, 0.86),
    (16.0, 0.95),
    (23.0, 1.06),
    (33.0, 1.2),
    (45.0, 1.1),
    (49.0, 1.02),
    (58.0, 0.81),
)
# station, name, road, latitude, longitude, vehicles a day before the opening, heavy share
_SCREENLINES = (
    (
        "screen-01",
        "City edge, west",
        "Tashkentsky trakt",
        43.236,
        76.775,
        TASHKENTSKY_BEFORE,
        0.047,
    ),
    ("screen-02", "City edge, north-west", "Boraldai road", 43.345, 76.845, 31_000, 0.054),
    ("screen-03", "City edge, north", "Northern half-ring", 43.352, 76.905, 46_000, 0.08),
    ("screen-04", "City edge, north-east", "Suyunbay avenue", 43.385, 76.975, 58_000, 0.07),
    (
        "screen-05",
        "City edge, east",
        "Kuldzhinsky trakt",
        43.292,
        77.015,
        KULDZHINSKY_BEFORE,
        0.077,
    ),
    ("screen-06", "City edge, south-east", "Talgar road", 43.262, 77.02, 36_000, 0.052),
    ("screen-07", "Centre", "Ryskulov avenue", 43.281, 76.92, 118_000, 0.024),
    ("screen-08", "Centre", "Raiymbek avenue", 43.266, 76.93, 92_000, 0.006),
    ("screen-09", "Parallel street", "Abay avenue", 43.24, 76.9, 84_000, 0.005),
    ("screen-10", "Parallel street", "Al-Farabi avenue", 43.207, 76.91, 125_000, 0.005),
    ("screen-11", "Parallel street", "Sain street", 43.235, 76.86, 71_000, 0.008),
    ("screen-12", "Parallel street", "Momyshuly street", 43.225, 76.84, 43_000, 0.01),
)


def _ring_position(ring_km: float) -> tuple[float, float]:
    """Latitude and longitude of a chainage, the line being stretched to the ring's length."""
    east_m, north_m = to_plane(_RING_LINE[:, 1], _RING_LINE[:, 0])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(east_m), np.diff(north_m)))])
    metres = np.array([ring_km / RING_LENGTH_KM * along[-1]])
    latitude, longitude = to_degrees(
        np.interp(metres, along, east_m), np.interp(metres, along, north_m)
    )
    return float(latitude[0]), float(longitude[0])


def _cordon() -> list[Station]:
    return [
        Station(code, name, road, "cordon", lat, lon, _COUNTED_SINCE, level, 0.09, heavy, km)
        for code, name, road, lat, lon, level, heavy, km in _CORDON
    ]


def _ring() -> list[Station]:
    mean = sum(level for _, level in _RING) / len(_RING)
    return [
        Station(
            f"ring-{number}",
            f"BAKAD gantry, km {km:.0f}",
            "Big Almaty Ring Road",
            "ring",
            *_ring_position(km),
            RING_OPENED_DATE,
            RING_DAILY_VEHICLES_AT_OPENING * level / mean,
            0.1,
            0.042,
            km,
        )
        for number, (km, level) in enumerate(_RING, start=1)
    ]


def _screenlines() -> list[Station]:
    return [
        Station(code, name, road, "screenline", lat, lon, _COUNTED_SINCE, level, 0.06, heavy)
        for code, name, road, lat, lon, level, heavy in _SCREENLINES
    ]


def _controls() -> list[Station]:
    """Spread over the plains north of the city, 45 to 120 km out, evenly in angle."""
    number = np.arange(1, CONTROL_STATIONS + 1)
    angle = np.pi * (number * 0.618 % 1.0)
    radius_m = 45_000.0 + 1_780.0 * number
    latitude, longitude = to_degrees(
        np.round(radius_m * np.cos(angle)), np.round(radius_m * np.sin(angle))
    )
    return [
        Station(
            f"control-{k:02d}",
            f"Control post {k}",
            f"Regional road {100 + k}",
            "control",
            float(latitude[k - 1]),
            float(longitude[k - 1]),
            _COUNTED_SINCE if k % 10 else date(2022, 4, 1),
            4_000.0 + k * 7919 % 17 * 1_100.0,
            0.08,
            0.05 + k % 5 * 0.015,
        )
        for k in number.tolist()
    ]


STATIONS: tuple[Station, ...] = (*_cordon(), *_ring(), *_screenlines(), *_controls())
CORDON = tuple(station for station in STATIONS if station.role == "cordon")
RING = tuple(station for station in STATIONS if station.role == "ring")
STATION_INDEX = {station.station_id: index for index, station in enumerate(STATIONS)}
# Stations with plate readers: cordon, ring and screenlines, the first of STATIONS.
READERS = tuple(station for station in STATIONS if station.role != "control")
READER_OPENED = np.array([station.opened_date.toordinal() for station in READERS])
# The screenline at which the city is entered or left on the way from or to a cordon station.
CITY_EDGE = {
    "cordon-1": "screen-01",
    "cordon-2": "screen-01",
    "cordon-3": "screen-02",
    "cordon-4": "screen-03",
    "cordon-5": "screen-04",
    "cordon-6": "screen-05",
    "cordon-7": "screen-06",
}
CITY_CENTRE = "screen-07"  # trucks cross the centre on Ryskulov avenue


def make_count_stations() -> bytes:
    """CSV of all stations, a row per station."""
    table = pl.DataFrame(
        {
            "station_id": [station.station_id for station in STATIONS],
            "station_name": [station.station_name for station in STATIONS],
            "road_name": [station.road_name for station in STATIONS],
            "role": [station.role for station in STATIONS],
            "direction": [_DIRECTIONS[station.role] for station in STATIONS],
            "latitude": [station.latitude for station in STATIONS],
            "longitude": [station.longitude for station in STATIONS],
            "opened_date": [station.opened_date for station in STATIONS],
        }
    )
    return table.write_csv().encode()
