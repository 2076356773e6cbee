"""Diesel share of vehicle-kilometres: a toy timetable shared over a toy fleet, and no grounds."""

from __future__ import annotations

from datetime import date
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from pipelines.marts.diesel_vehicle_km import (
    NO_KM,
    NO_REGISTER,
    NO_TRIP,
    compute_diesel_vehicle_km,
)
from pipelines.marts.trip_stats import TripStats
from pipelines.staging.gtfs import Agency, Routes, ServiceDates
from tests.marts.toy_registers import a_history, night

TODAY = date(2026, 11, 20)
FEED = {"source_id": "bus", "version_id": "b1"}


def toy(contract: type[dy.Schema], *rows: dict[str, object]) -> Any:
    """Rows of a feed; what they leave out is blank."""
    blank: dict[str, object] = dict.fromkeys(contract.column_names())
    types = {name: column.dtype for name, column in contract.columns().items()}
    return pl.DataFrame([blank | FEED | row for row in rows], schema=types)


def a_trip(
    route_id: str, km: float | None, times: int = 1, service: str = "w"
) -> dict[str, object]:
    return {
        "trip_id": f"{route_id}-{km}-{times}-{service}", "route_id": route_id,
        "service_id": service, "route_type": 3, "departure_count": times,
        "distance_km": km, "speed_kmh": 20.0 if km else None,
    }  # fmt: skip


TRIPS = (
    a_trip("r1", 10.0, 3),  # 30 km of Green's
    a_trip("r2", 20.0, 2),  # 40 km of Green's, assigned
    a_trip("r3", 30.0),  # 30 km of an operator that the register doesn't know
    a_trip("r1", None),  # of unknown length
    a_trip("r1", 99.0, service="sunday"),
    a_trip("metro", 50.0),
)


def computed(history: pl.DataFrame, trips: tuple[dict[str, object], ...] = TRIPS) -> pl.DataFrame:
    return compute_diesel_vehicle_km(
        night(TODAY),
        vehicle_history=history,  # type: ignore[arg-type]  # toy rows
        trip_stats=toy(TripStats, *trips),
        service_dates=toy(ServiceDates, {"service_id": "w", "service_date": TODAY}),
        routes=toy(
            Routes,
            {"route_id": "r1", "agency_id": "g", "route_type": 3},
            {"route_id": "r2", "agency_id": "g", "route_type": 3},
            {"route_id": "r3", "agency_id": "x", "route_type": 3},
            {"route_id": "metro", "agency_id": "g", "route_type": 1},
        ),
        agency=toy(
            Agency,
            {"agency_id": "g", "agency_name": " GREEN  bus"},
            {"agency_id": "x", "agency_name": "Somebody"},
        ),
    )


GREEN = {"operator_name": "Green bus", "status": "in_service"}
FLEET = (
    {**GREEN, "fuel_type": "diesel"},
    {**GREEN, "fuel_type": "cng"},
    {**GREEN, "fuel_type": "electric", "route_id": "r2"},
    {"operator_name": "Blue", "fuel_type": "diesel"},
    {**GREEN, "fuel_type": "diesel", "status": "reserve"},
    {**GREEN, "fuel_type": "diesel", "valid_to_date": TODAY},
)


def test_kilometres_go_to_who_may_run_them() -> None:
    rows = computed(a_history(*FLEET))
    km = {fuel: value for fuel, value in rows.select("fuel_type", "vehicle_km").rows() if value}
    # r1: 30 km to Green's two without a route; r2: 40 km to its own; r3: 30 km to whoever is free,
    # two diesels and a gas bus.
    assert km == pytest.approx({"diesel": 15 + 20, "cng": 15 + 10, "electric": 40})
    diesel = rows.filter(fuel_type="diesel").row(0, named=True)
    assert (diesel["fleet_km"], diesel["vehicle_km_share"]) == (100, 0.35)
    assert (diesel["known_trip_share"], diesel["mark"]) == (6 / 7, "modelled")
    assert diesel["method"] == (
        "km by assigned vehicles, else by the operator's fleet, else by the whole fleet"
    )


@pytest.mark.parametrize(
    ("history", "trips", "reason"),
    [
        (a_history().clear(), TRIPS, NO_REGISTER),
        (a_history({**GREEN, "status": "reserve"}), TRIPS, NO_REGISTER),
        (a_history(GREEN), TRIPS[4:], NO_TRIP),
        (a_history(GREEN), (TRIPS[3],), NO_KM),
    ],
)
def test_without_grounds_there_is_no_share_but_the_reason(
    history: pl.DataFrame, trips: tuple[dict[str, object], ...], reason: str
) -> None:
    rows = computed(history, trips)
    assert rows.get_column("reason").unique().to_list() == [reason]
    assert rows.get_column("vehicle_km_share").null_count() == rows.height == 9
