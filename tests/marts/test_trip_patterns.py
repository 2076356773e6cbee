"""Patterns of the toy feed by eye; the same hashes when every id is another."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest

from pipelines.marts.trip_patterns import short_hash, stop_places
from tests.marts.two_versions import renamed, version, with_marts
from tests.toy_feeds import FILES

BUSES = "route_id,service_id,trip_id,direction_id\n" + "".join(
    f"10,{service},B{n},0\n" for n, service in enumerate(("s", "s", "t"))
)
CALLS = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n" + "".join(
    f"B{n},8:0{n}:00,8:0{n}:00,BA,1\nB{n},8:1{n}:00,8:1{n}:00,{end},2\n"
    for n, end in enumerate(("BD", "BD", "BC"))
)
CALENDAR = (
    "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
)


def patterns(**overrides: str | None) -> dict[str, dict[str, str]]:
    rows = version("a", **overrides)["trip_patterns"]
    return {row["trip_id"]: row for row in rows.iter_rows(named=True)}


@pytest.mark.slow
def test_trips_of_one_pattern_have_one_hash() -> None:
    toy = patterns()
    assert set(toy) == {"M1-0700", "M1-0710", "B1", "B2"}
    metro = toy["M1-0700"]
    assert metro["stops_by_id_hash"] == toy["M1-0710"]["stops_by_id_hash"]
    assert metro["stops_by_id_hash"] != toy["B1"]["stops_by_id_hash"]
    assert toy["B1"]["stops_by_id_hash"] != toy["B2"]["stops_by_id_hash"]  # the other way round
    ids = hashlib.sha256(b"MA\x1fMB\x1fMC").hexdigest()[:16]
    assert metro["stops_by_id_hash"] == ids == short_hash("MA\x1fMB\x1fMC")


@pytest.mark.slow
def test_weekdays_are_those_of_most_weeks() -> None:
    toy = patterns()
    # Nauryz was taken off one Monday of fifty-two.
    assert (toy["M1-0700"]["weekdays"], toy["B1"]["weekdays"]) == ("1111100", "1111111")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calendar", "dates", "weekdays"),
    [
        # A week in all: each weekday that runs is one.
        ("s,1,1,1,1,1,0,0,20260202,20260208\nt,0,0,0,0,0,1,1,20260202,20260208\n", "", "0000011"),
        # Two Sundays of half a year are a habit, one holiday is none.
        ("s,1,1,1,1,1,0,0,20260101,20260630\n", "t,20260614,1\nt,20260621,1\n", "0000001"),
        ("s,1,1,1,1,1,0,0,20260101,20260630\n", "t,20260309,1\n", "0000000"),
        # Every fourth Monday is less than half of them.
        (
            "s,1,1,1,1,1,0,0,20260101,20260630\n",
            "".join(f"t,2026{day},1\n" for day in ("0105", "0202", "0302", "0330")),
            "0000000",
        ),
    ],
)
def test_single_dates_make_no_weekday(calendar: str, dates: str, weekdays: str) -> None:
    told = patterns(
        trips=BUSES,
        stop_times=CALLS,
        calendar=CALENDAR + calendar,
        calendar_dates="service_id,date,exception_type\n" + dates,
    )
    assert told["B2"]["weekdays"] == weekdays


@pytest.mark.slow
def test_repeats_are_the_frequencies_in_order() -> None:
    spans = (
        "trip_id,start_time,end_time,headway_secs\nB1,7:00:00,8:00:00,300\nB1,6:00:00,7:00:00,600\n"
    )
    told = patterns(frequencies=spans)
    assert told["B1"]["repeats"] == "21600-25200/600/0;25200-28800/300/0"
    assert told["B2"]["repeats"] is None


@pytest.mark.slow
def test_places_stay_when_ids_go() -> None:
    before = version("a")
    after = renamed(before, "b")
    columns = ["stops_by_place_hash", "weekdays"]
    assert (
        before["trip_patterns"]
        .select(columns)
        .sort(columns)
        .equals(after["trip_patterns"].select(columns).sort(columns))
    )
    old = set(before["trip_patterns"].get_column("stops_by_id_hash"))
    assert old.isdisjoint(after["trip_patterns"].get_column("stops_by_id_hash"))


def test_a_place_is_the_code_where_it_is_the_only_one() -> None:
    stops = pl.DataFrame(
        [
            ("f", "v", "1", "17", "Square", 43.24, 76.9, None),
            ("f", "v", "2", "18", "Square", 43.24, 76.9, None),
            ("f", "v", "3", "18", "Square", 43.24, -0.00001, "B"),
            ("f", "v", "4", None, None, None, None, None),
        ],
        schema={
            **dict.fromkeys(("source_id", "version_id", "stop_id", "stop_code"), pl.String),
            "stop_name": pl.String,
            "stop_lat": pl.Float64,
            "stop_lon": pl.Float64,
            "platform_code": pl.String,
        },
        orient="row",
    )
    assert stop_places(stops).get_column("place").str.replace_all("\x1f", "|").to_list() == [
        "code|17",
        "name|Square||43.24|76.9",
        "name|Square|B|43.24|0.0",
        "name||||",
    ]


@pytest.mark.slow
def test_any_order_of_rows_gives_the_same() -> None:
    before = version("a", stops=FILES["stops"])
    turned = {name: table.reverse() for name, table in before.items()}
    assert with_marts(turned)["trip_patterns"].equals(before["trip_patterns"])
