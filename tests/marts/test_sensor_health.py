"""Sensor health: a sound toy city, then one thing wrong at a time, told of its station alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.matched_trips import MatchedTrips
from pipelines.marts.sensor_health import SensorHealth, compute_sensor_health
from pipelines.night import Event
from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.passages import PassageDays
from tests.marts.toy_counts import counted, listed, staged
from tests.toy_feeds import night_of

NIGHT = date(2026, 6, 30)
FIRST = date(2026, 1, 1)
LEVELS = {"a": 4000, "b": 9000, "c": 700, "d": 20000, "e": 3000, "f": 12000, "g": 6000, "h": 1500}
ROLES = dict.fromkeys(LEVELS, "control")
DAY = pl.col("service_date")


@lru_cache(maxsize=4)
def city(seed: int = 0, last: date = NIGHT) -> pl.DataFrame:
    return pl.concat(counted(name, FIRST, last, level, seed=seed) for name, level in LEVELS.items())


def at(station_id: str, since: date, until: date = NIGHT) -> pl.Expr:
    return (pl.col("station_id") == station_id) & DAY.is_between(since, until)


def changed(days: pl.DataFrame, where: pl.Expr, **values: pl.Expr | float | None) -> pl.DataFrame:
    """The days with other values in some rows."""
    return CountStationDays.validate(
        days.with_columns(
            pl.when(where).then(value).otherwise(pl.col(name)).alias(name)  # type: ignore[arg-type]  # or a literal
            for name, value in values.items()
        ),
        cast=True,
    )


def health(
    days: pl.DataFrame,
    *,
    night: date = NIGHT,
    stations: pl.DataFrame | None = None,
    passage_days: pl.DataFrame | None = None,
    matched_trips: pl.DataFrame | None = None,
    events: tuple[Event, ...] = (),
) -> pl.DataFrame:
    read = PassageDays.create_empty() if passage_days is None else passage_days
    return compute_sensor_health(
        night_of(night.isoformat()),
        count_stations=listed(ROLES) if stations is None else stations,  # type: ignore[arg-type]  # a frame under contract
        count_station_days=days,  # type: ignore[arg-type]  # as above
        passage_days=read,  # type: ignore[arg-type]  # as above
        matched_trips=MatchedTrips.create_empty() if matched_trips is None else matched_trips,  # type: ignore[arg-type]  # as above
        events=events,
    )


def station(found: pl.DataFrame, station_id: str) -> dict[str, Any]:
    return found.row(by_predicate=pl.col("station_id") == station_id, named=True)


def others_are_sound(found: pl.DataFrame, *broken: str) -> bool:
    others = found.filter(~pl.col("station_id").is_in(broken))
    return (
        others.height > 0 and others.get_column("health_weight").to_list() == [1.0] * others.height
    )


def test_a_sound_city_has_full_weight_and_no_findings() -> None:
    found = health(city())
    assert found.get_column("station_id").to_list() == list(LEVELS)
    assert found.get_column("health_weight").to_list() == [1.0] * len(LEVELS)
    assert found.get_column("findings").null_count() == len(LEVELS)
    assert found.get_column("expected_day_count").to_list() == [28] * len(LEVELS)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 10**6))
def test_noise_alone_takes_no_weight(seed: int) -> None:
    assert health(city(seed)).get_column("health_weight").to_list() == [1.0] * len(LEVELS)


def test_missing_days_and_hours_take_their_share() -> None:
    days = city().filter(~at("a", date(2026, 6, 10), date(2026, 6, 16)))
    half = at("b", date(2026, 6, 20), date(2026, 6, 26))
    days = changed(days, half, counted_hour_count=12, null_hour_count=12)
    found = health(days)
    gone, partly = station(found, "a"), station(found, "b")
    assert (gone["missing_day_count"], gone["complete_day_count"]) == (7, 21)
    assert (gone["missing_hour_share"], gone["health_weight"]) == (0.25, 0.75)
    assert gone["findings"] == "21 of 28 days counted whole, 25% of hours missing"
    assert (partly["missing_day_count"], partly["complete_day_count"]) == (0, 21)
    assert (partly["missing_hour_share"], partly["health_weight"]) == (0.125, 0.75)
    assert others_are_sound(found, "a", "b")


def test_a_month_missing_is_a_station_silent() -> None:
    found = health(city().filter(~at("a", date(2026, 5, 20))))
    a = station(found, "a")
    assert (a["health_weight"], a["findings"]) == (0, "silent since 2026-05-20")
    assert a["zero_hour_share"] is None  # not a zero: nothing was counted
    assert others_are_sound(found, "a")


def test_zeros_on_a_busy_road_are_a_silent_sensor() -> None:
    zeros = at("d", date(2026, 6, 24), date(2026, 6, 25))
    a = station(health(changed(city(), zeros, zero_hour_count=6)), "d")
    assert (a["complete_day_count"], a["usable_day_count"]) == (28, 26)
    assert a["zero_hour_share"] == pytest.approx(12 / (28 * 24), abs=1e-6)
    assert a["findings"] == "zero where the road is never empty, in 2% of its hours"


def test_a_day_of_zero_vehicles_is_a_silent_sensor_in_a_file_by_the_day() -> None:
    d = station(health(changed(city(), at("d", NIGHT), vehicle_count=0)), "d")
    assert (d["complete_day_count"], d["usable_day_count"]) == (28, 27)
    assert d["findings"] == "zero where the road is never empty, in 4% of its hours"


def test_a_sensor_that_says_zero_for_four_weeks_has_no_weight_and_a_reason() -> None:
    d = station(health(changed(city(), at("d", date(2026, 6, 3)), vehicle_count=0)), "d")
    assert (d["health_weight"], d["zero_hour_share"]) == (0, 1)
    assert d["findings"] == "zero where the road is never empty, in 100% of its hours"


def test_days_of_a_month_with_another_stations_counts_are_told_in_the_month_after() -> None:
    night, until = date(2026, 7, 10), date(2026, 6, 17)
    days = city(last=night)
    copy = days.filter(at("a", date(2026, 6, 1), until)).with_columns(station_id=pl.lit("b"))
    kept = days.filter(~at("b", date(2026, 6, 1), until))
    b = station(health(kept.vstack(copy), night=night), "b")
    assert (b["duplicate_of_station_id"], b["usable_day_count"]) == (None, 10)
    assert b["findings"] == "18 days in months in which it had another station's counts"


def test_zeros_of_a_quiet_road_are_its_nights() -> None:
    quiet = city().vstack(counted("quiet", FIRST, NIGHT, 60))
    days = changed(quiet, pl.col("station_id") == "quiet", zero_hour_count=9)
    found = health(days, stations=listed({**ROLES, "quiet": "control"}))
    assert station(found, "quiet")["health_weight"] == 1


def test_hours_that_repeat_are_stuck_where_they_cannot_by_chance() -> None:
    days = changed(city(), at("d", date(2026, 6, 28)), longest_equal_hour_count=24)
    a = station(health(days), "d")
    assert (a["stuck_day_count"], a["usable_day_count"]) == (3, 25)
    assert a["findings"] == "stuck on 3 days, last on 2026-06-30"
    # Twice in a row happens.
    twice = changed(city(), at("d", date(2026, 6, 28)), longest_equal_hour_count=2)
    assert station(health(twice), "d")["stuck_day_count"] == 0


def test_days_that_repeat_are_stuck() -> None:
    days = changed(city(), at("d", date(2026, 6, 20), date(2026, 6, 24)), vehicle_count=20000)
    assert station(health(days), "d")["stuck_day_count"] == 5


def test_a_class_that_is_stuck_breaks_its_station() -> None:
    trucks = counted("d", FIRST, NIGHT, 2000, vehicle_class="heavy")
    stuck = changed(trucks, at("d", NIGHT), longest_equal_hour_count=24)
    assert station(health(city().vstack(stuck)), "d")["stuck_day_count"] == 1


def test_a_copy_of_another_station_is_told_of_both() -> None:
    days = city().filter(pl.col("station_id") != "b")
    copy = days.filter(pl.col("station_id") == "a").with_columns(station_id=pl.lit("b"))
    found = health(days.vstack(copy))
    for own, twin in (("a", "b"), ("b", "a")):
        told = station(found, own)
        assert (told["duplicate_of_station_id"], told["health_weight"]) == (twin, 0)
        assert told["findings"] == f"same daily counts as {twin} on 100% of days"
    assert others_are_sound(found, "a", "b")


def test_stations_of_one_level_are_no_copies() -> None:
    days = city().vstack(counted("i", FIRST, NIGHT, LEVELS["a"]))
    found = health(days, stations=listed({**ROLES, "i": "control"}))
    assert found.get_column("duplicate_of_station_id").null_count() == found.height


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3])
def test_a_lasting_change_of_level_is_dated_and_measured(factor: float) -> None:
    since = date(2026, 4, 10)
    days = changed(city(), at("a", since), vehicle_count=pl.col("vehicle_count") * factor)
    found = health(days)
    a = station(found, "a")
    assert abs((a["change_point_date"] - since).days) <= 1
    assert a["change_point_ratio"] == pytest.approx(factor, rel=0.03)
    assert a["health_weight"] == 0
    assert f"level {factor - 1:+.0%}"[:7] in a["findings"]
    assert others_are_sound(found, "a")


def test_a_change_below_a_tenth_is_not_told() -> None:
    days = changed(city(), at("a", date(2026, 4, 10)), vehicle_count=pl.col("vehicle_count") * 0.94)
    assert health(days).get_column("change_point_date").null_count() == len(LEVELS)


def test_a_change_of_all_stations_is_traffic() -> None:
    days = changed(city(), DAY.ge(date(2026, 4, 10)), vehicle_count=pl.col("vehicle_count") * 0.7)
    assert others_are_sound(health(days))


def test_a_slow_drift_is_no_step() -> None:
    share = (DAY - FIRST).dt.total_days() / 180
    drifting = changed(
        city(),
        pl.col("station_id") == "a",
        vehicle_count=(pl.col("vehicle_count") * (1 + 0.3 * share)).round(),
    )
    assert station(health(drifting), "a")["change_point_date"] is None


def test_a_change_at_an_event_is_told_and_takes_no_weight() -> None:
    since = date(2026, 4, 10)
    days = changed(city(), at("a", since), vehicle_count=pl.col("vehicle_count") * 0.7)
    a = station(health(days, events=(Event("opening", since, since),)), "a")
    assert a["health_weight"] == 1
    assert a["findings"].endswith(", at an event")


@pytest.mark.parametrize("hours", [-1.0, 1.0])
def test_a_clock_an_hour_off_is_told_by_its_step(hours: float) -> None:
    since = date(2026, 5, 1)
    days = changed(city(), at("a", since), mean_clock_hour=pl.col("mean_clock_hour") + hours)
    found = health(days)
    a = station(found, "a")
    assert a["clock_shift_hours"] == pytest.approx(hours, abs=0.05)
    assert (a["health_weight"], a["findings"]) == (
        0,
        f"clock {hours:+.1f} h against other stations",
    )
    assert others_are_sound(found, "a")


def test_a_clock_off_by_an_hour_around_midnight_is_an_hour_off() -> None:
    night = pl.col("mean_clock_hour") - 13.2
    late = city().with_columns(mean_clock_hour=(night + 24) % 24)
    ahead = (pl.col("mean_clock_hour") + 1) % 24
    days = changed(late, at("a", date(2026, 5, 1)), mean_clock_hour=ahead)
    assert station(health(days), "a")["clock_shift_hours"] == pytest.approx(1, abs=0.05)


def test_all_clocks_moved_at_once_are_told_and_take_no_weight() -> None:
    days = changed(city(), DAY.ge(date(2026, 5, 1)), mean_clock_hour=pl.col("mean_clock_hour") - 1)
    found = health(days)
    assert set(found.get_column("findings")) == {"clocks of all stations moved by -1.0 h"}
    assert set(found.get_column("health_weight")) == {1.0}


def test_files_by_the_day_have_no_clock_to_shift() -> None:
    found = health(city().with_columns(mean_clock_hour=pl.lit(None, pl.Float64)))
    assert found.get_column("clock_shift_hours").null_count() == len(LEVELS)
    assert others_are_sound(found)


def test_a_station_renamed_is_told_of_both_names() -> None:
    since = date(2026, 6, 12)
    new = pl.when(at("a", since)).then(pl.lit("a-new")).otherwise(pl.col("station_id"))
    found = health(city().with_columns(station_id=new))
    named, old = station(found, "a-new"), station(found, "a")
    assert (named["renamed_from_station_id"], named["is_listed"]) == ("a", False)
    assert named["health_weight"] == 0
    assert named["findings"] == (
        "not in the list of stations; began at the level of a when that fell silent: renamed?"
    )
    assert "fell silent when a-new began at its level: renamed?" in old["findings"]
    assert others_are_sound(found, "a", "a-new")


@pytest.mark.parametrize(
    ("first", "level"),
    [(date(2026, 6, 12), 8000), (date(2026, 6, 20), 4000), (date(2026, 6, 1), 4000)],
    ids=["another level", "a week later", "while the old one counted"],
)
def test_a_new_station_is_no_renamed_one(first: date, level: int) -> None:
    days = city().filter(~at("a", date(2026, 6, 12))).vstack(counted("new", first, NIGHT, level))
    assert station(health(days), "new")["renamed_from_station_id"] is None


def test_a_station_is_expected_from_its_opening_on() -> None:
    opened = date(2026, 6, 21)
    stations = pl.concat([listed(ROLES), listed({"late": "ring"}, opened)])
    days = city().vstack(counted("late", opened, NIGHT, 5000))
    late = station(health(days, stations=stations), "late")
    assert (late["expected_day_count"], late["health_weight"]) == (10, 1)
    assert late["role"] == "ring"


def test_before_any_station_counted_none_was_expected() -> None:
    early = date(2026, 1, 10)
    stations = listed(ROLES, date(2020, 1, 1))
    found = health(city(last=early), night=early, stations=stations)
    assert found.get_column("expected_day_count").to_list() == [10] * len(LEVELS)
    assert others_are_sound(found)


def test_counts_may_be_three_days_late_for_all_alike() -> None:
    late = city(last=NIGHT - timedelta(days=3))
    assert others_are_sound(health(late))
    later = health(city(last=NIGHT - timedelta(days=10)))
    assert later.get_column("missing_day_count").to_list() == [7] * len(LEVELS)


def test_a_listed_station_that_never_counted_is_told() -> None:
    found = health(city(), stations=listed({**ROLES, "never": "cordon"}))
    never = station(found, "never")
    assert (never["health_weight"], never["findings"]) == (0, "never counted")


def read_days(station_id: str, readings: int, unread: int) -> pl.DataFrame:
    """What a camera read on the night."""
    row = {
        "source_id": "passages",
        "version_id": "p1",
        "station_id": station_id,
        "passed_date": NIGHT,
        "vehicle_class": "heavy",
        "reading_count": readings,
        "unread_count": unread,
        "undirected_count": 0,
        "first_passed_at": datetime(2026, 6, 30, 6, tzinfo=UTC),
        "last_passed_at": datetime(2026, 6, 30, 7, tzinfo=UTC),
    }
    return PassageDays.validate(pl.DataFrame([row]), cast=True)


def test_unread_plates_are_told_and_take_no_weight_of_counts() -> None:
    found = health(city(), passage_days=read_days("a", 100, 60))
    a = station(found, "a")
    assert (a["unread_share"], a["health_weight"]) == (0.6, 1)
    assert a["findings"] == "60% of readings without a plate"
    assert station(found, "b")["unread_share"] is None


def test_a_camera_without_counts_is_expected_to_make_none() -> None:
    stations = listed({**ROLES, "camera": "cordon"})
    camera = station(
        health(city(), stations=stations, passage_days=read_days("camera", 9, 1)), "camera"
    )
    assert (camera["expected_day_count"], camera["health_weight"]) == (0, None)
    assert camera["findings"] is None


def test_what_comes_after_the_night_is_not_known() -> None:
    night = date(2026, 5, 20)
    later = health(changed(city(), at("a", date(2026, 6, 1)), vehicle_count=0), night=night)
    assert later.equals(health(city(last=night), night=night))


def test_nothing_gives_nothing() -> None:
    nothing = city().clear()
    assert health(nothing, stations=listed({})).is_empty()
    unheard = health(nothing)
    assert unheard.get_column("health_weight").null_count() == len(LEVELS)


def test_the_order_of_rows_does_not_matter() -> None:
    days = changed(city(), at("a", date(2026, 4, 10)), vehicle_count=pl.col("vehicle_count") * 0.7)
    shuffled = days.sample(fraction=1, shuffle=True, seed=1)
    assert health(shuffled).equals(health(days))


def test_a_broken_day_of_one_file_in_parts_is_no_step() -> None:
    """Halves of a day from two files are its whole, not half the level."""
    halves = staged(
        city()
        .filter(at("a", date(2026, 5, 1)))
        .with_columns(
            vehicle_count=pl.col("vehicle_count") // 2,
            counted_hour_count=12,
            mean_clock_hour=pl.lit(None, pl.Float64),
        )
        .drop("version_id"),
        "v2",
    )
    others = city().filter(~at("a", date(2026, 5, 1)))
    second = halves.with_columns(version_id=pl.lit("v3"), vehicle_count=pl.col("vehicle_count") + 1)
    found = health(pl.concat([others, halves, second]))
    assert np.all(found.get_column("health_weight").to_numpy() == 1)


COUNTED = pl.col("counted_hour_count")
NO_RUNS = {"zero_hour_count": 0, "longest_equal_hour_count": 0}
BREAKAGES: dict[str, dict[str, pl.Expr | float | None]] = {
    "gone": {"counted_hour_count": 0, "null_hour_count": 24, "vehicle_count": None, **NO_RUNS},
    "partly": {"counted_hour_count": 12, "null_hour_count": 12, **NO_RUNS},
    "zero by the day": {"vehicle_count": 0, "mean_clock_hour": None},
    "zero by the hour": {"vehicle_count": 0, "zero_hour_count": COUNTED},
    "silent hours": {"zero_hour_count": 8},
    "stuck hours": {"longest_equal_hour_count": COUNTED},
    "stuck days": {"vehicle_count": 5000},
    "level": {"vehicle_count": pl.col("vehicle_count") * 3},
    "clock": {"mean_clock_hour": (pl.col("mean_clock_hour") + 2) % 24},
    "renamed": {"station_id": pl.lit("another")},
}
some_spans = st.lists(
    st.tuples(
        st.sampled_from(list(BREAKAGES)),
        st.sampled_from(list(LEVELS)),
        st.integers(0, 180),
        st.integers(1, 180),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(some_spans)
def test_whatever_is_broken_the_answer_keeps_its_contract(
    spans: list[tuple[str, str, int, int]],
) -> None:
    """Among its rules: weights are shares of days, and a station without weight says why."""
    days = city()
    for breakage, name, start, length in spans:
        since = FIRST + timedelta(days=start)
        where = at(name, since, since + timedelta(days=length)) & (COUNTED > 0)
        days = days.with_columns(
            pl.when(where)
            .then(value)
            .otherwise(pl.col(column))
            .cast(days.schema[column])
            .alias(column)
            for column, value in BREAKAGES[breakage].items()
        ).unique(["station_id", "service_date"], keep="first", maintain_order=True)
    found = health(CountStationDays.validate(days))
    assert set(LEVELS) <= set(found.get_column("station_id"))
    broken = {name for _, name, *_ in spans} | {"another"}
    others = found.filter(~pl.col("station_id").is_in(list(broken)))
    assert others.get_column("duplicate_of_station_id").null_count() == others.height
    assert others.get_column("stuck_day_count").sum() == 0
    assert others.get_column("missing_day_count").sum() == 0


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("days_within_expected", {"complete_day_count": 29}),
        ("weight_where_expected", {"health_weight": None}),
        ("no_weight_has_a_finding", {"health_weight": 0.0}),
        ("change_has_date_and_ratio", {"change_point_ratio": 0.5}),
        ("another_than_itself", {"duplicate_of_station_id": "a"}),
    ],
)
def test_the_contract_refuses(rule: str, broken: dict[str, Any]) -> None:
    types = {name: SensorHealth.columns()[name].dtype for name in broken}
    rows = (
        health(city()).head(1).with_columns(pl.lit(v, types[k]).alias(k) for k, v in broken.items())
    )
    assert SensorHealth.filter(rows)[1].counts() == {rule: 1}


@pytest.mark.parametrize(("equal", "is_told"), [(60, True), (20, False)])
def test_directions_the_wrong_way_round_are_told_of_the_camera(equal: int, is_told: bool) -> None:
    cell = {
        "service_date": NIGHT,
        "vehicle_class": "heavy",
        "entry_station_id": "a",
        "exit_station_id": "b",
        "entry_hour": 8,
        "exit_band": 1,
        "minutes_bin": 160,
        "reader": "",
    }
    counts = {"in in": equal, "in out": 100 - equal}
    rows = [cell | {"directions": way, "trip_count": count} for way, count in counts.items()]
    others = [
        cell | {"directions": "in out", "trip_count": 900, "entry_station_id": entry}
        for entry in ("c", "d")
    ]
    found = health(
        city(), matched_trips=MatchedTrips.validate(pl.DataFrame(rows + others), cast=True)
    )
    assert station(found, "a")["equal_direction_share"] == equal / 100
    wrong = "seems to tell in and out the wrong way round"
    assert station(found, "a")["findings"] == (wrong if is_told else None)
    assert others_are_sound(found)
