"""The ring road's effect as a table: what is told, what is refused with its reason, and no more."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import dataframely as dy
import polars as pl
import pytest

from pipelines.marts.ring_road.effect.panel import NO_OUTCOME
from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.marts.ring_road_effect import (
    _BESIDE_A_RATIO,
    ALL_SCREENLINES,
    RingRoadEffect,
    compute_ring_road_effect,
)
from pipelines.night import Event
from tests.marts.ring_road.effect.simulated import (
    OPENED_DATE,
    OPENING,
    TARIFFS,
    TREATED,
    UNTOUCHED,
    control_ids,
    station_days,
)
from tests.toy_feeds import night_of

CONTROLS = 24
RATIO = 0.84
SUNDAY = "2025-12-28"  # the last day of the simulated counts
ROLES = {TREATED: "screenline", UNTOUCHED: "screenline", "gate": "cordon"}
FIT = {"health_weight": 1.0, "complete_day_count": 28, "findings": None}


def listed(roles: dict[str, str]) -> pl.DataFrame:
    """The list of stations: these, and the controls."""
    every = roles | dict.fromkeys(control_ids(CONTROLS), "control")
    return pl.DataFrame(
        {
            "source_id": "stations",
            "version_id": "s1",
            "station_id": list(every),
            "road_name": [f"{name} street" for name in every],
            "role": list(every.values()),
        }
    )


def counted(days: pl.DataFrame, vehicle_class: str = "all") -> pl.DataFrame:
    """The days as a counter tells them that was never silent on any of them."""
    return days.select(
        pl.lit("counts").alias("source_id"),
        pl.lit("d1").alias("version_id"),
        "station_id",
        "service_date",
        pl.lit(vehicle_class).alias("vehicle_class"),
        pl.col("vehicle_count").cast(pl.Int64),
        day_hour_count=pl.lit(24, pl.Int32),
        counted_hour_count=pl.lit(24, pl.Int32),
        null_hour_count=pl.lit(0, pl.Int32),
        zero_hour_count=pl.lit(0, pl.Int32),
        longest_equal_hour_count=pl.lit(1, pl.Int32),
        mean_clock_hour=pl.lit(12.0),
    )


def healthy(**unlike: dict[str, object]) -> pl.DataFrame:
    """Sensors' health: of all stations, fit but for what is said of some."""
    names = [*ROLES, *control_ids(CONTROLS)]
    rows = [{"station_id": name, **FIT, **unlike.get(name.replace("-", "_"), {})} for name in names]
    schema = {"station_id": pl.String, "health_weight": pl.Float64, "complete_day_count": pl.Int64}
    return pl.DataFrame(rows, schema={**schema, "findings": pl.String})


def computed(
    days: pl.DataFrame,
    *,
    day: str = SUNDAY,
    events: tuple[Event, ...] = (OPENING,),
    health: pl.DataFrame | None = None,
    stations: pl.DataFrame | None = None,
) -> pl.DataFrame:
    return compute_ring_road_effect(
        night_of(day),
        count_stations=listed(ROLES) if stations is None else stations,  # type: ignore[arg-type]
        count_station_days=days,  # type: ignore[arg-type]  # toy rows
        sensor_health=healthy() if health is None else health,  # type: ignore[arg-type]
        events=events,
    )


def row_of(rows: pl.DataFrame, place_id: str, vehicle_class: str = "all") -> dict[str, object]:
    return rows.filter(place_id=place_id, vehicle_class=vehicle_class).row(0, named=True)


def scaled(days: pl.DataFrame, names: list[str], ratio: float, since: date) -> pl.DataFrame:
    """The days with some stations' counts multiplied from a date on."""
    is_meant = pl.col("station_id").is_in(names) & (pl.col("service_date") >= since)
    count = pl.col("vehicle_count")
    return days.with_columns(
        pl.when(is_meant).then((count * ratio).round().cast(pl.Int64)).otherwise(count)
    )


@pytest.fixture(scope="module")
def days() -> pl.DataFrame:
    return counted(station_days(3, {TREATED: RATIO}, controls=CONTROLS))


@pytest.fixture(scope="module")
def rows(days: pl.DataFrame) -> pl.DataFrame:
    return computed(days)


