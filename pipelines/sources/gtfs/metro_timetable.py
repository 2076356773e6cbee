"""The Almaty metro's timetable turned into GTFS: departures by station become trips.

The data: for each station, direction and kind of day the operator's site lists departure times
(`schedule.json`), with the stations in order (`stations.json`) and the dates with weekend service
(`holidays.json`). There are no trip ids and no arrivals, no departures at the terminal itself.

The definition: the *run* between two neighbouring stations is the commonest difference between
their departures; at a terminal, where nothing departs, it is the run of the other direction. Going
down the line, a departure continues as the one that follows it by the run, give or take
`RUN_TOLERANCE_SECONDS`, in order, each used once. What continues nothing begins a trip in mid-line
(first trains of the day start at several stations), what is not continued ends at the next station.
Arrival equals departure: dwell times are not published. A departure before `SERVICE_DAY_START`
belongs to the service day before and is written 24:xx.

Left out: the operator's own remark that some weekend times are estimates (the file does not mark
them), and planned stations. Everything put right is told in notices.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.raw import RawFeed, TextTable
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, ROW, Found
from pipelines.staging.sift import FIRST_ROW

METRO_FILES = ("schedule.json", "stations.json", "holidays.json")

# No train runs between 01:00 and 06:00 (the lists themselves, timetable of 2026-08-22).
SERVICE_DAY_START = 4 * 3600
# Well under half of the shortest headway (338 s), so no train is taken for the next.
RUN_TOLERANCE_SECONDS = 60
# Runs looked for: the longest between two stations of the line is 200 s.
LONGEST_RUN_SECONDS = 600

DAY = 24 * 3600
DIRECTIONS = {"forward": "0", "backward": "1"}
SERVICE_WEEKDAYS = {"weekday": "1111100", "weekend": "0000011"}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ROUTE_ID, AGENCY_ID, LANGUAGE = "M1", "metro", "ru"


@dataclass(frozen=True)
class Call:
    """One train at one station."""

    station: str
    seconds: int


Trip = tuple[Call, ...]


def read_metro_timetable(files: Mapping[str, bytes], source: SourceVersion) -> RawFeed:
    """The timetable as a GTFS feed. SourceError where the files are not what they should be."""
    schedule, stations, holidays = (_json(files, name, source) for name in METRO_FILES)
    try:
        order = [station["slug"] for station in sorted(stations, key=lambda one: one["order"])]
        lists, notices = _departures(schedule["stations"], order)
        trips = {key: _chain(lists, order, *key) for key in _keys()}
        calendars = _calendars(holidays)
        places = _places(stations)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"Source {source.source_id!r}: {source.object_name} is no Almaty metro timetable as "
            f"it was known ({type(error).__name__}: {error}).",
            "See what changed in the files; the module metro_timetable.py says what it expects.",
        ) from error
    raw = {**places, **_trip_tables(trips), **calendars, "feed_info": _feed_info(schedule)}
    tables = {name: _as_text(rows) for name, rows in raw.items()}
    calls = tables.pop("stop_times")
    return RawFeed(tables, lambda: iter([calls]), (*notices, *_chain_notices(trips, order)))


def _as_text(rows: pl.DataFrame) -> TextTable:
    numbered = rows.with_row_index(ROW, offset=FIRST_ROW).with_columns(pl.col(ROW).cast(pl.Int64))
    return TextTable(numbered, tuple(rows.columns))


def _told(code: str, file: str, things: Sequence[str]) -> tuple[str, Found]:
    rows = pl.DataFrame({ROW: None, "field_name": None, "value": things}, schema=FOUND_SCHEMA)
    return code, Found(file, rows)


def _json(files: Mapping[str, bytes], name: str, source: SourceVersion) -> Any:
    if name not in files:
        raise SourceError(
            f"Source {source.source_id!r}: {source.object_name} lacks {name}.",
            f"Deliver {', '.join(METRO_FILES)} together.",
        )
    try:
        return json.loads(files[name])
    except ValueError as error:
        raise SourceError(
            f"Source {source.source_id!r}: {name} of {source.object_name} is no JSON ({error}).",
            "Deliver the file again.",
        ) from error


def _keys() -> list[tuple[str, str]]:
    return [(day, direction) for day in SERVICE_WEEKDAYS for direction in DIRECTIONS]


Lists = Mapping[tuple[str, str, str], list[int]]


def _departures(
    stations: Mapping[str, Any], order: Sequence[str]
) -> tuple[dict[tuple[str, str, str], list[int]], list[tuple[str, Found]]]:
    """Sorted seconds of the service day by (day, direction, station), and what was put right."""
    lists: dict[tuple[str, str, str], list[int]] = {}
    repeated: list[str] = []
    after_midnight: list[str] = []
    for day, direction in _keys():
        for station in order:
            written = stations[station][day][direction]
            unique = dict.fromkeys(written)
            seconds = {text: _seconds(text) for text in unique}
            late = [text for text, value in seconds.items() if value < SERVICE_DAY_START]
            where = f"{station} {day} {direction}"
            repeated.extend([where] * (len(written) - len(unique)))
            after_midnight.extend(f"{where} {text}" for text in late)
            moved = {value + DAY * (value < SERVICE_DAY_START) for value in seconds.values()}
            lists[day, direction, station] = sorted(moved)
    return lists, [
        _told("departures_repeated", "stop_times", repeated),
        _told("departures_after_midnight", "stop_times", after_midnight),
    ]


def _seconds(text: str) -> int:
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def _chain(lists: Lists, order: Sequence[str], day: str, direction: str) -> list[Trip]:
    """The trips of one direction and kind of day, each ending a station after its last call."""
    line = list(order) if direction == "forward" else list(order)[::-1]
    open_trips: list[list[Call]] = []
    done: list[list[Call]] = []
    for here, following in pairwise(line):
        departures = lists[day, direction, here]
        open_trips, ended = _continue(open_trips, departures, here)
        done.extend(ended)
        run = _run_seconds(lists, day, direction, here, following)
        for trip in open_trips:
            trip.append(Call(following, trip[-1].seconds + run))
    done.extend(open_trips)
    return sorted((tuple(trip) for trip in done), key=lambda trip: trip[0].seconds)


def _continue(
    expected: list[list[Call]], departures: Sequence[int], station: str
) -> tuple[list[list[Call]], list[list[Call]]]:
    """Trips that go on with a listed departure or begin with one, and those that end here.

    Both lists are in order of time; an expected call takes the listed departure's time.
    """
    going: list[list[Call]] = []
    ended: list[list[Call]] = []
    waiting = sorted(expected, key=lambda trip: trip[-1].seconds)
    for departure in departures:
        while waiting and waiting[0][-1].seconds < departure - RUN_TOLERANCE_SECONDS:
            ended.append(waiting.pop(0))
        if waiting and waiting[0][-1].seconds <= departure + RUN_TOLERANCE_SECONDS:
            trip = waiting.pop(0)
            trip[-1] = Call(station, departure)
        else:
            trip = [Call(station, departure)]
        going.append(trip)
    return going, ended + waiting


def _run_seconds(lists: Lists, day: str, direction: str, here: str, following: str) -> int:
    """Commonest difference between departures of neighbours; the way back's where none departs."""
    back = "backward" if direction == "forward" else "forward"
    for heading, first, second in ((direction, here, following), (back, following, here)):
        arrivals = lists[day, heading, second]
        runs = Counter(
            later - earlier
            for earlier in lists[day, heading, first]
            for later in arrivals
            if 0 < later - earlier <= LONGEST_RUN_SECONDS
        )
        if runs:
            # The commonest, and of equals the shortest: the next train follows a headway later.
            return min(runs, key=lambda run: (-runs[run], run))
    raise ValueError(f"no run time between {here} and {following} on a {day}")


