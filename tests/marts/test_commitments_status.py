"""Commitments status: every status by hand, what is amiss, and Almaty's list on toy figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from pipelines.errors import ContractError
from pipelines.marts.bus_emissions import BusEmissions
from pipelines.marts.bus_reach import BusReach
from pipelines.marts.commitments.judging import judge
from pipelines.marts.commitments_status import (
    NO_FORECAST,
    CommitmentsStatus,
    compute_commitments_status,
)
from pipelines.marts.diesel_forecast import DieselForecast
from pipelines.marts.diesel_phase_out import DieselPhaseOut
from pipelines.marts.main_streets import MainStreets
from pipelines.marts.metro_reach import MetroReach
from pipelines.marts.reach_equity import ReachEquity
from pipelines.marts.ring_road_diversion import RingRoadDiversion
from pipelines.night import Night, Window
from pipelines.night import SourceVersion as Version
from pipelines.sources.commitments.parse import parse_commitments
from pipelines.staging.commitments import Commitments, stage_commitments

TODAY = date(2026, 11, 20)
NIGHT = Night(
    "toy", "Toy", TODAY, "weekday", "Asia/Almaty", Window(7 * 3600, 9 * 3600), "synthetic"
)
ALMATY = Path(__file__).parents[2] / "cities" / "almaty.commitments.toml"
MARTS: Mapping[str, type[dy.Schema]] = {
    "metro_reach": MetroReach,
    "bus_reach": BusReach,
    "reach_equity": ReachEquity,
    "diesel_phase_out": DieselPhaseOut,
    "ring_road_diversion": RingRoadDiversion,
    "bus_emissions": BusEmissions,
    "main_streets": MainStreets,
    "diesel_forecast": DieselForecast,
}
FIGURE = {
    "service_date": TODAY,
    "day_type": "weekday",
    "departure_window": "whole day",
    "method": "toy",
    "mark": "measured",
}
DIESEL = {
    **FIGURE,
    "status_scope": "in service",
    "service_scope": "city and suburban",
    "operator_name": "all",
    "depot_name": "all",
    "fuel_type": "diesel",
    "vehicle_count": 1392,
    "fleet_count": 2939,
    "vehicle_share": 1392 / 2939,
    "past_life_share": 0.71,
    "mark": "synthetic",
}
DIVERSION = {
    **FIGURE,
    "month_date": date(2026, 10, 1),
    "vehicle_class": "heavy",
    "passage_day_count": 8,
    "is_complete_month": False,
    "diversion_share": 0.596,
}
REACH = {
    **FIGURE,
    "scope_type": "city",
    "scope_id": "toy",
    "residents_within_count": 250_000.0,
    "reach_share": 0.1,
    "method": "straight line",
}


EMISSIONS = {
    **FIGURE,
    "fleet_case": "fleet",
    "boundary": "tailpipe",
    "fuel_type": "all",
    "emission_class": "all",
    "pollutant": "NOx",
    "year_tonnes_low": 498.1,
    "year_tonnes_high": 854.6,
    "reason": "a range",
    "mark": "modelled",
}
FORECAST = {
    **FIGURE,
    "status_scope": "in service",
    "forecast_method": "net trend",
    "zero_date": date(2031, 4, 1),
    "zero_date_low": date(2029, 1, 1),
    "zero_date_high": None,
}
STREETS = {
    **FIGURE,
    "street_class": "all",
    "street_count": 10,
    "known_count": 4,
    "opened_count_low": 0,
    "opened_count_high": 6,
    "reason": "a range",
    "mark": "published",
}


EQUITY = {
    **FIGURE,
    "figure_table": "marts.bus_reach",
    "figure_column": "reach_share",
    "figure_rows": "",
    "worst_to_best_ratio": 0.25,
    "annexed_to_old_ratio": 0.5,
}


def commitments(text: str) -> pl.DataFrame:
    source = Version("commitments", "v1", "toy.toml", "toml")
    staged = stage_commitments(parse_commitments(text.encode(), source), source)
    assert not staged.quarantine.height
    return staged.rows


def a_commitment(figure: str = "", **keys: object) -> str:
    told = {"id": "one", "rank": 1, "source": "Speech", "sentence": "S", "indicator": "I"} | keys
    lines = [
        f"{key} = {value if isinstance(value, date) else repr(value)}"
        for key, value in told.items()
    ]
    return "\n".join(
        ["[[commitment]]", *lines, *(["[commitment.figure]", figure] if figure else [])]
    )


def computed(listed: pl.DataFrame, **figures: list[dict[str, object]]) -> pl.DataFrame:
    def rows(name: str) -> pl.DataFrame:
        schema = {key: column.dtype for key, column in MARTS[name].columns().items()}
        return pl.DataFrame(figures.get(name, []), schema=schema)

    return compute_commitments_status(
        NIGHT,
        commitments=Commitments.validate(listed),
        **{name: schema.cast(rows(name)) for name, schema in MARTS.items()},
    )


DEADLINE = date(2027, 1, 1)
BASELINE = (100.0, date(2025, 1, 1))  # falls to 0 over 730 days; on 2026-11-20 688 have passed
ON_THE_LINE = 100 * (1 - 688 / 730)


@pytest.mark.parametrize(
    ("value", "rules", "status"),
    [
        (5, {"target": None, "comparison": None}, "direction only"),
        (0, {"target": 0, "comparison": "at most"}, "met"),
        (0, {"target": 0, "comparison": "at most", "deadline": date(2025, 1, 1)}, "met"),
        (0.5, {"target": 0.5, "comparison": "above"}, "behind"),
        (0.51, {"target": 0.5, "comparison": "above"}, "met"),
        (0.5, {"target": 0.5, "comparison": "at least"}, "met"),
        (0.5, {"target": 0.5, "comparison": "below"}, "behind"),
        (1, {"target": 0, "comparison": "at most", "deadline": TODAY}, "behind"),
        (1, {"target": 0, "comparison": "at most", "deadline": date(2026, 11, 19)}, "overdue"),
        (
            ON_THE_LINE - 0.1,
            {"target": 0, "comparison": "at most", "deadline": DEADLINE, "baseline": BASELINE},
            "on track",
        ),
        (
            ON_THE_LINE + 0.1,
            {"target": 0, "comparison": "at most", "deadline": DEADLINE, "baseline": BASELINE},
            "behind",
        ),
        (
            98,
            {
                "target": 100,
                "comparison": "at least",
                "deadline": DEADLINE,
                "baseline": (0.0, BASELINE[1]),
            },
            "on track",
        ),
        (
            90,
            {
                "target": 100,
                "comparison": "at least",
                "deadline": DEADLINE,
                "baseline": (0.0, BASELINE[1]),
            },
            "behind",
        ),
    ],
)
def test_the_status_by_its_rules(value: float, rules: dict[str, object], status: str) -> None:
    assert judge(value, TODAY, **rules) == status  # type: ignore[arg-type]  # keywords of judge


def test_almaty_s_list_on_toy_figures() -> None:
    source = Version("commitments", "v1", ALMATY.name, "toml")
    listed = stage_commitments(parse_commitments(ALMATY.read_bytes(), source), source).rows
    later = {**DIVERSION, "month_date": date(2026, 11, 1), "diversion_share": None, "reason": "few"}
    rows = computed(
        listed,
        diesel_phase_out=[
            DIESEL,
            {**DIESEL, "status_scope": "with reserve", "vehicle_count": 1691},
        ],
        ring_road_diversion=[
            later,
            DIVERSION,
            {**DIVERSION, "vehicle_class": "light", "diversion_share": 0.1},
        ],
        metro_reach=[REACH, {**REACH, "scope_type": "district", "scope_id": "d"}],
        bus_reach=[
            {**REACH, "residents_within_count": None, "reach_share": None, "reason": "no bus"}
        ],
        bus_emissions=[EMISSIONS, {**EMISSIONS, "pollutant": "PM10"}],
        main_streets=[STREETS, {**STREETS, "street_class": "radial"}],
        reach_equity=[EQUITY, {**EQUITY, "figure_table": "marts.metro_reach"}],
        diesel_forecast=[FORECAST, {**FORECAST, "forecast_method": "survival"}],
    )
    assert rows.height == 18
    by_rank = {row["rank"]: row for row in rows.rows(named=True)}
    diesel = by_rank[1]
    assert (diesel["status"], diesel["measured_value"]) == ("overdue", 1392.0)
    assert round(diesel["measured_share"], 3) == 0.474
    assert (diesel["mark"], diesel["measured_date"]) == ("synthetic", TODAY)
    assert (diesel["measured_unit"], diesel["deadline_date"]) == ("vehicles", date(2025, 12, 31))
    assert (diesel["forecast_date"], diesel["forecast_method"]) == (date(2031, 4, 1), "net trend")
    assert (diesel["forecast_date_low"], diesel["forecast_date_high"]) == (date(2029, 1, 1), None)
    diversion = by_rank[2]
    assert (diversion["forecast_date"], diversion["forecast_reason"]) == (None, NO_FORECAST)
    assert (diversion["status"], diversion["measured_value"]) == ("met", 0.596)
    assert (diversion["measured_date"], diversion["mark"]) == (date(2026, 10, 1), "measured")
    assert (by_rank[4]["status"], by_rank[4]["measured_value"]) == ("direction only", 250_000.0)
    assert (by_rank[4]["method"], by_rank[4]["measured_share"]) == ("straight line", 0.1)
    assert (by_rank[5]["status"], by_rank[5]["reason"]) == ("no data", "no bus")
    streets = by_rank[3]
    assert (streets["status"], streets["measured_value"]) == ("behind", None)
    assert (streets["measured_low"], streets["measured_high"]) == (0.0, 6.0)
    assert (streets["reason"], streets["mark"]) == ("a range", "published")
    emissions = by_rank[9]
    assert (emissions["status"], emissions["measured_value"]) == ("direction only", None)
    assert (emissions["measured_low"], emissions["measured_high"]) == (498.1, 854.6)
    assert (emissions["measured_unit"], emissions["mark"]) == ("tonnes a year", "modelled")
    assert (by_rank[8]["status"], by_rank[8]["measured_value"]) == ("direction only", 0.71)
    districts, annexed = by_rank[14], by_rank[18]
    assert (districts["status"], districts["measured_value"]) == ("direction only", 0.25)
    assert (annexed["status"], annexed["measured_value"]) == ("overdue", 0.5)
    for rank in (6, 7, *range(10, 14), 15, 16, 17):
        row = by_rank[rank]
        assert (row["status"], row["measured_value"]) == ("no data", None)
        assert row["reason"].startswith("not measured yet: needs ")
        assert (row["method"], row["mark"]) == ("no measure", "published")


FUEL_FIGURE = 'table = "marts.diesel_phase_out"\ncolumn = "vehicle_count"'


def test_a_figure_of_another_night_measures_nothing() -> None:
    yesterday = {**DIESEL, "service_date": date(2026, 11, 19)}
    rows = computed(commitments(a_commitment(FUEL_FIGURE)), diesel_phase_out=[yesterday])
    row = rows.row(0, named=True)
    assert row["status"] == "no data"
    assert row["reason"] == "marts.diesel_phase_out has no row for it on this date"


def test_rows_are_chosen_by_text_numbers_and_flags_alike() -> None:
    where = '\nwhere = { fuel_type = "diesel", fleet_count = 2939, is_clean = false }'
    rows = computed(
        commitments(a_commitment(FUEL_FIGURE + where)),
        diesel_phase_out=[
            {**DIESEL, "is_clean": False},
            {**DIESEL, "is_clean": True, "vehicle_count": 1},
            {**DIESEL, "is_clean": False, "fleet_count": 3517, "vehicle_count": 2},
        ],
    )
    assert rows.get_column("measured_value").to_list() == [1392.0]


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (FUEL_FIGURE.replace("diesel", "petrol"), "'one' names the mart 'marts.petrol_phase_out'"),
        (
            FUEL_FIGURE.replace("_count", "_cuont"),
            "of marts.diesel_phase_out the value 'vehicle_cu",
        ),
        (FUEL_FIGURE.replace("vehicle_count", "fuel_type"), "the value 'fuel_type'"),
        (FUEL_FIGURE + '\nwhere = { fuel = "diesel" }', "the column 'fuel'"),
        (FUEL_FIGURE + '\nlatest = "month_date"', "the column 'month_date'"),
        (FUEL_FIGURE, "'one' is measured by 2 rows of marts.diesel_phase_out"),
        (
            FUEL_FIGURE + '\nlatest = "service_date"',
            "'one' is measured by 2 rows of marts.diesel_phase_out",
        ),
    ],
)
def test_an_address_that_leads_nowhere_is_an_error(figure: str, message: str) -> None:
    rows = [DIESEL, {**DIESEL, "fuel_type": "cng"}]
    with pytest.raises(ContractError, match=message):
        computed(commitments(a_commitment(figure)), diesel_phase_out=rows)


RANGE_FIGURE = """table = "marts.main_streets"
column = "opened_count"
low_column = "opened_count_low"
high_column = "opened_count_high"
"""


@pytest.mark.parametrize(
    ("comparison", "target", "status"),
    [
        ("at least", 0, "met"),
        ("at least", 1, "behind"),
        ("above", 0, "behind"),
        ("at most", 6, "met"),
        ("at most", 5, "behind"),
    ],
)
def test_of_a_range_the_end_farther_from_the_target_decides(
    comparison: str, target: int, status: str
) -> None:
    listed = a_commitment(RANGE_FIGURE, target=target, target_comparison=comparison)
    row = computed(commitments(listed), main_streets=[STREETS]).row(0, named=True)
    assert (row["status"], row["measured_value"], row["reason"]) == (status, None, "a range")


def test_a_value_decides_and_its_interval_stands_beside() -> None:
    known = {**STREETS, "opened_count": 3, "reason": None}
    listed = a_commitment(RANGE_FIGURE, target=3, target_comparison="at least")
    row = computed(commitments(listed), main_streets=[known]).row(0, named=True)
    assert (row["status"], row["measured_value"], row["reason"]) == ("met", 3.0, None)
    assert (row["measured_low"], row["measured_high"]) == (0.0, 6.0)


# Any mart with a day in it stands for a forecast here.
OPENING = """[commitment.forecast]
table = "marts.main_streets"
column = "next_opening_date"
high_column = "next_opening_date"
where = { street_class = "all" }
"""


@pytest.mark.slow
def test_a_forecast_is_carried_with_its_interval_and_decides_nothing() -> None:
    listed = commitments(a_commitment(FUEL_FIGURE) + "\n" + OPENING)
    opening = {**STREETS, "next_opening_date": date(2027, 5, 1)}
    row = computed(listed, diesel_phase_out=[DIESEL], main_streets=[opening]).row(0, named=True)
    assert (row["status"], row["forecast_date"]) == ("direction only", date(2027, 5, 1))
    assert (row["forecast_date_low"], row["forecast_date_high"]) == (None, date(2027, 5, 1))
    assert (row["forecast_method"], row["forecast_reason"]) == ("toy", None)
    row = computed(listed, diesel_phase_out=[DIESEL], main_streets=[STREETS]).row(0, named=True)
    assert (row["forecast_date"], row["forecast_reason"]) == (None, "a range")
    row = computed(listed, diesel_phase_out=[DIESEL]).row(0, named=True)
    assert row["forecast_reason"] == "marts.main_streets has no row for it on this date"
    row = computed(commitments(a_commitment(FUEL_FIGURE))).row(0, named=True)
    assert row["forecast_reason"] == NO_FORECAST


def test_a_city_without_commitments_has_no_rows() -> None:
    schema = {name: column.dtype for name, column in Commitments.columns().items()}
    rows = computed(pl.DataFrame(schema=schema))
    assert rows.height == 0
    assert rows.columns == CommitmentsStatus.column_names()
