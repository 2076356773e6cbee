"""Which stops are served on a date, and where they are."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from pipelines.errors import ContractError
from pipelines.marts.metro_reach import METRO
from pipelines.marts.reach.service import Timetable, served_stops
from tests.marts.reach.toy_city import timetable
from tests.toy_feeds import FILES, SUNDAY, WEDNESDAY, toy_feed

pytestmark = pytest.mark.slow

METRO_CALLS = """\
trip_id,arrival_time,departure_time,stop_id,stop_sequence,pickup_type,drop_off_type
M1-0700,07:00:00,07:00:00,MA,1,0,1
M1-0700,07:02:00,07:02:30,MB,2,1,1
M1-0700,07:06:00,07:06:00,MC,3,1,
"""
# A boarding area (type 4) has no place of its own; its platform's is taken.
BOARDING_AREA = """\
stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station
station,Station,43.9,76.9,1,
platform,Platform,43.2400,76.9000,0,station
door,,,,4,platform
BA,Bus Alpha,43.2500,76.9000,0,
"""
AT_THE_DOOR = """\
trip_id,arrival_time,departure_time,stop_id,stop_sequence
M1-0700,07:00:00,07:00:00,door,1
M1-0700,07:06:00,07:06:00,platform,2
"""


def served(feed: bytes, service_date: str = WEDNESDAY) -> pl.DataFrame:
    return served_stops(Timetable(**timetable(feed)), METRO, date.fromisoformat(service_date))


def test_only_stops_of_active_trips_of_the_mode_are_served() -> None:
    assert served(toy_feed()).get_column("stop_id").to_list() == ["MA", "MB", "MC"]
    assert served(toy_feed(), SUNDAY).is_empty()


def test_a_call_where_nobody_may_board_or_alight_serves_nobody() -> None:
    stops = served(toy_feed(stop_times=METRO_CALLS))
    assert stops.get_column("stop_id").to_list() == ["MA", "MC"]


def test_one_call_for_riders_is_enough() -> None:
    calls = METRO_CALLS + "M1-0710,07:12:00,07:12:30,MB,2,3,0\n"
    stops = served(toy_feed(stop_times=calls))
    assert stops.get_column("stop_id").to_list() == ["MA", "MB", "MC"]


def test_a_platform_lies_at_its_own_place_and_without_one_at_its_parent() -> None:
    stops = served(toy_feed(stops=BOARDING_AREA, stop_times=AT_THE_DOOR))
    assert stops.select("stop_id", "latitude", "longitude").rows() == [
        ("door", 43.24, 76.9),
        ("platform", 43.24, 76.9),
    ]


def test_a_served_stop_without_any_place_is_an_error_that_names_it() -> None:
    stops = BOARDING_AREA.replace(",4,platform", ",4,")
    with pytest.raises(ContractError, match=r"no place for 1 stops .* on 2026-11-18: 'door'"):
        served(toy_feed(stops=stops, stop_times=AT_THE_DOOR))


def test_a_service_that_is_added_for_one_date_counts() -> None:
    added = FILES["calendar_dates"] + "weekday,20261122,1\n"
    assert served(toy_feed(calendar_dates=added), SUNDAY).height == 3


# Which stops are step-free: the feed's words for stops and trips, 0 or none says nothing.
PLATFORMS = """\
stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station,wheelchair_boarding
yes,Accessible station,43.24,76.90,1,,1
no,Inaccessible station,43.24,76.91,1,,2
inherits_yes,Platform,43.24,76.90,0,yes,
inherits_no,Platform,43.24,76.91,0,no,0
own_no,Platform,43.24,76.90,0,yes,2
own_yes,Platform,43.24,76.91,0,no,1
silent,Alone,43.24,76.92,0,,
area,,,,4,inherits_yes,
"""
AT_PLATFORMS = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "".join(
    f"M1-0700,07:{n:02d}:00,07:{n:02d}:00,{stop},{n}\n"
    for n, stop in enumerate(("inherits_yes", "inherits_no", "own_no", "own_yes", "silent", "area"))
)
KNOWN, PERHAPS = "is_step_free", "is_perhaps_step_free"


def flagged(trip_flag: str) -> dict[str, list[bool]]:
    """(known, perhaps) step-free by stop, with the flag of the only trip."""
    trips = f"route_id,service_id,trip_id,wheelchair_accessible\nM1,weekday,M1-0700,{trip_flag}\n"
    stops = served(toy_feed(stops=PLATFORMS, stop_times=AT_PLATFORMS, trips=trips, shapes=None))
    return {stop: flags for stop, *flags in stops.select("stop_id", KNOWN, PERHAPS).iter_rows()}


def test_a_platform_without_a_word_of_its_own_has_its_stations() -> None:
    assert flagged("1") == {
        "area": [True, True],
        "inherits_no": [False, False],
        "inherits_yes": [True, True],
        "own_no": [False, False],
        "own_yes": [True, True],
        "silent": [False, True],
    }


@pytest.mark.parametrize("trip_flag", ["0", ""])
def test_a_trip_that_says_nothing_is_perhaps_step_free(trip_flag: str) -> None:
    flags = flagged(trip_flag)
    assert [stop for stop, (known, _) in flags.items() if known] == []
    assert [stop for stop, (_, perhaps) in flags.items() if not perhaps] == [
        "inherits_no",
        "own_no",
    ]


def test_an_inaccessible_trip_is_step_free_nowhere() -> None:
    assert set(map(tuple, flagged("2").values())) == {(False, False)}


def test_one_accessible_trip_is_enough() -> None:
    trips = (
        "route_id,service_id,trip_id,wheelchair_accessible\n"
        "M1,weekday,M1-0700,2\nM1,weekday,M1-0710,1\n"
    )
    calls = AT_PLATFORMS + "M1-0710,07:10:00,07:10:00,inherits_yes,0\n"
    feed = toy_feed(stops=PLATFORMS, stop_times=calls, trips=trips, shapes=None)
    assert served(feed).filter(KNOWN).get_column("stop_id").to_list() == ["inherits_yes"]
