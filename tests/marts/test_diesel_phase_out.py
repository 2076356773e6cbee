"""Diesel phase-out: toy fleets derivable by hand, and Almaty's published composition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.marts.diesel_phase_out import DieselPhaseOut
from pipelines.night import Night, SourceVersion, Window
from pipelines.sample import make_object
from pipelines.sources.fleet.parse import parse_fleet
from pipelines.staging.fleet import FUEL_TYPES, Vehicles, stage_vehicles
from pipelines.warehouse.sql_maker import run_sql_mart

SQL = Path(__file__).parents[2] / "sql" / "marts" / "diesel_phase_out.sql"
TODAY = date(2025, 12, 8)
Row = list[int | float | None]


def a_fleet(*vehicles: Mapping[str, object]) -> pl.DataFrame:
    """Vehicles of the contract; what a row leaves out is null, its number is its place."""
    blank: dict[str, object] = dict.fromkeys(Vehicles.column_names())
    fixed = {"source_id": "fleet", "version_id": "v1", "has_year_only_date": False}
    rows = [
        {**blank, **fixed, "vehicle_id": str(number), **vehicle}
        for number, vehicle in enumerate(vehicles)
    ]
    schema = {name: column.dtype for name, column in Vehicles.columns().items()}
    return pl.DataFrame(rows, schema=schema)


def computed(vehicles: pl.DataFrame, service_date: date = TODAY) -> pl.DataFrame:
    window = Window(7 * 3600, 9 * 3600)
    night = Night("toy", "Toy", service_date, "weekday", "Asia/Almaty", window, "synthetic")
    frames = {"staging.vehicles": Vehicles.validate(vehicles)}
    return DieselPhaseOut.validate(run_sql_mart(SQL, night, frames))


def counts(rows: pl.DataFrame, status_scope: str, service_scope: str) -> dict[str, Row]:
    chosen = rows.filter(
        pl.col("status_scope") == status_scope, pl.col("service_scope") == service_scope
    )
    columns = ("vehicle_count", "fleet_count", "vehicle_share")
    return {fuel: row for fuel, *row in chosen.select("fuel_type", *columns).iter_rows()}


def present(rows: dict[str, Row]) -> dict[str, int | float | None]:
    return {fuel: row[0] for fuel, row in rows.items() if row[0]}


def test_a_toy_fleet_by_scope() -> None:
    rows = computed(
        a_fleet(
            {"fuel_type": "diesel", "status": "in_service", "service_scope": "city"},
            {"fuel_type": "diesel", "status": "reserve", "service_scope": "city"},
            {"fuel_type": "cng", "status": "in_service", "service_scope": "suburban"},
            {"fuel_type": "unknown", "status": "in_service", "service_scope": "city"},
            {"fuel_type": "electric"},  # blank status: in service; blank scope: neither alone
        )
    )
    assert rows.height == 2 * 3 * len(FUEL_TYPES)
    total = counts(rows, "in service", "city and suburban")
    assert total["diesel"] == [1, 4, 0.25]
    assert total["unknown"] == [1, 4, 0.25]
    assert total["hydrogen"] == [0, 4, 0.0]
    everything = counts(rows, "with reserve", "city and suburban")
    assert everything["diesel"] == [2, 5, 0.4]
    assert present(counts(rows, "in service", "city")) == {"diesel": 1, "unknown": 1}
    assert present(counts(rows, "with reserve", "city")) == {"diesel": 2, "unknown": 1}
    assert counts(rows, "with reserve", "suburban")["diesel"] == [0, 1, 0.0]


@pytest.mark.parametrize(
    ("dates", "counted"),
    [
        ({}, True),
        ({"in_service_date": TODAY}, True),
        ({"in_service_date": date(2025, 12, 9)}, False),
        ({"manufacture_date": date(2026, 1, 1)}, False),
        ({"manufacture_date": date(2026, 1, 1), "in_service_date": TODAY}, True),
        ({"retirement_date": TODAY}, False),
        ({"retirement_date": date(2025, 12, 9)}, True),
    ],
)
def test_who_counts_on_a_date(dates: dict[str, object], counted: bool) -> None:
    always = {"fuel_type": "cng", "status": "in_service"}
    rows = computed(a_fleet(always, {"fuel_type": "diesel", "status": "in_service", **dates}))
    assert counts(rows, "in service", "city and suburban")["diesel"][0] == int(counted)


def test_the_same_number_in_two_registers_is_two_vehicles() -> None:
    one = {"fuel_type": "diesel", "status": "in_service", "vehicle_id": "A1"}
    rows = computed(a_fleet(one, {**one, "source_id": "suburban_fleet"}))
    assert counts(rows, "in service", "city and suburban")["diesel"][0] == 2


def test_a_register_that_marks_no_reserve_can_not_tell_who_is_in_service() -> None:
    rows = computed(a_fleet({"fuel_type": "diesel"}, {"fuel_type": "hybrid"}))
    assert rows.get_column("service_scope").unique().to_list() == ["city and suburban"]
    assert counts(rows, "in service", "city and suburban")["diesel"] == [None, None, None]
    assert counts(rows, "with reserve", "city and suburban")["diesel"] == [1, 2, 0.5]
    in_service = rows.filter(pl.col("status_scope") == "in service")
    assert in_service.get_column("reason").str.contains("reserve").all()


@pytest.mark.parametrize(
    ("vehicles", "reason"),
    [
        (a_fleet(), "no fleet register was delivered"),
        (
            a_fleet({"fuel_type": "cng", "status": "reserve", "retirement_date": TODAY}),
            "no vehicle of the register counts on this date",
        ),
    ],
)
def test_nothing_to_share_is_null_with_the_reason(vehicles: pl.DataFrame, reason: str) -> None:
    rows = computed(vehicles)
    assert rows.height == 2 * len(FUEL_TYPES)
    assert rows.get_column("vehicle_share").null_count() == rows.height
    assert rows.get_column("reason").unique().to_list() == [reason]


def test_gas_is_clean_hybrids_are_not_and_unknown_is_unknown() -> None:
    rows = computed(a_fleet({"fuel_type": "diesel", "status": "in_service"}))

    def fuels(flag: pl.Expr) -> set[str]:
        return set(rows.filter(flag).get_column("fuel_type"))

    zero_emission = {"electric", "trolleybus", "hydrogen"}
    assert fuels(pl.col("is_zero_emission")) == zero_emission
    assert fuels(pl.col("is_clean")) == {"cng", "lpg"} | zero_emission
    assert fuels(~pl.col("is_clean")) == {"diesel", "petrol", "hybrid"}
    assert fuels(pl.col("is_clean").is_null() & pl.col("is_zero_emission").is_null()) == {"unknown"}


@pytest.mark.parametrize("service_date", [TODAY, date(2026, 11, 20)])
def test_the_sample_has_the_published_composition(service_date: date) -> None:
    # 2025-12-08, vlast.kz/novosti/67517: city and suburban, in service and with reserve.
    published = {
        "in service": {"cng": 1301, "diesel": 1392, "electric": 92, "trolleybus": 154},
        "with reserve": {"cng": 1494, "diesel": 1691, "electric": 120, "trolleybus": 212},
    }
    rows = computed(the_sample_fleet(), service_date)
    for status_scope, fuels in published.items():
        found = counts(rows, status_scope, "city and suburban")
        assert present(found) == fuels
        assert {row[1] for row in found.values()} == {sum(fuels.values())}
    chosen = pl.col("status_scope") == "in service", pl.col("service_scope") == "city and suburban"
    shares = rows.filter(*chosen, pl.col("is_clean")).get_column("vehicle_share")
    assert round(shares.sum() * 100, 2) == 52.64  # the clean share published with it


def test_the_sample_s_history_holds_the_city_s_1560_buses_of_2018() -> None:
    # almaty.gov.kz, news 15426: buses of the city on 2018-08-13.
    rows = computed(the_sample_fleet(), date(2018, 8, 13))
    assert {row[1] for row in counts(rows, "with reserve", "city").values()} == {1560}


def the_sample_fleet() -> pl.DataFrame:
    source = SourceVersion(
        source_id="fleet",
        version_id="v1",
        object_name="fleet_register.csv",
        format="csv",
        columns={
            "Гаражный номер": "vehicle_id",
            "Перевозчик": "operator_name",
            "Парк": "depot_name",
            "Вид топлива": "fuel_type",
            "Экологический класс": "emission_standard",
            "Дата выпуска": "manufacture_date",
            "Дата ввода": "in_service_date",
            "Дата списания": "retirement_date",
            "Статус": "status",
            "Сообщение": "service_scope",
            "Низкий пол": "is_step_free",
            "Модель": "model_name",
        },
        terms={
            "fuel_type": {
                "дизель": "diesel",
                "газ (CNG)": "cng",
                "электро": "electric",
                "троллейбус": "trolleybus",
            },
            "status": {"на линии": "in_service", "резерв": "reserve"},
            "service_scope": {"город": "city", "пригород": "suburban"},
            "is_step_free": {"да": "true", "нет": "false"},
        },
    )
    payload = make_object("fleet", source.object_name, TODAY)
    staged = stage_vehicles(parse_fleet(payload, source), source)
    assert not staged.quarantine.height
    return staged.rows


def test_rows_do_not_depend_on_the_register_s_order() -> None:
    vehicles = a_fleet(
        *({"fuel_type": fuel, "status": "in_service"} for fuel in FUEL_TYPES for _ in range(50))
    )
    again = computed(vehicles.sample(fraction=1.0, shuffle=True, seed=1))
    assert computed(vehicles).equals(again)
