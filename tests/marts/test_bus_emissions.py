"""Bus emissions: a toy fleet on round kilometres by hand, its ranges, boundaries and years."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from pipelines.marts.bus_emissions import (
    NO_GRID,
    NO_KM,
    NO_REGISTER,
    NO_TRIP,
    NO_VEHICLE,
    RANGE,
    BusEmissions,
    compute_bus_emissions,
)
from pipelines.marts.bus_reach import BUS
from pipelines.marts.emissions.runs import BY_DAY, BY_WEEKDAY, runs
from pipelines.marts.trip_stats import TripStats
from pipelines.marts.vehicle_history import VehicleHistory
from pipelines.marts.vehicle_km import BUS_TYPES, TROLLEYBUS_TYPES
from pipelines.staging.gtfs import Agency, Routes, ServiceDates
from tests.toy_feeds import WEDNESDAY, night_of

FEED = {"source_id": "bus", "version_id": "b1"}
DAY = date.fromisoformat(WEDNESDAY)


def table(schema: Any, rows: list[dict[str, object]], **defaults: object) -> Any:
    types = {name: column.dtype for name, column in schema.columns().items()}
    return schema.cast(pl.DataFrame([{**defaults, **row} for row in rows], schema=types))


def trip(trip_id: str, route_id: str = "r", **told: object) -> dict[str, object]:
    """100 km in total at 18 km/h unless told otherwise."""
    return {
        "trip_id": trip_id,
        "route_id": route_id,
        "service_id": "daily",
        "route_type": 3,
        "distance_km": 10.0,
        "departure_count": 10,
        "speed_kmh": 18.0,
        **FEED,
        **told,
    }


def route(route_id: str = "r", agency_id: str | None = "a", route_type: int = 3) -> Any:
    return {"route_id": route_id, "agency_id": agency_id, "route_type": route_type, **FEED}


def agency(agency_id: str = "a", name: str = "Green") -> Any:
    return {"agency_id": agency_id, "agency_name": name, **FEED}


def vehicle(vehicle_id: str, fuel: str, standard: str | None = None, **told: object) -> Any:
    return {
        "source_id": "fleet",
        "vehicle_id": vehicle_id,
        "fuel_type": fuel,
        "emission_standard": standard,
        "operator_name": "Green",
        "valid_from_date": date(2020, 1, 1),
        "known_from_date": date(2020, 1, 1),
        "opened_by": "entry",
        "has_year_only_date": False,
        **told,
    }


def gone(day: date) -> dict[str, object]:
    return {"valid_to_date": day, "closed_by": "retirement"}


def dates(*days: date, service_id: str = "daily") -> list[dict[str, object]]:
    return [{"service_id": service_id, "service_date": day, **FEED} for day in days]


EVERY_DAY = dates(*(DAY + timedelta(days=n) for n in range(-28, 28)))


def computed(
    vehicles: list[dict[str, object]],
    trips: list[dict[str, object]] | None = None,
    *,
    routes: list[dict[str, object]] | None = None,
    agencies: list[dict[str, object]] | None = None,
    service_dates: list[dict[str, object]] | None = None,
    zone: str = "Asia/Almaty",
) -> pl.DataFrame:
    return compute_bus_emissions(
        replace(night_of(WEDNESDAY), time_zone=zone, mark="measured"),
        trip_stats=table(TripStats, [trip("t")] if trips is None else trips),
        service_dates=table(ServiceDates, EVERY_DAY if service_dates is None else service_dates),
        routes=table(Routes, routes or [route()]),
        agency=table(Agency, agencies or [agency()]),
        vehicle_history=table(VehicleHistory, vehicles),
    )


def one(rows: pl.DataFrame, pollutant: str, **key: str) -> dict[str, Any]:
    wanted = {"fleet_case": "fleet", "boundary": "tailpipe", "fuel_type": "all"} | key
    return rows.filter(pollutant=pollutant, **wanted).row(0, named=True)


def test_a_bus_of_a_known_class_by_hand() -> None:
    rows = computed([vehicle("1", "diesel", "Euro VI")])
    nox = one(rows, "NOx")
    assert nox["day_km"] == 100.0
    assert nox["day_tonnes"] == round(100 * 0.5966122495 / 1e6, 9)
    assert nox["day_tonnes_low"] == nox["day_tonnes_high"] == nox["day_tonnes"]
    assert nox["year_tonnes"] == pytest.approx(365 * nox["day_tonnes"], rel=1e-4)
    assert nox["reason"] is None
    assert (nox["mark"], nox["known_trip_share"]) == ("modelled", 1.0)
    assert nox["method"] == f"EMEP/EEA 2019; km by the operator's fleet; {BY_WEEKDAY}"
    assert one(rows, "CO2e")["day_tonnes"] == pytest.approx(0.1 * 1.0965, rel=1e-3)
    # The same as all diesel of Euro VI: nothing is avoided, and against Euro V there is a range.
    assert one(rows, "NOx", fleet_case="avoided against all diesel Euro VI")["day_tonnes"] == 0
    against = one(rows, "NOx", fleet_case="avoided against all diesel Euro V")
    assert against["day_tonnes"] is None
    assert against["day_tonnes_low"] == pytest.approx(1e-4 * (6.34181 - 0.59661), rel=1e-4)
    assert against["day_tonnes_high"] == pytest.approx(1e-4 * (9.55296 - 0.59661), rel=1e-4)


def test_kilometres_are_shared_by_number_and_classes_sum_to_the_fleet() -> None:
    rows = computed(
        [
            vehicle("1", "diesel", "Euro VI"),
            vehicle("2", "diesel", "Euro IV"),
            vehicle("3", "cng", "EEV"),
            vehicle("4", "cng", "EEV"),
            vehicle("reserve", "diesel", "Euro I", status="reserve"),
            vehicle("gone", "diesel", "Euro I", **gone(DAY)),
            vehicle("later", "diesel", "Euro I", valid_from_date=DAY + timedelta(days=1)),
        ]
    )
    gas = one(rows, "NOx", fuel_type="cng", emission_class="EEV")
    assert gas["day_km"] == 50.0
    assert gas["day_tonnes"] == pytest.approx(50 * 4.34234e-6, rel=1e-5)
    parts = rows.filter(pl.col("fuel_type") != "all", fleet_case="fleet", boundary="tailpipe")
    assert parts.get_column("emission_class").unique().sort().to_list() == [
        "EEV",
        "Euro IV",
        "Euro VI",
    ]
    for pollutant in ("NOx", "PM10", "CO2e"):
        total = parts.filter(pollutant=pollutant).get_column("day_tonnes").sum()
        assert one(rows, pollutant)["day_tonnes"] == pytest.approx(total, abs=1e-8)


def test_an_unknown_class_is_a_range_and_so_is_the_sum() -> None:
    rows = computed([vehicle("1", "diesel"), vehicle("2", "diesel", "Euro VI")])
    unknown = one(rows, "NOx", fuel_type="diesel", emission_class="unknown")
    assert (unknown["day_tonnes"], unknown["reason"]) == (None, RANGE)
    assert unknown["day_tonnes_low"] == pytest.approx(50e-6 * 0.59661, rel=1e-4)
    assert unknown["day_tonnes_high"] == pytest.approx(50e-6 * 19.41832, rel=1e-4)
    total = one(rows, "NOx")
    assert (total["day_tonnes"], total["reason"]) == (None, RANGE)
    assert total["day_tonnes_high"] == pytest.approx(50e-6 * (19.41832 + 0.59661), rel=1e-4)


def test_electricity_counts_at_the_grid_and_is_added_under_that_name_alone() -> None:
    rows = computed([vehicle("1", "electric"), vehicle("2", "trolleybus")])
    assert one(rows, "CO2e")["day_tonnes"] == 0
    grid = one(rows, "CO2e", boundary="grid", fuel_type="electric")
    assert grid["day_tonnes_low"] == pytest.approx(50 * 1.2 * 821.391 / 1e6)
    assert grid["day_tonnes_high"] == pytest.approx(50 * 1.5 * 821.391 / 1e6)
    both = one(rows, "CO2e", boundary="tailpipe and grid")
    assert both["day_tonnes_high"] == pytest.approx(100 * 1.5 * 821.391 / 1e6)
    avoided = one(
        rows,
        "CO2e",
        boundary="tailpipe and grid",
        fleet_case="avoided against all diesel Euro VI",
    )
    least = 100 * 1096.46 - 100 * 1.5 * 821.391
    assert avoided["day_tonnes_low"] == pytest.approx(least / 1e6, rel=1e-3)
    assert set(rows.filter(boundary="grid").get_column("pollutant")) == {"CO2e"}
    assert rows.filter(fleet_case="fleet", fuel_type="all").height == 5


def test_a_grid_without_a_factor_gives_no_number() -> None:
    rows = computed([vehicle("1", "electric"), vehicle("2", "cng", "EEV")], zone="Europe/Paris")
    both = one(rows, "CO2e", boundary="tailpipe and grid")
    assert (both["day_tonnes"], both["day_tonnes_high"], both["reason"]) == (None, None, NO_GRID)
    assert one(rows, "CO2e")["day_tonnes"] is not None
    burning = computed([vehicle("1", "cng", "EEV")], zone="Europe/Paris")
    assert one(burning, "CO2e", boundary="tailpipe and grid")["day_tonnes"] is not None


def test_routes_of_an_operator_are_run_by_its_vehicles() -> None:
    fleet = [
        vehicle("1", "diesel", "Euro VI", operator_name="Green"),
        vehicle("2", "cng", "EEV", operator_name=" BLUE  line "),
        vehicle("3", "cng", "EEV", operator_name="Blue line"),
    ]
    trips = [trip("g", "g"), trip("b", "b", departure_count=30)]
    routes = [route("g", "g"), route("b", "b")]
    both = [agency("g", "green"), agency("b", "Blue Line")]
    rows = computed(fleet, trips, routes=routes, agencies=both)
    assert one(rows, "NOx", fuel_type="diesel")["day_km"] == 100.0
    assert one(rows, "NOx", fuel_type="cng")["day_km"] == 300.0
    assert "; km by the operator's fleet; " in rows.item(0, "method")
    # Of the second agency the register has no vehicle: anybody's may run its route.
    rows = computed(fleet, trips, routes=routes, agencies=[both[0], agency("b", "Red")])
    assert one(rows, "NOx", fuel_type="diesel")["day_km"] == pytest.approx(100 + 300 / 3)
    assert "; km by the operator's fleet, else by the whole fleet; " in rows.item(0, "method")
    rows = computed(fleet, trips, routes=[route("g", None), route("b", None)], agencies=both)
    assert one(rows, "NOx", fuel_type="diesel")["day_km"] == pytest.approx(400 / 3)
    assert "; km by the whole fleet; " in rows.item(0, "method")


def test_a_route_is_run_by_the_vehicles_assigned_to_it() -> None:
    fleet = [
        vehicle("1", "diesel", "Euro VI", route_id="g"),
        vehicle("2", "cng", "EEV"),
        vehicle("3", "electric", route_id="elsewhere"),
    ]
    trips = [trip("g", "g"), trip("b", "b", departure_count=30)]
    rows = computed(fleet, trips, routes=[route("g"), route("b")])
    assert one(rows, "NOx", fuel_type="diesel")["day_km"] == 100.0
    assert one(rows, "NOx", fuel_type="cng")["day_km"] == 150.0
    assert "; km by assigned vehicles, else by the operator's fleet; " in rows.item(0, "method")
    # With every vehicle assigned to one route, the other is run by the same.
    rows = computed(fleet[:1], trips, routes=[route("g"), route("b")])
    assert one(rows, "NOx", fuel_type="diesel")["day_km"] == 400.0


def test_trolleybus_routes_are_run_by_trolleybuses() -> None:
    fleet = [vehicle("1", "diesel", "Euro VI"), vehicle("2", "trolleybus")]
    trips = [trip("bus"), trip("wire", "w", route_type=11, departure_count=5)]
    rows = computed(fleet, trips, routes=[route(), route("w", route_type=11)])
    assert one(rows, "CO2e", fuel_type="trolleybus")["day_km"] == 50.0
    assert one(rows, "CO2e", fuel_type="diesel")["day_km"] == 100.0
    # A feed that marks none leaves them among the rest; so does a fleet without any.
    rows = computed(fleet, [trip("bus")])
    assert one(rows, "CO2e", fuel_type="trolleybus")["day_km"] == 50.0
    rows = computed(fleet[:1], trips, routes=[route(), route("w", route_type=11)])
    assert one(rows, "CO2e", fuel_type="diesel")["day_km"] == 150.0


def test_only_buses_count_and_a_length_that_is_not_known_is_told() -> None:
    trips = [trip("bus"), trip("metro", "m", route_type=1), trip("short", distance_km=None)]
    rows = computed(
        [vehicle("1", "diesel", "Euro VI")], trips, routes=[route(), route("m", "a", 1)]
    )
    total = one(rows, "NOx")
    assert (total["day_km"], total["known_trip_share"]) == (100.0, 0.5)


def test_a_short_calendar_of_another_mode_changes_no_year() -> None:
    metro = {"source_id": "metro", "version_id": "m1"}
    rows = computed(
        [vehicle("1", "diesel", "Euro VI")],
        [trip("bus"), trip("metro", "m", route_type=1, **metro)],
        routes=[route(), {**route("m", "a", 1), **metro}],
        service_dates=[*EVERY_DAY, {**dates(DAY)[0], **metro}],
    )
    assert rows.item(0, "method").endswith(BY_WEEKDAY)
    assert one(rows, "NOx")["day_km"] == 100.0


def test_bus_types_are_those_of_reach() -> None:
    assert set(BUS_TYPES) == BUS.route_types
    assert set(TROLLEYBUS_TYPES) < BUS.route_types


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"vehicles": []}, NO_REGISTER),
        ({"vehicles": [vehicle("1", "diesel", **gone(DAY))]}, NO_VEHICLE),
        ({"trips": []}, NO_TRIP),
        ({"service_dates": dates(DAY - timedelta(days=1))}, NO_TRIP),
        ({"trips": [trip("t", distance_km=None, speed_kmh=None)]}, NO_KM),
        ({"trips": [trip("t", speed_kmh=None)]}, NO_KM),
    ],
)
def test_without_grounds_there_is_a_reason_and_no_number(told: dict[str, Any], reason: str) -> None:
    rows = computed(**({"vehicles": [vehicle("1", "diesel")]} | told))
    assert rows.get_column("reason").to_list() == [reason] * 3
    assert rows.get_column("day_tonnes_high").to_list() == [None] * 3


def test_a_year_stands_on_weekdays_that_the_timetable_tells() -> None:
    # Mondays to Fridays over four weeks, 10 departures; Saturdays and Sundays another service, 5.
    days = [DAY + timedelta(days=n) for n in range(-14, 14)]
    work = dates(*(d for d in days if d.weekday() < 5), service_id="work")
    rest = dates(*(d for d in days if d.weekday() >= 5), service_id="rest")
    trips = [trip("w", service_id="work"), trip("r", service_id="rest", departure_count=5)]
    rows = computed([vehicle("1", "diesel", "Euro VI")], trips, service_dates=[*work, *rest])
    day = one(rows, "CO2e")
    expected = day["day_tonnes"] * 365 / 7 * (5 + 2 * 0.5)
    assert day["year_tonnes"] == pytest.approx(expected, rel=1e-6)


def test_a_holiday_without_service_counts_as_it_lies() -> None:
    days = [DAY + timedelta(days=n) for n in range(-14, 14)]
    told = table(ServiceDates, dates(*(d for d in days if d != DAY - timedelta(days=7))))
    often, method = runs(told, DAY)
    assert method == BY_WEEKDAY
    assert often.row(0, named=True)["day_runs"] == 1
    # Three of four Wednesdays.
    assert often.row(0, named=True)["year_runs"] == pytest.approx(365 / 7 * (6 + 3 / 4))


def test_a_timetable_of_less_than_a_week_gives_365_such_days() -> None:
    often, method = runs(table(ServiceDates, dates(DAY, DAY + timedelta(days=1))), DAY)
    assert method == BY_DAY
    assert often.row(0, named=True)["year_runs"] == 365
    far = table(ServiceDates, dates(DAY, DAY + timedelta(days=183)))
    assert runs(far, DAY)[1] == BY_DAY


def test_the_order_of_rows_changes_nothing() -> None:
    fleet = [vehicle(str(n), "diesel", f"Euro {n}") for n in range(1, 7)]
    trips = [trip(f"t{n}", distance_km=n * 1.37, speed_kmh=9.0 + n) for n in range(1, 40)]
    rows = computed(fleet, trips)
    assert rows.equals(computed(fleet[::-1], trips[::-1]))
    assert rows.columns == BusEmissions.column_names()
