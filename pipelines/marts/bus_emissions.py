"""Emissions of the bus fleet: NOx, PM10 and CO2e from scheduled km, scheduled speed and factors.

    tonnes = sum over trips of km x factor(speed of the trip) x share of the vehicles, by class

The factors are those of EMEP/EEA 2019 for standard urban buses (`emissions.engines`), a trip's
speed is its length by its scheduled duration, and its km are shared over the vehicles that may run
it (`vehicle_km`). The year is a rate: the fleet and timetable of the service date for 365 days
(`emissions.runs`).

A vehicle whose class leaves a choice has a range (`emissions.classes`); a sum with a range in it is
one. Then the value is null, `_low` and `_high` are given, and the reason says so.

*Boundary*: `tailpipe` is what leaves the exhaust. `grid` is the CO2e of making the electricity of
electric buses and trolleybuses, at 1.2 to 1.5 kWh/km; its NOx and PM10 aren't known. The two are
added in `tailpipe and grid` and nowhere else. Making fuels, batteries and vehicles is left out, as
is hydrogen's production.

*Avoided*: the same km all driven on diesel, of Euro V and of Euro VI, less those of the fleet.
Negative is possible: gas of class EEV emits less NOx and PM10 than diesel up to Euro V, not less
than Euro VI, and no less CO2e than either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import dataframely as dy
import numpy as np
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.emissions.classes import NO_TAILPIPE, emission_class, kind_of
from pipelines.marts.emissions.engines import POLLUTANTS, Floats, Pollutant
from pipelines.marts.emissions.runs import runs
from pipelines.marts.service import FEED
from pipelines.marts.trip_stats import TripStats
from pipelines.marts.vehicle_history import VehicleHistory
from pipelines.marts.vehicle_km import Sharing, bus_trips, fleet_in_service, share_out
from pipelines.night import Night, weakest_mark
from pipelines.staging.fleet import FUEL_TYPES
from pipelines.staging.gtfs import Agency, Routes, ServiceDates

BOUNDARIES = ("tailpipe", "grid", "tailpipe and grid")
FLEET = "fleet"
REFERENCES = MappingProxyType({"all diesel Euro V": "Euro V", "all diesel Euro VI": "Euro VI"})
CASES = (FLEET, *REFERENCES, *(f"avoided against {case}" for case in REFERENCES))
ALL = "all"
KIND = ("fuel_type", "emission_class")

# Electricity of a 12 m battery bus or trolleybus, heating included: 1.2 to 1.5 kWh/km.
KWH_PER_KM = (1.2, 1.5)
# g CO2e per kWh of Kazakhstan's grid in 2023 (Ember), by the time zones of the country.
GRID_G_PER_KWH = MappingProxyType(
    dict.fromkeys(
        (
            *("Asia/Almaty", "Asia/Aqtau", "Asia/Aqtobe", "Asia/Atyrau"),
            *("Asia/Oral", "Asia/Qostanay", "Asia/Qyzylorda"),
        ),
        821.391,
    )
)
GRID_FUELS = ("electric", "trolleybus")
TONNE_G = 1_000_000
TONNE_DECIMALS = 9  # milligrams
KM_DECIMALS = 6

NO_REGISTER = "no fleet register was delivered"
NO_VEHICLE = "no vehicle of the register is in service on this date"
NO_TRIP = "no bus trip runs on this date"
NO_KM = "no bus trip of this date has a length and a duration"
NO_GRID = "no emission factor is known for the grid of this time zone"
RANGE = "a range: not every class, technology or consumption is known"

_TONNES = {"unit": "tonne"}


class BusEmissions(Figure):
    """One row per service date, case, boundary, fuel, emission class and pollutant."""

    fleet_case = one_of(
        *CASES,
        primary_key=True,
        description="The fleet as it is, its km all on diesel of a class, or what it avoids.",
    )
    boundary = one_of(
        *BOUNDARIES, primary_key=True, description="Where emissions count; see the method."
    )
    fuel_type = one_of(*FUEL_TYPES, ALL, primary_key=True, description="Fuel, or all together.")
    emission_class = dy.String(
        primary_key=True, description="Class that the register tells, e.g. Euro V, or all together."
    )
    pollutant = one_of(*POLLUTANTS, primary_key=True, description="What is emitted; PM10: exhaust.")
    day_km = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "km"},
        description="Scheduled kilometres of the date that the row is about.",
    )
    day_tonnes = dy.Float64(
        nullable=True, metadata=_TONNES, description="Emissions of the date; null for a range."
    )
    day_tonnes_low = dy.Float64(nullable=True, metadata=_TONNES, description="The least of it.")
    day_tonnes_high = dy.Float64(nullable=True, metadata=_TONNES, description="The most of it.")
    year_tonnes = dy.Float64(
        nullable=True,
        metadata=_TONNES,
        description="Emissions of a year with this fleet and timetable; null for a range.",
    )
    year_tonnes_low = dy.Float64(nullable=True, metadata=_TONNES, description="The least of it.")
    year_tonnes_high = dy.Float64(nullable=True, metadata=_TONNES, description="The most of it.")
    known_trip_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="Bus departures of the date with a known length; the others are left out.",
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A value is null exactly where a reason says why."""
        has_both = pl.col("day_tonnes").is_not_null() & pl.col("year_tonnes").is_not_null()
        return has_both == pl.col("reason").is_null()

    @dy.rule()
    def range_in_order(cls) -> pl.Expr:  # noqa: N805  # as above
        """The least is at most the most."""
        day = pl.col("day_tonnes_low") <= pl.col("day_tonnes_high")
        return day & (pl.col("year_tonnes_low") <= pl.col("year_tonnes_high"))


