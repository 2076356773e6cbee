"""Line 1 of the Almaty metro as GTFS: stations, run times and headways as published.

11 stations, both directions, a weekday service and a weekend service (which also runs on public
holidays). Departures follow the published headways from the first to the last train of each
terminal; the last trains arrive after midnight and are written past 24:00:00. Both directions
change headway at the same hour; the published timetable changes from Bauyrjan Momyshuly half an
hour later in the morning. Left out: single headways that differ by seconds, short trips that start
in the middle of the line in the morning, and platforms. Trains stop 25 s, which
is ours: published run times are from departure to departure.
"""

from __future__ import annotations

from datetime import date
from itertools import cycle

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample import gtfs
from pipelines.sample.days import calendar_window, days_between, is_holiday
from pipelines.sample.facts import (
    METRO_FIRST_DEPARTURES,
    METRO_LAST_DEPARTURES,
    METRO_STATIONS,
    METRO_WEEKDAY_HEADWAYS,
    METRO_WEEKEND_HEADWAYS,
)
from pipelines.sample.places import to_plane

AGENCY_NAME = "Метрополитен (синтетические данные)"
ROUTE_ID = "M1"
DWELL_SECONDS = 25
HEADWAYS = {"weekday": METRO_WEEKDAY_HEADWAYS, "weekend": METRO_WEEKEND_HEADWAYS}
# A train nearer than this to the last one does not run.
LAST_GAP_SECONDS = 400


def make_metro_feed(service_date: date) -> bytes:
    """GTFS zip of line 1, calendar as `days.calendar_window` says."""
    first, last = calendar_window(service_date)
    return gtfs.write_feed(
        {
            "agency": gtfs.agency("metro", AGENCY_NAME),
            "calendar": calendar(first, last),
            "calendar_dates": holiday_dates(first, last),
            "feed_info": gtfs.feed_info(AGENCY_NAME, first, last),
            "routes": routes(),
            "shapes": shapes(),
            "stop_times": stop_times(),
            "stops": stops(),
            "translations": translations(),
            "trips": trips(),
        }
    )


def departures(service_id: str, direction_id: int) -> list[int]:
    """Seconds at which trains leave the terminal of the direction, the last one included."""
    turns = [(start, cycle(headways)) for start, headways in HEADWAYS[service_id]]
    last = METRO_LAST_DEPARTURES[service_id][direction_id]
    leaving = METRO_FIRST_DEPARTURES[service_id][direction_id]
    seconds: list[int] = []
    while leaving <= last - LAST_GAP_SECONDS:
        seconds.append(leaving)
        leaving += next([turn for start, turn in turns if start <= leaving][-1])
    return [*seconds, last]


def _metres_along() -> npt.NDArray[np.float64]:
    """Straight-line metres from Raiymbek batyr to each station."""
    east_m, north_m = to_plane(
        np.array([station.latitude for station in METRO_STATIONS]),
        np.array([station.longitude for station in METRO_STATIONS]),
    )
    legs = np.hypot(np.diff(east_m), np.diff(north_m))
    metres: npt.NDArray[np.float64] = np.round(np.concatenate([[0.0], np.cumsum(legs)]), 1)
    return metres


def _trip_id(service_id: str, direction_id: int, number: int) -> str:
    return f"{ROUTE_ID}-{service_id}-{direction_id}-{number:03d}"


def stops() -> pl.DataFrame:
    """stops.txt: a stop per station, named in Russian."""
    return pl.DataFrame(
        {
            "stop_id": [station.code for station in METRO_STATIONS],
            "stop_name": [station.name_ru for station in METRO_STATIONS],
            "stop_lat": [station.latitude for station in METRO_STATIONS],
            "stop_lon": [station.longitude for station in METRO_STATIONS],
            "wheelchair_boarding": [0] * len(METRO_STATIONS),
        }
    )


def translations() -> pl.DataFrame:
    """translations.txt: station names in Kazakh and English."""
    rows = [
        (station.code, language, name)
        for station in METRO_STATIONS
        for language, name in (("en", station.name_en), ("kk", station.name_kk))
    ]
    return pl.DataFrame(
        {
            "table_name": ["stops"] * len(rows),
            "field_name": ["stop_name"] * len(rows),
            "language": [row[1] for row in rows],
            "translation": [row[2] for row in rows],
            "record_id": [row[0] for row in rows],
        }
    )