def test_a_known_effect_is_told_with_all_that_belongs_to_it(rows: pl.DataFrame) -> None:
    row = row_of(rows, TREATED)
    assert row["ratio_low"] < RATIO < row["ratio_high"]
    assert (row["reason"], row["road_name"], row["place_role"]) == (
        *(None, "screen street"),
        "screenline",
    )
    assert row["p_value"] <= row["p_value_adjusted"] < 0.001
    assert all(row[name] is not None for name in _BESIDE_A_RATIO)
    for method in ("did", "synthetic_control", "interrupted"):
        assert abs(row[f"{method}_ratio"] - RATIO) < 0.04
    # Whole blocks of four weeks: 72 of 75 before, 124 of 127 after.
    assert (row["before_from_date"], row["before_to_date"]) == (
        *(date(2022, 1, 24),),
        date(2023, 6, 11),
    )
    assert (row["after_from_date"], row["after_to_date"]) == (date(2023, 7, 24), date(2025, 12, 7))
    assert (row["before_week_count"], row["after_week_count"]) == (72, 124)
    assert (row["control_count"], row["left_out_controls"]) == (CONTROLS, None)
    assert row["plan_sha256"] == Plan(events=(OPENING,)).sha256()


def test_every_place_and_class_has_a_row_and_what_was_not_counted_a_reason(
    rows: pl.DataFrame,
) -> None:
    assert rows.height == 4 * 4
    untouched, both = row_of(rows, UNTOUCHED), row_of(rows, ALL_SCREENLINES)
    assert untouched["ratio_low"] < 1 < untouched["ratio_high"]
    assert both["ratio_low"] < (60 * RATIO + 25) / 85 < both["ratio_high"]
    assert (both["place_kind"], both["place_role"], both["road_name"]) == (
        *("role group", "screenline"),
        None,
    )
    assert row_of(rows, "gate")["reason"] == f"the station: {NO_OUTCOME}"
    assert set(rows.filter(vehicle_class="all").get_column("tested_place_count")) == {3}
    others = rows.filter(pl.col("vehicle_class") != "all")
    assert set(others.get_column("tested_place_count")) == {0}
    assert others.get_column("ratio").null_count() == 12
    assert "no control has enough outcomes" in row_of(rows, TREATED, "heavy")["reason"]


def test_a_week_that_is_not_over_changes_nothing(days: pl.DataFrame) -> None:
    sunday, friday = (computed(days, day=day) for day in ("2025-12-21", "2025-12-26"))
    assert sunday.drop("service_date").equals(friday.drop("service_date"))


def test_contaminated_controls_are_refused_and_nothing_stands_beside(days: pl.DataFrame) -> None:
    taking = control_ids(CONTROLS)[:10]
    found = computed(scaled(days, taking, 1.06, OPENED_DATE))
    row = row_of(found, TREATED)
    assert row["reason"].startswith("10 of 24 controls changed at the event themselves")
    assert {row[name] for name in ("ratio", *_BESIDE_A_RATIO)} == {None}


def test_a_broken_station_is_refused_and_named_and_so_is_its_sum(days: pl.DataFrame) -> None:
    found = computed(scaled(days, [TREATED], 0.7, date(2024, 9, 2)))
    reason = r"the station: level jumps by -\d\d % at 2024-09-02, which no event explains"
    assert re.fullmatch(reason, row_of(found, TREATED)["reason"])
    both = row_of(found, ALL_SCREENLINES)["reason"]
    assert both.startswith("the station: 1 of the 2 summed can't be used: screen (level jumps by -")
    assert row_of(found, UNTOUCHED)["reason"] is None


def test_unhealthy_sensors_are_refused_or_left_out_and_named(days: pl.DataFrame) -> None:
    broken = {"health_weight": 0.0, "findings": "stuck on 28 days"}
    silent = {"health_weight": 0.0, "complete_day_count": 0, "findings": "silent"}
    health = healthy(screen=broken, control_07=broken, control_08=silent)
    found = computed(days, health=health)
    assert row_of(found, TREATED)["reason"] == "the station: sensor health: stuck on 28 days"
    assert row_of(found, ALL_SCREENLINES)["reason"].endswith(
        "can't be used: screen (sensor health: stuck on 28 days)"
    )
    untouched = row_of(found, UNTOUCHED)
    assert untouched["reason"] is None
    # One that fell silent lately counted when it mattered.
    assert untouched["left_out_controls"] == "control-07: sensor health: stuck on 28 days"
    assert untouched["control_count"] == CONTROLS - 1


@pytest.mark.parametrize(
    ("day", "first_date", "reason"),
    [
        ("2023-07-30", date(2022, 1, 3), "0 periods after the event, of 8 needed"),
        ("2023-09-10", date(2022, 1, 3), "4 periods after the event, of 8 needed"),
        ("2025-12-28", date(2023, 1, 2), "20 periods before the event, of 52 needed"),
        ("2025-12-28", date(2024, 1, 1), "0 periods before the event, of 52 needed"),
    ],
)
def test_too_little_time_on_either_side_is_a_reason(
    days: pl.DataFrame, day: str, first_date: date, reason: str
) -> None:
    found = computed(days.filter(pl.col("service_date") >= first_date), day=day)
    assert reason in row_of(found, TREATED)["reason"]
    assert found.get_column("ratio").null_count() == found.height


