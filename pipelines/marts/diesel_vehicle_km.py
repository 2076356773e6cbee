"""Diesel share of vehicle-kilometres: who runs the timetable of the date, by fuel.

    vehicle_km_share = vehicle_km / fleet_km

A route's kilometres go to the vehicles in service that may run it, in equal parts: those that the
register assigns to it, else those of its operator, else all (`vehicle_km`). `method` names which of
these were used.

A trip whose length isn't known is left out; `known_trip_share` says how many are not. Kilometres
from and to depots are left out too. Marked at best modelled: a timetable names no vehicles.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.service import FEED
from pipelines.marts.trip_stats import TripStats
from pipelines.marts.vehicle_history import VehicleHistory
from pipelines.marts.vehicle_km import bus_trips, fleet_in_service, share_out
from pipelines.night import Night, weakest_mark
from pipelines.staging.fleet import FUEL_TYPES
from pipelines.staging.gtfs import Agency, Routes, ServiceDates

NO_REGISTER = "no vehicle of a fleet register is in service on this date"
NO_TRIP = "no bus trip runs on this date"
NO_KM = "no bus trip of this date has a length and a duration"
NOT_SHARED = "km were not shared"
KM_DECIMALS, SHARE_DECIMALS = 6, 9

_KM = {"unit": "km"}
_SHARE = {"unit": "share"}


class DieselVehicleKm(Figure):
    """One row per service date and fuel."""

    fuel_type = one_of(*FUEL_TYPES, primary_key=True, description="Fuel.")
    vehicle_km = dy.Float64(
        nullable=True, min=0, metadata=_KM, description="Scheduled kilometres run on this fuel."
    )
    fleet_km = dy.Float64(
        nullable=True, min=0, metadata=_KM, description="Scheduled kilometres of all fuels."
    )
    vehicle_km_share = dy.Float64(
        nullable=True, min=0, max=1, metadata=_SHARE, description="vehicle_km / fleet_km."
    )
    known_trip_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata=_SHARE,
        description="Bus departures of the date with a known length; the others are left out.",
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A share is null exactly where a reason says why."""
        return pl.col("vehicle_km_share").is_null() == pl.col("reason").is_not_null()


def compute_diesel_vehicle_km(
    night: Night,
    *,
    vehicle_history: dy.DataFrame[VehicleHistory],
    trip_stats: dy.DataFrame[TripStats],
    service_dates: dy.DataFrame[ServiceDates],
    routes: dy.DataFrame[Routes],
    agency: dy.DataFrame[Agency],
) -> dy.DataFrame[DieselVehicleKm]:
    """Kilometres of the night's date by fuel, a row for each fuel; sorted by key."""
    fleet = fleet_in_service(vehicle_history, night.service_date)
    today = service_dates.filter(pl.col("service_date") == night.service_date)
    running = bus_trips(trip_stats, routes, agency).join(
        today, on=[*FEED, "service_id"], how="semi", maintain_order="left"
    )
    trips = running.filter(pl.col("km").is_not_null())
    reason = _reason(fleet, running, trips)
    method, km = (NOT_SHARED, None) if reason else _by_fuel(trips, fleet)
    total = None if km is None else sum(km.values())
    rows = [
        {
            "fuel_type": fuel,
            "vehicle_km": None if km is None else round(km.get(fuel, 0.0), KM_DECIMALS),
            "fleet_km": None if total is None else round(total, KM_DECIMALS),
            "vehicle_km_share": round(km.get(fuel, 0.0) / total, SHARE_DECIMALS)
            if km is not None and total
            else None,
            "known_trip_share": _known_share(running),
            "reason": reason,
            "mark": weakest_mark({night.mark, "modelled"}),
        }
        for fuel in sorted(FUEL_TYPES)
    ]
    schema = {name: column.dtype for name, column in DieselVehicleKm.columns().items()}
    told = pl.DataFrame(rows, schema={name: schema[name] for name in rows[0]})
    stamped = stamp(told, night, method=method)
    return DieselVehicleKm.validate(stamped.select(schema.keys()))


def _reason(fleet: pl.DataFrame, running: pl.DataFrame, trips: pl.DataFrame) -> str | None:
    if fleet.is_empty():
        return NO_REGISTER
    if running.is_empty():
        return NO_TRIP
    return NO_KM if trips.is_empty() else None


def _by_fuel(trips: pl.DataFrame, fleet: pl.DataFrame) -> tuple[str, dict[str, float]]:
    """How the kilometres were shared, and those of each fuel; sums do not depend on order."""
    sharing = share_out(trips, fleet, ("fuel_type",))
    pools = sharing.trips.group_by("pool").agg(km=pl.col("km").sort().sum())
    parts = pools.join(sharing.shares, on="pool").select(
        "fuel_type", km=pl.col("km") * pl.col("share")
    )
    by_fuel = parts.group_by("fuel_type").agg(km=pl.col("km").sort().sum()).sort("fuel_type")
    return sharing.method, dict(by_fuel.rows())


def _known_share(running: pl.DataFrame) -> float | None:
    """Departures with a known length / departures; null where nothing runs."""
    total = int(running.get_column("trip_count").sum())
    known = int(running.filter(pl.col("km").is_not_null()).get_column("trip_count").sum())
    return known / total if total else None