def routes() -> pl.DataFrame:
    """routes.txt: line 1."""
    ends = f"{METRO_STATIONS[0].name_ru} - {METRO_STATIONS[-1].name_ru}"
    return pl.DataFrame(
        {
            "route_id": [ROUTE_ID],
            "agency_id": ["metro"],
            "route_short_name": ["1"],
            "route_long_name": [ends],
            "route_type": [1],
        }
    )


def shapes() -> pl.DataFrame:
    """shapes.txt: straight lines between stations, one shape per direction, metres along it."""
    along_m = _metres_along()
    parts = []
    for direction_id, stations in enumerate((METRO_STATIONS, METRO_STATIONS[::-1])):
        parts.append(
            pl.DataFrame(
                {
                    "shape_id": [f"{ROUTE_ID}-{direction_id}"] * len(stations),
                    "shape_pt_lat": [station.latitude for station in stations],
                    "shape_pt_lon": [station.longitude for station in stations],
                    "shape_pt_sequence": np.arange(len(stations)),
                    "shape_dist_traveled": _from_start(along_m, direction_id),
                }
            )
        )
    return pl.concat(parts)


def _from_start(along_m: npt.NDArray[np.float64], direction_id: int) -> npt.NDArray[np.float64]:
    metres: npt.NDArray[np.float64] = (
        along_m if direction_id == 0 else np.round(along_m[-1] - along_m[::-1], 1)
    )
    return metres


def _schedules() -> list[tuple[str, int, list[int]]]:
    return [
        (service_id, direction_id, departures(service_id, direction_id))
        for service_id in HEADWAYS
        for direction_id in (0, 1)
    ]


def trips() -> pl.DataFrame:
    """trips.txt: a trip per departure."""
    rows = [
        (_trip_id(service_id, direction_id, number), service_id, direction_id)
        for service_id, direction_id, leaving in _schedules()
        for number in range(len(leaving))
    ]
    heads = (METRO_STATIONS[-1].name_ru, METRO_STATIONS[0].name_ru)
    return pl.DataFrame(
        {
            "route_id": [ROUTE_ID] * len(rows),
            "service_id": [row[1] for row in rows],
            "trip_id": [row[0] for row in rows],
            "trip_headsign": [heads[row[2]] for row in rows],
            "direction_id": [row[2] for row in rows],
            "shape_id": [f"{ROUTE_ID}-{row[2]}" for row in rows],
            "wheelchair_accessible": [0] * len(rows),
        }
    )


def stop_times() -> pl.DataFrame:
    """stop_times.txt: every trip calls at every station."""
    runs = np.array([s.run_seconds for s in METRO_STATIONS if s.run_seconds is not None])
    codes = [station.code for station in METRO_STATIONS]
    along_m = _metres_along()
    count = len(codes)
    parts = []
    for service_id, direction_id, leaving in _schedules():
        ordered = runs if direction_id == 0 else runs[::-1]
        since_start = np.concatenate([[0], np.cumsum(ordered)])
        departing = np.array(leaving)[:, None] + since_start[None, :]
        arriving = departing.copy()
        arriving[:, 1:-1] -= DWELL_SECONDS
        trip_ids = [_trip_id(service_id, direction_id, n) for n in range(len(leaving))]
        parts.append(
            pl.DataFrame(
                {
                    "trip_id": np.repeat(trip_ids, count),
                    "arrival_time": gtfs.clock_text(arriving.ravel()),
                    "departure_time": gtfs.clock_text(departing.ravel()),
                    "stop_id": (codes if direction_id == 0 else codes[::-1]) * len(leaving),
                    "stop_sequence": np.tile(np.arange(count), len(leaving)),
                    "shape_dist_traveled": np.tile(
                        _from_start(along_m, direction_id), len(leaving)
                    ),
                }
            )
        )
    return pl.concat(parts)


def calendar(first: date, last: date) -> pl.DataFrame:
    """calendar.txt: Monday to Friday, and Saturday and Sunday."""
    return pl.DataFrame(
        [
            gtfs.calendar_row("weekday", "1111100", first, last),
            gtfs.calendar_row("weekend", "0000011", first, last),
        ]
    )


def holiday_dates(first: date, last: date) -> pl.DataFrame:
    """calendar_dates.txt: public holidays from Monday to Friday run as the weekend does."""
    holidays = [d for d in days_between(first, last) if is_holiday(d) and d.weekday() < 5]
    return gtfs.calendar_dates(
        [row for day in holidays for row in (("weekday", day, 2), ("weekend", day, 1))]
    )