def test_an_event_to_come_says_so_beside_one_that_is_told(days: pl.DataFrame) -> None:
    found = computed(days, events=(OPENING, TARIFFS))
    assert set(found.get_column("event_id")) == {OPENING.event_id, TARIFFS.event_id}
    later = found.filter(event_id=TARIFFS.event_id)
    assert later.get_column("ratio").null_count() == later.height
    assert "0 periods after the event, of 8 needed" in row_of(later, TREATED)["reason"]
    assert row_of(later, TREATED)["after_from_date"] is None
    assert row_of(found.filter(event_id=OPENING.event_id), TREATED)["ratio"] is not None


def test_without_controls_there_is_a_reason(days: pl.DataFrame) -> None:
    alone = listed(ROLES).filter(pl.col("role") != "control")
    found = computed(days, stations=alone)
    assert row_of(found, TREATED)["reason"] == "no control has enough outcomes"
    assert set(found.get_column("control_count")) == {0}


def test_health_of_these_days_says_nothing_of_weeks_long_before(days: pl.DataFrame) -> None:
    health = healthy(screen={"health_weight": 0.0, "findings": "clock shifted by +1.0 h"})

    def reason_on(day: str) -> object:
        found = computed(days, day=day, health=health, events=(OPENING, TARIFFS))
        return row_of(found.filter(event_id=OPENING.event_id), TREATED)["reason"]

    # Health looks back 180 days; the opening is measured until the tariffs change.
    assert reason_on("2026-06-28") == "the station: sensor health: clock shifted by +1.0 h"
    assert reason_on("2026-06-29") is None


def test_days_of_a_broken_sensor_are_missing(days: pl.DataFrame) -> None:
    def with_stuck_weeks(week_count: int) -> dict[str, object]:
        since = date(2024, 3, 4)
        until = since + timedelta(days=7 * week_count - 1)
        is_stuck = (pl.col("station_id") == TREATED) & pl.col("service_date").is_between(
            since, until
        )
        hours = pl.when(is_stuck).then(20).otherwise("longest_equal_hour_count").cast(pl.Int32)
        halved = pl.when(is_stuck).then(pl.col("vehicle_count") // 2).otherwise("vehicle_count")
        stuck = days.with_columns(longest_equal_hour_count=hours, vehicle_count=halved)
        return row_of(computed(stuck), TREATED)

    three, four = with_stuck_weeks(3), with_stuck_weeks(4)
    assert (three["reason"], three["filled_week_count"]) == (None, 3)
    assert three["ratio_low"] < RATIO < three["ratio_high"]
    assert four["reason"] == "the station: 4 of 202 periods missing, 4 of them in a row"


def test_without_events_there_are_no_rows(days: pl.DataFrame) -> None:
    assert computed(days, events=()).is_empty()


def test_without_stations_the_sum_says_why(days: pl.DataFrame) -> None:
    found = computed(days, stations=listed(ROLES).clear())
    assert set(found.get_column("place_id")) == {ALL_SCREENLINES}
    assert all(reason.endswith("the station: a sum of no stations") for reason in found["reason"])


def test_without_counts_there_is_a_reason(days: pl.DataFrame) -> None:
    found = computed(days.clear())
    assert found.height == 4 * 4
    assert found.get_column("ratio").null_count() == found.height


@pytest.mark.parametrize(
    ("column", "value"), [("reason", "x"), ("ratio", 1.5), ("p_value", None), ("did_ratio", None)]
)
def test_the_contract_holds_number_and_reason_apart(
    rows: pl.DataFrame, column: str, value: object
) -> None:
    wrong = rows.filter(place_id=TREATED, vehicle_class="all").with_columns(
        pl.lit(value, rows.schema[column]).alias(column)
    )
    with pytest.raises(dy.exc.ValidationError):
        RingRoadEffect.validate(wrong)


def test_an_event_s_name_and_source_stand_beside_it(days: pl.DataFrame) -> None:
    named = replace(OPENING, event_name="The ring opens", source_address="https://example.org")
    row = row_of(computed(days.clear(), events=(named,)), TREATED)
    assert (row["event_name"], row["event_source_address"]) == (
        "The ring opens",
        "https://example.org",
    )
    assert (row["event_first_date"], row["event_settled_date"]) == (
        date(2023, 6, 16),
        date(2023, 7, 21),
    )