def _chain_notices(
    trips: Mapping[tuple[str, str], list[Trip]], order: Sequence[str]
) -> list[tuple[str, Found]]:
    ends = {"forward": (order[0], order[-1]), "backward": (order[-1], order[0])}
    named = [
        (trip_id, trip, *ends[key[1]])
        for key, chained in trips.items()
        for trip_id, trip in _with_ids(key, chained)
    ]
    return [
        _told("trips_chained", "trips", [trip_id for trip_id, *_ in named]),
        _told(
            "trips_start_in_mid_line",
            "trips",
            [trip_id for trip_id, trip, first, _ in named if trip[0].station != first],
        ),
        _told(
            "trips_end_in_mid_line",
            "trips",
            [trip_id for trip_id, trip, _, last in named if trip[-1].station != last],
        ),
    ]


def _with_ids(key: tuple[str, str], trips: Sequence[Trip]) -> list[tuple[str, Trip]]:
    return [
        (f"{'-'.join(key)}-{trip[0].station}-{_clock(trip[0].seconds).replace(':', '')}", trip)
        for trip in trips
    ]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def _trip_tables(trips: Mapping[tuple[str, str], list[Trip]]) -> dict[str, pl.DataFrame]:
    named = [(key, *one) for key, chained in trips.items() for one in _with_ids(key, chained)]
    return {
        "trips": _rows(
            ("route_id", "service_id", "trip_id", "direction_id", "shape_id"),
            [
                (ROUTE_ID, day, trip_id, DIRECTIONS[direction], direction)
                for (day, direction), trip_id, _ in named
            ],
        ),
        "stop_times": _rows(
            ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence"),
            [
                (trip_id, _clock(call.seconds), _clock(call.seconds), call.station, str(number))
                for _, trip_id, trip in named
                for number, call in enumerate(trip, start=1)
            ],
        ),
    }


