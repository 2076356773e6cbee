"""AADT of each station: years, classes, broken days left out, and sensors that can't be trusted."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl
import pytest

from pipelines.marts.matched_trips import MatchedTrips
from pipelines.marts.sensor_health import compute_sensor_health
from pipelines.marts.station_aadt import METHOD, METHOD_FILLED, StationAadt, compute_station_aadt
from pipelines.staging.passages import PassageDays
from tests.marts.toy_counts import WEEKDAYS, counted, listed
from tests.toy_feeds import night_of

FIRST, NIGHT = date(2024, 3, 1), date(2026, 6, 30)
LEVELS = {"a": 4000, "b": 9000, "c": 700, "d": 20000}
ROLES = dict.fromkeys(LEVELS, "control")
LAST_YEAR = date(2025, 7, 1)
DAY = pl.col("service_date")


@lru_cache(maxsize=1)
def city() -> pl.DataFrame:
    return pl.concat(counted(name, FIRST, NIGHT, level) for name, level in LEVELS.items())


def aadt(
    days: pl.DataFrame, night: date = NIGHT, stations: pl.DataFrame | None = None
) -> pl.DataFrame:
    told: Any = listed(ROLES) if stations is None else stations
    known: Any = days
    tonight = night_of(night.isoformat())
    health = compute_sensor_health(
        tonight,
        count_stations=told,
        count_station_days=known,
        passage_days=PassageDays.create_empty(),
        matched_trips=MatchedTrips.create_empty(),
        events=(),
    )
    return compute_station_aadt(
        tonight, count_stations=told, count_station_days=known, sensor_health=health
    )


def row(
    found: pl.DataFrame, station_id: str, year_from: date = LAST_YEAR, name: str = "all"
) -> dict[str, Any]:
    return found.row(
        by_predicate=(pl.col("station_id") == station_id)
        & (pl.col("year_from_date") == year_from)
        & (pl.col("vehicle_class") == name),
        named=True,
    )


def test_a_sound_station_has_its_level() -> None:
    a = row(aadt(city()), "a")
    # The mean of the toy week's shape; noise of 2 % a day over a year.
    assert a["aadt_count"] == pytest.approx(4000 * sum(WEEKDAYS) / 7, rel=0.005)
    assert (a["counted_cell_count"], a["filled_cell_count"], a["counted_day_count"]) == (84, 0, 365)
    assert (a["method"], a["reason"], a["role"]) == (METHOD, None, "control")
    assert (a["health_weight"], a["sensor_findings"]) == (1, None)


def test_years_are_the_last_twelve_months_and_calendar_years() -> None:
    found = aadt(city()).filter(pl.col("station_id") == "a")
    told = found.select("year_from_date", "year_to_date", "reason").rows()
    # 2024 has ten of its months.
    assert told == [
        (date(2024, 1, 1), date(2024, 12, 31), _months(2)),
        (date(2025, 1, 1), date(2025, 12, 31), None),
        (LAST_YEAR, NIGHT, None),
    ]


def _months(count: int) -> str:
    return f"{count} of 12 months have no counted day: at most 1 is filled"


def test_on_the_last_day_of_a_year_it_is_told_once() -> None:
    night = date(2025, 12, 31)
    found = aadt(city().filter(DAY.le(night)), night).filter(pl.col("station_id") == "a")
    assert found.get_column("year_from_date").to_list() == [date(2024, 1, 1), date(2025, 1, 1)]


def test_classes_and_their_sum() -> None:
    classes = [
        counted("a", FIRST, NIGHT, level, vehicle_class=name, noise=0)
        for name, level in [("light", 700), ("medium", 200), ("heavy", 100)]
    ]
    found = aadt(pl.concat([city().filter(pl.col("station_id") != "a"), *classes]))
    told = {name: row(found, "a", name=name)["aadt_count"] for name in ("light", "medium", "heavy")}
    assert row(found, "a")["aadt_count"] == pytest.approx(sum(told.values()))
    assert told["heavy"] == pytest.approx(100 * sum(WEEKDAYS) / 7, rel=0.01)


def test_a_month_missing_is_filled_and_told() -> None:
    days = city().filter((pl.col("station_id") != "a") | (DAY.dt.month_start() != date(2025, 9, 1)))
    a, whole = row(aadt(days), "a"), row(aadt(city()), "a")
    assert (a["counted_cell_count"], a["filled_cell_count"], a["method"]) == (77, 7, METHOD_FILLED)
    assert a["aadt_count"] == pytest.approx(whole["aadt_count"], rel=0.005)


def test_two_months_missing_have_no_figure_and_the_reason() -> None:
    is_lost = DAY.is_between(date(2025, 9, 1), date(2025, 10, 31))
    found = aadt(city().filter((pl.col("station_id") != "a") | ~is_lost))
    a = row(found, "a")
    assert (a["aadt_count"], a["reason"], a["filled_cell_count"]) == (None, _months(2), 0)
    assert row(found, "b")["reason"] is None


def test_stuck_days_are_left_out_and_told() -> None:
    is_stuck = (pl.col("station_id") == "d") & DAY.is_between(date(2025, 9, 10), date(2025, 9, 13))
    days = city().with_columns(
        pl.when(is_stuck).then(48_000).otherwise("vehicle_count").alias("vehicle_count"),
        pl.when(is_stuck)
        .then(24)
        .otherwise("longest_equal_hour_count")
        .cast(pl.Int32)
        .alias("longest_equal_hour_count"),
    )
    d, sound = row(aadt(days), "d"), row(aadt(city()), "d")
    assert (d["left_out_day_count"], d["counted_day_count"]) == (4, 361)
    assert d["aadt_count"] == pytest.approx(sound["aadt_count"], rel=0.001)


def test_a_sensor_without_weight_has_no_figure_of_tonights_year() -> None:
    is_lower = (pl.col("station_id") == "a") & DAY.ge(date(2026, 4, 1))
    count = pl.col("vehicle_count")
    days = city().with_columns(pl.when(is_lower).then(count // 2).otherwise(count))
    found = aadt(days)
    a = row(found, "a")
    assert a["aadt_count"] is None
    assert a["reason"].startswith("its sensor can't be trusted: level -50% against other stations")
    # What was counted in years before the change stands.
    assert row(found, "a", date(2025, 1, 1))["aadt_count"] > 0


def test_a_listed_station_that_counts_nothing_has_the_reason() -> None:
    found = aadt(city(), stations=listed({**ROLES, "never": "ring"}))
    never = row(found, "never")
    assert (never["role"], never["aadt_count"]) == ("ring", None)
    assert never["reason"] == "its sensor can't be trusted: never counted"


def test_an_unlisted_station_is_told_without_a_role() -> None:
    a = row(aadt(city(), stations=listed({"b": "control"})), "a")
    assert (a["role"], a["sensor_findings"]) == (None, "not in the list of stations")
    assert a["aadt_count"] > 0


def test_a_night_without_counts_has_the_listed_stations_and_reasons() -> None:
    found = aadt(city().clear())
    assert found.get_column("station_id").to_list() == list(LEVELS)
    assert found.get_column("reason").to_list() == ["no whole day was counted"] * len(LEVELS)


def test_what_comes_after_the_night_is_not_known() -> None:
    night = date(2026, 2, 15)
    assert aadt(city(), night).equals(aadt(city().filter(DAY.le(night)), night))


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("null_has_a_reason", {"reason": "none"}),
        ("every_cell_is_told", {"counted_cell_count": 83}),
    ],
)
def test_the_contract_refuses(rule: str, broken: dict[str, Any]) -> None:
    rows = aadt(city()).filter(pl.col("reason").is_null()).head(1)
    odd = rows.with_columns(
        pl.lit(value, rows.schema[name]).alias(name) for name, value in broken.items()
    )
    assert StationAadt.filter(odd)[1].counts() == {rule: 1}
