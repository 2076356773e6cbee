"""GTFS times as instants and the calendar days they fall on: by hand, and against zoneinfo.

Instants in the golden tests are worked out on paper from noon of the service date less 12 hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import ContractError
from pipelines.marts import departures as module
from pipelines.marts.departures import departures_of_day, instants, is_time_zone, midnight_at
from pipelines.marts.service import departures_by_trip

ALMATY, BERLIN = "Asia/Almaty", "Europe/Berlin"
DAY = timedelta(days=1)
# Clocks change at midnight in Almaty (2024), Cairo, Havana, Sao Paulo and Beirut, by half an hour
# on Lord Howe and off the full hour in Chatham. Samoa left out a day.
ZONES = (
    *(ALMATY, BERLIN, "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "America/Havana"),
    *("Asia/Beirut", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kolkata", "Pacific/Apia"),
)
CHANGES = (
    *(date(2024, 2, 29), date(2024, 3, 1), date(2026, 3, 29), date(2026, 10, 25)),
    *(date(2018, 2, 17), date(2018, 2, 18), date(2018, 11, 4), date(2024, 4, 26)),
    *(date(2023, 11, 5), date(2024, 10, 31), date(2024, 4, 7), date(2011, 12, 29)),
)
SPANS = {
    "trip_id": pl.String,
    "start_seconds": pl.Int32,
    "end_seconds": pl.Int32,
    "headway_secs": pl.Int32,
    "exact_times": pl.Int32,
}
Span = tuple[str, int, int, int, int]


def seconds(clock: str) -> int:
    hours, minutes, rest = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + rest


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Line:
    """A feed whose trips are named by service and first departure, each from A by B to C.

    Departures at A, at B five minutes later, and at C, where the trip ends, after ten.
    """

    def __init__(self, *trips: tuple[str, int], spans: tuple[Span, ...] = ()) -> None:
        """`trips` are (service date, departure from A in seconds)."""
        names = [f"{day} {start}" for day, start in trips]
        self.trips = pl.DataFrame(
            {"trip_id": names, "service_id": [day for day, _ in trips]},
            schema={"trip_id": pl.String, "service_id": pl.String},
        )
        self.service_dates = (
            self.trips.select("service_id")
            .unique()
            .with_columns(service_date=pl.col("service_id").str.to_date())
        )
        calls = [
            (name, number, stop, start + 300 * number)
            for name, (_, start) in zip(names, trips, strict=True)
            for number, stop in enumerate("ABC")
        ]
        self.stop_times = pl.DataFrame(
            calls,
            schema={
                "trip_id": pl.String,
                "stop_sequence": pl.Int32,
                "stop_id": pl.String,
                "departure_seconds": pl.Int32,
            },
            orient="row",
        ).with_columns(pickup_type=pl.lit(0, pl.Int32), is_interpolated=pl.lit(value=False))
        self.frequencies = pl.DataFrame(spans, schema=SPANS, orient="row")

    def on(self, day: date, time_zone: str) -> pl.DataFrame:
        found = departures_of_day(
            day,
            time_zone,
            service_dates=self.service_dates,
            trips=self.trips,
            stop_times=self.stop_times,
            frequencies=self.frequencies,
        )
        return found.sort("departure_at", "trip_id", "stop_sequence")

    def from_a(self, day: str, time_zone: str) -> list[tuple[str, datetime]]:
        """Departures from A on a calendar day: trip, instant."""
        rows = self.on(date.fromisoformat(day), time_zone).filter(stop_id="A")
        return rows.select("trip_id", "departure_at").rows()


def line(*trips: str, spans: tuple[Span, ...] = ()) -> Line:
    """Trips written "<service date> <departure from A>"."""
    parts = [trip.split() for trip in trips]
    return Line(*((day, seconds(clock)) for day, clock in parts), spans=spans)


def name(trip: str) -> str:
    day, clock = trip.split()
    return f"{day} {seconds(clock)}"


def test_the_25_hour_day_in_almaty() -> None:
    # Until 2024-02-29 24:00 the clock is 6 h ahead of UTC, then it goes back to 23:00, 5 h ahead.
    # Noon of 02-29 is 06:00 UTC, so that its service day starts at 02-28 18:00 UTC; noon of 03-01
    # is 07:00 UTC, its service day starts at 02-29 19:00 UTC.
    feed = line(
        *("2024-02-29 23:30:00", "2024-02-29 24:30:00", "2024-02-29 25:30:00"),
        "2024-03-01 00:30:00",
    )
    assert feed.from_a("2024-02-29", ALMATY) == [
        (name("2024-02-29 23:30:00"), at("2024-02-29 17:30")),  # 23:30, the first time
        (name("2024-02-29 24:30:00"), at("2024-02-29 18:30")),  # 23:30, the second time
    ]
    assert feed.from_a("2024-03-01", ALMATY) == [
        (name("2024-02-29 25:30:00"), at("2024-02-29 19:30")),  # 00:30
        (name("2024-03-01 00:30:00"), at("2024-02-29 19:30")),  # 00:30
    ]
    assert feed.from_a("2024-02-28", ALMATY) == feed.from_a("2024-03-02", ALMATY) == []


def test_the_25_hour_day_is_full() -> None:
    feed = line(*(f"2024-02-29 {hour}:00:00" for hour in range(26)), "2024-03-01 00:00:00")
    found = [moment for _, moment in feed.from_a("2024-02-29", ALMATY)]
    assert found == [at("2024-02-28 18:00") + n * timedelta(hours=1) for n in range(25)]
    assert len(feed.from_a("2024-03-01", ALMATY)) == 2


def test_the_day_on_which_clocks_go_forward_in_europe() -> None:
    # 2026-03-29 has 23 hours. Noon is 10:00 UTC: the service day starts at 03-28 22:00 UTC, which
    # is 23:00 on the calendar day before.
    feed = line(
        *("2026-03-28 23:30:00", "2026-03-28 24:30:00", "2026-03-29 00:30:00"),
        *("2026-03-29 01:30:00", "2026-03-29 02:30:00", "2026-03-29 03:30:00"),
    )
    assert feed.from_a("2026-03-28", BERLIN) == [
        (name("2026-03-28 23:30:00"), at("2026-03-28 22:30")),  # 23:30
        (name("2026-03-29 00:30:00"), at("2026-03-28 22:30")),  # 23:30
    ]
    assert feed.from_a("2026-03-29", BERLIN) == [
        (name("2026-03-28 24:30:00"), at("2026-03-28 23:30")),  # 00:30
        (name("2026-03-29 01:30:00"), at("2026-03-28 23:30")),  # 00:30
        (name("2026-03-29 02:30:00"), at("2026-03-29 00:30")),  # 01:30, half an hour before
        (name("2026-03-29 03:30:00"), at("2026-03-29 01:30")),  # 03:30, half an hour after
    ]


def test_the_day_on_which_clocks_go_back_in_europe() -> None:
    # 2026-10-25 has 25 hours. Noon is 11:00 UTC: the service day starts at 10-24 23:00 UTC, which
    # is 01:00 on the calendar day itself.
    feed = line(
        *("2026-10-24 24:30:00", "2026-10-24 25:30:00", "2026-10-25 00:30:00"),
        *("2026-10-25 02:30:00", "2026-10-25 23:30:00", "2026-10-25 24:30:00"),
    )
    assert feed.from_a("2026-10-25", BERLIN) == [
        (name("2026-10-24 24:30:00"), at("2026-10-24 22:30")),  # 00:30
        (name("2026-10-24 25:30:00"), at("2026-10-24 23:30")),  # 01:30
        (name("2026-10-25 00:30:00"), at("2026-10-24 23:30")),  # 01:30
        (name("2026-10-25 02:30:00"), at("2026-10-25 01:30")),  # 02:30, the second time
        (name("2026-10-25 23:30:00"), at("2026-10-25 22:30")),  # 23:30
    ]
    assert feed.from_a("2026-10-26", BERLIN) == [
        (name("2026-10-25 24:30:00"), at("2026-10-25 23:30")),  # 00:30
    ]


def test_trips_of_the_days_before_run_on() -> None:
    feed = line("2026-11-17 23:59:59", "2026-11-17 24:00:00", "2026-11-16 49:00:00")
    assert feed.from_a("2026-11-18", ALMATY) == [
        (name("2026-11-17 24:00:00"), at("2026-11-17 19:00")),
        (name("2026-11-16 49:00:00"), at("2026-11-17 20:00")),
    ]
    assert len(feed.from_a("2026-11-17", ALMATY)) == 1


def test_a_trip_over_midnight_is_parted_by_call() -> None:
    feed = line("2026-11-17 23:57:00")
    before, after = (feed.on(date(2026, 11, day), ALMATY) for day in (17, 18))
    assert before.get_column("stop_id").to_list() == ["A"]
    assert after.get_column("stop_id").to_list() == ["B"]
    assert after.item(0, "service_date") == date(2026, 11, 17)


def test_nobody_boards_where_it_is_forbidden_or_where_the_trip_ends() -> None:
    feed = line("2026-11-18 08:00:00")
    assert feed.on(date(2026, 11, 18), ALMATY).get_column("stop_id").to_list() == ["A", "B"]
    kinds = pl.Series([1, 3, 0], dtype=pl.Int32)  # A forbidden, B by arrangement
    feed.stop_times = feed.stop_times.with_columns(pickup_type=kinds)
    assert feed.on(date(2026, 11, 18), ALMATY).get_column("stop_id").to_list() == ["B"]


def test_a_call_without_a_time_is_left_out() -> None:
    feed = line("2026-11-18 08:00:00")
    times = pl.Series([None, 29100, 29400], dtype=pl.Int32)
    feed.stop_times = feed.stop_times.with_columns(departure_seconds=times)
    assert feed.on(date(2026, 11, 18), ALMATY).get_column("stop_id").to_list() == ["B"]


TEMPLATE = "2026-11-18 08:00:00"
REPEATED = name(TEMPLATE)


@pytest.mark.parametrize(("exact_times", "is_exact"), [(0, False), (1, True)])
def test_a_repeated_trip_leaves_from_start_to_before_end(exact_times: int, is_exact: bool) -> None:
    # 10:00, 10:20, 10:40; 11:00 is the end. The template's own 08:00 is no departure.
    spans = ((REPEATED, 36000, 39600, 1200, exact_times),)
    rows = line(TEMPLATE, spans=spans).on(date(2026, 11, 18), ALMATY)
    assert rows.select("stop_id", "departure_at", "is_exact").rows() == [
        ("A", at("2026-11-18 05:00"), is_exact),
        ("B", at("2026-11-18 05:05"), is_exact),
        ("A", at("2026-11-18 05:20"), is_exact),
        ("B", at("2026-11-18 05:25"), is_exact),
        ("A", at("2026-11-18 05:40"), is_exact),
        ("B", at("2026-11-18 05:45"), is_exact),
    ]


def test_spans_follow_each_other_without_a_departure_too_many() -> None:
    # 06:00, 06:30 and 07:00, 07:20, 07:40: the first span's end is the second one's start.
    spans = ((REPEATED, 21600, 25200, 1800, 1), (REPEATED, 25200, 28800, 1200, 0))
    feed = line(TEMPLATE, "2026-11-18 09:00:00", spans=spans)
    rows = feed.on(date(2026, 11, 18), ALMATY).filter(stop_id="A")
    clock = rows.get_column("departure_at").dt.convert_time_zone(ALMATY).dt.strftime("%H:%M")
    assert clock.to_list() == ["06:00", "06:30", "07:00", "07:20", "07:40", "09:00"]
    assert rows.get_column("is_exact").to_list() == [True, True, False, False, False, True]


def test_repetitions_run_past_midnight() -> None:
    # 23:50, 24:00, 24:10 of the evening before.
    feed = line(TEMPLATE, spans=((REPEATED, 85800, 87600, 600, 1),))
    assert len(feed.from_a("2026-11-18", ALMATY)) == 1
    assert [moment for _, moment in feed.from_a("2026-11-19", ALMATY)] == [
        *(at("2026-11-18 19:00"), at("2026-11-18 19:10"))
    ]


def test_a_repeated_trip_is_relative_to_its_first_call_in_order() -> None:
    feed = line(TEMPLATE, spans=((REPEATED, 36000, 36001, 600, 1),))
    feed.stop_times = feed.stop_times.reverse()
    assert feed.from_a("2026-11-18", ALMATY) == [(REPEATED, at("2026-11-18 05:00"))]


def test_repetitions_beyond_any_city_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPEATED_DEPARTURES", 900)
    allowed = line(TEMPLATE, spans=((REPEATED, 0, 299, 1, 0),))
    assert allowed.on(date(2026, 11, 18), ALMATY).height == 2 * 299
    too_many = line(TEMPLATE, spans=((REPEATED, 0, 300, 1, 0),))
    with pytest.raises(ContractError, match=r"903 departures .* 2026-11-18 .* headway is 1 s"):
        too_many.on(date(2026, 11, 18), ALMATY)


def test_a_feed_without_trips_has_no_departures() -> None:
    assert line().on(date(2026, 11, 18), ALMATY).height == 0


def test_time_zones_are_those_of_the_database() -> None:
    assert [is_time_zone(zone) for zone in (ALMATY, "UTC", "Almaty", "", None)] == [
        *(True, True, False, False, False)
    ]


def test_a_day_that_samoa_left_out_has_no_departures() -> None:
    feed = line("2011-12-29 24:30:00", "2011-12-30 12:00:00", "2011-12-31 00:30:00")
    days = [feed.from_a(f"2011-12-{day}", "Pacific/Apia") for day in (29, 30, 31)]
    assert [len(found) for found in days] == [0, 0, 2]


def noon_less_12_hours(day: date, zone: str) -> datetime:
    """The service day's start, from Python's own time zones."""
    return datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=12)


dates = st.sampled_from(CHANGES) | st.dates(date(2005, 1, 1), date(2035, 12, 31))
MISSING = ("Pacific/Apia", date(2011, 12, 30))


@pytest.mark.slow
@settings(deadline=None)
@given(dates, st.integers(0, 400_000), st.sampled_from(ZONES))
def test_instants_equal_zoneinfo(day: date, offset: int, zone: str) -> None:
    frame = pl.DataFrame({"day": [day], "offset": [offset]})
    found = frame.select(instants(pl.col("day"), pl.col("offset"), zone)).item()
    expected = noon_less_12_hours(day, zone) + timedelta(seconds=offset)
    assert found == (None if (zone, day) == MISSING else expected)


@pytest.mark.slow
@settings(deadline=None)
@given(dates, st.sampled_from(ZONES))
def test_a_day_begins_when_the_clock_first_shows_its_date(day: date, zone: str) -> None:
    begins: datetime = pl.select(midnight_at(pl.lit(day), zone)).item()
    minute = timedelta(minutes=1)
    assert (begins - minute).astimezone(ZoneInfo(zone)).date() < day
    shown = begins.astimezone(ZoneInfo(zone))
    assert shown.date() == day or (zone, day) == MISSING


journeys = st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 200_000)), min_size=1, max_size=8)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(dates, st.sampled_from(ZONES), journeys)
@example(date(2024, 2, 29), ALMATY, [(0, 23 * 3600 + n * 900) for n in range(12)])
@example(date(2026, 3, 29), BERLIN, [(0, n * 900) for n in range(12)])
def test_every_departure_is_on_exactly_one_calendar_day(
    day: date, zone: str, trips: list[tuple[int, int]]
) -> None:
    named = sorted({((day + shift * DAY).isoformat(), start) for shift, start in trips})
    feed = Line(*named)
    # 200,000 s are 55.6 hours, so that five days hold them; zone changes move them by one more.
    days = {day + shift * DAY: feed.on(day + shift * DAY, zone) for shift in range(-4, 7)}
    found = pl.concat(days.values())
    due = [item for item in named if (zone, date.fromisoformat(item[0])) != MISSING]
    assert found.height == 2 * len(due)
    assert found.n_unique(["trip_id", "stop_id"]) == found.height
    for calendar_day, rows in days.items():
        for service_day, number, moment in rows.select(
            "service_date", "stop_sequence", "departure_at"
        ).iter_rows():
            assert moment.astimezone(ZoneInfo(zone)).date() == calendar_day
            since = moment - noon_less_12_hours(service_day, zone)
            assert (service_day.isoformat(), since.total_seconds() - 300 * number) in due


spans = st.lists(
    st.tuples(st.integers(0, 100_000), st.integers(1, 20_000), st.integers(60, 7200)), max_size=4
)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(dates, st.sampled_from(ZONES), spans, st.integers(0, 100_000))
def test_each_span_counts_exactly_over_its_days(
    day: date, zone: str, drawn: list[tuple[int, int, int]], start: int
) -> None:
    trip = f"{day} {start}"
    told = tuple((trip, begin, begin + length, headway, 0) for begin, length, headway in drawn)
    feed = Line((day.isoformat(), start), spans=told)
    found = sum(feed.on(day + shift * DAY, zone).height for shift in range(-2, 5))
    feed_key = feed.frequencies.with_columns(source_id=pl.lit("f"), version_id=pl.lit("v"))
    counted = departures_by_trip(feed_key).get_column("departure_count").sum()
    assert found == (0 if (zone, day) == MISSING else 2 * (counted if told else 1))
