"""Vehicle history: how every vehicle stood on which days, as known from which night on.

Two times on every row. `valid_from_date` to `valid_to_date` (excluded) is when the vehicle was so;
`known_from_date` to `known_to_date` (excluded) are the nights that knew it. Asked for a day D as
known on night K (`fleet_asof`): the rows with valid_from_date <= D < valid_to_date and
known_from_date <= K < known_to_date, an open end being later than any day. The same pair always
gives the same vehicles, whatever registers say later. A mart of a night sees what that night knew.

Rules, each told by its row:

- *entry*: a life begins on the day of entry, else of manufacture; *first seen*: where the register
  tells neither, on the day it first listed the vehicle;
- *change*: fuel, operator, plate or anything else is another than before: it changed on the day on
  which the register first said so, and `changed_columns` names what. A register doesn't tell a
  conversion from a corrected mistake;
- *retirement*, by the register's own date; *absence*: a register that listed the vehicle lists it
  no more; *return*: it does again, and was out between;
- a date (manufacture, entry, retirement) that is another than before corrects the whole life, up
  to the last return.

A vehicle listed twice is in quarantine, by the rule's name. Left out: why a vehicle changed.
"""

from __future__ import annotations

from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.marts.fleet.tellings import observations
from pipelines.marts.fleet.timelines import CLOSED_BY, OPENED_BY, histories
from pipelines.staging.fleet import (
    FUEL_TYPES,
    POWERTRAINS,
    SERVICE_SCOPES,
    STATUSES,
    RegisterVersions,
    Vehicles,
    VehicleStates,
)


class VehicleHistory(dy.Schema):
    """One row per vehicle, day from which it was so, and night from which that was known."""

    source_id = dy.String(primary_key=True, description="Register as the city file names it.")
    vehicle_id = dy.String(primary_key=True, description="Vehicle's number in the register.")
    valid_from_date = dy.Date(primary_key=True, description="First day on which it was so.")
    valid_to_date = dy.Date(
        nullable=True, description="First day on which it no longer was; null: it still is."
    )
    known_from_date = dy.Date(primary_key=True, description="First night that knew this.")
    known_to_date = dy.Date(
        nullable=True, description="First night that knew otherwise; null: it holds."
    )
    opened_by = one_of(*OPENED_BY, description="Why it begins to be so.")
    closed_by = one_of(*CLOSED_BY, nullable=True, description="Why it ends; null: it doesn't.")
    changed_columns = dy.String(
        nullable=True, description="What is another than in the row before, comma-separated."
    )
    operator_name = dy.String(nullable=True, description="Carrier that runs it.")
    depot_name = dy.String(nullable=True, description="Depot that it belongs to.")
    fuel_type = one_of(*FUEL_TYPES, description="What it is driven by.")
    powertrain_type = one_of(*POWERTRAINS, nullable=True, description="How the fuel drives it.")
    emission_standard = dy.String(nullable=True, description="Emission standard as registered.")
    manufacture_date = dy.Date(nullable=True, description="Day on which it was made.")
    in_service_date = dy.Date(nullable=True, description="First day in service.")
    retirement_date = dy.Date(nullable=True, description="First day out of service for good.")
    has_year_only_date = dy.Bool(description="Whether a date was told as a year alone.")
    status = one_of(*STATUSES, nullable=True, description="Whether it runs or stands in reserve.")
    service_scope = one_of(
        *SERVICE_SCOPES, nullable=True, description="Whether it serves city or suburban routes."
    )
    is_step_free = dy.Bool(nullable=True, description="Whether it is boarded without a step.")
    model_name = dy.String(nullable=True, description="Make and model.")
    route_id = dy.String(nullable=True, description="GTFS route that it is assigned to.")
    plate_check = dy.String(nullable=True, description="Another value is another licence plate.")

    @dy.rule()
    def lasts(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Days and nights end after they begin."""
        valid = pl.col("valid_to_date") > pl.col("valid_from_date")
        return valid & (pl.col("known_to_date") > pl.col("known_from_date"))

    @dy.rule()
    def an_end_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # as above
        """A row that ends says why."""
        return pl.col("valid_to_date").is_null() == pl.col("closed_by").is_null()


def compute_vehicle_history(
    *,
    vehicles: dy.DataFrame[Vehicles],
    vehicle_states: dy.DataFrame[VehicleStates],
    register_versions: dy.DataFrame[RegisterVersions],
) -> dy.DataFrame[VehicleHistory]:
    """The history that all versions of a register make together, sorted by key."""
    rows = histories(*observations(vehicles, vehicle_states, register_versions))
    ordered = rows.select(VehicleHistory.column_names()).sort(VehicleHistory.primary_key())
    return VehicleHistory.validate(ordered)


def as_known(vehicle_history: pl.DataFrame, known_at: date) -> pl.DataFrame:
    """The rows that a night knew."""
    is_still = (pl.col("known_to_date") > known_at).fill_null(value=True)
    return vehicle_history.filter(pl.col("known_from_date") <= known_at, is_still)


def fleet_asof(vehicle_history: pl.DataFrame, service_date: date, known_at: date) -> pl.DataFrame:
    """The vehicles of a day as known on a night: one row per vehicle."""
    return fleet_on(as_known(vehicle_history, known_at), service_date)


def fleet_on(known: pl.DataFrame, service_date: date) -> pl.DataFrame:
    """The vehicles of a day, of rows that one night knew: one row per vehicle."""
    is_still = (pl.col("valid_to_date") > service_date).fill_null(value=True)
    return known.filter(pl.col("valid_from_date") <= service_date, is_still)


def seen_from(known: pl.DataFrame) -> date | None:
    """The day from which a register was seen at work, of rows that one night knew.

    That is the earliest day on which it lost, changed or first listed a vehicle, or was known. What
    it says of days before is what is left of them. None for an empty register.
    """
    moved = pl.col("valid_to_date").filter(pl.col("closed_by") != "change")
    listed = pl.col("valid_from_date").filter(pl.col("opened_by") != "entry")
    earliest = pl.min_horizontal(pl.min("known_from_date"), moved.min(), listed.min())
    day: date | None = known.select(earliest).item()
    return day