@dataclass(frozen=True)
class _Amount:
    """Km, and grams from the least to the most; arrays of two: a day's and a year's."""

    km: Floats
    low: Floats
    high: Floats

    def __add__(self, other: _Amount) -> _Amount:
        return _Amount(self.km + other.km, self.low + other.low, self.high + other.high)

    def __sub__(self, other: _Amount) -> _Amount:
        return _Amount(self.km, self.low - other.high, self.high - other.low)


_Key = tuple[str, str, str, str, str]  # case, boundary, fuel, class, pollutant
_NOTHING = _Amount(np.zeros(2), np.zeros(2), np.zeros(2))


def compute_bus_emissions(
    night: Night,
    *,
    trip_stats: dy.DataFrame[TripStats],
    service_dates: dy.DataFrame[ServiceDates],
    routes: dy.DataFrame[Routes],
    agency: dy.DataFrame[Agency],
    vehicle_history: dy.DataFrame[VehicleHistory],
) -> dy.DataFrame[BusEmissions]:
    """Emissions of the night's date, sorted by key."""
    fleet = fleet_in_service(vehicle_history, night.service_date).with_columns(
        emission_class=emission_class(pl.col("emission_standard"), pl.col("fuel_type"))
    )
    of_buses = bus_trips(trip_stats, routes, agency)
    of_services = service_dates.join(of_buses, on=[*FEED, "service_id"], how="semi")
    runs_of, year_method = runs(of_services, night.service_date)
    every = of_buses.join(runs_of, on=[*FEED, "service_id"], maintain_order="left")
    today = every.filter(pl.col("day_runs") > 0)
    trips = every.filter(pl.col("km").is_not_null())
    reason = _reason(vehicle_history, fleet, today)
    if reason:
        rows = _no_data(reason)
        method = year_method
    else:
        sharing = share_out(trips, fleet, KIND)
        grid = GRID_G_PER_KWH.get(night.time_zone)
        rows = _rows(_amounts(sharing, grid), has_grid=grid is not None)
        method = f"{sharing.method}; {year_method}"
    known = int(today.filter(pl.col("km").is_not_null()).get_column("trip_count").sum())
    total = int(today.get_column("trip_count").sum())
    told = rows.with_columns(
        known_trip_share=pl.lit(known / total if total else None, pl.Float64),
        mark=pl.lit(weakest_mark({night.mark, "modelled"})),
    )
    stamped = stamp(told, night, method=f"EMEP/EEA 2019; {method}")
    ordered = stamped.select(BusEmissions.column_names()).sort(BusEmissions.primary_key())
    return BusEmissions.validate(ordered)


def _reason(register: pl.DataFrame, fleet: pl.DataFrame, today: pl.DataFrame) -> str | None:
    if register.is_empty():
        return NO_REGISTER
    if fleet.is_empty():
        return NO_VEHICLE
    if not today.get_column("trip_count").sum():
        return NO_TRIP
    return None if today.get_column("km").is_not_null().any() else NO_KM


def _no_data(reason: str) -> pl.DataFrame:
    keys = [(FLEET, "tailpipe", ALL, ALL, pollutant) for pollutant in POLLUTANTS]
    return _frame([_named(key) | {"reason": reason} for key in keys])


def _amounts(sharing: Sharing, grid_g_per_kwh: float | None) -> dict[_Key, _Amount]:
    """What each fuel and class emits, what all of them do, and what they avoid."""
    made = dict(_tailpipe(sharing))
    made |= _grid(made, grid_g_per_kwh or 0.0)
    made |= _totals(made)
    for case in REFERENCES:
        for boundary, pollutant in _counted():
            key = (boundary, ALL, ALL, pollutant)
            # A diesel bus takes nothing from the grid.
            reference = made[case, "tailpipe", "diesel", REFERENCES[case], pollutant]
            made[f"avoided against {case}", *key] = reference - made[FLEET, *key]
    return made


def _counted() -> Iterator[tuple[str, Pollutant]]:
    """The boundaries at which a pollutant is known for the whole fleet."""
    yield from (("tailpipe", pollutant) for pollutant in POLLUTANTS)
    yield ("tailpipe and grid", "CO2e")


