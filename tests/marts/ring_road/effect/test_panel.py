"""Station-days to weeks to a balanced panel, derivable by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.errors import ContractError
from pipelines.marts.ring_road.effect.panel import (
    NO_OUTCOME,
    Panel,
    build_panel,
    weekly_outcomes,
)
from pipelines.marts.ring_road.effect.plan import Window
from tests.marts.ring_road.effect.simulated import PLAN

MONDAY = date(2023, 1, 2)
OPENED = date(2023, 5, 12)  # a Friday; weeks 0 to 17 lie before it
SETTLED = date(2023, 5, 26)  # a Friday; from 2023-05-29, week 21, on
WINDOW = Window(date.min, OPENED, SETTLED, date.max)
WEEKS = 40


def days_of(station_id: str, counts: Iterable[int | None], first: date = MONDAY) -> pl.DataFrame:
    listed = list(counts)
    return pl.DataFrame(
        {
            "station_id": [station_id] * len(listed),
            "service_date": [first + timedelta(n) for n in range(len(listed))],
            "vehicle_count": pl.Series(listed, dtype=pl.Int64),
        }
    )


def outcomes_of(stations: dict[str, list[float | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "station_id": name,
                "period_date": MONDAY + timedelta(7 * week),
                "outcome": value,
            }
            for name, values in stations.items()
            for week, value in enumerate(values)
        ],
        schema={"station_id": pl.String, "period_date": pl.Date, "outcome": pl.Float64},
    )


def panel_of(stations: dict[str, list[float | None]]) -> Panel:
    controls = [name for name in stations if name != "here"]
    return build_panel(
        outcomes_of(stations), treated_ids=["here"], control_ids=controls, window=WINDOW
    )


def steady(level: float) -> list[float | None]:
    return [level + math.sin(week) for week in range(WEEKS)]


WEEK = [100, 110, 120, 130, 140, 90, 60]


def test_a_week_is_the_mean_of_its_days_logs() -> None:
    weeks = weekly_outcomes(days_of("a", WEEK + [2 * count for count in WEEK]))
    assert weeks.get_column("period_date").to_list() == [MONDAY, MONDAY + timedelta(7)]
    assert weeks.get_column("day_count").to_list() == [7, 7]
    first, second = weeks.get_column("outcome")
    assert first == pytest.approx(sum(map(math.log, WEEK)) / 7)
    assert second - first == pytest.approx(math.log(2))


def test_a_missing_sunday_does_not_lift_its_week() -> None:
    missing = [*WEEK, *WEEK[:6], None, *WEEK, *WEEK]
    weeks = weekly_outcomes(days_of("a", missing))
    assert weeks.get_column("day_count").to_list() == [7, 6, 7, 7]
    assert np.ptp(weeks.get_column("outcome").to_numpy()) == pytest.approx(0, abs=1e-12)


def test_weeks_of_few_days_have_no_outcome() -> None:
    silent = [*WEEK, *WEEK[:4], 0, 0, 0, *WEEK[:3], None, None, None, None]
    weeks = weekly_outcomes(days_of("a", silent))
    assert weeks.get_column("day_count").to_list() == [7, 4, 3]
    assert weeks.get_column("outcome").is_null().to_list() == [False, False, True]


def test_stuck_days_are_no_counts() -> None:
    weeks = weekly_outcomes(days_of("a", [*WEEK, 90, 75, 75, 75, 75, 91, 92]))
    assert weeks.get_column("stuck_day_count").to_list() == [0, 4]
    assert weeks.get_column("day_count").to_list() == [7, 3]
    three = weekly_outcomes(days_of("a", [*WEEK, 90, 75, 75, 75, 90, 91, 92]))
    assert three.get_column("stuck_day_count").to_list() == [0, 0]


def test_a_day_twice_is_refused() -> None:
    twice = pl.concat([days_of("a", WEEK), days_of("a", [5])])
    with pytest.raises(ContractError, match="2 rows share station_id and service_date"):
        weekly_outcomes(twice)
    weeks = outcomes_of({"here": steady(1)})
    with pytest.raises(ContractError, match="station_id and period_date"):
        build_panel(
            pl.concat([weeks, weeks.head(1)]),
            treated_ids=["here"],
            control_ids=[],
            window=WINDOW,
        )


def test_a_station_has_one_role() -> None:
    with pytest.raises(ContractError, match=r"1 stations are both .* among them here"):
        build_panel(
            outcomes_of({"here": steady(1)}),
            treated_ids=["here"],
            control_ids=["here"],
            window=WINDOW,
        )


def test_a_sum_adds_the_volumes_of_its_stations() -> None:
    stations = {"here": steady(3), "there": steady(2), "a": steady(1), "b": steady(1)}
    stations["here"][4] = stations["there"][9] = stations["there"][10] = None
    panel = treated_panel(stations).with_sums({"both": ["here", "there"], "one": ["there"]})
    assert panel.treated_ids == ("here", "there", "both", "one")
    volumes = np.exp(panel.treated["here"]) + np.exp(panel.treated["there"])
    assert np.exp(panel.treated["both"]) == pytest.approx(volumes)
    assert panel.treated["one"] == pytest.approx(panel.treated["there"])
    assert panel.filled_counts == {"here": 1, "there": 2, "both": 3, "one": 2}
    assert panel.left_out == {}


def test_a_sum_needs_all_of_its_stations() -> None:
    stations = {"here": steady(3), "there": [None] * WEEKS, "a": steady(1), "b": steady(1)}
    panel = treated_panel(stations).with_sums({"both": ["here", "there"], "none": []})
    assert list(panel.treated) == ["here"]
    assert panel.left_out == {
        "there": NO_OUTCOME,
        "both": f"1 of the 2 summed can't be used: there ({NO_OUTCOME})",
        "none": "a sum of no stations",
    }


def treated_panel(stations: dict[str, list[float | None]]) -> Panel:
    return build_panel(
        outcomes_of(stations),
        treated_ids=["here", "there"],
        control_ids=["a", "b"],
        window=WINDOW,
    )


def test_stations_that_open_with_the_road_rule_out_no_week_before_it() -> None:
    opened = [None] * 21 + steady(1)[21:]
    stations = {"a": steady(1), "b": steady(2)} | {f"ring-{n}": opened for n in range(5)}
    panel = build_panel(
        outcomes_of(stations),
        treated_ids=[f"ring-{n}" for n in range(5)],
        control_ids=["a", "b"],
        window=WINDOW,
    )
    assert (panel.before_count, panel.left_out_period_count) == (18, 0)
    assert panel.left_out["ring-0"] == "18 of 37 periods missing, 18 of them in a row"


def test_weeks_that_touch_the_days_between_are_neither_before_nor_after() -> None:
    panel = panel_of({"here": steady(3), "a": steady(1), "b": steady(2)})
    assert panel.before_count == 18
    assert panel.period_dates[17] == date(2023, 5, 1)
    assert panel.period_dates[18] == date(2023, 5, 29)
    assert panel.after_count == WEEKS - 21
    assert panel.controls.shape == (2, 18 + WEEKS - 21)
    assert panel.left_out_period_count == 0


def test_blocks_are_counted_from_the_event() -> None:
    panel = panel_of({"here": steady(3), "a": steady(1), "b": steady(2)})
    blocks = panel.in_blocks(4)
    assert (blocks.before_count, blocks.after_count) == (4, 4)
    assert blocks.period_dates[0] == panel.period_dates[2]
    assert blocks.period_dates[4] == panel.period_dates[18]
    assert blocks.controls[1, 3] == pytest.approx(panel.controls[1, 14:18].mean())
    assert blocks.treated["here"][4] == pytest.approx(panel.treated["here"][18:22].mean())
    trimmed = panel.trimmed(4)
    assert (trimmed.before_count, trimmed.after_count) == (16, 16)
    assert trimmed.period_dates == panel.period_dates[2:34]
    assert panel.in_blocks(1).controls == pytest.approx(panel.controls)


def test_small_gaps_are_filled_by_what_the_others_did_and_counted() -> None:
    stations = {name: steady(level) for level, name in enumerate(("here", "a", "b", "c"))}
    stations["a"][5] = stations["a"][6] = stations["b"][0] = stations["here"][-1] = None
    panel = panel_of(stations)
    assert panel.filled_counts == {"a": 2, "b": 1, "here": 1}
    assert panel.left_out == {}
    whole = panel_of({name: steady(level) for level, name in enumerate(("here", "a", "b", "c"))})
    assert panel.controls == pytest.approx(whole.controls, abs=0.05)
    assert panel.treated["here"] == pytest.approx(whole.treated["here"], abs=0.05)


def test_stations_with_long_or_many_gaps_are_left_out_with_the_reason() -> None:
    stations = {name: steady(1) for name in ("here", "a", "b", "c", "d", "e")}
    stations["a"][4:8] = [None] * 4
    for week in (2, 5, 8, 11):
        stations["b"][week] = None
    stations["c"] = [None] * WEEKS
    panel = panel_of(stations)
    assert panel.control_ids == ("d", "e")
    assert panel.left_out == {
        "a": "4 of 37 periods missing, 4 of them in a row",
        "b": "4 of 37 periods missing, 1 of them in a row",
        "c": NO_OUTCOME,
    }
    assert "here" in panel.treated


def test_a_treated_station_may_be_the_one_left_out() -> None:
    panel = panel_of({"here": [None] * WEEKS, "a": steady(1), "b": steady(2)})
    assert panel.treated == {}
    assert panel.left_out == {"here": NO_OUTCOME}
    absent = build_panel(
        outcomes_of({"a": steady(1)}), treated_ids=["here"], control_ids=["a"], window=WINDOW
    )
    assert absent.left_out == {"here": NO_OUTCOME}


def test_stuck_counts_are_named_where_they_leave_a_station_out() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(5_000, 6_000, 7 * WEEKS).tolist()
    stuck = counts.copy()
    stuck[70:105] = [5_500] * 35
    names = ("here", "a", "b", "c")
    days = pl.concat([*(days_of(name, counts) for name in names), days_of("d", stuck)])
    panel = build_panel(
        weekly_outcomes(days), treated_ids=["here"], control_ids=[*"abcd"], window=WINDOW
    )
    assert panel.left_out == {
        "d": "5 of 37 periods missing, 5 of them in a row; counts stuck on 35 days"
    }


def test_a_month_without_counts_is_left_out_for_all_and_counted() -> None:
    stations = {name: steady(1) for name in ("here", "a", "b", "c")}
    for name in ("here", "a", "b"):
        stations[name][4:8] = [None] * 4
    panel = panel_of(stations)
    assert panel.left_out == {}
    assert panel.left_out_period_count == 4
    assert panel.before_count == 14
    # The same where no station has as much as a row.
    rows = outcomes_of(stations).filter(pl.col("outcome").is_not_null())
    rows = rows.filter(pl.col("period_date").is_in(list(panel.period_dates)))
    again = build_panel(rows, treated_ids=["here"], control_ids=[*"abc"], window=WINDOW)
    assert again.left_out_period_count == 4
    assert again.period_dates == panel.period_dates


def test_what_is_no_number_is_missing() -> None:
    stations = {name: steady(1) for name in ("here", "a", "b", "c", "d")}
    stations["a"][3], stations["b"][3] = math.nan, -math.inf
    assert panel_of(stations).filled_counts == {"a": 1, "b": 1}


def test_no_outcomes_at_all_is_an_empty_panel() -> None:
    panel = build_panel(
        outcomes_of({}),
        treated_ids=["here"],
        control_ids=["a"],
        window=PLAN.window("tariff change"),
    )
    assert panel.controls.shape == (0, 0)
    assert panel.before_count == panel.after_count == 0
    assert panel.left_out == {"a": NO_OUTCOME, "here": NO_OUTCOME}
