"""Hourly departures at stops: the toy by hand, clock changes, frequencies, feeds beside each other.

How instants and calendar days come about is tested in test_departures.py.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from pipelines.marts.departures import departures_of_day
from pipelines.marts.stop_departures import (
    METHOD,
    METHOD_CITY_ZONE,
    StopDepartures,
    compute_stop_departures,
)
from tests.toy_feeds import (
    FILES,
    NAURYZ,
    SUNDAY,
    WEDNESDAY,
    feed_source,
    night_of,
    staged_feed,
    toy_feed,
)

pytestmark = pytest.mark.slow

READS = ("service_dates", "trips", "stop_times", "stops", "frequencies", "feed_versions")
CALLS = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
DATES = "service_id,date,exception_type\n"
TRIPS = "route_id,service_id,trip_id\n"


def compute(service_date: str, *feeds: dict[str, pl.DataFrame]) -> pl.DataFrame:
    tables = {name: pl.concat([feed[name] for feed in feeds]) for name in READS}
    return compute_stop_departures(night_of(service_date), **tables)


def toy(service_date: str = WEDNESDAY, **overrides: str | None) -> pl.DataFrame:
    return compute(service_date, staged_feed(toy_feed(**overrides)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


COUNTS = ("departure_count", "past_midnight_count", "interpolated_count", "frequency_based_count")


def test_the_toy_by_hand() -> None:
    rows = toy().select("stop_id", "hour_at", "local_hour", *COUNTS)
    assert rows.rows() == [
        ("BA", at("2026-11-18 03:00"), 8, 1, 0, 0, 0),
        # B2 of the evening before: BC at 24:00, BB at 24:02, and nobody boards at BA, its end.
        ("BB", at("2026-11-17 19:00"), 0, 1, 1, 0, 0),
        ("BB", at("2026-11-18 03:00"), 8, 1, 0, 1, 0),
        ("BC", at("2026-11-17 19:00"), 0, 1, 1, 0, 0),
        ("BC", at("2026-11-18 03:00"), 8, 1, 0, 0, 0),
        ("BD", at("2026-11-18 18:00"), 23, 1, 0, 0, 0),
        ("MA", at("2026-11-18 02:00"), 7, 2, 0, 0, 0),
        ("MB", at("2026-11-18 02:00"), 7, 2, 0, 0, 0),
    ]


def test_what_every_figure_carries() -> None:
    row = toy().row(0, named=True)
    assert row["service_date"].isoformat() == WEDNESDAY
    assert (row["mark"], row["day_type"], row["departure_window"]) == (
        *("synthetic", "weekday", "whole day"),
    )
    assert (row["method"], row["reason"]) == (METHOD, None)
    assert (row["source_id"], row["version_id"], row["stop_name"]) == ("toy", "toy-1", "Bus Alpha")
    assert row["time_zone"] == "Asia/Almaty"


def test_a_day_off_has_what_is_left_of_the_evening_before() -> None:
    weekday_at_night = FILES["trips"].replace("10,daily,B2", "10,weekday,B2")
    saturday = toy("2026-11-21", trips=weekday_at_night).filter(pl.col("past_midnight_count") > 0)
    assert saturday.get_column("stop_id").to_list() == ["BB", "BC"]
    sunday = toy(SUNDAY, trips=weekday_at_night)
    assert sunday.get_column("past_midnight_count").sum() == 0
    # No weekday service on Nauryz, a Monday: none on the way after midnight on Tuesday.
    assert toy(NAURYZ, trips=weekday_at_night).get_column("departure_count").sum() == 3
    tuesday = toy("2026-03-24", trips=weekday_at_night)
    assert tuesday.get_column("past_midnight_count").sum() == 0


def test_dates_beyond_the_calendar() -> None:
    assert toy("2027-01-02").height == 0
    # The trip of 2026-12-31 is still on its way.
    assert toy("2027-01-01").get_column("stop_id").to_list() == ["BB", "BC"]
    # The first day has no day before.
    assert toy("2026-01-01").get_column("past_midnight_count").sum() == 0


HALF_PAST = {
    "trips": TRIPS + "10,feb29,N1\n10,feb29,N2\n10,feb29,N3\n10,mar1,N4\n",
    "stop_times": CALLS
    + "N1,23:30:00,23:30:00,BA,1\nN1,23:40:00,23:40:00,BB,2\n"
    + "N2,24:30:00,24:30:00,BA,1\nN2,24:40:00,24:40:00,BB,2\n"
    + "N3,25:30:00,25:30:00,BA,1\nN3,25:40:00,25:40:00,BB,2\n"
    + "N4,00:30:00,00:30:00,BA,1\nN4,00:40:00,00:40:00,BB,2\n",
    "calendar": None,
    "calendar_dates": DATES + "feb29,20240229,1\nmar1,20240301,1\n",
}


def test_the_hour_that_came_twice_in_almaty() -> None:
    columns = ("hour_at", "local_hour", "departure_count", "past_midnight_count")
    assert toy("2024-02-29", **HALF_PAST).select(columns).rows() == [
        (at("2024-02-29 17:00"), 23, 1, 0),
        (at("2024-02-29 18:00"), 23, 1, 0),
    ]
    assert toy("2024-03-01", **HALF_PAST).select(columns).rows() == [
        (at("2024-02-29 19:00"), 0, 2, 1)
    ]


WEEK = "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"


@pytest.mark.parametrize(
    "files",
    [
        {"calendar": WEEK + "s,0,0,1,0,0,0,0,20261118,20261118\n", "calendar_dates": None},
        {"calendar": None, "calendar_dates": DATES + "s,20261118,1\n"},
        {
            "calendar": WEEK + "s,0,0,1,0,0,0,0,20261101,20261125\n",
            "calendar_dates": DATES + "s,20261104,2\ns,20261111,2\ns,20261125,2\n",
        },
        {
            "calendar": WEEK + "s,0,0,0,0,0,0,0,20261101,20261125\n",
            "calendar_dates": DATES + "s,20261118,1\n",
        },
    ],
    ids=["calendar alone", "dates alone", "dates taken off", "dates added"],
)
def test_each_way_of_saying_one_day_gives_the_same(files: dict[str, str | None]) -> None:
    calls = CALLS + "T,23:00:00,23:00:00,BA,1\nT,24:30:00,24:30:00,BB,2\nT,25:00:00,25:00:00,BC,3\n"
    overrides = {"trips": TRIPS + "10,s,T\n", "stop_times": calls, **files}
    found = {
        day: toy(f"2026-11-{day}", **overrides).select("stop_id", "local_hour").rows()
        for day in (11, 17, 18, 19, 25)
    }
    assert found == {11: [], 17: [], 18: [("BA", 23)], 19: [("BB", 0)], 25: []}


def test_frequencies_are_counted_by_the_hour() -> None:
    # B1 every 20 minutes from 8:00 to 9:30 with exact times, every 25 from 9:30 to 10:30 without.
    spans = "B1,8:00:00,9:30:00,1200,1\nB1,9:30:00,10:30:00,1500,0\n"
    frequencies = f"trip_id,start_time,end_time,headway_secs,exact_times\n{spans}"
    rows = toy(frequencies=frequencies).filter(stop_id="BA")
    # 8:00, 8:20, 8:40; 9:00, 9:20 and 9:30, 9:55; 10:20.
    assert rows.select("local_hour", "departure_count", "frequency_based_count").rows() == [
        *((8, 3, 0), (9, 4, 2), (10, 1, 1))
    ]


def test_feeds_keep_their_own_time_zone_and_ids() -> None:
    agency = FILES["agency"].replace("Asia/Almaty", "Asia/Tashkent")
    one = staged_feed(toy_feed(), feed_source("one"))
    two = staged_feed(toy_feed(agency=agency), feed_source("two"))
    both = compute(WEDNESDAY, two, one)
    assert both.filter(source_id="one").equals(compute(WEDNESDAY, one))
    assert both.filter(source_id="two").equals(compute(WEDNESDAY, two))
    # Both cities were 5 hours ahead of UTC in 2026; in January 2024 Almaty was 6.
    for day, same in ((WEDNESDAY, True), ("2024-01-10", False)):
        dates = DATES + f"daily,{day.replace('-', '')},1\n"
        feeds = [
            staged_feed(toy_feed(agency=text, calendar=None, calendar_dates=dates, trips=DAILY))
            for text in (FILES["agency"], agency)
        ]
        hours = [compute(day, feed).get_column("hour_at").to_list() for feed in feeds]
        assert (hours[0] == hours[1]) is same


DAILY = TRIPS + "10,daily,B1\n10,daily,B2\n"


def test_a_feed_without_a_known_time_zone_has_the_citys() -> None:
    tables = staged_feed(toy_feed())
    for zone in (None, "Almaty"):
        named = tables["feed_versions"].with_columns(agency_timezone=pl.lit(zone, pl.String))
        rows = compute(WEDNESDAY, tables | {"feed_versions": named})
        assert rows.get_column("method").unique().to_list() == [METHOD_CITY_ZONE]
        assert rows.drop("method").equals(toy().drop("method"))


def test_nothing_comes_of_nothing() -> None:
    empty = {name: table.clear() for name, table in staged_feed(toy_feed()).items()}
    rows = compute(WEDNESDAY, empty)
    assert (rows.height, rows.schema) == (0, StopDepartures.create_empty().schema)


def test_any_order_of_rows_gives_the_same() -> None:
    tables = staged_feed(toy_feed())
    shuffled = {name: table.reverse() for name, table in tables.items()}
    assert compute(WEDNESDAY, shuffled).equals(compute(WEDNESDAY, tables))


@pytest.mark.parametrize(
    ("name", "service_date"),
    [
        ("gtfskit_cairns_gtfs.zip", "2014-06-04"),
        ("transitland_cdmx.zip", "2018-01-04"),
        # Clocks were put back; Newport has trips that run until 31:30.
        ("dsc_newport-20230613_gtfs.zip", "2023-10-29"),
        ("transitland_bart-old.zip", "2016-11-06"),
    ],
)
def test_real_feeds_add_up(shared_data: Path, name: str, service_date: str) -> None:
    """Each departure by itself: no join, no window, Python's own time zones."""
    tables = staged_feed((shared_data / "gtfs" / name).read_bytes())
    day = date.fromisoformat(service_date)
    zone = ZoneInfo(tables["feed_versions"].item(0, "agency_timezone"))
    services: dict[str, list[int]] = {}
    for service, on in tables["service_dates"].select("service_id", "service_date").iter_rows():
        if abs((day - on).days) <= 2:
            noon = datetime.combine(on, time(12), zone)
            services.setdefault(service, []).append(int(noon.timestamp()) - 12 * 3600)
    calls: dict[str, list[tuple[int, int, int]]] = {}
    columns = ("trip_id", "stop_sequence", "departure_seconds", "pickup_type")
    for trip, *call in tables["stop_times"].select(columns).iter_rows():
        calls.setdefault(trip, []).append((call[0], call[1], call[2]))
    spans: dict[str, list[int]] = {}
    columns = ("trip_id", "start_seconds", "end_seconds", "headway_secs")
    for trip, start, end, headway in tables["frequencies"].select(columns).iter_rows():
        spans.setdefault(trip, []).extend(range(start, end, headway))
    moments: Counter[int] = Counter()
    for trip, service in tables["trips"].select("trip_id", "service_id").iter_rows():
        called = sorted(calls[trip])
        first = called[0][1]
        boarded = [seconds - first for _, seconds, pickup in called[:-1] if pickup != 1]
        for begins in services.get(service, []):
            for leaves in spans.get(trip, [first]):
                moments.update([begins + leaves + seconds for seconds in boarded])
    due: Counter[int] = Counter()
    for moment, count in moments.items():
        clock = datetime.fromtimestamp(moment, zone)
        if clock.date() == day:
            due[clock.hour] += count
    hours = compute(service_date, tables).group_by("local_hour").agg(pl.sum("departure_count"))
    assert due == dict(hours.iter_rows()) != {}


def test_the_mart_counts_the_departures_of_the_day() -> None:
    tables = staged_feed(toy_feed())
    day = night_of(WEDNESDAY).service_date
    reads = {name: tables[name] for name in READS if name not in ("stops", "feed_versions")}
    departures = departures_of_day(day, "Asia/Almaty", **reads)
    assert departures.height == toy().get_column("departure_count").sum() == 10