def _tailpipe(sharing: Sharing) -> Iterator[tuple[_Key, _Amount]]:
    trips, shares = sharing.trips, sharing.shares
    speed, km, pool = (trips.get_column(name).to_numpy() for name in ("speed_kmh", "km", "pool"))
    often = [trips.get_column(name).to_numpy() for name in ("day_runs", "year_runs")]
    pool_count = 1 + int(pool.max())

    def by_pool(per_km: Floats) -> Floats:
        """Sum over trips, shape (2, pools): a day's and a year's."""
        sums = [np.bincount(pool, km * n * per_km, minlength=pool_count) for n in often]
        return np.stack(sums)

    whole = by_pool(np.ones_like(km))
    wanted = [(FLEET, *kind) for kind in sorted(shares.select(KIND).unique().rows())]
    wanted += [(case, "diesel", standard) for case, standard in REFERENCES.items()]
    for case, fuel, standard in wanted:
        share = np.ones(pool_count)
        if case == FLEET:
            ours = shares.filter(fuel_type=fuel, emission_class=standard)
            share = np.zeros(pool_count)
            share[ours.get_column("pool").to_numpy()] = ours.get_column("share").to_numpy()
        for pollutant in POLLUTANTS:
            low, high = kind_of(fuel, standard).bounds(pollutant, speed)
            amount = _Amount(whole @ share, by_pool(low) @ share, by_pool(high) @ share)
            yield (case, "tailpipe", fuel, standard, pollutant), amount


def _grid(tailpipe: dict[_Key, _Amount], g_per_kwh: float) -> dict[_Key, _Amount]:
    """CO2e of the electricity that vehicles take from the grid."""
    least, most = (kwh * g_per_kwh for kwh in KWH_PER_KM)
    driven = {
        fuel: tailpipe[FLEET, "tailpipe", fuel, NO_TAILPIPE, "CO2e"].km
        for fuel in GRID_FUELS
        if (FLEET, "tailpipe", fuel, NO_TAILPIPE, "CO2e") in tailpipe
    }
    return {
        (FLEET, "grid", fuel, NO_TAILPIPE, "CO2e"): _Amount(km, km * least, km * most)
        for fuel, km in driven.items()
    }


def _totals(parts: dict[_Key, _Amount]) -> dict[_Key, _Amount]:
    """The fleet as a whole, at each boundary."""
    totals: dict[_Key, _Amount] = {}
    for pollutant in POLLUTANTS:
        ours = [a for key, a in parts.items() if _is_part(key, "tailpipe", pollutant)]
        totals[FLEET, "tailpipe", ALL, ALL, pollutant] = sum(ours, _NOTHING)
    grid = sum((a for key, a in parts.items() if _is_part(key, "grid", "CO2e")), _NOTHING)
    exhaust = totals[FLEET, "tailpipe", ALL, ALL, "CO2e"]
    both = _Amount(exhaust.km, exhaust.low + grid.low, exhaust.high + grid.high)
    totals[FLEET, "grid", ALL, ALL, "CO2e"] = grid
    totals[FLEET, "tailpipe and grid", ALL, ALL, "CO2e"] = both
    return totals


def _is_part(key: _Key, boundary: str, pollutant: str) -> bool:
    return (key[0], key[1], key[4]) == (FLEET, boundary, pollutant)


def _rows(amounts: dict[_Key, _Amount], *, has_grid: bool) -> pl.DataFrame:
    """The amounts as rows; what needs an unknown grid has km alone."""
    takes_grid = bool(amounts[FLEET, "grid", ALL, ALL, "CO2e"].km[0])
    rows: list[dict[str, object]] = []
    for key, amount in amounts.items():
        row = _named(key) | {"day_km": round(float(amount.km[0]), KM_DECIMALS)}
        if key[1] == "tailpipe" or has_grid or not takes_grid:
            row |= _tonnes(amount)
        else:
            row["reason"] = NO_GRID
        rows.append(row)
    return _frame(rows)


def _named(key: _Key) -> dict[str, object]:
    return dict(zip(BusEmissions.primary_key()[1:], key, strict=True))


def _tonnes(amount: _Amount) -> dict[str, object]:
    low, high = (
        [round(float(grams) / TONNE_G, TONNE_DECIMALS) for grams in bound]
        for bound in (amount.low, amount.high)
    )
    is_range = low != high
    told: dict[str, object] = {"reason": RANGE if is_range else None}
    for place, span in enumerate(("day", "year")):
        told[f"{span}_tonnes"] = None if is_range else low[place]
        told[f"{span}_tonnes_low"] = low[place]
        told[f"{span}_tonnes_high"] = high[place]
    return told


def _frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {name: column.dtype for name, column in BusEmissions.columns().items()}
    told = {name: dtype for name, dtype in schema.items() if name not in _STAMPED}
    return pl.DataFrame(rows, schema=told)


_STAMPED = ("service_date", "day_type", "departure_window", "method", "mark", "known_trip_share")