def _places(stations: Sequence[Mapping[str, Any]]) -> dict[str, pl.DataFrame]:
    line = sorted(stations, key=lambda station: station["order"])
    shapes = [
        (direction, str(one["lat"]), str(one["lon"]), str(number))
        for direction in DIRECTIONS
        for number, one in enumerate(line if direction == "forward" else line[::-1], start=1)
    ]
    return {
        "agency": _rows(
            ("agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang"),
            [(AGENCY_ID, "Метрополитен Алматы", "https://metroalmaty.kz", "Asia/Almaty", LANGUAGE)],
        ),
        "routes": _rows(
            ("route_id", "agency_id", "route_short_name", "route_long_name", "route_type"),
            [
                (
                    ROUTE_ID,
                    AGENCY_ID,
                    "1",
                    f"{line[0]['name'][LANGUAGE]} - {line[-1]['name'][LANGUAGE]}",
                    "1",
                )
            ],
        ),
        "stops": _rows(
            ("stop_id", "stop_name", "stop_lat", "stop_lon"),
            [
                (one["slug"], one["name"][LANGUAGE], str(one["lat"]), str(one["lon"]))
                for one in line
            ],
        ),
        "shapes": _rows(("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"), shapes),
    }


def _calendars(holidays: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Weekday and weekend service over the years that the list of holidays covers."""
    off = sorted({date.fromisoformat(text) for text in holidays["dates"]})
    worked = sorted({date.fromisoformat(text) for text in holidays["workingWeekends"]})
    start, end = f"{off[0].year}0101", f"{off[-1].year}1231"
    swapped = [(day, "weekend", "weekday") for day in off if day.weekday() < 5]
    swapped += [(day, "weekday", "weekend") for day in worked if day.weekday() >= 5]
    return {
        "calendar": _rows(
            ("service_id", *WEEKDAYS, "start_date", "end_date"),
            [(service, *runs, start, end) for service, runs in SERVICE_WEEKDAYS.items()],
        ),
        "calendar_dates": _rows(
            ("service_id", "date", "exception_type"),
            [
                (service, day.strftime("%Y%m%d"), kind)
                for day, added, removed in sorted(swapped)
                for service, kind in ((added, "1"), (removed, "2"))
            ],
        ),
    }


def _feed_info(schedule: Mapping[str, Any]) -> pl.DataFrame:
    return _rows(
        ("feed_publisher_name", "feed_publisher_url", "feed_lang", "feed_version"),
        [("Метрополитен Алматы", schedule.get("source"), LANGUAGE, schedule.get("generated_at"))],
    )


def _rows(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
