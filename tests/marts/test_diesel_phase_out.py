"""Diesel phase-out: toy fleets derivable by hand, and Almaty's published composition."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.city_file import load_city
from pipelines.landable import describe_version
from pipelines.marts.diesel_phase_out import SERVICE_LIFE_YEARS, DieselPhaseOut
from pipelines.marts.vehicle_history import compute_vehicle_history
from pipelines.night import Night, SourceVersion, Window
from pipelines.sample import make_object
from pipelines.sources.fleet.parse import parse_fleet
from pipelines.staging.fleet import (
    FUEL_TYPES,
    RegisterVersions,
    Vehicles,
    VehicleStates,
    stage_vehicles,
)
from pipelines.warehouse.sql_maker import run_sql_mart

SQL = Path(__file__).parents[2] / "sql" / "marts" / "diesel_phase_out.sql"
TODAY = date(2025, 12, 8)
SINCE = date(2020, 1, 1)
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


def computed(
    vehicles: pl.DataFrame, service_date: date = TODAY, refused: int | None = 0
) -> pl.DataFrame:
    """The figure of registers that were first fetched in 2020; none came where refused is None."""
    versions = pl.DataFrame(
        [
            (name, "register.csv", SINCE, None, "v1", refused)
            for name in ({*vehicles.get_column("source_id")} or {"fleet"})
            if refused is not None
        ],
        schema={name: column.dtype for name, column in RegisterVersions.columns().items()},
        orient="row",
    )
    history = compute_vehicle_history(
        vehicles=Vehicles.validate(vehicles),
        vehicle_states=VehicleStates.create_empty(),
        register_versions=RegisterVersions.validate(versions),
    )
    window = Window(7 * 3600, 9 * 3600)
    night = Night("toy", "Toy", service_date, "weekday", "Asia/Almaty", window, "synthetic")
    frames = {"marts.vehicle_history": history, "told.register_versions": versions}
    return DieselPhaseOut.validate(run_sql_mart(SQL, night, frames))


def of_all(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("operator_name") == "all")


def counts(rows: pl.DataFrame, status_scope: str, service_scope: str) -> dict[str, Row]:
    chosen = of_all(rows).filter(
        pl.col("status_scope") == status_scope, pl.col("service_scope") == service_scope
    )
    columns = ("vehicle_count", "fleet_count", "vehicle_share")
    return {fuel: row for fuel, *row in chosen.select("fuel_type", *columns).iter_rows()}


def present(rows: dict[str, Row]) -> dict[str, int | float | None]:
    return {fuel: row[0] for fuel, row in rows.items() if row[0]}


@pytest.mark.slow
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
    assert of_all(rows).height == 2 * 3 * len(FUEL_TYPES)
    total = counts(rows, "in service", "city and suburban")
    assert total["diesel"] == [1, 4, 0.25]
    assert total["unknown"] == [1, 4, 0.25]
    assert total["hydrogen"] == [0, 4, 0.0]
    everything = counts(rows, "with reserve", "city and suburban")
    assert everything["diesel"] == [2, 5, 0.4]
    assert present(counts(rows, "in service", "city")) == {"diesel": 1, "unknown": 1}
    assert present(counts(rows, "with reserve", "city")) == {"diesel": 2, "unknown": 1}
    assert counts(rows, "with reserve", "suburban")["diesel"] == [0, 1, 0.0]


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_same_number_in_two_registers_is_two_vehicles() -> None:
    one = {"fuel_type": "diesel", "status": "in_service", "vehicle_id": "A1"}
    rows = computed(a_fleet(one, {**one, "source_id": "suburban_fleet"}))
    assert counts(rows, "in service", "city and suburban")["diesel"][0] == 2


@pytest.mark.slow
def test_a_register_that_marks_no_reserve_can_not_tell_who_is_in_service() -> None:
    rows = computed(a_fleet({"fuel_type": "diesel"}, {"fuel_type": "hybrid"}))
    assert rows.get_column("service_scope").unique().to_list() == ["city and suburban"]
    assert counts(rows, "in service", "city and suburban")["diesel"] == [None, None, None]
    assert counts(rows, "with reserve", "city and suburban")["diesel"] == [1, 2, 0.5]
    in_service = of_all(rows).filter(pl.col("status_scope") == "in service")
    assert in_service.get_column("reason").str.contains("reserve").all()


@pytest.mark.parametrize(
    ("vehicles", "refused", "reason"),
    [
        (a_fleet(), None, "no fleet register was delivered"),
        (
            a_fleet({"fuel_type": "cng", "status": "reserve", "retirement_date": TODAY}),
            0,
            "no vehicle of the register counts on this date",
        ),
    ],
)
def test_nothing_to_share_is_null_with_the_reason(
    vehicles: pl.DataFrame, refused: int | None, reason: str
) -> None:
    rows = computed(vehicles, refused=refused)
    assert rows.height == 2 * len(FUEL_TYPES)
    assert rows.get_column("vehicle_share").null_count() == rows.height
    assert rows.get_column("reason").unique().to_list() == [reason]


@pytest.mark.slow
def test_operators_and_their_depots_have_rows_of_their_own() -> None:
    green = {"operator_name": "Green", "status": "in_service"}
    rows = computed(
        a_fleet(
            {**green, "fuel_type": "diesel", "depot_name": "North"},
            {**green, "fuel_type": "cng", "depot_name": "South"},
            {"operator_name": "Blue", "fuel_type": "cng", "status": "in_service"},
            {"fuel_type": "electric", "status": "reserve"},
        )
    )
    scope = pl.col("status_scope") == "with reserve"
    found = rows.filter(scope, pl.col("operator_name") != "all")
    columns = ("operator_name", "depot_name", "fuel_type", "vehicle_count", "fleet_count")
    assert found.select(columns).rows() == [
        ("Blue", "all", "cng", 1, 1),
        ("Blue", "all", "diesel", 0, 1),
        ("Blue", "not told", "cng", 1, 1),
        ("Blue", "not told", "diesel", 0, 1),
        ("Green", "North", "diesel", 1, 1),
        ("Green", "South", "cng", 1, 1),
        ("Green", "South", "diesel", 0, 1),
        ("Green", "all", "cng", 1, 2),
        ("Green", "all", "diesel", 1, 2),
        ("not told", "all", "diesel", 0, 1),
        ("not told", "all", "electric", 1, 1),
        ("not told", "not told", "diesel", 0, 1),
        ("not told", "not told", "electric", 1, 1),
    ]
    # In service, the reserve's operator has no vehicle and no row.
    serving = rows.filter(~scope).get_column("operator_name").unique()
    assert sorted(serving) == ["Blue", "Green", "all"]


@pytest.mark.slow
def test_age_runs_from_manufacture_and_ends_a_service_life() -> None:
    diesel = {"fuel_type": "diesel", "status": "in_service"}
    assert SERVICE_LIFE_YEARS == 7
    rows = computed(
        a_fleet(
            {**diesel, "manufacture_date": date(2018, 12, 8), "in_service_date": SINCE},  # today
            {**diesel, "manufacture_date": date(2018, 12, 9)},  # tomorrow
            {**diesel, "in_service_date": date(2024, 12, 8)},
            diesel,
        )
    )
    row = of_all(rows).filter(fuel_type="diesel", status_scope="in service").row(0, named=True)
    assert (row["vehicle_count"], row["known_age_count"], row["past_life_count"]) == (4, 3, 1)
    assert row["past_life_share"] == pytest.approx(1 / 3)
    days = [(TODAY - day).days for day in (date(2018, 12, 8), date(2018, 12, 9), date(2024, 12, 8))]
    assert row["mean_age_years"] == pytest.approx(sum(days) / 3 / 365.25)


def test_refused_rows_are_told_beside_the_denominator() -> None:
    fleet = a_fleet({"fuel_type": "diesel", "operator_name": "Green", "status": "in_service"})
    rows = computed(fleet, refused=3)
    assert of_all(rows).get_column("refused_count").unique().to_list() == [3]
    others = rows.filter(pl.col("operator_name") != "all").get_column("refused_count")
    assert others.null_count() == others.len() > 0


def test_gas_is_clean_hybrids_are_not_and_unknown_is_unknown() -> None:
    rows = computed(a_fleet({"fuel_type": "diesel", "status": "in_service"}))

    def fuels(flag: pl.Expr) -> set[str]:
        return set(rows.filter(flag).get_column("fuel_type"))

    zero_emission = {"electric", "trolleybus", "hydrogen"}
    assert fuels(pl.col("is_zero_emission")) == zero_emission
    assert fuels(pl.col("is_clean")) == {"cng", "lpg"} | zero_emission
    assert fuels(~pl.col("is_clean")) == {"diesel", "petrol", "hybrid"}
    assert fuels(pl.col("is_clean").is_null() & pl.col("is_zero_emission").is_null()) == {"unknown"}


@pytest.mark.slow
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
    shares = of_all(rows).filter(*chosen, pl.col("is_clean")).get_column("vehicle_share")
    assert round(shares.sum() * 100, 2) == 52.64  # the clean share published with it


@pytest.mark.slow
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


@pytest.mark.slow
def test_rows_do_not_depend_on_the_register_s_order() -> None:
    vehicles = a_fleet(
        *({"fuel_type": fuel, "status": "in_service"} for fuel in FUEL_TYPES for _ in range(50))
    )
    again = computed(vehicles.sample(fraction=1.0, shuffle=True, seed=1))
    assert computed(vehicles).equals(again)


@pytest.mark.slow
def test_a_real_register_by_year_and_age_like_an_independent_count(shared_data: Path) -> None:
    # Springfield, Massachusetts: blank operators, a byte-order mark, a vehicle twice, years alone.
    path = shared_data / "fleet" / "pvta" / "vehicles-summary.csv"
    city = load_city(Path(__file__).parents[1] / "cities" / "springfield.toml")
    source = describe_version(city, "register", path.name, "v1")
    staged = stage_vehicles(parse_fleet(path.read_bytes(), source), source)
    with path.open(encoding="utf-8-sig", newline="") as file:
        listed = {row["Equipment ID"]: row for row in reversed(list(csv.DictReader(file)))}
    day = date(2022, 9, 30)
    for year in range(2006, 2023):
        there = [row for row in listed.values() if int(row["Year"]) <= year]
        mix = Counter(row["Type"].replace("conventional", "diesel") for row in there)
        rows = computed(staged.rows, date(year, 12, 31), refused=staged.refused)
        assert present(counts(rows, "with reserve", "city and suburban")) == mix
    rows = of_all(computed(staged.rows, day, refused=staged.refused))
    for row in rows.filter(status_scope="with reserve").iter_rows(named=True):
        word = row["fuel_type"].replace("diesel", "conventional")
        years = [int(one["Year"]) for one in listed.values() if one["Type"] == word]
        assert row["vehicle_share"] == len(years) / len(listed)
        assert row["past_life_count"] == sum(year + 7 <= 2022 for year in years)
        if years:
            days = [(day - date(year, 1, 1)).days for year in years]
            assert row["mean_age_years"] == pytest.approx(sum(days) / len(days) / 365.25)
    assert rows.get_column("refused_count").unique().to_list() == [1]
    in_service = rows.filter(status_scope="in service")
    assert in_service.get_column("vehicle_share").null_count() == in_service.height
