"""Diesel phase-out: how many vehicles of each fuel the fleet has on a service date.

A vehicle counts on service date D when the history of the register (`marts.vehicle_history`), as
known on the night, has it on D: it entered service on or before D, and was not retired or lost by
D. Shares are by number of vehicles and always name their scope, because published shares differ
mainly in it: `status_scope` (in service, or with reserve) times `service_scope` (city and suburban
together, and each apart where the register tells them apart). Rows are of all operators, of each
operator, and of each of its depots; below `all`, fuels without a vehicle have no row, diesel has.

Clean follows Directive (EU) 2019/1161, article 4: gas counts. Hybrids don't, since a register
doesn't say which of them are plug-in. Zero-emission is reported apart. Both are null for an
unknown fuel, whose vehicles are a row of their own and stay in the denominator. Rows of the
register that were refused count nowhere: `refused_count` says how many there are.

Age runs from manufacture, or from entry where manufacture is blank; a vehicle is past its service
life from SERVICE_LIFE_YEARS on. Vehicles with neither date have no age and are not in its shares.

In a register that marks its reserve, a blank status is a vehicle in service. One that marks
none can't tell the two, and "in service" is then null. Shares by vehicle-kilometre stand on the
timetable too: they are in `marts.diesel_vehicle_km`.

The rows are made by `sql/marts/diesel_phase_out.sql`.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of
from pipelines.staging.fleet import FUEL_TYPES

STATUS_SCOPES = ("in service", "with reserve")
FLEET_SERVICE_SCOPES = ("city and suburban", "city", "suburban")
ALL, NOT_TOLD = "all", "not told"
# Standard life of a bus in Kazakhstan, as Kazinform reported in August 2024.
SERVICE_LIFE_YEARS = 7


class DieselPhaseOut(Figure):
    """One row per service date, status scope, service scope, operator, depot and fuel."""

    status_scope = one_of(
        *STATUS_SCOPES,
        primary_key=True,
        description="Which vehicles count: those in service, or those in reserve as well.",
    )
    service_scope = one_of(
        *FLEET_SERVICE_SCOPES,
        primary_key=True,
        description="Whose routes count: the city's, the suburban ones, or both.",
    )
    operator_name = dy.String(
        primary_key=True,
        description="Carrier, 'all' of them, or 'not told' where the register is blank.",
    )
    depot_name = dy.String(
        primary_key=True,
        description="Depot of the carrier, 'all' of them, or 'not told' where it is blank.",
    )
    fuel_type = one_of(
        *FUEL_TYPES, primary_key=True, description="Fuel; 'unknown' where the register is blank."
    )
    vehicle_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles of this fuel that count on the service date.",
    )
    fleet_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles of every fuel in the scope, the unknown ones included.",
    )
    vehicle_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="vehicle_count / fleet_count.",
    )
    is_clean = dy.Bool(
        nullable=True,
        description="Whether the fuel is clean by Directive (EU) 2019/1161; null if unknown.",
    )
    is_zero_emission = dy.Bool(
        nullable=True, description="Whether nothing leaves a tailpipe; null if unknown."
    )

    refused_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Rows of the registers that were refused and count nowhere; for all operators.",
    )
    known_age_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles of this fuel whose age is known.",
    )
    mean_age_years = dy.Float64(
        nullable=True, metadata={"unit": "years"}, description="Their mean age on the date."
    )
    past_life_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "vehicles"},
        description="Of these, vehicles past their service life.",
    )
    past_life_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="past_life_count / known_age_count.",
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A share is null exactly where a reason says why."""
        return pl.col("vehicle_share").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def fuels_add_up(cls) -> pl.Expr:  # noqa: N805  # as above
        """The vehicles of all fuels are the fleet."""
        fleet = ("service_date", "status_scope", "service_scope", "operator_name", "depot_name")
        return pl.col("vehicle_count").sum().over(fleet) == pl.col("fleet_count")
