"""The suburban railway Almaty - Konaev as GTFS: one pair of trains a day but Sunday, as announced.

Both trains call at all seven stations. Only the times at the ends were published: those between are
left blank, as GTFS allows. What runs on public holidays is not known; the days of the week hold.
Left out: shapes, and platforms.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.sample import gtfs
from pipelines.sample.days import calendar_window
from pipelines.sample.facts import (
    RAIL_FROM_ALMATY,
    RAIL_OPENED_DATE,
    RAIL_STATIONS,
    RAIL_TO_ALMATY,
)

AGENCY_NAME = "Пригородные поезда (синтетические данные)"
ROUTE_ID = "ALM-KON"
RAIL_TYPE = 2
_WAYS = ((RAIL_STATIONS, RAIL_FROM_ALMATY), (RAIL_STATIONS[::-1], RAIL_TO_ALMATY))


def covers(service_date: date) -> bool:
    """Whether a feed delivered on the service date has a day with trains."""
    return calendar_window(service_date)[1] >= RAIL_OPENED_DATE


def make_rail_feed(service_date: date) -> bytes:
    """GTFS zip of the line, from its first day on; calendar as `days.calendar_window` says."""
    first, last = calendar_window(service_date)
    first = max(first, RAIL_OPENED_DATE)
    return gtfs.write_feed(
        {
            "agency": gtfs.agency("rail", AGENCY_NAME),
            "calendar": pl.DataFrame([gtfs.calendar_row("not_sunday", "1111110", first, last)]),
            "feed_info": gtfs.feed_info(AGENCY_NAME, first, last),
            "routes": _routes(),
            "stop_times": pl.concat(_calls(direction_id) for direction_id in (0, 1)),
            "stops": _stops(),
            "trips": _trips(),
        }
    )


def _routes() -> pl.DataFrame:
    """routes.txt."""
    return pl.DataFrame(
        {
            "route_id": [ROUTE_ID],
            "agency_id": ["rail"],
            "route_short_name": pl.Series([None], dtype=pl.String),
            "route_long_name": [f"{RAIL_STATIONS[0].name_ru} - {RAIL_STATIONS[-1].name_ru}"],
            "route_type": [RAIL_TYPE],
        }
    )


def _stops() -> pl.DataFrame:
    """stops.txt: a stop per station, named in Russian."""
    return pl.DataFrame(
        {
            "stop_id": [station.code for station in RAIL_STATIONS],
            "stop_name": [station.name_ru for station in RAIL_STATIONS],
            "stop_lat": [station.latitude for station in RAIL_STATIONS],
            "stop_lon": [station.longitude for station in RAIL_STATIONS],
            "wheelchair_boarding": [0] * len(RAIL_STATIONS),
        }
    )


def _trips() -> pl.DataFrame:
    """trips.txt: one train each way."""
    return pl.DataFrame(
        {
            "route_id": [ROUTE_ID] * len(_WAYS),
            "service_id": ["not_sunday"] * len(_WAYS),
            "trip_id": [_trip_id(direction_id) for direction_id in range(len(_WAYS))],
            "trip_headsign": [stations[-1].name_ru for stations, _ in _WAYS],
            "direction_id": [0, 1],
            "wheelchair_accessible": [0] * len(_WAYS),
        }
    )


def _calls(direction_id: int) -> pl.DataFrame:
    """stop_times.txt of one train: the times at its ends are known."""
    stations, (leaving, arriving) = _WAYS[direction_id]
    times = [_clock(leaving), *[None] * (len(stations) - 2), _clock(arriving)]
    return pl.DataFrame(
        {
            "trip_id": [_trip_id(direction_id)] * len(stations),
            "arrival_time": times,
            "departure_time": times,
            "stop_id": [station.code for station in stations],
            "stop_sequence": range(len(stations)),
            "timepoint": [int(time is not None) for time in times],
        }
    )


def _trip_id(direction_id: int) -> str:
    return f"{ROUTE_ID}-{direction_id}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
